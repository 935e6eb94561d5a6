import { assert, describe, it } from "@effect/vitest"
import { Bloom as EthereumJsBloom } from "@ethereumjs/vm"
import * as fc from "fast-check"
import { bytesToHex, hexToBytes } from "viem"
import * as Bloom from "../src/Bloom.ts"
import { hexOf, logs } from "./arbitraries.ts"

describe("Bloom", () => {
  it("sets the bits that Ethereum sets", () => {
    fc.assert(
      fc.property(logs, (values) => {
        const oracle = new EthereumJsBloom()
        for (const { address, topics } of values) {
          oracle.add(hexToBytes(address))
          for (const topic of topics) oracle.add(hexToBytes(topic))
        }
        assert.strictEqual(Bloom.ofLogs(values), bytesToHex(oracle.bitvector))
      }),
      { numRuns: 50 }
    )
  })

  it("never denies what was logged, in a receipt or in the union of a block", () => {
    fc.assert(
      fc.property(logs, logs, (left, right) => {
        const block = Bloom.union([Bloom.ofLogs(left), Bloom.ofLogs(right)])
        assert.strictEqual(block, Bloom.ofLogs([...left, ...right]))
        for (const { address, topics } of [...left, ...right]) {
          assert.isTrue([address, ...topics].every((value) => Bloom.mayContain(block, value)))
        }
      }),
      { numRuns: 50 }
    )
  })

  it("denies everything when empty", () => {
    fc.assert(
      fc.property(hexOf(20), (address) => {
        assert.isFalse(Bloom.mayContain(Bloom.EMPTY_BLOOM, address))
      }),
      { numRuns: 20 }
    )
  })
})
