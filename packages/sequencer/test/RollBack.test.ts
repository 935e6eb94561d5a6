import { assert, describe, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import type { Hash32 } from "@ovm/protocol/Primitives"
import * as Transaction from "@ovm/protocol/Transaction"
import { layerMemory as freshState } from "@ovm/state-manager/StateManager"
import { Effect, Layer, Option, Stream } from "effect"
import * as fc from "fast-check"
import * as BlockInput from "../src/BlockInput.ts"
import { ChainIndex } from "../src/ChainIndex.ts"
import * as ChainLog from "../src/ChainLog.ts"
import { replay } from "../src/ChainReplay.ts"
import { Sequencer } from "../src/Sequencer.ts"
import { BlockUnknown, ParentMoved } from "../src/SequencerError.ts"
import {
  addressOf,
  alice,
  balanceAt,
  bob,
  DAVE,
  ETHER,
  Foundation,
  sequencerWith,
  signed
} from "./chain.ts"
import { deposit, l1Hash } from "./l1.ts"

const manual = sequencerWith({ sealing: { _tag: "Manual" } })
const Anew = Layer.merge(freshState, layerReference())

/** One block for each of Alice's nonces. */
const blocksOf = (nonces: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const sequencer = yield* Sequencer
    const raws = yield* Effect.forEach(nonces, (nonce) => signed(alice, nonce))
    for (const raw of raws) {
      yield* sequencer.submit(raw)
      yield* sequencer.seal
    }
    return raws
  })

const history = Effect.gen(function* () {
  const sequencer = yield* Sequencer
  const last = Number((yield* sequencer.head).header.number)
  const numbers = Array.from({ length: last + 1 }, (_, number) => BigInt(number))
  return (yield* Effect.forEach(numbers, sequencer.block)).map(Option.getOrThrow)
})

/** The index that somebody makes who has nothing but the log. */
const indexOfLog = Effect.gen(function* () {
  const index = new ChainIndex(Option.getOrThrow(yield* ChainLog.readStart))
  yield* Stream.runForEach(ChainLog.steps(), (step) =>
    Effect.sync(() => assert.isTrue(index.step(step)))
  )
  return index
})

const blocksIn = (index: ChainIndex) =>
  Array.from({ length: Number(index.head.header.number) + 1 }, (_, number) =>
    Option.getOrThrow(index.block(BigInt(number)))
  )

const replayed = Effect.flatMap(EventLog, (log) =>
  replay().pipe(Effect.provide(Layer.merge(Layer.succeed(EventLog, log), Anew)))
)

const reason = "L1 says otherwise"

describe("A chain that moves back", () => {
  it.effect(
    "answers nothing of dropped blocks, keeps them in the log, and lets users wait again",
    () =>
      Effect.gen(function* () {
        const sequencer = yield* Sequencer
        const raws = yield* blocksOf([0, 1, 2])
        const before = yield* history
        const dropped = yield* sequencer.rollBackTo({ number: 1n, reason })
        assert.deepStrictEqual(dropped, before.slice(2))
        assert.deepStrictEqual(yield* sequencer.head, before[1])
        for (const block of dropped) {
          assert.isTrue(Option.isNone(yield* sequencer.block(block.header.number)))
          assert.isTrue(Option.isNone(yield* sequencer.blockByHash(block.hash)))
        }
        const hashes = raws.map(Transaction.hash)
        const found = yield* Effect.forEach(hashes, sequencer.transaction)
        assert.deepStrictEqual(found.map(Option.isSome), [true, false, false])
        assert.strictEqual(yield* sequencer.nextNonce(addressOf(alice)), 3n)
        assert.strictEqual(yield* balanceAt(DAVE, 1n), 1n)
        const log = yield* EventLog
        const { events } = yield* log.page({ stream: ChainLog.STREAM })
        assert.strictEqual(events.length, 11)
        assert.strictEqual(events.at(-1)?.type, "v1.ChainRolledBack")
        const block = Option.getOrThrow(yield* sequencer.seal)
        assert.strictEqual(block.header.number, 2n)
        assert.strictEqual(block.header.parentHash, before[1]?.hash)
        assert.deepStrictEqual(
          block.transactions.map(({ hash }) => hash),
          hashes.slice(1)
        )
        const again = yield* replayed
        assert.strictEqual(again.hash, block.hash)
        assert.deepStrictEqual([again.blocks, again.transactions], [2, 3])
      }).pipe(Effect.provide(manual), Effect.provide(Foundation))
  )

  it.effect("starts again where it was, with tries or without", () =>
    Effect.gen(function* () {
      const before = yield* Effect.gen(function* () {
        const sequencer = yield* Sequencer
        yield* blocksOf([0, 1, 2])
        yield* sequencer.rollBackTo({ number: 1n, reason })
        yield* sequencer.seal
        yield* sequencer.rollBackTo({ number: 1n, reason })
        return yield* history
      }).pipe(Effect.provide(manual), Effect.provide(Anew))
      const after = yield* Effect.gen(function* () {
        const blocks = yield* history
        yield* blocksOf([1, 2])
        return { blocks, dave: yield* balanceAt(DAVE, 3n) }
      }).pipe(Effect.provide(Layer.fresh(manual)), Effect.provide(Layer.fresh(Anew)))
      assert.deepStrictEqual(after.blocks, before)
      assert.strictEqual(after.dave, 3n)
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("says which block it can't move to, and which it can't adopt behind", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      yield* blocksOf([0])
      const unknown = yield* Effect.flip(sequencer.rollBackTo({ number: 2n, reason }))
      assert.instanceOf(unknown, BlockUnknown)
      assert.deepStrictEqual([unknown.number, unknown.head], [2n, 1n])
      const after = { number: 1n, hash: l1Hash(1n) }
      const moved = yield* Effect.flip(sequencer.adopt({ after, inputs: [], reason }))
      assert.instanceOf(moved, ParentMoved)
      assert.deepStrictEqual(yield* sequencer.rollBackTo({ number: 1n, reason }), [])
    }).pipe(Effect.provide(manual), Effect.provide(Foundation))
  )

  it.effect("adopts what differs, keeps what does not, and says what became of users", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const [, , last] = yield* blocksOf([0, 1, 2])
      assert(last !== undefined)
      const before = yield* history
      const [genesisBlock, ...own] = before
      assert(genesisBlock !== undefined)
      const after = { number: 0n, hash: genesisBlock.hash }
      const inputs = own.map(BlockInput.of)
      const same = yield* sequencer.adopt({ after, inputs, reason })
      assert.deepStrictEqual(same, { blocks: own, dropped: [] })
      // Somebody forced another transaction of Alice's into block 2.
      const forced = yield* signed(alice, 1, { value: 5n })
      const minted = deposit(0n, { from: DAVE, mint: ETHER })
      const other: BlockInput.BlockInput = {
        timestamp: 0n,
        l1Origin: { number: 3n, hash: l1Hash(3n) },
        queued: [minted, forced],
        transactions: [yield* signed(bob, 9)]
      }
      const [first] = inputs
      assert(first !== undefined)
      const adopted = yield* sequencer.adopt({ after, inputs: [first, other], reason })
      assert.deepStrictEqual(adopted.dropped, before.slice(2))
      assert.deepStrictEqual(adopted.blocks[0], before[1])
      assert.strictEqual((yield* sequencer.head).items.length, 3)
      assert.strictEqual((yield* sequencer.head).transactions.length, 2)
      assert.strictEqual(yield* balanceAt(DAVE, 2n), ETHER + 6n)
      const rejection = yield* sequencer.rejection(
        Transaction.hash(own[1]?.transactions[0]?.raw ?? last)
      )
      assert.strictEqual(Option.getOrThrow(rejection)._tag, "NonceTooLow")
      const next = Option.getOrThrow(yield* sequencer.seal)
      assert.deepStrictEqual(
        next.transactions.map(({ hash }) => hash),
        [Transaction.hash(last)]
      )
      assert.strictEqual((yield* replayed).hash, next.hash)
    }).pipe(Effect.provide(manual), Effect.provide(Foundation))
  )

  it.effect("adopts a block anew whose L1 origin became another block of the same number", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const after = { number: 0n, hash: (yield* sequencer.head).hash }
      const on = (hash: Hash32): BlockInput.BlockInput => ({
        timestamp: 0n,
        l1Origin: { number: 3n, hash },
        queued: [],
        transactions: [Uint8Array.of(1)]
      })
      const { blocks } = yield* sequencer.adopt({ after, inputs: [on(l1Hash(3n))], reason })
      const moved = yield* sequencer.adopt({ after, inputs: [on(l1Hash(4n))], reason })
      assert.deepStrictEqual(moved.dropped, blocks)
      assert.strictEqual((yield* sequencer.head).context.l1Origin.hash, l1Hash(4n))
      // Behind it, the same number means the same block.
      const inputs = [on(l1Hash(4n)), on(l1Hash(5n))]
      yield* sequencer.adopt({ after, inputs, reason })
      assert.strictEqual((yield* sequencer.head).context.l1Origin.hash, l1Hash(4n))
    }).pipe(Effect.provide(manual), Effect.provide(Foundation))
  )

  it.effect("loses nobody's transaction when it moves while others submit", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const raws = yield* Effect.forEach([0, 1, 2, 3, 4, 5], (nonce) =>
        Effect.all([signed(alice, nonce), signed(bob, nonce)])
      )
      const back = Effect.asVoid(sequencer.rollBackTo({ number: 0n, reason }))
      const submits = raws.flat().map((raw) => Effect.asVoid(sequencer.submit(raw)))
      yield* Effect.all([...submits.slice(0, 6), back, ...submits.slice(6), back], {
        concurrency: "unbounded"
      })
      yield* sequencer.seal
      const found = yield* Effect.forEach(raws.flat(), (raw) =>
        sequencer.transaction(Transaction.hash(raw))
      )
      assert.isTrue(found.every(Option.isSome))
      assert.deepStrictEqual(blocksIn(yield* indexOfLog), yield* history)
      assert.strictEqual((yield* replayed).hash, (yield* sequencer.head).hash)
    }).pipe(Effect.provide(sequencerWith()), Effect.provide(Foundation))
  )

  it.effect(
    "is the fold of its log, whatever happened to it",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(
              fc.oneof(
                { weight: 3, arbitrary: fc.constant({ _tag: "seal" } as const) },
                fc.record({ _tag: fc.constant("back" as const), by: fc.nat({ max: 4 }) }),
                fc.record({
                  _tag: fc.constant("adopt" as const),
                  by: fc.nat({ max: 3 }),
                  mints: fc.array(fc.bigInt({ min: 1n, max: 9n }), { minLength: 1, maxLength: 2 })
                })
              ),
              { maxLength: 12 }
            ),
            (moves) =>
              Effect.gen(function* () {
                const sequencer = yield* Sequencer
                for (const move of moves) {
                  const head = yield* sequencer.head
                  if (move._tag === "seal") {
                    const nonce = yield* sequencer.nextNonce(addressOf(bob))
                    yield* sequencer.submit(yield* signed(bob, Number(nonce)))
                    yield* sequencer.seal
                    continue
                  }
                  const number = head.header.number - BigInt(move.by)
                  const block = Option.getOrUndefined(yield* sequencer.block(number))
                  if (block === undefined) continue
                  if (move._tag === "back") yield* sequencer.rollBackTo({ number, reason })
                  else {
                    const queued = move.mints.map((mint, index) =>
                      deposit(BigInt(index), { from: DAVE, mint })
                    )
                    const { l1Origin, timestamp } = block.context
                    yield* sequencer.adopt({
                      after: { number, hash: block.hash },
                      inputs: [{ timestamp, l1Origin, queued, transactions: [] }],
                      reason
                    })
                  }
                }
                const index = yield* indexOfLog
                assert.deepStrictEqual(blocksIn(index), yield* history)
                const log = yield* EventLog
                assert.strictEqual(index.eventCount, yield* log.streamVersion(ChainLog.STREAM))
                assert.strictEqual((yield* replayed).hash, (yield* sequencer.head).hash)
              }).pipe(Effect.provide(manual), Effect.provide(Foundation), Effect.runPromise)
          ),
          { numRuns: 8 }
        )
      ),
    20_000
  )
})
