/**
 * L1 as the log knows it: the fold of stream "l1", with what a reorg undoes undone. `empty` and
 * `apply` are pure; `L1View` is the service that keeps the fold at the log's head.
 */
import * as EventTypes from "@ovm/event-log/EventTypes"
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ReadError } from "@ovm/event-log/LogError"
import * as BatchRecord from "@ovm/protocol/BatchRecord"
import { type L1Block, type L1ContractEvent, L1Event } from "@ovm/protocol/L1Event"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { Context, Effect, HashMap, Layer, Option, type Stream } from "effect"
import { keccak256 } from "viem"
import { makeL1View } from "./internal/L1ViewFold.ts"

/** The stream of the log that holds what was seen on L1. */
export const L1_STREAM = "l1"
/** How the events of that stream are written and read. */
export const l1EventTypes = EventTypes.make({ schema: L1Event })

/** Blocks below the head that a reorg can undo, and whose headers are held in memory. */
export const UNDO_DEPTH = 8_192n
/** Batches whose payload is held in memory; older ones are read from the log again. */
export const PAYLOADS_HELD = 64n

export interface L1Header {
  readonly number: bigint
  readonly hash: Hash32
  readonly parentHash: Hash32
  /** Seconds since the Unix epoch. */
  readonly timestamp: bigint
}

/** A raw L2 transaction that was put into the queue on L1. */
export interface QueueEntry {
  readonly index: bigint
  readonly from: Address
  readonly gasLimit: bigint
  readonly raw: Uint8Array
  /** keccak-256 of `raw`. */
  readonly hash: Hash32
  readonly l1BlockNumber: bigint
  /** Seconds since the Unix epoch. */
  readonly l1Timestamp: bigint
}

export interface Batch {
  readonly record: BatchRecord.BatchRecord
  /** What `Inbox.batchHash` answers. */
  readonly hash: Hash32
  /** Empty for a forced batch; undefined for an old one: ask `L1View.payload`. */
  readonly payload: Uint8Array | undefined
  readonly l1BlockHash: Hash32
  readonly l1TransactionHash: Hash32
  /** The root that counts instead, once the batch was proven wrong. */
  readonly voidedRoot: Hash32 | undefined
  /** Position of the event in the log that holds the payload. */
  readonly position: number
}

export type ClaimStatus = "undecided" | "disputed" | "defeated" | "final"

export interface Claim {
  readonly index: bigint
  readonly proposer: Address
  readonly blockNumber: bigint
  readonly blockHash: Hash32
  readonly stateRoot: Hash32
  readonly batchCount: bigint
  readonly batchHash: Hash32
  /** Seconds since the Unix epoch; meaningless while disputed. */
  readonly finalAt: bigint
  readonly status: ClaimStatus
  readonly l1BlockNumber: bigint
}

export interface Deposit {
  readonly queueIndex: bigint
  readonly from: Address
  readonly to: Address
  readonly amount: bigint
  readonly l1BlockNumber: bigint
}

export interface FinalizedWithdrawal {
  readonly withdrawalHash: Hash32
  /** Whether its call on L1 succeeded. */
  readonly success: boolean
  readonly value: bigint
  readonly l1BlockNumber: bigint
}

/** What the contracts have said so far. Persistent: an older one stays as it was. */
export interface Contents {
  readonly queue: HashMap.HashMap<bigint, QueueEntry>
  readonly queueLength: bigint
  /** First queue index that no batch has taken. */
  readonly queueTaken: bigint
  readonly batches: HashMap.HashMap<bigint, Batch>
  readonly batchCount: bigint
  readonly claims: HashMap.HashMap<bigint, Claim>
  readonly claimCount: bigint
  readonly deposits: HashMap.HashMap<bigint, Deposit>
  readonly withdrawals: HashMap.HashMap<Hash32, FinalizedWithdrawal>
}

/** Where in the log a block was recorded: every `ANCHOR_DISTANCE`-th block, for looking up old ones. */
export interface Anchor {
  readonly number: bigint
  readonly position: number
}
export const ANCHOR_DISTANCE = 1_024n

export interface View extends Contents {
  /** The newest block; undefined before the first. */
  readonly head: L1Header | undefined
  /** The first block that was observed. */
  readonly first: L1Header | undefined
  /** L1's own word on how far it is safe and final; never above the head. */
  readonly safeNumber: bigint | undefined
  readonly finalizedNumber: bigint | undefined
  /** The newest `UNDO_DEPTH` headers. */
  readonly headers: HashMap.HashMap<bigint, L1Header>
  readonly anchors: ReadonlyArray<Anchor>
  /** What there was before a block changed it, oldest first: what a reorg goes back to. */
  readonly undo: ReadonlyArray<{ readonly number: bigint; readonly before: Contents }>
  /** Position of the last event taken in. */
  readonly position: number
}

export const empty: View = {
  head: undefined,
  first: undefined,
  safeNumber: undefined,
  finalizedNumber: undefined,
  headers: HashMap.empty(),
  anchors: [],
  undo: [],
  position: 0,
  queue: HashMap.empty(),
  queueLength: 0n,
  queueTaken: 0n,
  batches: HashMap.empty(),
  batchCount: 0n,
  claims: HashMap.empty(),
  claimCount: 0n,
  deposits: HashMap.empty(),
  withdrawals: HashMap.empty()
}

/** The view after an event that stands at `position` of the log (0: in no log). */
export const apply = (view: View, event: L1Event, position = 0): View => {
  switch (event._tag) {
    case "v1.L1BlocksObserved":
      return event.blocks.reduce((before, block) => applyBlock(before, block, position), view)
    case "v1.L1Reorganized":
      return undoAbove(view, event.commonNumber, position)
    case "v1.L1HeadsAdvanced":
      return {
        ...view,
        position,
        safeNumber: event.safeNumber,
        finalizedNumber: event.finalizedNumber
      }
  }
}

/** The header of a block among the newest `UNDO_DEPTH`. */
export const blockByNumber = (view: View, number: bigint): Option.Option<L1Header> =>
  HashMap.get(view.headers, number)
export const queueEntry = (view: View, index: bigint): Option.Option<QueueEntry> =>
  HashMap.get(view.queue, index)
export const batch = (view: View, index: bigint): Option.Option<Batch> =>
  HashMap.get(view.batches, index)
export const claim = (view: View, index: bigint): Option.Option<Claim> =>
  HashMap.get(view.claims, index)
export const deposit = (view: View, queueIndex: bigint): Option.Option<Deposit> =>
  HashMap.get(view.deposits, queueIndex)
export const withdrawal = (view: View, hash: Hash32): Option.Option<FinalizedWithdrawal> =>
  HashMap.get(view.withdrawals, hash)
/** Queue entries `start` up to, not including, `end`; ends early where the queue does. */
export const queueEntries = (view: View, start: bigint, end: bigint): ReadonlyArray<QueueEntry> => {
  const found: Array<QueueEntry> = []
  for (let index = start; index < end; index++) {
    const entry = queueEntry(view, index)
    if (Option.isNone(entry)) break
    found.push(entry.value)
  }
  return found
}

export type ViewError = ReadError | EventTypes.EventUndecodable

/** An event of stream "l1", and the view with it taken in. */
export interface ViewChange {
  readonly event: L1Event
  readonly position: number
  readonly view: View
}

export class L1View extends Context.Tag("@ovm/l1/L1View")<
  L1View,
  {
    /** The view at the log's head. */
    readonly view: Effect.Effect<View, ViewError>
    /**
     * Every event of the stream after a position of the log with the view it led to, then every
     * further one; never ends. Default: from the first on.
     */
    readonly changes: (options?: {
      readonly after?: number
    }) => Stream.Stream<ViewChange, ViewError>
    /** The view with all events up to a position of the log, and none after it. */
    readonly viewAsOf: (position: number) => Effect.Effect<View, ViewError>
    /** The header of any block since the deployment, however old: read from the log if need be. */
    readonly blockByNumber: (number: bigint) => Effect.Effect<Option.Option<L1Header>, ViewError>
    /** The payload of any batch, however old: read from the log if need be. */
    readonly payload: (batchIndex: bigint) => Effect.Effect<Option.Option<Uint8Array>, ViewError>
    /** Waits until the view is so. */
    readonly until: (is: (view: View) => boolean) => Effect.Effect<View, ViewError>
  }
>() {
  /** Folds the log that is provided. */
  static readonly layer: Layer.Layer<L1View, ViewError, EventLog> = Layer.scoped(
    L1View,
    Effect.suspend(() => makeL1View)
  )
}

const applyBlock = (view: View, block: L1Block, position: number): View => {
  const { events, ...rest } = block
  const header: L1Header = {
    number: rest.number,
    hash: rest.hash,
    parentHash: rest.parentHash,
    timestamp: rest.timestamp
  }
  const headers = HashMap.set(view.headers, header.number, header)
  const oldest = header.number - UNDO_DEPTH
  const grown: View = {
    ...view,
    position,
    head: header,
    first: view.first ?? header,
    headers: HashMap.remove(headers, oldest),
    anchors:
      header.number % ANCHOR_DISTANCE === 0n
        ? [...view.anchors, { number: header.number, position }]
        : view.anchors
  }
  if (events.length === 0) return grown
  const undo = [...view.undo.filter(({ number }) => number > oldest)]
  undo.push({ number: header.number, before: contentsOf(view) })
  const contents = events.reduce(
    (before, event) => applyContractEvent(before, event, block, position),
    contentsOf(view)
  )
  return { ...grown, ...contents, undo }
}

const undoAbove = (view: View, common: bigint, position: number): View => {
  const first = view.undo.find(({ number }) => number > common)
  let headers = view.headers
  for (let number = view.head?.number ?? common; number > common; number--) {
    headers = HashMap.remove(headers, number)
  }
  const notAbove = (number: bigint | undefined) =>
    number === undefined || number <= common ? number : common
  return {
    ...view,
    ...first?.before,
    position,
    headers,
    head: Option.getOrUndefined(HashMap.get(headers, common)),
    safeNumber: notAbove(view.safeNumber),
    finalizedNumber: notAbove(view.finalizedNumber),
    anchors: view.anchors.filter(({ number }) => number <= common),
    undo: view.undo.filter(({ number }) => number <= common)
  }
}

/** The contents alone, without what surrounds them. */
const contentsOf = (view: Contents): Contents => ({
  queue: view.queue,
  queueLength: view.queueLength,
  queueTaken: view.queueTaken,
  batches: view.batches,
  batchCount: view.batchCount,
  claims: view.claims,
  claimCount: view.claimCount,
  deposits: view.deposits,
  withdrawals: view.withdrawals
})

const applyContractEvent = (
  before: Contents,
  event: L1ContractEvent,
  block: L1Block,
  position: number
): Contents => {
  const l1BlockNumber = block.number
  switch (event._tag) {
    case "TransactionEnqueued": {
      const { from, gasLimit, queueIndex: index, raw } = event
      const hash = keccak256(raw)
      const l1Timestamp = block.timestamp
      const entry = { index, from, gasLimit, raw, hash, l1BlockNumber, l1Timestamp }
      return {
        ...before,
        queue: HashMap.set(before.queue, index, entry),
        queueLength: index + 1n
      }
    }
    case "BatchAppended":
      return appendBatch(before, event, block, position)
    case "BatchVoided": {
      const { index, root } = event
      const void_ = (found: Batch): Batch => ({ ...found, voidedRoot: root })
      return { ...before, batches: HashMap.modify(before.batches, index, void_) }
    }
    case "ClaimProposed": {
      const { _tag, ...proposed } = event
      const claim: Claim = { ...proposed, status: "undecided", l1BlockNumber }
      return {
        ...before,
        claims: HashMap.set(before.claims, event.index, claim),
        claimCount: event.index + 1n
      }
    }
    case "ClaimDisputed":
      return changeClaim(before, event.index, { status: "disputed" })
    case "ClaimResumed":
      return changeClaim(before, event.index, { status: "undecided", finalAt: event.finalAt })
    case "ClaimDefeated":
      return defeatFrom(before, event.index)
    case "ClaimFinalized":
      return changeClaim(before, event.index, { status: "final" })
    case "ETHDeposited": {
      const { _tag, ...deposited } = event
      const deposits = HashMap.set(before.deposits, event.queueIndex, {
        ...deposited,
        l1BlockNumber
      })
      return { ...before, deposits }
    }
    case "WithdrawalFinalized": {
      const { success, value, withdrawalHash } = event
      const done = { withdrawalHash, success, value, l1BlockNumber }
      return { ...before, withdrawals: HashMap.set(before.withdrawals, withdrawalHash, done) }
    }
  }
}

const appendBatch = (
  before: Contents,
  event: Extract<L1ContractEvent, { readonly _tag: "BatchAppended" }>,
  block: L1Block,
  position: number
): Contents => {
  const { l1TransactionHash, payload, record } = event
  const appended: Batch = {
    record,
    hash: BatchRecord.hash(record),
    payload,
    l1BlockHash: block.hash,
    l1TransactionHash,
    voidedRoot: undefined,
    position
  }
  const forget = (old: Batch): Batch => ({ ...old, payload: undefined })
  const batches = HashMap.set(before.batches, record.index, appended)
  return {
    ...before,
    // Without a position there is no log to read the payload from again.
    batches:
      position === 0 ? batches : HashMap.modify(batches, record.index - PAYLOADS_HELD, forget),
    batchCount: record.index + 1n,
    queueTaken: record.queueEnd
  }
}

const changeClaim = (before: Contents, index: bigint, change: Partial<Claim>): Contents => ({
  ...before,
  claims: HashMap.modify(before.claims, index, (found) => ({ ...found, ...change }))
})

/** A claim falls with everything built on it: all that came after it. Indexes are not used again. */
const defeatFrom = (before: Contents, index: bigint): Contents => {
  let claims = before.claims
  for (let at = index; at < before.claimCount; at++) {
    claims = HashMap.modify(claims, at, (found) => ({ ...found, status: "defeated" }))
  }
  return { ...before, claims }
}
