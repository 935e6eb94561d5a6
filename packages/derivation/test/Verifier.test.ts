import { assert, describe, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import type { Hash32 } from "@ovm/protocol/Primitives"
import * as RollupEvent from "@ovm/protocol/RollupEvent"
import * as Transaction from "@ovm/protocol/Transaction"
import type { BlockRecord } from "@ovm/sequencer/ChainLog"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { Effect, Layer, Stream } from "effect"
import { alice, DAVE } from "../../sequencer/test/chain.ts"
import * as Verifier from "../src/Verifier.ts"
import { VERIFIER_STREAM } from "../src/VerifierEvent.ts"
import { batched, claimed, FactualL1 } from "./l1.ts"
import {
  blocksFrom,
  follow,
  minting,
  SequencerNode,
  sealEach,
  survivors,
  VerifierNode
} from "./nodes.ts"

const WRONG: Hash32 = `0x${"0f".repeat(32)}`

/** An L1 with two batches, and what the sequencer recorded of their blocks. */
const promised = Effect.gen(function* () {
  const l1 = new FactualL1()
  const sequencer = yield* Sequencer
  l1.mine(minting(DAVE, 5n))
  yield* follow(l1)
  yield* sealEach(alice, [0, 1])
  const first = yield* blocksFrom(sequencer, 1n)
  l1.mine(batched(first))
  yield* sealEach(alice, [2, 3])
  const second = yield* blocksFrom(sequencer, 3n)
  return { l1, first, second, records: yield* survivors }
}).pipe(Effect.provide(SequencerNode), Effect.provide(Layer.fresh(EventLog.layerMemory)))

const verifying = (recorded?: ReadonlyArray<BlockRecord>) =>
  Verifier.layerManual(
    recorded === undefined ? {} : { recorded: Stream.fromIterable(recorded) }
  ).pipe(Layer.provideMerge(VerifierNode))

const check = (l1: FactualL1) =>
  Effect.gen(function* () {
    yield* follow(l1)
    return yield* (yield* Verifier.Verifier).check
  })

const standing = (block: {
  readonly header: { number: bigint; stateRoot: Hash32 }
  hash: Hash32
}) => ({
  number: block.header.number,
  hash: block.hash,
  stateRoot: block.header.stateRoot
})

const lastOf = <A>(items: ReadonlyArray<A>): A => {
  const last = items.at(-1)
  assert(last !== undefined)
  return last
}

describe("Verifier", () => {
  it.effect("finds nothing wrong with what is right", () =>
    Effect.gen(function* () {
      const { first, l1, second } = yield* promised
      yield* Effect.gen(function* () {
        l1.mine(claimed(standing(lastOf(first))))
        assert.deepStrictEqual(yield* check(l1), [])
        l1.mine(batched(second))
        l1.mine(claimed(standing(lastOf(second))))
        assert.deepStrictEqual(yield* check(l1), [])
        const log = yield* EventLog
        assert.strictEqual(yield* log.streamVersion(VERIFIER_STREAM), 0)
      }).pipe(Effect.provide(verifying()))
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect(
    "notes a wrong claim once, with the roots that are right and the blocks it covers",
    () =>
      Effect.gen(function* () {
        const { first, l1, second } = yield* promised
        yield* Effect.gen(function* () {
          l1.mine(claimed(standing(lastOf(first))))
          l1.mine(batched(second))
          const right = lastOf(second)
          l1.mine(claimed({ ...standing(right), stateRoot: WRONG }))
          const found = yield* check(l1)
          assert.strictEqual(found.length, 1)
          const [mismatch] = found
          assert.deepInclude(mismatch, { claimIndex: 1n, firstBlock: 3n })
          assert.deepStrictEqual(mismatch?.expected, {
            blockNumber: 4n,
            blockHash: right.hash,
            stateRoot: right.header.stateRoot
          })
          assert.strictEqual(mismatch?.found.stateRoot, WRONG)
          assert.isUndefined(mismatch?.firstWrong)
          assert.deepStrictEqual(yield* check(l1), [])
        }).pipe(Effect.provide(verifying()))
        // So it is after a restart.
        yield* Effect.gen(function* () {
          assert.deepStrictEqual(yield* check(l1), [])
          assert.strictEqual((yield* (yield* Verifier.Verifier).mismatches).length, 1)
          l1.mine(claimed({ ...standing(lastOf(second)), hash: WRONG }))
          assert.strictEqual((yield* check(l1)).length, 1)
        }).pipe(Effect.provide(Layer.fresh(verifying())))
      }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("names the first wrong transaction, where the sequencer's log can be asked", () =>
    Effect.gen(function* () {
      const { first, l1, records } = yield* promised
      const lied = records.map((record) =>
        record.sealed.header.number < 2n
          ? record
          : {
              ...record,
              items: record.items.map((item) =>
                item._tag === "v1.TransactionExecuted"
                  ? new RollupEvent.TransactionExecuted({ ...item, stateRoot: WRONG })
                  : item
              )
            }
      )
      l1.mine(claimed({ ...standing(lastOf(first)), stateRoot: WRONG }))
      const [mismatch] = yield* check(l1).pipe(Effect.provide(verifying(lied)))
      const wrong = lastOf(first).transactions[0]
      assert(wrong !== undefined)
      assert.deepStrictEqual(mismatch?.firstWrong, {
        blockNumber: 2n,
        transaction: { index: 0, hash: Transaction.hash(wrong.raw) },
        what: "stateRoot",
        expected: wrong.stateRoot,
        found: WRONG
      })
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("waits with a claim until its batches are derived", () =>
    Effect.gen(function* () {
      const { first, l1 } = yield* promised
      yield* Effect.gen(function* () {
        l1.mine(claimed({ ...standing(lastOf(first)), stateRoot: WRONG }))
        yield* l1.watchedBy(yield* EventLog)
        const verifier = yield* Verifier.Verifier
        assert.deepStrictEqual(yield* verifier.check, [])
        assert.strictEqual((yield* check(l1)).length, 1)
      }).pipe(Effect.provide(verifying()))
    }).pipe(Effect.provide(EventLog.layerMemory))
  )
})
