/**
 * Stage 7: follows the chain from what L1 already has, and posts the rest, once. What was posted is read from
 * L1 itself, so a batcher that was killed at any moment goes on where L1 is.
 */
import { Inbox } from "@ovm/contracts"
import { L1Client } from "@ovm/l1/L1Client"
import type { L1Error } from "@ovm/l1/L1Error"
import { L1View, queueEntries, type View, type ViewError } from "@ovm/l1/L1View"
import { type Deployment, MAX_DRIFT_SECONDS, MAX_QUEUED_PER_BATCH } from "@ovm/protocol/Deployment"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Chain } from "@ovm/sequencer/Chain"
import { type ChainBlock, queueEnd } from "@ovm/sequencer/ChainIndex"
import {
  BigInt as BigIntMath,
  Context,
  type Duration,
  Effect,
  Either,
  HashMap,
  Layer,
  Option,
  Schedule,
  Schema
} from "effect"
import { bytesToHex, encodeFunctionData } from "viem"
import * as BatchCodec from "./BatchCodec.ts"
import * as BatchRules from "./BatchRules.ts"
import * as BatchTree from "./BatchTree.ts"
import * as Channel from "./Channel.ts"
import { L1Outbox, type SendingFailed } from "./L1Outbox.ts"
import { SafeChain, type SafeHead } from "./SafeChain.ts"

/** A batch that L1 has. */
export interface PostedBatch {
  /** 0-based place among all batches. */
  readonly index: bigint
  readonly firstBlock: bigint
  readonly lastBlock: bigint
  /** Queued ones included. */
  readonly transactions: number
  readonly payloadBytes: number
  readonly l1TransactionHash: Hash32
  /** L1 gas units. */
  readonly l1GasUsed: bigint
}

/** What we made would not count: a bug of ours, found before it cost a bond. Nothing was posted. */
export class OwnBatchInvalid extends Schema.TaggedError<OwnBatchInvalid>()("OwnBatchInvalid", {
  firstBlock: Schema.NonNegativeBigInt,
  lastBlock: Schema.NonNegativeBigInt,
  reason: Schema.String
}) {
  override get message() {
    return `Expected the batch of blocks ${this.firstBlock} to ${this.lastBlock} to be valid, found: ${this.reason} It was not posted. Report this, with the log.`
  }
}

/** L1 did not take the batch. Recover by waiting: what L1 has instead is followed, and the batch made anew. */
export class BatchRejected extends Schema.TaggedError<BatchRejected>()("BatchRejected", {
  index: Schema.NonNegativeBigInt,
  reason: Schema.String
}) {
  override get message() {
    return `Expected L1 to append batch ${this.index}, but it answered: ${this.reason}. It is made anew from what L1 has.`
  }
}

export type BatcherError = L1Error | ViewError | SendingFailed | OwnBatchInvalid | BatchRejected

export class Batcher extends Context.Tag("@ovm/batcher/Batcher")<
  Batcher,
  {
    /** Posts the next batch if it is time for one, and waits until it was derived. */
    readonly step: Effect.Effect<Option.Option<PostedBatch>, BatcherError>
    /** Posts all that the chain has now, however little it is; answers the batches in order. */
    readonly drain: Effect.Effect<ReadonlyArray<PostedBatch>, BatcherError>
  }
>() {}

export interface BatcherOptions {
  readonly deployment: Deployment
  readonly policy?: Partial<Channel.CutPolicy>
  /** How often the channel is looked at; left out, only `step` and `drain` post. */
  readonly every?: Duration.DurationInput
}

type Requirements = Chain | SafeChain | L1View | L1Client | L1Outbox

/** Needs the batcher's key in the L1 client; puts up its bond in the Inbox before it posts. */
export const layer = (options: BatcherOptions): Layer.Layer<Batcher, never, Requirements> =>
  Layer.scoped(
    Batcher,
    Effect.gen(function* () {
      const requirements = yield* Effect.context<Requirements>()
      const policy = { ...Channel.defaultPolicy, ...options.policy }
      const alone = (yield* Effect.makeSemaphore(1)).withPermits(1)
      const post = (force: boolean) =>
        postNext(options.deployment, policy, force).pipe(Effect.provide(requirements), alone)
      if (options.every !== undefined) {
        yield* post(false).pipe(
          Effect.catchAll((error) => Effect.logWarning(`batcher: ${error.message}`)),
          Effect.repeat(Schedule.spaced(options.every)),
          Effect.forkScoped
        )
      }
      return Batcher.of({
        step: post(false),
        drain: drain(post(true)).pipe(Effect.provide(requirements))
      })
    })
  )

/** Puts in what is missing of the bond that answers for the batches: at first, after a slash, after a reorg. */
const ensureBond = Effect.fn("Batcher.ensureBond")(function* (deployment: Deployment, view: View) {
  const l1 = yield* L1Client
  const inbox = { address: deployment.contracts.inbox, abi: Inbox.abi } as const
  const required = deployment.parameters.batcherBondWei
  const bond = yield* l1.read({ ...inbox, functionName: "bond" })
  if (bond >= required) return
  const voided = HashMap.filter(view.batches, ({ voidedRoot }) => voidedRoot !== undefined)
  const outcome = yield* (yield* L1Outbox).carryOut({
    // The same lack has the same name after a crash; the lack after another slash has another.
    id: `bond/${view.batchCount}/${HashMap.size(voided)}/${bond}`,
    to: deployment.contracts.inbox,
    data: encodeFunctionData({ abi: Inbox.abi, functionName: "depositBond" }),
    valueWei: required - bond
  })
  if (outcome._tag === "Included") return
  return yield* new BatchRejected({ index: view.batchCount, reason: outcome.reason })
})

/** Until L1 has the block that is the chain's last one now. */
const drain = (next: Effect.Effect<Option.Option<PostedBatch>, BatcherError>) =>
  Effect.gen(function* () {
    const chain = yield* Chain
    const safe = yield* SafeChain
    const headNumber = Effect.map(chain.head, ({ header }) => header.number)
    const target = yield* headNumber
    const posted: Array<PostedBatch> = []
    // A chain that moved back meanwhile ends earlier.
    while ((yield* safe.head).block.number < BigIntMath.min(target, yield* headNumber)) {
      const batch = yield* next.pipe(
        // L1 may have got another batch in between; what it has is followed, and then it is our turn.
        Effect.retry({
          while: (error) => error._tag === "BatchRejected",
          schedule: Schedule.spaced("500 millis"),
          times: 20
        })
      )
      if (Option.isSome(batch)) posted.push(batch.value)
      else yield* Effect.sleep("100 millis")
    }
    return posted
  })

interface Made {
  readonly blocks: ReadonlyArray<ChainBlock>
  readonly payload: Uint8Array
}

const postNext = Effect.fn("Batcher.post")(function* (
  deployment: Deployment,
  policy: Channel.CutPolicy,
  force: boolean
) {
  const safe = yield* (yield* SafeChain).head
  const view = yield* (yield* L1View).view
  const waiting = yield* unposted(safe, view)
  const made = Channel.longestPrefix(waiting, (blocks) => make(blocks))
  const oldest = waiting[0]
  if (made === undefined || oldest === undefined || view.head === undefined) return Option.none()
  const { payload } = made.value
  const { baseFeeWei } = yield* (yield* L1Client).fees
  const cut = Channel.decide(
    {
      payloadBytes: payload.length,
      isFull: made.count < waiting.length,
      oldestTimestamp: oldest.header.timestamp,
      now: view.head.timestamp,
      baseFeeWei
    },
    policy
  )
  if (cut._tag === "Wait" && !force) return Option.none()
  return Option.some(yield* append(deployment, safe, view, made.value))
})

/** The chain's blocks behind what L1 has; none while the two are not of one mind. */
const unposted = (safe: SafeHead, view: View) =>
  Effect.gen(function* () {
    const chain = yield* Chain
    const blocks: Array<ChainBlock> = []
    // Batches that were not derived yet, or a chain that was not moved yet.
    if (view.batchCount !== safe.batchCount || view.head === undefined) return blocks
    const last = yield* chain.block(safe.block.number)
    if (Option.isNone(last) || last.value.hash !== safe.block.hash) return blocks
    const latest = view.head.timestamp + MAX_DRIFT_SECONDS
    let leaves = 0
    for (let number = safe.block.number + 1n; ; number++) {
      const block = Option.getOrUndefined(yield* chain.block(number))
      if (block === undefined) return blocks
      const { l1Origin, timestamp } = block.context
      if (timestamp > latest || l1Origin.number > view.head.number) return blocks
      blocks.push(block)
      leaves += block.items.length
      // One block more than can fit tells that the channel is full.
      if (leaves > BatchCodec.MAX_BATCH_TRANSACTIONS) return blocks
    }
  })

const batchBlock = ({ context, items, queuedCount }: ChainBlock): BatchCodec.BatchBlock => ({
  timestamp: context.timestamp,
  l1OriginNumber: context.l1Origin.number,
  queuedCount,
  transactions: items.slice(queuedCount).map(({ raw }) => raw)
})

/** Undefined if they don't fit one batch. */
const make = (blocks: ReadonlyArray<ChainBlock>): Made | undefined => {
  const queued = blocks.reduce((sum, { queuedCount }) => sum + queuedCount, 0)
  if (blocks.length === 0 || queued > MAX_QUEUED_PER_BATCH) return undefined
  const payload = BatchCodec.encode(blocks.map(batchBlock))
  return payload === undefined ? undefined : { blocks, payload }
}

const append = (deployment: Deployment, safe: SafeHead, view: View, { blocks, payload }: Made) =>
  Effect.gen(function* () {
    const outbox = yield* L1Outbox
    const [first, last] = [blocks[0], blocks.at(-1)]
    if (first === undefined || last === undefined) return yield* Effect.dieMessage("an empty batch")
    const index = view.batchCount
    const end = queueEnd(last)
    const header = yield* checkOwn(deployment, safe, view, { blocks, payload })
    yield* ensureBond(deployment, view)
    const outcome = yield* outbox.carryOut({
      // After a crash the same blocks make the same batch; other ones have another name.
      id: `batch/${index}/${first.header.number}/${last.hash}`,
      to: deployment.contracts.inbox,
      data: encodeFunctionData({
        abi: Inbox.abi,
        functionName: "appendBatch",
        args: [index, { ...header, queueEnd: end }, bytesToHex(payload)]
      })
    })
    if (outcome._tag === "Rejected") {
      return yield* new BatchRejected({ index, reason: outcome.reason })
    }
    yield* untilDerived(index, outcome.blockNumber)
    return {
      index,
      firstBlock: first.header.number,
      lastBlock: last.header.number,
      transactions: header.transactions,
      payloadBytes: payload.length,
      l1TransactionHash: outcome.transactionHash,
      l1GasUsed: outcome.gasUsed
    } satisfies PostedBatch
  })

/** Waits until the batch was derived. Fails if a reorg takes it out again, which may be for ever. */
const untilDerived = (index: bigint, l1BlockNumber: bigint) =>
  Effect.gen(function* () {
    const derived = (yield* SafeChain).until(({ batchCount }) => batchCount > index)
    const gone = (yield* L1View).until(
      ({ batchCount, head }) =>
        head !== undefined && head.number >= l1BlockNumber && batchCount <= index
    )
    const reason = "a reorg took it out again"
    yield* Effect.raceFirst(
      derived,
      Effect.zipRight(gone, Effect.fail(new BatchRejected({ index, reason })))
    )
  })

/** Reads our own bytes back and holds them to everybody's rules, as of L1's next block. */
const checkOwn = (deployment: Deployment, safe: SafeHead, view: View, made: Made) =>
  Effect.gen(function* () {
    const { blocks, payload } = made
    const [first, last] = [blocks[0], blocks.at(-1)]
    if (first === undefined || last === undefined || view.head === undefined) {
      return yield* Effect.dieMessage("an empty batch")
    }
    const queueStart = safe.queueTaken
    const entries = queueEntries(view, queueStart, queueEnd(last)).map((entry) => ({
      transactionHash: entry.hash,
      blockNumber: entry.l1BlockNumber,
      gasLimit: entry.gasLimit
    }))
    const decodedBlocks = blocks.map(batchBlock)
    const header = {
      root: BatchTree.root(BatchRules.leavesOf(decodedBlocks, entries)),
      blocks: blocks.length,
      transactions: BatchCodec.countTransactions(decodedBlocks)
    }
    const checked = BatchRules.check({
      payload,
      entries,
      l2BlockGasLimit: deployment.genesis.gasLimit,
      record: {
        ...header,
        queueStart,
        queueEnd: queueEnd(last),
        l1BlockNumber: view.head.number + 1n,
        l1Timestamp: view.head.timestamp
      }
    })
    if (Either.isRight(checked)) return header
    return yield* new OwnBatchInvalid({
      firstBlock: first.header.number,
      lastBlock: last.header.number,
      reason: checked.left.message
    })
  })
