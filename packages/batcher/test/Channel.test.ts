import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { type ChannelState, decide, defaultPolicy, longestPrefix } from "../src/Channel.ts"

const policy = { ...defaultPolicy, targetBytes: 1_000, maxAgeSeconds: 60 }
const young: ChannelState = {
  payloadBytes: 100,
  isFull: false,
  oldestTimestamp: 1_000n,
  now: 1_010n,
  baseFeeWei: 20_000_000_000n
}

describe("when a channel is cut", () => {
  it("waits while it is small and young", () => {
    assert.deepStrictEqual(decide(young, policy), { _tag: "Wait", reason: "small" })
  })

  it("is cut at its target size, not a byte earlier", () => {
    const at = (payloadBytes: number) => decide({ ...young, payloadBytes }, policy)._tag
    assert.strictEqual(at(999), "Wait")
    assert.strictEqual(at(1_000), "Cut")
  })

  it("is cut when the next block has no room in it", () => {
    assert.deepStrictEqual(decide({ ...young, isFull: true }, policy), {
      _tag: "Cut",
      reason: "full"
    })
  })

  it("is cut at its age, not a second earlier, however small and however dear L1 is", () => {
    const at = (now: bigint) => decide({ ...young, now, baseFeeWei: 10n ** 15n }, policy)
    assert.deepStrictEqual(at(1_059n), { _tag: "Wait", reason: "dear" })
    assert.deepStrictEqual(at(1_060n), { _tag: "Cut", reason: "age" })
  })

  it("waits while L1 is dear, however large it is", () => {
    const dear = { ...young, payloadBytes: 5_000, isFull: true, baseFeeWei: 100_000_000_001n }
    assert.deepStrictEqual(decide(dear, policy), { _tag: "Wait", reason: "dear" })
    assert.deepStrictEqual(decide({ ...dear, baseFeeWei: 100_000_000_000n }, policy)._tag, "Cut")
  })

  it("is cut half full while L1 is cheap", () => {
    const cheap = { ...young, baseFeeWei: 1_000_000_000n }
    assert.strictEqual(decide({ ...cheap, payloadBytes: 499 }, policy)._tag, "Wait")
    assert.deepStrictEqual(decide({ ...cheap, payloadBytes: 500 }, policy), {
      _tag: "Cut",
      reason: "price"
    })
  })
})

describe("the longest prefix", () => {
  const sizes = fc.array(fc.nat(50), { minLength: 1, maxLength: 60 })
  const total = (prefix: ReadonlyArray<number>) => prefix.reduce((sum, size) => sum + size, 0)

  it("is as long as can be, and asks seldom", () => {
    fc.assert(
      fc.property(sizes, fc.nat(600), (items, limit) => {
        let asked = 0
        const found = longestPrefix(items, (prefix) => {
          asked++
          return total(prefix) <= limit ? total(prefix) : undefined
        })
        let expected = 0
        while (expected < items.length && total(items.slice(0, expected + 1)) <= limit) expected++
        assert.strictEqual(found?.count ?? 0, expected)
        assert.isAtMost(asked, 2 + Math.ceil(Math.log2(items.length + 1)))
      }),
      { numRuns: 200 }
    )
  })
})
