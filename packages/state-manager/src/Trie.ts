/** A secure Merkle-Patricia trie as the state manager needs it, so that a faster one can replace it. */
import type { Hash32, Hex } from "@ovm/protocol/Primitives"
import { Context } from "effect"

/** Answers stored bytes by hash. A rejected promise holds a `StateError`. */
export interface NodeSource {
  readonly load: (hash: Hash32) => Promise<Uint8Array | undefined>
}

/** Nodes that were made and not stored yet, by hash. */
export type PendingNodes = Map<Hash32, Uint8Array>

/** One version of a trie; it never changes. Keys are hashed inside. */
export interface Trie {
  readonly root: Hash32
  /** The value at `key`. Rejects with `TrieNodeMissing` or `StateCorrupted` if the path is broken. */
  readonly get: (key: Hex) => Promise<Uint8Array | undefined>
  /** The version with all changes made at once (`undefined` deletes); its nodes go to `pending`. */
  readonly update: (changes: ReadonlyMap<Hex, Uint8Array | undefined>) => Promise<Trie>
  /** The nodes from the root to `key`, or to where its absence shows; none for an empty trie. */
  readonly prove: (key: Hex) => Promise<ReadonlyArray<Uint8Array>>
}

/** Opens the version at `root`, which reads `pending` beside the source, and adds new nodes to it. */
export type OpenTrie = (root: Hash32, pending: PendingNodes) => Trie

export class TrieFactory extends Context.Tag("@ovm/state-manager/TrieFactory")<
  TrieFactory,
  {
    /** Tries over the nodes of one source; those it opens may share a cache. */
    readonly over: (source: NodeSource) => OpenTrie
  }
>() {}
