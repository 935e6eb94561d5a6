/**
 * Builds one block: opens it on its parent's state, runs transactions in order, seals it with a real
 * Ethereum header. Sealing, replaying and deriving all go through here, so that they can't differ.
 */
import { createMPT } from "@ethereumjs/mpt"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { type ExecutionFault, InvalidTransaction } from "@ovm/execution-manager/ExecutionError"
import type { Tracer } from "@ovm/execution-manager/Tracer"
import * as Block from "@ovm/protocol/Block"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import * as Bloom from "@ovm/protocol/Bloom"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import type { TransactionResult } from "@ovm/protocol/Execution"
import { HISTORY_SERVE_WINDOW, HISTORY_STORAGE } from "@ovm/protocol/Predeploys"
import type { Hash32 } from "@ovm/protocol/Primitives"
import * as Receipt from "@ovm/protocol/Receipt"
import * as Rlp from "@ovm/protocol/Rlp"
import * as RollupEvent from "@ovm/protocol/RollupEvent"
import * as Transaction from "@ovm/protocol/Transaction"
import { attempt, type State, type StateDiff, type StateError } from "@ovm/state-manager/State"
import { Effect, Either, Schema } from "effect"
import { bytesToHex, hexToBytes, numberToHex } from "viem"
import type { BlockRecord } from "./ChainLog.ts"

/** What is left of the block's gas does not cover the transaction's limit. It fits a later block. */
export class BlockGasExceeded extends Schema.TaggedError<BlockGasExceeded>()("BlockGasExceeded", {
  gasLimit: Schema.NonNegativeBigInt,
  gasLeft: Schema.NonNegativeBigInt
}) {
  override get message() {
    return `gas limit reached: tx gas limit ${this.gasLimit}, gas left in the block ${this.gasLeft}`
  }
}

export interface ExecutedTransaction {
  readonly _tag: "Executed"
  readonly raw: Uint8Array
  readonly result: TransactionResult
  readonly receipt: Receipt.Receipt
  /** Root of the state right after this transaction. */
  readonly stateRoot: Hash32
  /** What it changed and touched. */
  readonly diff: StateDiff
}

/** What L1 made part of the block and could not run; the block is as if it were not there. */
export interface SkippedTransaction {
  readonly _tag: "Skipped"
  readonly raw: Uint8Array
  /** Why it is invalid, for people. */
  readonly reason: string
}

export type BlockItem = ExecutedTransaction | SkippedTransaction

export interface SealedBlock {
  readonly context: BlockContext
  readonly header: Block.BlockHeader
  readonly hash: Hash32
  /** First queue index that no earlier block has taken. */
  readonly queueStart: bigint
  /** How many of the items, the first ones, come from the queue. */
  readonly queuedCount: number
  /** Everything that was tried in it, in order. */
  readonly items: ReadonlyArray<BlockItem>
  /** Those of the items that ran. */
  readonly transactions: ReadonlyArray<ExecutedTransaction>
}

export type ExecuteError = InvalidTransaction | BlockGasExceeded | ExecutionFault | StateError

export interface OpenBlock {
  readonly context: BlockContext
  /** Root of the state before the first transaction. */
  readonly stateRoot: Hash32
  /** Runs a transaction behind those before it. On InvalidTransaction and BlockGasExceeded the block is as it was. */
  readonly execute: (
    raw: Uint8Array,
    tracer?: Tracer
  ) => Effect.Effect<ExecutedTransaction, ExecuteError>
  /** Runs the queue's next entry, which may be a deposit, or skips it. Only before any other transaction. */
  readonly executeQueued: (
    raw: Uint8Array,
    tracer?: Tracer
  ) => Effect.Effect<BlockItem, ExecutionFault | StateError>
  /** Runs a transaction that L1 made part of the block, or skips it. */
  readonly executeDerived: (
    raw: Uint8Array,
    tracer?: Tracer
  ) => Effect.Effect<BlockItem, ExecutionFault | StateError>
  /** Stores the state and makes the header. The block must not be used afterwards. */
  readonly seal: Effect.Effect<SealedBlock, StateError>
}

export interface OpenOptions {
  readonly parentHash: Hash32
  readonly context: BlockContext
  /** First queue index that no earlier block has taken. */
  readonly queueStart: bigint
  /** The parent's state; changed in place. */
  readonly state: State
}

/** Opens a block: from here on its parent's hash can be asked for (EIP-2935). */
export const open = Effect.fn("BlockBuilder.open")(function* (options: OpenOptions) {
  const manager = yield* ExecutionManager
  const { context, parentHash, queueStart, state } = options
  yield* attempt(() => writeParentHash(state, context.number, parentHash))
  const stateRoot = yield* attempt(() => state.root())
  const items: Array<BlockItem> = []
  const transactions: Array<ExecutedTransaction> = []
  let queuedCount = 0
  let gasUsed = 0n

  const run = Effect.fnUntraced(function* (raw: Uint8Array, tracer: Tracer | undefined) {
    const gasLimit = gasLimitOf(raw)
    const gasLeft = context.gasLimit - gasUsed
    // Malformed bytes are for the ExecutionManager to judge.
    if (gasLimit !== undefined && gasLimit > gasLeft) {
      return yield* new BlockGasExceeded({ gasLimit, gasLeft })
    }
    const result = yield* manager.executeTransaction({
      state,
      context,
      transaction: raw,
      indexInBlock: transactions.length,
      tracer
    })
    gasUsed += result.gasUsed
    const executed: ExecutedTransaction = {
      _tag: "Executed",
      raw,
      result,
      receipt: Receipt.make({
        type: Receipt.typeOf(raw),
        success: result.success,
        cumulativeGasUsed: gasUsed,
        logs: result.logs
      }),
      diff: state.endTransaction(),
      stateRoot: yield* attempt(() => state.root())
    }
    transactions.push(executed)
    items.push(executed)
    return executed
  })

  const skip = ({ message }: InvalidTransaction | BlockGasExceeded, raw: Uint8Array) =>
    Effect.sync((): BlockItem => {
      // What it was looked at for must not count as the next one's.
      state.endTransaction()
      const skipped: SkippedTransaction = { _tag: "Skipped", raw, reason: message }
      items.push(skipped)
      return skipped
    })
  const orSkip = (
    raw: Uint8Array,
    outcome: Effect.Effect<ExecutedTransaction, ExecuteError>
  ): Effect.Effect<BlockItem, ExecutionFault | StateError> =>
    outcome.pipe(
      Effect.catchTags({
        InvalidTransaction: (error) => skip(error, raw),
        BlockGasExceeded: (error) => skip(error, raw)
      })
    )

  const execute: OpenBlock["execute"] = Effect.fn("BlockBuilder.execute")(function* (raw, tracer) {
    if (DepositTransaction.isDeposit(raw)) return yield* new InvalidTransaction(NOT_FROM_QUEUE)
    return yield* run(raw, tracer)
  })
  const executeDerived: OpenBlock["executeDerived"] = (raw, tracer) =>
    orSkip(raw, execute(raw, tracer))
  const executeQueued: OpenBlock["executeQueued"] = Effect.fn("BlockBuilder.executeQueued")(
    function* (raw, tracer) {
      if (items.length > queuedCount) {
        return yield* Effect.dieMessage("a queue entry came behind another transaction")
      }
      queuedCount++
      return yield* orSkip(raw, run(raw, tracer))
    }
  )

  const seal = Effect.gen(function* () {
    const stateRoot = yield* attempt(() => state.flush())
    const header = Block.makeHeader({
      parentHash,
      context,
      outcome: {
        stateRoot,
        transactionsRoot: yield* indexedRoot(transactions.map(({ raw }) => raw)),
        receiptsRoot: yield* indexedRoot(
          transactions.map(({ receipt }) => Receipt.encode(receipt))
        ),
        logsBloom: Bloom.union(transactions.map(({ receipt }) => receipt.logsBloom)),
        gasUsed
      }
    })
    const hash = Block.headerHash(header)
    return { context, header, hash, queueStart, queuedCount, items, transactions }
  }).pipe(Effect.withSpan("BlockBuilder.seal"))

  return {
    context,
    stateRoot,
    execute,
    executeQueued,
    executeDerived,
    seal
  } satisfies OpenBlock
})

/** The block as the facts that the log keeps. */
export const recordOf = (block: SealedBlock): BlockRecord => ({
  opened: new RollupEvent.BlockOpened({
    parentHash: block.header.parentHash,
    context: block.context,
    queueStart: block.queueStart,
    queuedCount: block.queuedCount
  }),
  items: block.items.map((item) =>
    item._tag === "Executed"
      ? executedEvent(item)
      : new RollupEvent.TransactionSkipped({ raw: item.raw, reason: item.reason })
  ),
  sealed: new RollupEvent.BlockSealed({
    hash: block.hash,
    header: block.header,
    transactionCount: block.transactions.length
  })
})

export const executedEvent = ({
  raw,
  result,
  stateRoot
}: ExecutedTransaction): RollupEvent.TransactionExecuted =>
  new RollupEvent.TransactionExecuted({
    raw,
    stateRoot,
    internalTransactionHash: result.internalTransactionHash,
    sender: result.sender,
    success: result.success,
    gasUsed: result.gasUsed,
    effectiveGasPrice: result.effectiveGasPrice,
    logs: result.logs,
    operations: hexToBytes(result.operations),
    ...(result.contractAddress === undefined ? {} : { contractAddress: result.contractAddress })
  })

/** Root of the trie from RLP-encoded index to value, as headers commit to lists. */
export const indexedRoot = (values: ReadonlyArray<Uint8Array>): Effect.Effect<Hash32> =>
  Effect.promise(async () => {
    if (values.length === 0) return Block.EMPTY_TRIE_ROOT
    const trie = await createMPT()
    let index = 0n
    for (const value of values) await trie.put(Rlp.encode(Rlp.encodeUint(index++)), value)
    return bytesToHex(trie.root())
  })

const NOT_FROM_QUEUE = {
  reason: { _tag: "Malformed", error: "a deposit that L1's queue does not hold" }
} as const

/** What the bytes ask for, if they are a transaction at all. */
const gasLimitOf = (raw: Uint8Array): bigint | undefined => {
  const decoded: Either.Either<{ readonly gasLimit: bigint }, unknown> =
    DepositTransaction.isDeposit(raw) ? DepositTransaction.decode(raw) : Transaction.decode(raw)
  return Either.isRight(decoded) ? decoded.right.gasLimit : undefined
}

const writeParentHash = async (state: State, blockNumber: bigint, parentHash: Hash32) => {
  const slot = numberToHex((blockNumber - 1n) % HISTORY_SERVE_WINDOW, { size: 32 })
  await state.setStorage(HISTORY_STORAGE, slot, parentHash)
  state.endTransaction()
}
