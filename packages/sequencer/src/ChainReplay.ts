/**
 * Runs a recorded chain again, from genesis, through the same code that built it, and compares
 * everything. Needs the log alone: no stored state is trusted, and none is needed. Blocks that were
 * rolled back are not the chain's any more, and are left out.
 */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionFault } from "@ovm/execution-manager/ExecutionError"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import * as OperationTrail from "@ovm/execution-manager/OperationTrail"
import type { Tracer } from "@ovm/execution-manager/Tracer"
import type { BlockHeader } from "@ovm/protocol/Block"
import * as Block from "@ovm/protocol/Block"
import type { L1Origin } from "@ovm/protocol/BlockContext"
import * as Genesis from "@ovm/protocol/Genesis"
import { Hash32 } from "@ovm/protocol/Primitives"
import type { ChainStarted, TransactionExecuted } from "@ovm/protocol/RollupEvent"
import * as Transaction from "@ovm/protocol/Transaction"
import {
  EMPTY_ROOT,
  type NodeStoreFailed,
  type State,
  type StateError,
  type StateRootUnknown
} from "@ovm/state-manager/State"
import { StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Option, Schema, Stream } from "effect"
import * as BlockBuilder from "./BlockBuilder.ts"
import * as ChainLog from "./ChainLog.ts"
import * as GenesisState from "./GenesisState.ts"
import { laterOrigin, nextContext } from "./NextBlock.ts"

/**
 * Running the log again gave something else than what it records: the log was changed, or the code
 * that runs it is not the code that wrote it. Recover by replaying with the version that wrote it.
 */
export class ReplayDivergence extends Schema.TaggedError<ReplayDivergence>()("ReplayDivergence", {
  blockNumber: Schema.NonNegativeBigInt,
  /** The first item that differs, skipped ones counted; none if the block itself does. */
  transaction: Schema.Option(Schema.Struct({ index: Schema.NonNegativeInt, hash: Hash32 })),
  /** Which fact differs, `gasUsed` for one. */
  what: Schema.String,
  /** The first operation of the ExecutionManager that differs, counted from 0; none if all are the same. */
  operation: Schema.Option(Schema.Struct({ index: Schema.NonNegativeInt, opcode: Schema.String })),
  /** As recorded. */
  expected: Schema.String,
  /** As replayed. */
  found: Schema.String
}) {
  override get message() {
    const where = Option.match(this.transaction, {
      onNone: () => `block ${this.blockNumber}`,
      onSome: ({ hash, index }) => `transaction ${index} (${hash}) of block ${this.blockNumber}`
    })
    const at = Option.match(this.operation, {
      onNone: () => "",
      onSome: ({ index, opcode }) =>
        ` The first operation that differs is number ${index}, ${opcode}.`
    })
    return `Expected ${this.what} of ${where} to be ${this.expected} as recorded, found ${this.found}.${at}`
  }
}

export type ReplayError =
  | ReplayDivergence
  | ChainLog.ChainReadError
  | ExecutionFault
  | StateError
  | StateRootUnknown
  | NodeStoreFailed

export interface ReplayOptions {
  /** Last block to replay. Default: the last of the log. */
  readonly until?: bigint
  /** Called behind every block that was found identical. */
  readonly onBlock?: (block: BlockBuilder.SealedBlock) => Effect.Effect<void>
  /** Watches the frames and opcodes of a transaction; undefined for one that is not to be watched. */
  readonly tracer?: (options: {
    readonly blockNumber: bigint
    readonly hash: Hash32
  }) => Tracer | undefined
}

export interface Replayed {
  readonly genesis: Genesis.Genesis
  /** Of the last replayed block. */
  readonly header: BlockHeader
  readonly hash: Hash32
  readonly l1Origin: L1Origin
  /** First queue index that no block up to there has taken. */
  readonly queueEnd: bigint
  /** The state as of that block: ask it anything. */
  readonly state: State
  /** Blocks behind genesis. */
  readonly blocks: number
  /** Transactions that ran. */
  readonly transactions: number
  /** Events of these blocks, and the chain's first. */
  readonly events: number
}

type Requirements = EventLog | StateManager | ExecutionManager

/** Replays the log up to a block and answers the state there, or names the first difference. */
export const replay: (
  options?: ReplayOptions
) => Effect.Effect<Replayed, ReplayError, Requirements> = Effect.fn("ChainReplay.replay")(
  function* (options: ReplayOptions = {}) {
    const started = yield* ChainLog.readStart
    if (Option.isNone(started)) {
      return yield* new ChainLog.ChainNotStarted({ found: "an empty stream" })
    }
    const origin = yield* replayGenesis(started.value)
    const until = options.until
    const records =
      until === undefined
        ? ChainLog.blocks
        : Stream.takeWhile(ChainLog.blocks, ({ sealed }) => sealed.header.number <= until)
    return yield* Stream.runFoldEffect(records, origin, (sofar, record) =>
      Effect.gen(function* () {
        const block = yield* replayBlock(sofar, record, options)
        if (options.onBlock !== undefined) yield* options.onBlock(block)
        return {
          ...sofar,
          header: block.header,
          hash: block.hash,
          l1Origin: block.context.l1Origin,
          queueEnd: block.queueStart + BigInt(block.queuedCount),
          blocks: sofar.blocks + 1,
          transactions: sofar.transactions + block.transactions.length,
          events: sofar.events + block.items.length + 2
        }
      })
    )
  }
)

const replayGenesis = (started: ChainStarted) =>
  Effect.gen(function* () {
    const { genesis } = started
    const state = yield* (yield* StateManager).open(EMPTY_ROOT)
    const stateRoot = yield* GenesisState.write(state, genesis)
    const header = Genesis.header(genesis, stateRoot)
    const hash = Block.headerHash(header)
    const compare = comparison(0n, Option.none())
    yield* compare("stateRoot", started.stateRoot, stateRoot)
    yield* compare("hash", started.hash, hash)
    const replayed: Replayed = {
      genesis,
      header,
      hash,
      l1Origin: genesis.l1Origin,
      queueEnd: 0n,
      state,
      blocks: 0,
      transactions: 0,
      events: 1
    }
    return replayed
  })

const replayBlock = (parent: Replayed, record: ChainLog.BlockRecord, options: ReplayOptions) =>
  Effect.gen(function* () {
    const { items, opened, sealed } = record
    const { context, queuedCount, queueStart } = opened
    yield* checkOpening(parent, record)
    const block = yield* BlockBuilder.open({
      parentHash: parent.hash,
      context,
      queueStart,
      state: parent.state
    })
    for (const [index, event] of items.entries()) {
      const hash = Transaction.hash(event.raw)
      const compare = comparison(context.number, Option.some({ index, hash }))
      const tracer = options.tracer?.({ blockNumber: context.number, hash })
      const run = index < queuedCount ? block.executeQueued : block.executeDerived
      const item = yield* run(event.raw, tracer)
      if (event._tag === "v1.TransactionSkipped") {
        // The words of the reason are for people: that there is one is what counts.
        if (item._tag === "Executed") yield* compare("validity", event.reason, "valid")
      } else if (item._tag === "Skipped") yield* compare("validity", "valid", item.reason)
      else yield* compareExecuted(compare, event, item)
    }
    const resealed = yield* block.seal
    const compare = comparison(context.number, Option.none())
    const { header } = resealed
    yield* compare("stateRoot", sealed.header.stateRoot, header.stateRoot)
    yield* compare("transactionsRoot", sealed.header.transactionsRoot, header.transactionsRoot)
    yield* compare("receiptsRoot", sealed.header.receiptsRoot, header.receiptsRoot)
    yield* compare("gasUsed", sealed.header.gasUsed, header.gasUsed)
    yield* compare("logsBloom", sealed.header.logsBloom, header.logsBloom)
    yield* compare("header", rlpOf(sealed.header), rlpOf(header))
    yield* compare("hash", sealed.hash, resealed.hash)
    return resealed
  })

/** The recorded context must be the one that follows from the parent; the clock alone chose the time. */
const checkOpening = (parent: Replayed, { opened }: ChainLog.BlockRecord) =>
  Effect.gen(function* () {
    const { context, parentHash, queueStart } = opened
    const compare = comparison(context.number, Option.none())
    const expected = nextContext({
      genesis: parent.genesis,
      parent: parent.header,
      l1Origin: laterOrigin(parent.l1Origin, context.l1Origin),
      nowMs: Number(context.timestamp) * 1000
    })
    yield* compare("parentHash", parentHash, parent.hash)
    yield* compare("queueStart", queueStart, parent.queueEnd)
    yield* compare("number", context.number, expected.number)
    yield* compare("timestamp", context.timestamp, expected.timestamp)
    yield* compare("baseFeePerGas", context.baseFeePerGas, expected.baseFeePerGas)
    yield* compare("context", textOf(context), textOf(expected))
  })

const compareExecuted = (
  compare: Compare,
  event: TransactionExecuted,
  executed: BlockBuilder.ExecutedTransaction
) =>
  Effect.gen(function* () {
    const found = BlockBuilder.executedEvent(executed)
    const parting = OperationTrail.firstDifference(event.operations, found.operations)
    if (parting !== undefined) {
      const { expected = "no operation", found: opcode = "no operation", index } = parting
      const same = expected === opcode ? "with other operands or another answer" : ""
      yield* compare(
        "operations",
        `${event.operations.length / OperationTrail.ENTRY_BYTES} in all, ${expected} at ${index}`,
        `${found.operations.length / OperationTrail.ENTRY_BYTES} in all, ${opcode} ${same}`.trim(),
        { index, opcode: expected }
      )
    }
    yield* compare("success", event.success, found.success)
    yield* compare("gasUsed", event.gasUsed, found.gasUsed)
    yield* compare("logs", textOf(event.logs), textOf(found.logs))
    yield* compare("stateRoot", event.stateRoot, found.stateRoot)
    yield* compare("sender", event.sender, found.sender)
    yield* compare("effectiveGasPrice", event.effectiveGasPrice, found.effectiveGasPrice)
    yield* compare("contractAddress", `${event.contractAddress}`, `${found.contractAddress}`)
    yield* compare(
      "internalTransactionHash",
      event.internalTransactionHash,
      found.internalTransactionHash
    )
  })

type Compare = (
  what: string,
  expected: string | bigint | boolean,
  found: string | bigint | boolean,
  operation?: { readonly index: number; readonly opcode: string }
) => Effect.Effect<undefined, ReplayDivergence>

const comparison =
  (blockNumber: bigint, transaction: ReplayDivergence["transaction"]): Compare =>
  (what, expected, found, operation) =>
    expected === found
      ? Effect.succeed(undefined)
      : Effect.fail(
          new ReplayDivergence({
            blockNumber,
            transaction,
            what,
            operation: Option.fromNullable(operation),
            expected: String(expected),
            found: String(found)
          })
        )

const rlpOf = (header: BlockHeader): string =>
  [...Block.encodeHeader(header)].map((byte) => byte.toString(16).padStart(2, "0")).join("")

/** One text for equal values: fields in order of name, so that it does not matter who made them. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === "bigint") return inner.toString()
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
