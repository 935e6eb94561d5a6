import { assert, describe, it } from "@effect/vitest"
import { createBlockHeader } from "@ethereumjs/block"
import { Common, Hardfork, Mainnet } from "@ethereumjs/common"
import * as fc from "fast-check"
import { nextBaseFee } from "../src/FeeMarket.ts"

const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun })

const parent = fc
  .record({
    gasLimit: fc.bigInt({ min: 5_000n, max: 2n ** 50n }),
    share: fc.integer({ min: 0, max: 1_000 }),
    baseFeePerGas: fc.oneof(fc.bigInt(0n, 20n), fc.bigUintN(80))
  })
  .map(({ baseFeePerGas, gasLimit, share }) => ({
    gasLimit,
    baseFeePerGas,
    gasUsed: (gasLimit * BigInt(share)) / 1_000n
  }))

describe("FeeMarket", () => {
  it("moves the base fee as Ethereum does", () => {
    fc.assert(
      fc.property(parent, (header) => {
        const oracle = createBlockHeader({ number: 1n, ...header }, { common }).calcNextBaseFee()
        assert.strictEqual(nextBaseFee(header), oracle)
      }),
      { numRuns: 300 }
    )
  })

  it("holds at the target, moves an eighth at the extremes", () => {
    const at = (gasUsed: bigint) =>
      nextBaseFee({ gasLimit: 30_000_000n, gasUsed, baseFeePerGas: 1_000_000_000n })
    assert.strictEqual(at(15_000_000n), 1_000_000_000n)
    assert.strictEqual(at(30_000_000n), 1_125_000_000n)
    assert.strictEqual(at(0n), 875_000_000n)
  })

  it("rises from a fee too small to have an eighth", () => {
    const full = { gasLimit: 30_000_000n, gasUsed: 30_000_000n }
    assert.strictEqual(nextBaseFee({ ...full, baseFeePerGas: 1n }), 2n)
    assert.strictEqual(nextBaseFee({ ...full, baseFeePerGas: 0n }), 1n)
  })
})
