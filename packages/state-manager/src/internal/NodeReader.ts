/** Reads trie nodes: from the cache, from those not stored yet, then, checked, from the source. */
import { decodeMPTNode, type MPTNode } from "@ethereumjs/mpt"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { StateCorrupted, TrieNodeMissing } from "../State.ts"
import type { NodeSource, PendingNodes } from "../Trie.ts"
import type { BoundedCache } from "./BoundedCache.ts"
import { bytesToHex, keccak, keccakBytes } from "./Bytes.ts"

/** Decoded nodes by hash. They are shared between tries, so nobody may change one. */
export type NodeCache = BoundedCache<Hash32, MPTNode>

export class NodeReader {
  readonly #source: NodeSource
  readonly #cache: NodeCache
  readonly #pending: PendingNodes

  constructor(source: NodeSource, cache: NodeCache, pending: PendingNodes) {
    this.#source = source
    this.#cache = cache
    this.#pending = pending
  }

  /** The node with this hash: at once if it is at hand, else as a promise. */
  read(hash: Hash32): MPTNode | Promise<MPTNode> {
    const cached = this.#cache.get(hash)
    if (cached !== undefined) return cached
    const pending = this.#pending.get(hash)
    if (pending !== undefined) return this.#decode(hash, pending)
    return this.#load(hash)
  }

  /** Takes in a new node and answers its hash. */
  add(node: MPTNode, encoded: Uint8Array): Uint8Array {
    const hashBytes = keccakBytes(encoded)
    const hash = bytesToHex(hashBytes)
    this.#pending.set(hash, encoded)
    this.#cache.set(hash, node)
    return hashBytes
  }

  async #load(hash: Hash32): Promise<MPTNode> {
    const bytes = await this.#source.load(hash)
    if (bytes === undefined) throw new TrieNodeMissing({ hash, kind: "node" })
    const actual = keccak(bytes)
    if (actual !== hash) {
      throw new StateCorrupted({ expected: hash, actual, reason: "the bytes were changed" })
    }
    return this.#decode(hash, bytes)
  }

  #decode(hash: Hash32, bytes: Uint8Array): MPTNode {
    try {
      const node = decodeMPTNode(bytes)
      this.#cache.set(hash, node)
      return node
    } catch {
      throw new StateCorrupted({ expected: hash, actual: hash, reason: "it is no trie node" })
    }
  }
}
