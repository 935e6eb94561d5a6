/** Random words of the protocol, for property tests. */
import * as fc from "fast-check"
import { bytesToHex } from "viem"

export const hexOf = (minLength: number, maxLength = minLength) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => bytesToHex(bytes))

export const log = fc.record({
  address: hexOf(20),
  topics: fc.array(hexOf(32), { maxLength: 4 }),
  data: hexOf(0, 80)
})

export const logs = fc.array(log, { maxLength: 4 })
