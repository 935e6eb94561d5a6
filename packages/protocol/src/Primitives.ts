/** The smallest words of the protocol: addresses, hashes and byte strings, as lower-case hex. */
import { Schema } from "effect"

/** Any even-length, lower-case hex string with its 0x prefix. */
export const Hex = Schema.TemplateLiteral("0x", Schema.String).pipe(
  Schema.pattern(/^0x([0-9a-f]{2})*$/)
)
export type Hex = `0x${string}`

/** A 20-byte account address, lower case (not checksummed), so that it can be a map key. */
export const Address = Schema.TemplateLiteral("0x", Schema.String).pipe(
  Schema.pattern(/^0x[0-9a-f]{40}$/)
)
export type Address = `0x${string}`

/** A 32-byte word or hash. */
export const Hash32 = Schema.TemplateLiteral("0x", Schema.String).pipe(
  Schema.pattern(/^0x[0-9a-f]{64}$/)
)
export type Hash32 = `0x${string}`

export const ZERO_ADDRESS: Address = `0x${"00".repeat(20)}`
export const ZERO_HASH: Hash32 = `0x${"00".repeat(32)}`
