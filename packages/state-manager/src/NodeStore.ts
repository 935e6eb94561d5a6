/** Where trie nodes and code live: bytes by their keccak-256, added and never changed. */
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Context, Effect, Layer, Option } from "effect"
import { keccak } from "./internal/Bytes.ts"
import type { NodeStoreFailed } from "./State.ts"

export class NodeStore extends Context.Tag("@ovm/state-manager/NodeStore")<
  NodeStore,
  {
    /** The bytes put under `hash`, if any. Does not check them: whoever reads does. */
    readonly get: (hash: Hash32) => Effect.Effect<Option.Option<Uint8Array>, NodeStoreFailed>
    /** Adds all entries or none. What is there already stays: content never changes its hash. */
    readonly putMany: (
      entries: ReadonlyMap<Hash32, Uint8Array>
    ) => Effect.Effect<void, NodeStoreFailed>
  }
>() {}

/** Keeps everything in memory, `contents` from the start on. For tests, devnets and witnesses. */
export const makeMemory = (contents: Iterable<Uint8Array> = []): typeof NodeStore.Service => {
  const entries = new Map<Hash32, Uint8Array>()
  for (const bytes of contents) entries.set(keccak(bytes), bytes)
  return {
    get: (hash) => Effect.sync(() => Option.fromNullable(entries.get(hash))),
    putMany: (added) =>
      Effect.sync(() => {
        for (const [hash, bytes] of added) entries.set(hash, bytes)
      })
  }
}

/** A store in memory that lasts as long as the layer. */
export const layerMemory: Layer.Layer<NodeStore> = Layer.sync(NodeStore, () => makeMemory())
