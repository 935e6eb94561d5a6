/** The 2,048-bit filter over log addresses and topics that headers and receipts carry. */
import { Schema } from "effect"
import { bytesToHex, hexToBytes, keccak256 } from "viem"
import type { Log } from "./Execution.ts"
import type { Hex } from "./Primitives.ts"

export const BLOOM_BYTES = 256

export const Bloom = Schema.TemplateLiteral("0x", Schema.String).pipe(
  Schema.pattern(/^0x[0-9a-f]{512}$/)
)
export type Bloom = `0x${string}`

export const EMPTY_BLOOM: Bloom = `0x${"00".repeat(BLOOM_BYTES)}`

/** The filter that answers "maybe" to every address and topic in `logs`. */
export const ofLogs = (logs: ReadonlyArray<Log>): Bloom => {
  if (logs.length === 0) return EMPTY_BLOOM
  const bloom = new Uint8Array(BLOOM_BYTES)
  for (const { address, topics } of logs) {
    add(bloom, address)
    for (const topic of topics) add(bloom, topic)
  }
  return bytesToHex(bloom)
}

/** The filter that answers "maybe" to whatever one of `blooms` does. */
export const union = (blooms: ReadonlyArray<Bloom>): Bloom => {
  const filled = blooms.filter((bloom) => bloom !== EMPTY_BLOOM)
  if (filled.length === 0) return EMPTY_BLOOM
  const out = new Uint8Array(BLOOM_BYTES)
  for (const bloom of filled) {
    hexToBytes(bloom).forEach((byte, index) => {
      out[index] = (out[index] ?? 0) | byte
    })
  }
  return bytesToHex(out)
}

/** False means: no log under this filter has that address or topic. */
export const mayContain = (bloom: Bloom, value: Hex): boolean => {
  const bytes = hexToBytes(bloom)
  return bitsOf(value).every(({ index, mask }) => ((bytes[index] ?? 0) & mask) !== 0)
}

const add = (bloom: Uint8Array, value: Hex): void => {
  for (const { index, mask } of bitsOf(value)) bloom[index] = (bloom[index] ?? 0) | mask
}

/** Three bits, each named by 11 bits of the value's hash, counted from the filter's end. */
const bitsOf = (value: Hex): ReadonlyArray<{ index: number; mask: number }> => {
  const hash = keccak256(hexToBytes(value), "bytes")
  return [0, 2, 4].map((at) => {
    const bit = (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & 2047
    return { index: BLOOM_BYTES - 1 - (bit >> 3), mask: 1 << (bit & 7) }
  })
}
