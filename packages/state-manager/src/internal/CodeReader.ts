/** Reads code from a source, checks it against its hash, and keeps what was read last. */
import type { Hash32 } from "@ovm/protocol/Primitives"
import { StateCorrupted, TrieNodeMissing } from "../State.ts"
import type { NodeSource } from "../Trie.ts"
import { BoundedCache } from "./BoundedCache.ts"
import { keccak } from "./Bytes.ts"

/** Code takes up to 24 kB, so this bounds the cache at some 24 MB. */
const CACHED_CODES_MAX = 1_000

export const codeReader = (source: NodeSource): ((hash: Hash32) => Promise<Uint8Array>) => {
  const cache = new BoundedCache<Hash32, Uint8Array>(CACHED_CODES_MAX)
  return async (hash) => {
    const cached = cache.get(hash)
    if (cached !== undefined) return cached
    const code = await source.load(hash)
    if (code === undefined) throw new TrieNodeMissing({ hash, kind: "code" })
    const actual = keccak(code)
    if (actual !== hash) {
      throw new StateCorrupted({ expected: hash, actual, reason: "the bytes were changed" })
    }
    cache.set(hash, code)
    return code
  }
}
