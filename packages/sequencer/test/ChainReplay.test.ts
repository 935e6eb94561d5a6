import { assert, describe, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import type { Hash32 } from "@ovm/protocol/Primitives"
import * as RollupEvent from "@ovm/protocol/RollupEvent"
import * as Transaction from "@ovm/protocol/Transaction"
import { attempt } from "@ovm/state-manager/State"
import { layerMemory as freshState } from "@ovm/state-manager/StateManager"
import { Chunk, Effect, Layer, Option, Stream } from "effect"
import * as ChainLog from "../src/ChainLog.ts"
import { ChainNotStarted } from "../src/ChainLog.ts"
import { ReplayDivergence, replay } from "../src/ChainReplay.ts"
import { Sequencer } from "../src/Sequencer.ts"
import {
  addressOf,
  alice,
  bob,
  COUNTER_INITCODE,
  carol,
  DAVE,
  genesis,
  SLOT_ZERO,
  sequencerWith,
  signed
} from "./chain.ts"

const Execution = layerReference()
/** Nothing but the log is shared with whoever wrote it. */
const Anew = Layer.merge(freshState, Execution)

/** Three blocks: a contract, two transactions and one that fails, a call of the contract. */
const writeChain = Effect.gen(function* () {
  const sequencer = yield* Sequencer
  const creation = { to: null, data: COUNTER_INITCODE, gas: 1_000_000n, value: 0n } as const
  const deployed = yield* sequencer.submit(yield* signed(alice, 0, creation))
  yield* sequencer.seal
  const transaction = Option.getOrThrow(yield* sequencer.transaction(deployed))
  const counter = Option.getOrThrow(transaction.contractAddress)
  yield* sequencer.submit(yield* signed(bob, 0, { value: 7n }))
  yield* sequencer.submit(yield* signed(carol, 0, { to: null, data: "0xfe", gas: 60_000n }))
  yield* sequencer.submit(yield* signed(alice, 1, { to: counter, gas: 500_000n, value: 0n }))
  yield* sequencer.seal
  yield* sequencer.submit(yield* signed(alice, 2, { to: counter, gas: 500_000n, value: 0n }))
  yield* sequencer.seal
  return { counter, head: yield* sequencer.head }
})

const written = writeChain.pipe(
  Effect.provide(sequencerWith({ sealing: { _tag: "Manual" } }).pipe(Layer.provide(Anew)))
)

/** Plays a forger: another log with the same blocks, one of them changed. */
const forged = (
  change: (record: ChainLog.BlockRecord) => ChainLog.BlockRecord,
  blockNumber: bigint
) =>
  Effect.gen(function* () {
    const started = Option.getOrThrow(yield* ChainLog.readStart)
    const records = yield* Stream.runCollect(ChainLog.blocks)
    return yield* Effect.gen(function* () {
      yield* ChainLog.start(started)
      let version = 1
      for (const record of Chunk.toReadonlyArray(records)) {
        const isIt = record.sealed.header.number === blockNumber
        yield* ChainLog.appendBlock(isIt ? change(record) : record, { version })
        version += record.items.length + 2
      }
      return yield* Effect.flip(replay())
    }).pipe(Effect.provide(Layer.merge(EventLog.layerMemory, Anew)))
  })

const withTransaction =
  (index: number, fields: Partial<RollupEvent.TransactionExecuted>) =>
  (record: ChainLog.BlockRecord): ChainLog.BlockRecord => ({
    ...record,
    items: record.items.map((event, at) =>
      at === index && event._tag === "v1.TransactionExecuted"
        ? new RollupEvent.TransactionExecuted({ ...event, ...fields })
        : event
    )
  })

const withContext =
  (fields: Partial<RollupEvent.BlockOpened["context"]>) =>
  (record: ChainLog.BlockRecord): ChainLog.BlockRecord => ({
    ...record,
    opened: new RollupEvent.BlockOpened({
      ...record.opened,
      context: { ...record.opened.context, ...fields }
    })
  })

const divergence = (error: unknown) => {
  assert.instanceOf(error, ReplayDivergence)
  const { blockNumber, expected, found, transaction, what } = error
  return { blockNumber, index: Option.getOrUndefined(transaction)?.index, what, expected, found }
}

const OTHER_ROOT: Hash32 = `0x${"ee".repeat(32)}`

describe("ChainReplay", () => {
  it.effect("finds every block identical, with nothing but the log", () =>
    Effect.gen(function* () {
      const { head } = yield* written
      const seen: Array<bigint> = []
      const replayed = yield* replay({
        onBlock: ({ header }) => Effect.sync(() => seen.push(header.number))
      }).pipe(Effect.provide(Anew))
      assert.strictEqual(replayed.hash, head.hash)
      assert.deepStrictEqual(replayed.header, head.header)
      assert.deepStrictEqual(seen, [1n, 2n, 3n])
      const { blocks, events, transactions } = replayed
      assert.deepStrictEqual(
        { blocks, events, transactions },
        { blocks: 3, events: 12, transactions: 5 }
      )
      assert.deepStrictEqual(replayed.genesis, genesis)
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("answers questions of the past: the state behind any block", () =>
    Effect.gen(function* () {
      const { counter } = yield* written
      const asOf = (until: bigint) =>
        Effect.gen(function* () {
          const { state } = yield* replay({ until }).pipe(Effect.provide(Anew))
          const count = yield* attempt(() => state.getStorage(counter, SLOT_ZERO))
          const dave = yield* attempt(() => state.getAccount(DAVE))
          return [BigInt(count), dave?.balance ?? 0n]
        })
      assert.deepStrictEqual(yield* Effect.forEach([0n, 1n, 2n, 3n], asOf), [
        [0n, 0n],
        [0n, 0n],
        [1n, 7n],
        [2n, 7n]
      ])
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("names the transaction whose recorded outcome is not what it does", () =>
    Effect.gen(function* () {
      yield* written
      const of = (index: number, fields: Partial<RollupEvent.TransactionExecuted>) =>
        Effect.map(forged(withTransaction(index, fields), 2n), divergence)
      assert.deepStrictEqual(yield* of(0, { gasUsed: 20_999n }), {
        blockNumber: 2n,
        index: 0,
        what: "gasUsed",
        expected: "20999",
        found: "21000"
      })
      assert.deepInclude(yield* of(1, { success: true }), {
        index: 1,
        what: "success",
        expected: "true",
        found: "false"
      })
      assert.deepInclude(yield* of(0, { stateRoot: OTHER_ROOT }), {
        index: 0,
        what: "stateRoot",
        expected: OTHER_ROOT
      })
      assert.deepInclude(yield* of(2, { logs: [] }), { index: 2, what: "logs", expected: "[]" })
      assert.deepInclude(yield* of(0, { sender: DAVE }), {
        what: "sender",
        found: addressOf(bob)
      })
      assert.deepInclude(yield* of(2, { internalTransactionHash: OTHER_ROOT }), {
        index: 2,
        what: "internalTransactionHash"
      })
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("names the very operation at which a replay goes another way", () =>
    Effect.gen(function* () {
      yield* written
      const records = Chunk.toReadonlyArray(yield* Stream.runCollect(ChainLog.blocks))
      const call = records[1]?.items[2]
      assert(call?._tag === "v1.TransactionExecuted")
      // The counter loads, adds, stores, logs: as if the store had been asked something else.
      const store = [...call.operations].findIndex((byte, at) => at % 3 === 0 && byte === 0x55)
      const operations = call.operations.slice()
      operations[store + 1] = (operations[store + 1] ?? 0) ^ 1
      const error = yield* forged(withTransaction(2, { operations }), 2n)
      assert.instanceOf(error, ReplayDivergence)
      assert.deepStrictEqual(error.operation, Option.some({ index: store / 3, opcode: "SSTORE" }))
      assert.include(error.message, `number ${store / 3}, SSTORE`)
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("names a transaction that was never valid, or was put in another's place", () =>
    Effect.gen(function* () {
      yield* written
      const unpaid = yield* signed(bob, 0, { value: 10n ** 30n })
      const invalid = yield* forged(withTransaction(0, { raw: unpaid }), 2n)
      assert.deepInclude(divergence(invalid), { index: 0, what: "validity", expected: "valid" })
      assert.include(invalid.message, Transaction.hash(unpaid))
      const garbage = yield* forged(withTransaction(0, { raw: Uint8Array.of(1, 2, 3) }), 2n)
      assert.deepInclude(divergence(garbage), { index: 0, what: "validity" })
      const swapped = yield* forged(
        withTransaction(0, { raw: yield* signed(bob, 0, { value: 8n }) }),
        2n
      )
      assert.deepInclude(divergence(swapped), { index: 0, what: "stateRoot" })
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("refuses a context that does not follow from the parent", () =>
    Effect.gen(function* () {
      yield* written
      const of = (fields: Partial<RollupEvent.BlockOpened["context"]>) =>
        Effect.map(forged(withContext(fields), 2n), divergence)
      assert.deepInclude(yield* of({ baseFeePerGas: 1n }), {
        index: undefined,
        what: "baseFeePerGas",
        expected: "1"
      })
      assert.deepInclude(yield* of({ number: 9n }), { what: "number", expected: "9", found: "2" })
      assert.deepInclude(yield* of({ prevRandao: OTHER_ROOT }), { what: "context" })
      assert.deepInclude(yield* of({ gasLimit: 1n }), { what: "context" })
      assert.deepInclude(yield* of({ coinbase: DAVE }), { what: "context" })
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("refuses a header that does not commit to what its block did", () =>
    Effect.gen(function* () {
      yield* written
      const withHeader =
        (fields: Partial<RollupEvent.BlockSealed["header"]>, hash?: Hash32) =>
        (record: ChainLog.BlockRecord): ChainLog.BlockRecord => ({
          ...record,
          sealed: new RollupEvent.BlockSealed({
            ...record.sealed,
            hash: hash ?? record.sealed.hash,
            header: { ...record.sealed.header, ...fields }
          })
        })
      const of = (fields: Partial<RollupEvent.BlockSealed["header"]>, hash?: Hash32) =>
        Effect.map(forged(withHeader(fields, hash), 1n), (error) => divergence(error).what)
      assert.strictEqual(yield* of({ receiptsRoot: OTHER_ROOT }), "receiptsRoot")
      assert.strictEqual(yield* of({ transactionsRoot: OTHER_ROOT }), "transactionsRoot")
      assert.strictEqual(yield* of({ gasUsed: 1n }), "gasUsed")
      assert.strictEqual(yield* of({ extraData: "0x01" }), "header")
      assert.strictEqual(yield* of({}, OTHER_ROOT), "hash")
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("says of an empty log that no chain was started", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(replay())
      assert.instanceOf(error, ChainNotStarted)
    }).pipe(Effect.provide(Layer.merge(EventLog.layerMemory, Anew)))
  )
})
