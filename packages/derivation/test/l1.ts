/**
 * An L1 as facts: blocks, and in them what the Inbox would have said. Its records are made as the contract makes
 * them; that the contract does so is tested where it is.
 */
import * as BatchCodec from "@ovm/batcher/BatchCodec"
import * as BatchRules from "@ovm/batcher/BatchRules"
import * as BatchTree from "@ovm/batcher/BatchTree"
import type { EventLogService } from "@ovm/event-log/EventLog"
import * as L1View from "@ovm/l1/L1View"
import * as BatchRecord from "@ovm/protocol/BatchRecord"
import {
  type L1Block,
  L1BlocksObserved,
  type L1ContractEvent,
  type L1Event,
  L1HeadsAdvanced,
  L1Reorganized
} from "@ovm/protocol/L1Event"
import { type Address, type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import type { ChainBlock } from "@ovm/sequencer/ChainIndex"
import { Effect, Option } from "effect"
import { encodeAbiParameters, keccak256, parseAbiParameters } from "viem"
import { genesis } from "../../sequencer/test/chain.ts"

export const BATCHER: Address = `0x${"ba".repeat(20)}`

type Mined = Pick<L1Block, "number" | "parentHash" | "timestamp">
type Say = (block: Mined, view: L1View.View) => L1ContractEvent

const hashOf = (parentHash: Hash32, fork: number, number: bigint): Hash32 =>
  keccak256(
    encodeAbiParameters(parseAbiParameters("bytes32, uint256, uint256"), [
      parentHash,
      BigInt(fork),
      number
    ])
  )

export class FactualL1 {
  /** Everything that a watcher saw, in order. */
  readonly events: Array<L1Event> = []
  view: L1View.View = L1View.empty
  #blocks: Array<L1Block> = []
  #fork = 0
  readonly #startSeconds: bigint

  constructor(startSeconds = 0) {
    this.#startSeconds = BigInt(startSeconds)
    this.mine()
  }

  get head(): L1Block {
    const head = this.#blocks.at(-1)
    if (head === undefined) throw new Error("an L1 has a first block")
    return head
  }

  /** The blocks that are L1's now. */
  get blocks(): ReadonlyArray<L1Block> {
    return this.#blocks
  }

  /** A block in which our contracts say these things. */
  mine(...said: ReadonlyArray<Say>): L1Block {
    const parent = this.#blocks.at(-1)
    const number = (parent?.number ?? 0n) + 1n
    const parentHash = parent?.hash ?? ZERO_HASH
    const mined: Mined = { number, parentHash, timestamp: this.#startSeconds + number * 12n }
    const hash = hashOf(parentHash, this.#fork, number)
    const events: Array<L1ContractEvent> = []
    for (const say of said) {
      const view = L1View.apply(
        this.view,
        new L1BlocksObserved({ blocks: [{ ...mined, hash, events }] })
      )
      events.push(say(mined, view))
    }
    const block: L1Block = { ...mined, hash, events }
    this.#blocks.push(block)
    this.#see(new L1BlocksObserved({ blocks: [block] }))
    return block
  }

  /** The newest blocks turn out not to be L1's, all but the first at most; other ones can follow. */
  reorganize(depth: number): ReadonlyArray<L1Block> {
    const old = this.head
    const gone = this.#blocks.splice(Math.max(1, this.#blocks.length - depth))
    this.#fork++
    this.#see(
      new L1Reorganized({
        commonNumber: this.head.number,
        commonHash: this.head.hash,
        oldHeadNumber: old.number,
        oldHeadHash: old.hash
      })
    )
    return gone
  }

  promise(safeNumber: bigint, finalizedNumber: bigint): void {
    this.#see(new L1HeadsAdvanced({ safeNumber, finalizedNumber }))
  }

  /** Writes what is new into a log, as a watcher does. */
  watchedBy(log: EventLogService) {
    const seen = this.events
    return Effect.gen(function* () {
      const version = yield* log.streamVersion(L1View.L1_STREAM)
      for (const [index, event] of seen.slice(version).entries()) {
        const [first] = yield* L1View.l1EventTypes.encode([event])
        if (first === undefined) continue
        yield* log.append({ stream: L1View.L1_STREAM, expected: version + index, events: [first] })
      }
    })
  }

  #see(event: L1Event): void {
    this.events.push(event)
    this.view = L1View.apply(this.view, event)
  }
}

export const enqueued =
  (raw: (queueIndex: bigint) => Uint8Array, gasLimit = 100_000n): Say =>
  (_block, view) => ({
    _tag: "TransactionEnqueued",
    queueIndex: view.queueLength,
    from: BATCHER,
    gasLimit,
    raw: raw(view.queueLength)
  })

const recordOf = (
  { number, parentHash, timestamp }: Mined,
  view: L1View.View,
  fields: Pick<
    BatchRecord.BatchRecord,
    "root" | "payloadHash" | "blocks" | "transactions" | "queueEnd"
  >
): BatchRecord.BatchRecord => ({
  index: view.batchCount,
  ...fields,
  queueStart: view.queueTaken,
  l1BlockNumber: number,
  l1Timestamp: timestamp,
  l1ParentHash: parentHash,
  submitter: BATCHER
})

const rulesEntries = (view: L1View.View, start: bigint, end: bigint) =>
  L1View.queueEntries(view, start, end).map((entry) => ({
    transactionHash: entry.hash,
    blockNumber: entry.l1BlockNumber,
    gasLimit: entry.gasLimit
  }))

export interface Lie {
  readonly payload?: (payload: Uint8Array) => Uint8Array
  readonly record?: Partial<BatchRecord.BatchRecord>
}

/** The batch of these blocks as an honest batcher posts it, or with a lie. */
export const batched =
  (blocks: ReadonlyArray<ChainBlock>, lie: Lie = {}): Say =>
  (block, view) => {
    const told = blocks.map(({ context, items, queuedCount }) => ({
      timestamp: context.timestamp,
      l1OriginNumber: context.l1Origin.number,
      queuedCount,
      transactions: items.slice(queuedCount).map(({ raw }) => raw)
    }))
    const honest = BatchCodec.encode(told)
    if (honest === undefined) throw new Error("the blocks fit no batch")
    const payload = lie.payload?.(honest) ?? honest
    const queued = told.reduce((sum, { queuedCount }) => sum + BigInt(queuedCount), 0n)
    const queueEnd = view.queueTaken + queued
    const leaves = BatchRules.leavesOf(told, rulesEntries(view, view.queueTaken, queueEnd))
    const record = recordOf(block, view, {
      root: BatchTree.root(leaves),
      payloadHash: keccak256(payload),
      blocks: told.length,
      transactions: leaves.length,
      queueEnd
    })
    return {
      _tag: "BatchAppended",
      record: { ...record, ...lie.record },
      payload,
      l1TransactionHash: keccak256(payload)
    }
  }

/** What `forceInclude(count)` says. */
export const forced =
  (count: bigint): Say =>
  (block, view) => {
    const queueEnd = view.queueTaken + count
    const entries = rulesEntries(view, view.queueTaken, queueEnd)
    const where = { l1BlockNumber: block.number, l1Timestamp: block.timestamp }
    const { blocks, leaves, root } = BatchRules.fallbackBlocks(where, entries, genesis.gasLimit)
    return {
      _tag: "BatchAppended",
      record: recordOf(block, view, {
        root,
        payloadHash: ZERO_HASH,
        blocks: blocks.length,
        transactions: leaves.length,
        queueEnd
      }),
      payload: new Uint8Array(0),
      l1TransactionHash: ZERO_HASH
    }
  }

/** A claim about the state behind all batches so far. */
export const claimed =
  (about: { readonly number: bigint; readonly hash: Hash32; readonly stateRoot: Hash32 }): Say =>
  (_block, view) => {
    const last = Option.getOrUndefined(L1View.batch(view, view.batchCount - 1n))
    return {
      _tag: "ClaimProposed",
      index: view.claimCount,
      proposer: BATCHER,
      blockNumber: about.number,
      blockHash: about.hash,
      stateRoot: about.stateRoot,
      batchCount: view.batchCount,
      batchHash: last === undefined ? ZERO_HASH : BatchRecord.hash(last.record),
      finalAt: 0n
    }
  }
