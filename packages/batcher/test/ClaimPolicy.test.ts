import { assert, describe, it } from "@effect/vitest"
import type { Claim } from "@ovm/l1/L1View"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { numberToHex } from "viem"
import { agrees, nextStep, type Situation } from "../src/ClaimPolicy.ts"
import type { SafeHead } from "../src/SafeChain.ts"

const hash = (seed: number): Hash32 => numberToHex(seed, { size: 32 })

/** The honest chain: three blocks in each batch. */
const headAfter = (batchCount: number): SafeHead => ({
  batchCount: BigInt(batchCount),
  batchHash: batchCount === 0 ? undefined : hash(1_000 + batchCount),
  l1BlockNumber: BigInt(10 * batchCount),
  block: {
    number: BigInt(3 * batchCount),
    hash: hash(2_000 + batchCount),
    stateRoot: hash(3_000 + batchCount),
    timestamp: BigInt(batchCount),
    l1OriginNumber: 0n
  },
  queueTaken: 0n
})

const claim = (index: number, batchCount: number, change: Partial<Claim> = {}): Claim => {
  const { block } = headAfter(batchCount)
  return {
    index: BigInt(index),
    proposer: `0x${"11".repeat(20)}`,
    blockNumber: block.number,
    blockHash: block.hash,
    stateRoot: block.stateRoot,
    batchCount: BigInt(batchCount),
    batchHash: hash(1_000 + batchCount),
    finalAt: 1_000n,
    status: "undecided",
    l1BlockNumber: BigInt(10 * batchCount),
    ...change
  }
}
const genesis = claim(0, 0, { status: "final" })
const policy = { confirmations: 2n, minIntervalSeconds: 60n }

const situation = (change: Partial<Situation>): Situation => ({
  claims: [genesis],
  nextIndex: 1n,
  l1HeadNumber: 100n,
  l1HeadTimestamp: 500n,
  head: headAfter(2),
  ownOfLastClaim: undefined,
  lastClaimedAt: 0n,
  ...change
})

describe("the proposer", () => {
  it("claims what it derived, behind the last claim", () => {
    assert.deepStrictEqual(nextStep(situation({}), policy), {
      _tag: "Propose",
      index: 1n,
      head: headAfter(2)
    })
  })

  it("gives no index twice: those of defeated claims are gone", () => {
    const step = nextStep(situation({ nextIndex: 7n }), policy)
    assert.deepStrictEqual(step, { _tag: "Propose", index: 7n, head: headAfter(2) })
  })

  it("has nothing to claim before there is a batch, or behind the last one", () => {
    const none = situation({ head: headAfter(0) })
    const done = situation({ claims: [genesis, claim(1, 2)], ownOfLastClaim: headAfter(2) })
    for (const each of [none, done]) {
      assert.deepStrictEqual(nextStep(each, policy), { _tag: "Wait", reason: "nothingNew" })
    }
  })

  it("waits until the batch is as deep as it wants, not a block less", () => {
    const at = (l1HeadNumber: bigint) => nextStep(situation({ l1HeadNumber }), policy)
    assert.deepStrictEqual(at(21n), { _tag: "Wait", reason: "unconfirmed" })
    assert.strictEqual(at(22n)._tag, "Propose")
  })

  it("keeps its distance between claims, to the second", () => {
    const claims = [genesis, claim(1, 1)]
    const at = (l1HeadTimestamp: bigint) =>
      nextStep(
        situation({ claims, ownOfLastClaim: headAfter(1), lastClaimedAt: 440n, l1HeadTimestamp }),
        policy
      )
    assert.deepStrictEqual(at(499n), { _tag: "Wait", reason: "tooSoon" })
    assert.strictEqual(at(500n)._tag, "Propose")
  })

  it("builds on no claim that it has not derived itself", () => {
    const claims = [genesis, claim(1, 1)]
    assert.deepStrictEqual(nextStep(situation({ claims }), policy), {
      _tag: "Wait",
      reason: "notDerived"
    })
  })

  it("builds on no claim that is wrong in any field", () => {
    const wrong: ReadonlyArray<Partial<Claim>> = [
      { blockHash: hash(1) },
      { stateRoot: hash(2) },
      { blockNumber: 4n }
    ]
    for (const change of wrong) {
      const claims = [genesis, claim(1, 1, change)]
      assert.isFalse(agrees(claim(1, 1, change), headAfter(1)))
      assert.deepStrictEqual(
        nextStep(situation({ claims, ownOfLastClaim: headAfter(1) }), policy),
        { _tag: "Wait", reason: "parentIsWrong" }
      )
    }
  })

  it("finalizes all ripe claims at once, in order, and stops at one that is disputed", () => {
    const claims = [
      genesis,
      claim(1, 1, { finalAt: 400n, status: "final" }),
      claim(2, 2, { finalAt: 450n }),
      claim(3, 3, { finalAt: 500n }),
      claim(4, 4, { finalAt: 501n })
    ]
    const step = (all: ReadonlyArray<Claim>) =>
      nextStep(situation({ claims: all, ownOfLastClaim: headAfter(4), head: headAfter(4) }), policy)
    assert.deepStrictEqual(step(claims), { _tag: "Finalize", index: 3n })
    const disputed = claims.map(
      (each): Claim => (each.index === 2n ? { ...each, status: "disputed" } : each)
    )
    assert.deepStrictEqual(step(disputed), { _tag: "Wait", reason: "nothingNew" })
  })
})
