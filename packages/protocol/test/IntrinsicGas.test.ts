import { assert, describe, it } from "@effect/vitest"
import * as GasSchedule from "../src/generated/GasSchedule.ts"
import { intrinsicGas } from "../src/IntrinsicGas.ts"
import type { AccessListTransaction } from "../src/Transaction.ts"

const transfer: AccessListTransaction = {
  type: 1,
  chainId: 1n,
  nonce: 0n,
  gasPrice: 1n,
  gasLimit: 21_000n,
  to: `0x${"22".repeat(20)}`,
  value: 0n,
  data: new Uint8Array(0),
  accessList: [],
  signature: { r: 1n, s: 1n, yParity: 0 }
}
const address = `0x${"33".repeat(20)}` as const
const slot = `0x${"44".repeat(32)}` as const

describe("IntrinsicGas", () => {
  it("charges exactly 21,000 for ETH to a plain account", () => {
    assert.strictEqual(intrinsicGas(transfer), 21_000n)
  })

  it("charges data by the byte, zeros less", () => {
    assert.strictEqual(intrinsicGas({ ...transfer, data: Uint8Array.of(0, 0, 7) }), 21_024n)
  })

  it("charges an access list by address and key", () => {
    const accessList = [
      { address, storageKeys: [slot, slot] },
      { address, storageKeys: [] }
    ]
    assert.strictEqual(
      intrinsicGas({ ...transfer, accessList }),
      21_000n + 2n * 2_400n + 2n * 1_900n
    )
  })

  it("charges a creation for every begun word of initcode, its transpilation included", () => {
    const creation = { ...transfer, to: undefined, data: new Uint8Array(33) }
    const word = GasSchedule.INITCODE_WORD_GAS + GasSchedule.CODE_WORD_GAS
    assert.strictEqual(intrinsicGas(creation), 53_000n + 33n * 4n + 2n * word)
  })
})
