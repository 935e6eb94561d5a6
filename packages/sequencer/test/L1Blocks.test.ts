import { assert, describe, it } from "@effect/vitest"
import { MAX_BATCH_TRANSACTIONS } from "@ovm/protocol/Deployment"
import { MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import * as RollupEvent from "@ovm/protocol/RollupEvent"
import * as Transaction from "@ovm/protocol/Transaction"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import { layerMemory as freshState } from "@ovm/state-manager/StateManager"
import { EventLog } from "@ovm/event-log/EventLog"
import { Chunk, Effect, Layer, Option, Stream, TestClock } from "effect"
import * as ChainLog from "../src/ChainLog.ts"
import { ReplayDivergence, replay } from "../src/ChainReplay.ts"
import { limitsOf } from "../src/internal/L1Limits.ts"
import * as Ordering from "../src/Ordering.ts"
import { L1Lagging, Sequencer, type SequencerOptions } from "../src/Sequencer.ts"
import {
  addressOf,
  alice,
  balanceAt,
  bob,
  DAVE,
  ETHER,
  genesis,
  Foundation,
  sequencerWith,
  signed
} from "./chain.ts"
import { deposit, l1Hash, makeL1 } from "./l1.ts"

type L1 = Effect.Effect.Success<typeof makeL1>

/** Runs with a sequencer that follows an L1. */
const following = <A, E>(
  body: (l1: L1) => Effect.Effect<A, E, Sequencer | EventLog>,
  options: Partial<SequencerOptions> = { sealing: { _tag: "Manual" } }
) =>
  Effect.flatMap(makeL1, (l1) =>
    body(l1).pipe(Effect.provide(sequencerWith(options, Ordering.layerByFee, l1.layer)))
  ).pipe(Effect.provide(Foundation))

const sealed = Effect.gen(function* () {
  return Option.getOrThrow(yield* (yield* Sequencer).seal)
})

const Anew = Layer.merge(freshState, layerReference())

/** The log's chain, run again with nothing but the log. */
const replayed = Effect.flatMap(EventLog, (log) =>
  replay().pipe(Effect.provide(Layer.merge(Layer.succeed(EventLog, log), Anew)))
)

describe("A sequencer with an L1", () => {
  it.effect("seals no block that no batch can take: what is skipped counts too", () =>
    following(
      (l1) =>
        Effect.gen(function* () {
          const sequencer = yield* Sequencer
          const spend = yield* signed(alice, 0)
          yield* sequencer.submit(spend)
          yield* sealed
          for (const nonce of [1, 2, 3]) yield* sequencer.submit(yield* signed(alice, nonce))
          // Its nonce is used up: both are skipped, and use no gas.
          for (let entry = 0; entry < 2; entry++) l1.enqueue(spend, 100_000n, 3n)
          yield* l1.moveTo(3n)
          const blocks = [yield* sealed, yield* sealed]
          assert.deepStrictEqual(
            blocks.map(({ items }) => items.map(({ skipped }) => skipped !== undefined)),
            [
              [true, true, false],
              [false, false]
            ]
          )
          const { maxBlockTransactions } = limitsOf({ genesis, maxBlockTransactions: 1_000_000 })
          assert.strictEqual(maxBlockTransactions, MAX_BATCH_TRANSACTIONS)
        }),
      { sealing: { _tag: "Manual" }, maxBlockTransactions: 3 }
    )
  )

  it.effect("takes deposits first, in order, and mints them out of the reserve", () =>
    following((l1) =>
      Effect.gen(function* () {
        const sequencer = yield* Sequencer
        yield* sequencer.submit(yield* signed(alice, 0))
        const first = deposit(0n, { from: DAVE, mint: 5n * ETHER })
        const second = deposit(1n, { from: DAVE, to: addressOf(bob), value: 2n * ETHER })
        l1.enqueue(first, 100_000n, 3n)
        l1.enqueue(second, 100_000n, 4n)
        yield* l1.moveTo(4n)
        const reserve = yield* balanceAt(MESSAGE_PASSER, 0n)
        const block = yield* sealed
        assert.deepStrictEqual(
          block.transactions.map(({ raw, receipt }) => [raw[0], receipt.type, receipt.status]),
          [
            [0x7e, 0x7e, 1],
            [0x7e, 0x7e, 1],
            [2, 2, 1]
          ]
        )
        assert.deepStrictEqual([block.queueStart, block.queuedCount], [0n, 2])
        assert.deepStrictEqual(block.context.l1Origin, { number: 4n, hash: l1Hash(4n) })
        assert.strictEqual(block.header.parentBeaconBlockRoot, l1Hash(4n))
        assert.strictEqual(yield* balanceAt(DAVE, 1n), 3n * ETHER + 1n)
        assert.strictEqual(yield* balanceAt(addressOf(bob), 1n), 102n * ETHER)
        assert.strictEqual(yield* balanceAt(MESSAGE_PASSER, 1n), reserve - 5n * ETHER)
        const found = yield* sequencer.transaction(Transaction.hash(second))
        assert.strictEqual(Option.getOrThrow(found).indexInBlock, 1)
        const again = yield* replayed
        assert.strictEqual(again.hash, block.hash)
        assert.strictEqual(again.queueEnd, 2n)
      })
    )
  )

  it.effect("seals for the queue alone, and leaves for later what is above its origin", () =>
    following((l1) =>
      Effect.gen(function* () {
        const sequencer = yield* Sequencer
        for (const [index, at] of [2n, 5n, 9n].entries()) {
          l1.enqueue(deposit(BigInt(index), { from: DAVE, mint: 1n }), 100_000n, at)
        }
        assert.isTrue(Option.isNone(yield* sequencer.seal))
        yield* l1.moveTo(5n)
        assert.strictEqual((yield* sealed).queuedCount, 2)
        assert.isTrue(Option.isNone(yield* sequencer.seal))
        // L1's head may move back: an origin never does.
        yield* l1.moveTo(4n)
        yield* sequencer.submit(yield* signed(alice, 0))
        assert.strictEqual((yield* sealed).context.l1Origin.number, 5n)
        yield* l1.moveTo(9n)
        const last = yield* sealed
        assert.deepStrictEqual([last.queueStart, last.queuedCount], [2n, 1])
        assert.strictEqual((yield* replayed).hash, last.hash)
      })
    )
  )

  it.effect("skips a queue entry that can't run, and replays that it could not", () =>
    following((l1) =>
      Effect.gen(function* () {
        const early = yield* signed(alice, 7)
        l1.enqueue(early, 21_000n, 1n)
        l1.enqueue(Uint8Array.of(0x7e, 0xc0), 21_000n, 1n)
        l1.enqueue(deposit(2n, { from: DAVE, mint: 2n ** 120n }), 100_000n, 1n)
        l1.enqueue(yield* signed(alice, 0), 21_000n, 1n)
        yield* l1.moveTo(1n)
        const block = yield* sealed
        assert.strictEqual(block.queuedCount, 4)
        assert.deepStrictEqual(
          block.items.map(({ skipped }) => skipped?.match(/found (\w+)/)?.[1]),
          ["NonceTooHigh", "Malformed", "InsufficientFunds", undefined]
        )
        assert.strictEqual(block.transactions.length, 1)
        const hash = Transaction.hash(early)
        assert.isTrue(Option.isNone(yield* (yield* Sequencer).transaction(hash)))
        assert.strictEqual((yield* replayed).hash, block.hash)
        assert.strictEqual(block.header.gasUsed, 21_000n)
      })
    )
  )

  it.effect("seals a block of nothing but entries that can't run", () =>
    following((l1) =>
      Effect.gen(function* () {
        l1.enqueue(yield* signed(alice, 7), 21_000n, 1n)
        yield* l1.moveTo(1n)
        const block = yield* sealed
        assert.strictEqual(block.transactions.length, 0)
        assert.strictEqual(block.items.length, 1)
        assert.isTrue(Option.isNone(yield* (yield* Sequencer).seal))
        assert.strictEqual((yield* replayed).hash, block.hash)
      })
    )
  )

  it.effect("finds out a log that skips what could run", () =>
    following((l1) =>
      Effect.gen(function* () {
        l1.enqueue(yield* signed(alice, 0), 21_000n, 1n)
        yield* l1.moveTo(1n)
        yield* sealed
        const started = Option.getOrThrow(yield* ChainLog.readStart)
        const [record] = Chunk.toReadonlyArray(yield* Stream.runCollect(ChainLog.blocks))
        assert(record !== undefined)
        const error = yield* Effect.gen(function* () {
          yield* ChainLog.start(started)
          const items = record.items.map(
            ({ raw }) => new RollupEvent.TransactionSkipped({ raw, reason: "censored" })
          )
          const sealed = new RollupEvent.BlockSealed({ ...record.sealed, transactionCount: 0 })
          yield* ChainLog.appendBlock({ ...record, items, sealed }, { version: 1 })
          return yield* Effect.flip(replay())
        }).pipe(Effect.provide(Layer.merge(EventLog.layerMemory, Anew)))
        assert.instanceOf(error, ReplayDivergence)
        assert.deepInclude(
          { what: error.what, expected: error.expected, found: error.found },
          { what: "validity", expected: "censored", found: "valid" }
        )
      })
    )
  )

  it.effect("packs queue entries by their gas limits, and users' transactions behind them", () =>
    following((l1) =>
      Effect.gen(function* () {
        for (let index = 0n; index < 3n; index++) {
          const gasLimit = 14_000_000n
          l1.enqueue(deposit(index, { from: DAVE, mint: 1n, gasLimit }), gasLimit, 1n)
        }
        yield* l1.moveTo(1n)
        yield* (yield* Sequencer).submit(yield* signed(alice, 0))
        const first = yield* sealed
        assert.deepStrictEqual([first.queuedCount, first.items.length], [2, 3])
        const second = yield* sealed
        assert.deepStrictEqual([second.queueStart, second.queuedCount], [2n, 1])
      })
    )
  )

  it.effect("refuses a deposit that comes from anywhere but the queue", () =>
    following(() =>
      Effect.gen(function* () {
        const raw = deposit(0n, { from: DAVE, mint: 1n })
        const error = yield* Effect.flip((yield* Sequencer).submit(raw))
        assert.strictEqual(error._tag, "UnsupportedTransactionType")
      })
    )
  )

  it.effect("makes no block too large for one batch", () =>
    following(() =>
      Effect.gen(function* () {
        const sequencer = yield* Sequencer
        const data = `0x${"00".repeat(60_000)}` as const
        for (const nonce of [0, 1, 2]) {
          yield* sequencer.submit(yield* signed(alice, nonce, { data, gas: 3_000_000n }))
        }
        assert.strictEqual((yield* sealed).transactions.length, 2)
        assert.strictEqual((yield* sealed).transactions.length, 1)
      })
    )
  )

  it.effect("stops while news of L1 are too old, and goes on when they are not", () =>
    following((l1) =>
      Effect.gen(function* () {
        const sequencer = yield* Sequencer
        yield* sequencer.submit(yield* signed(alice, 0))
        l1.setLag(301)
        const raw = yield* signed(alice, 1)
        const errors = [
          yield* Effect.flip(sequencer.submit(raw)),
          yield* Effect.flip(Effect.asVoid(sequencer.seal))
        ]
        for (const error of errors) {
          assert.instanceOf(error, L1Lagging)
          assert.deepStrictEqual([error.lagSeconds, error.limitSeconds], [301, 300])
        }
        l1.setLag(300)
        yield* sequencer.submit(raw)
        assert.strictEqual((yield* sealed).transactions.length, 2)
      })
    )
  )

  it.effect("catches up by itself when it seals at intervals", () =>
    following(
      (l1) =>
        Effect.gen(function* () {
          const sequencer = yield* Sequencer
          yield* sequencer.submit(yield* signed(alice, 0))
          l1.setLag(1_000)
          yield* TestClock.adjust("10 seconds")
          assert.strictEqual((yield* sequencer.head).header.number, 0n)
          l1.setLag(0)
          yield* TestClock.adjust("2 seconds")
          yield* sequencer.seal
          assert.strictEqual((yield* sequencer.head).header.number, 1n)
        }),
      { sealing: { _tag: "Interval", interval: "2 seconds" } }
    )
  )

  it.live("seals what comes from L1 without being asked, when it seals at once", () =>
    following(
      (l1) =>
        Effect.gen(function* () {
          const sequencer = yield* Sequencer
          l1.enqueue(deposit(0n, { from: DAVE, mint: 7n }), 100_000n, 1n)
          // Whoever listens has begun to.
          yield* Effect.sleep("50 millis")
          yield* l1.moveTo(1n)
          const head = yield* sequencer.head.pipe(
            Effect.repeat({ until: ({ header }) => header.number === 1n })
          )
          assert.strictEqual(head.queuedCount, 1)
        }),
      { sealing: { _tag: "Instant" } }
    )
  )
})
