import { assert, describe, it } from "@effect/vitest"
import * as L1View from "@ovm/l1/L1View"
import { type L1Event, L1BlocksObserved } from "@ovm/protocol/L1Event"
import { Either, Option } from "effect"
import * as fc from "fast-check"
import { genesis } from "../../sequencer/test/chain.ts"
import { deposit } from "../../sequencer/test/l1.ts"
import * as Rules from "../src/Rules.ts"
import { BATCHER, enqueued, FactualL1, forced } from "./l1.ts"

const options = {
  l2BlockGasLimit: genesis.gasLimit,
  firstL1Block: 1n,
  genesisOrigin: genesis.l1Origin
}

const sequenceOf = (view: L1View.View) => {
  const batches = Either.getOrThrow(Rules.sequence(view, options))
  return batches.map(({ batch, inputs, reason, verdict }) => ({
    hash: batch.hash,
    inputs,
    reason,
    verdict
  }))
}

const viewOf = (events: ReadonlyArray<L1Event>) =>
  events.reduce((view, event) => L1View.apply(view, event), L1View.empty)

const queueing = (gasLimit: bigint) =>
  enqueued((index) => deposit(index, { from: BATCHER, mint: index, gasLimit }), gasLimit)

/** Grows an L1 by what the numbers say. */
const grow = (l1: FactualL1, seeds: ReadonlyArray<number>) => {
  for (const seed of seeds) {
    const waiting = l1.view.queueLength - l1.view.queueTaken
    const older = l1.view.queueTaken < l1.view.queueLength
    if (seed % 3 === 0 && older) l1.mine(forced(waiting > 2n ? 2n : waiting))
    else if (seed % 3 === 1) l1.mine()
    else l1.mine(...Array.from({ length: 1 + (seed % 4) }, () => queueing(BigInt(seed) * 100_000n)))
  }
}

describe("The rules", () => {
  it("pack a forced batch by gas, at the L1 block before it", () => {
    const l1 = new FactualL1()
    l1.mine(queueing(14_000_000n), queueing(14_000_000n), queueing(14_000_000n))
    const { hash, number } = l1.head
    const batch = l1.mine(forced(3n))
    const [only] = sequenceOf(l1.view)
    assert.strictEqual(only?.verdict, "forced")
    const { timestamp } = batch
    assert.deepStrictEqual(
      only?.inputs.map(({ l1Origin, queued, timestamp, transactions }) => ({
        l1Origin,
        queued: queued.length,
        timestamp,
        users: transactions.length
      })),
      [
        { l1Origin: { number, hash }, queued: 2, timestamp, users: 0 },
        { l1Origin: { number, hash }, queued: 1, timestamp, users: 0 }
      ]
    )
  })

  it("give the same after a reorg of any depth as if L1 had always been what it is now", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 140 }), { minLength: 20, maxLength: 30 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 1, max: 140 }), { maxLength: 25 }),
        (before, depth, after) => {
          const l1 = new FactualL1()
          grow(l1, before)
          l1.reorganize(depth)
          grow(l1, after)
          const calm = l1.blocks.map((block) => new L1BlocksObserved({ blocks: [block] }))
          assert.deepStrictEqual(sequenceOf(viewOf(l1.events)), sequenceOf(viewOf(calm)))
        }
      ),
      { numRuns: 15 }
    )
  })

  it("refuse bytes that are not those of the record, and facts that are missing", () => {
    const l1 = new FactualL1()
    l1.mine(queueing(100_000n))
    l1.mine(forced(1n))
    const batch = Option.getOrThrow(L1View.batch(l1.view, 0n))
    const record = { ...batch.record, payloadHash: batch.hash }
    const payload = new Uint8Array(3)
    const wrong = Rules.judge({ record, payload, entries: [] }, options)
    assert.strictEqual(Either.getOrThrow(Either.flip(wrong))._tag, "PayloadMismatch")
    const facts = { record: batch.record, payload: new Uint8Array(0), entries: [] }
    const lacking = Rules.inputsOf({
      facts,
      blocks: [{ timestamp: 0n, l1OriginNumber: 1n, queuedCount: 1, transactions: [] }],
      parentOrigin: genesis.l1Origin,
      hashOf: () => undefined,
      rules: options
    })
    assert.strictEqual(Either.getOrThrow(Either.flip(lacking))._tag, "L1FactMissing")
  })

  it("take an origin that no node can know, or that lies behind, for the parent's", () => {
    const l1 = new FactualL1()
    const { record } = {
      record: {
        index: 0n,
        root: l1.head.hash,
        payloadHash: l1.head.hash,
        blocks: 3,
        transactions: 3,
        queueStart: 0n,
        queueEnd: 0n,
        l1BlockNumber: 30n,
        l1Timestamp: 360n,
        l1ParentHash: l1.head.hash,
        submitter: BATCHER
      }
    }
    const parentOrigin = { number: 7n, hash: l1.head.parentHash }
    const block = { timestamp: 0n, queuedCount: 0, transactions: [Uint8Array.of(1)] }
    const inputs = Rules.inputsOf({
      facts: { record, payload: new Uint8Array(0), entries: [] },
      blocks: [3n, 8n, 20n].map((l1OriginNumber) => ({ ...block, l1OriginNumber })),
      parentOrigin,
      hashOf: (number) => (number === 20n ? l1.head.hash : undefined),
      rules: { ...options, firstL1Block: 10n }
    })
    assert.deepStrictEqual(
      Either.getOrThrow(inputs).map(({ l1Origin }) => l1Origin),
      [parentOrigin, parentOrigin, { number: 20n, hash: l1.head.hash }]
    )
  })
})
