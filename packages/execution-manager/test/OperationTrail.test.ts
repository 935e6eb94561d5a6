import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { firstDifference } from "../src/OperationTrail.ts"

const SLOAD = [0x54, 1, 2]
const SSTORE = [0x55, 3, 4]

const trail = (...entries: ReadonlyArray<ReadonlyArray<number>>) => Uint8Array.from(entries.flat())

describe("OperationTrail", () => {
  it("finds no difference in equal trails", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const whole = bytes.slice(0, bytes.length - (bytes.length % 3))
        assert.isUndefined(firstDifference(whole, whole.slice()))
      }),
      { numRuns: 50 }
    )
  })

  it("names the first operation that differs, by opcode or by checksum", () => {
    assert.deepStrictEqual(firstDifference(trail(SLOAD, SSTORE), trail(SLOAD, SLOAD)), {
      index: 1,
      expected: "SSTORE",
      found: "SLOAD"
    })
    assert.deepStrictEqual(firstDifference(trail(SLOAD), trail([0x54, 1, 3])), {
      index: 0,
      expected: "SLOAD",
      found: "SLOAD"
    })
  })

  it("names where one trail ends before the other", () => {
    assert.deepStrictEqual(firstDifference(trail(SLOAD, SSTORE), trail(SLOAD)), {
      index: 1,
      expected: "SSTORE",
      found: undefined
    })
    assert.deepStrictEqual(firstDifference(trail(), trail(SLOAD)), {
      index: 0,
      expected: undefined,
      found: "SLOAD"
    })
  })
})
