/** Random words of the protocol, for property tests. */
import * as fc from "fast-check"
import { bytesToHex } from "viem"
import type { DepositTransaction } from "../src/DepositTransaction.ts"

export const hexOf = (minLength: number, maxLength = minLength) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => bytesToHex(bytes))

export const log = fc.record({
  address: hexOf(20),
  topics: fc.array(hexOf(32), { maxLength: 4 }),
  data: hexOf(0, 80)
})

export const logs = fc.array(log, { maxLength: 4 })

export const someDeposit: fc.Arbitrary<DepositTransaction> = fc.record({
  type: fc.constant(0x7e as const),
  sourceHash: hexOf(32),
  from: hexOf(20),
  to: fc.option(hexOf(20), { nil: undefined }),
  mint: fc.bigUintN(256),
  value: fc.bigUintN(256),
  gasLimit: fc.bigUintN(64),
  data: fc.uint8Array({ maxLength: 100 })
})
