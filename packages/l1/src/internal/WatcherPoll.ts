/** One look at L1: what is recorded is compared with what L1 has now, and the log brought up to it. */
import type { EventLogService } from "@ovm/event-log/EventLog"
import {
  type L1Block,
  L1BlocksObserved,
  type L1ContractEvent,
  type L1Event,
  L1HeadsAdvanced,
  L1Reorganized
} from "@ovm/protocol/L1Event"
import { Array as Arr, BigInt as Big, Effect, Option } from "effect"
import type { L1BlockHeader, L1ClientService, L1Log } from "../L1Client.ts"
import type { L1Error } from "../L1Error.ts"
import { L1_STREAM, type L1Header, l1EventTypes, UNDO_DEPTH, type View } from "../L1View.ts"
import * as Fold from "../L1View.ts"
import {
  DeploymentNotOnL1,
  L1Inconsistent,
  type Polled,
  ReorgTooDeep,
  type WatchError,
  type WatcherOptions,
  type WatcherStatus
} from "../L1Watcher.ts"
import { contractEvent, watchedAddresses } from "./ContractEvents.ts"

export interface Watch {
  readonly l1: L1ClientService
  readonly log: EventLogService
  readonly view: Fold.L1View["Type"]
  readonly options: WatcherOptions
  readonly tell: (change: Partial<WatcherStatus>) => Effect.Effect<void>
}

/** So close to the head that a reorg is likely, logs are asked for by their block's hash. */
const NEAR_HEAD = 64n
const DEFAULT_WINDOW = 4_096n
/** Headers asked for together while looking for the common block. */
const WALK_BLOCKS = 32n
/** Bytes of payloads in one event; the log takes at most 4 MiB. */
const EVENT_BYTES = 1_500_000

export const bringUpToDate = (watch: Watch): Effect.Effect<Polled, WatchError> =>
  Effect.gen(function* () {
    const { l1, options, tell } = watch
    const [latest, safe, finalized] = yield* Effect.all(
      [l1.getBlock("latest"), promised(l1, "safe"), promised(l1, "finalized")],
      { concurrency: "unbounded" }
    )
    if (Option.isNone(latest)) {
      return yield* new L1Inconsistent({ number: 0n, issue: "it has no newest block" })
    }
    const target = latest.value
    yield* tell({ l1HeadNumber: target.number })
    const recorded = (yield* watch.view.view).head
    const reorganized = recorded === undefined ? false : yield* followReorg(watch, recorded, target)
    let head = (yield* watch.view.view).head
    let observed = 0
    const { deployedAt } = options.deployment
    if (head === undefined) yield* checkDeployment(watch)
    while ((head?.number ?? deployedAt.number - 1n) < target.number) {
      yield* tell({ phase: "catchingUp", head })
      const page = yield* nextPage(watch, head, target)
      yield* record(watch, inEvents(page))
      observed += page.length
      head = (yield* watch.view.view).head
    }
    if (head === undefined) {
      return yield* new L1Inconsistent({
        number: target.number,
        issue: "it is below the deployment"
      })
    }
    yield* recordHeads(watch, head, { safe, finalized })
    return { head, observed, reorganized }
  })

/** L1's own promise; a node that gives none has promised nothing. */
const promised = (l1: L1ClientService, tag: "safe" | "finalized") =>
  Effect.catchTag(l1.getBlock(tag), "L1RequestRejected", () => Effect.succeedNone)

const checkDeployment = ({ l1, options }: Pick<Watch, "l1" | "options">) =>
  Effect.gen(function* () {
    const { hash: expected, number } = options.deployment.deployedAt
    const block = yield* l1.getBlock(number)
    const found = Option.getOrUndefined(Option.map(block, ({ hash }) => hash))
    if (found === expected) return
    return yield* new DeploymentNotOnL1({ number, expected, found })
  })

/** Records that the chain we know is no longer L1's, if so. */
const followReorg = (
  watch: Watch,
  recorded: L1Header,
  target: L1BlockHeader
): Effect.Effect<boolean, WatchError> =>
  Effect.gen(function* () {
    // A node that is merely behind has the same block where it stands.
    const top = Big.min(recorded.number, target.number)
    if (yield* isStillThere(watch, top)) return false
    const common = yield* commonBlock(watch, recorded, top)
    yield* record(watch, [
      new L1Reorganized({
        commonNumber: common.number,
        commonHash: common.hash,
        oldHeadNumber: recorded.number,
        oldHeadHash: recorded.hash
      })
    ])
    return true
  })

const isStillThere = ({ l1, view }: Watch, number: bigint) =>
  Effect.gen(function* () {
    const ours = yield* view.blockByNumber(number)
    // Below all that we know, so not the node's to judge.
    if (Option.isNone(ours)) return true
    const theirs = yield* l1.getBlock(number)
    return Option.isSome(theirs) && theirs.value.hash === ours.value.hash
  })

const commonBlock = (
  { l1, options, view }: Watch,
  recorded: L1Header,
  top: bigint
): Effect.Effect<L1Header, WatchError> =>
  Effect.gen(function* () {
    const asked = options.windowBlocks ?? DEFAULT_WINDOW
    const windowBlocks = Big.min(asked, UNDO_DEPTH - 1n)
    const first = options.deployment.deployedAt.number
    const lowest = recorded.number - windowBlocks
    for (let high = top; high >= first && high >= lowest; high -= WALK_BLOCKS) {
      const numbers = Array.from(
        { length: Number(WALK_BLOCKS) },
        (_, index) => high - BigInt(index)
      ).filter((number) => number >= first && number >= lowest)
      for (const theirs of yield* l1.getHeaders(numbers)) {
        const ours = yield* view.blockByNumber(theirs.number)
        if (Option.isSome(ours) && ours.value.hash === theirs.hash) return ours.value
      }
    }
    if (first >= lowest) yield* checkDeployment({ l1, options })
    return yield* new ReorgTooDeep({ headNumber: recorded.number, windowBlocks })
  })

/** The next blocks above what is recorded, with what was said in them, all of one chain. */
const nextPage = (
  { l1, options }: Watch,
  head: L1Header | undefined,
  target: L1BlockHeader
): Effect.Effect<Arr.NonEmptyReadonlyArray<L1Block>, WatchError> =>
  Effect.gen(function* () {
    const { contracts, deployedAt } = options.deployment
    const from = head === undefined ? deployedAt.number : head.number + 1n
    const last = from + BigInt(options.pageBlocks ?? 256) - 1n
    const to = Big.min(last, target.number)
    const headers = yield* l1.getHeaders(
      Array.from({ length: Number(to - from) + 1 }, (_, index) => from + BigInt(index))
    )
    yield* checkLinks(headers, { from, to, parentHash: head?.hash })
    const logs = yield* logsOf(l1, watchedAddresses(contracts), headers, target)
    const events = yield* Effect.forEach(
      logs,
      (log) =>
        Effect.map(
          contractEvent(l1, contracts, log),
          Option.map((event) => ({ event, log }))
        ),
      { concurrency: 8 }
    )
    const byBlock = groupByBlock(Arr.getSomes(events))
    const blocks = headers.map(({ hash, number, parentHash, timestamp }) => ({
      ...{ number, hash, parentHash, timestamp },
      events: (byBlock.get(number) ?? []).map(({ event }) => event)
    }))
    return Arr.isNonEmptyReadonlyArray(blocks)
      ? blocks
      : yield* new L1Inconsistent({ number: from, issue: "there is none" })
  })

interface SaidIn {
  readonly event: L1ContractEvent
  readonly log: L1Log
}
const groupByBlock = (said: ReadonlyArray<SaidIn>): ReadonlyMap<bigint, ReadonlyArray<SaidIn>> => {
  const groups = new Map<bigint, Array<SaidIn>>()
  for (const one of said) {
    const group = groups.get(one.log.blockNumber)
    if (group === undefined) groups.set(one.log.blockNumber, [one])
    else group.push(one)
  }
  return groups
}

/** Never record a block whose parent is not the block recorded before it. */
const checkLinks = (
  headers: ReadonlyArray<L1BlockHeader>,
  expected: { readonly from: bigint; readonly to: bigint; readonly parentHash: string | undefined }
) =>
  Effect.gen(function* () {
    let { from: number, parentHash } = expected
    for (const header of headers) {
      if (header.number !== number) {
        return yield* new L1Inconsistent({ number, issue: `found block ${header.number}` })
      }
      if (parentHash !== undefined && header.parentHash !== parentHash) {
        const issue = `its parent is ${header.parentHash}, not ${parentHash}`
        return yield* new L1Inconsistent({ number, issue })
      }
      parentHash = header.hash
      number++
    }
    if (number !== expected.to + 1n) {
      return yield* new L1Inconsistent({ number, issue: "it is gone" })
    }
  })

/** The logs of exactly these blocks: asked for by hash near the head, by range further down. */
const logsOf = (
  l1: L1ClientService,
  addresses: ReadonlyArray<L1Log["address"]>,
  headers: ReadonlyArray<L1BlockHeader>,
  target: L1BlockHeader
): Effect.Effect<ReadonlyArray<L1Log>, L1Error | L1Inconsistent> =>
  Effect.gen(function* () {
    const [near, far] = Arr.partition(headers, ({ number }) => number + NEAR_HEAD < target.number)
    const old = yield* logsOfRange(l1, addresses, far)
    const young = yield* Effect.forEach(
      near,
      ({ hash, number }) =>
        Effect.catchTag(l1.getLogs({ addresses, blocks: { hash } }), "L1RequestRejected", (error) =>
          Effect.fail(new L1Inconsistent({ number, issue: error.message }))
        ),
      { concurrency: "unbounded" }
    )
    const logs = [...old, ...young.flat()]
    const hashes = new Map(headers.map(({ hash, number }) => [number, hash]))
    for (const { blockHash, blockNumber: number } of logs) {
      if (hashes.get(number) !== blockHash) {
        const issue = `its header and its logs are of different blocks`
        return yield* new L1Inconsistent({ number, issue })
      }
    }
    return logs
  })

const logsOfRange = (
  l1: L1ClientService,
  addresses: ReadonlyArray<L1Log["address"]>,
  headers: ReadonlyArray<L1BlockHeader>
): Effect.Effect<ReadonlyArray<L1Log>, L1Error | L1Inconsistent> =>
  Effect.gen(function* () {
    const [first] = headers
    const last = headers.at(-1)
    if (first === undefined || last === undefined) return []
    const blocks = { from: first.number, to: last.number }
    const logs = yield* l1.getLogs({ addresses, blocks })
    // A range names no hashes: blocks without logs are told apart by the last one being the same.
    const after = yield* l1.getBlock(last.number)
    if (Option.isNone(after) || after.value.hash !== last.hash) {
      return yield* new L1Inconsistent({ number: last.number, issue: "it changed meanwhile" })
    }
    return logs
  })

/** Blocks in as few events as the log's limits allow. */
const inEvents = (
  blocks: Arr.NonEmptyReadonlyArray<L1Block>
): Arr.NonEmptyReadonlyArray<L1Event> => {
  const [first, ...rest] = blocks
  const groups: Arr.NonEmptyArray<Arr.NonEmptyArray<L1Block>> = [[first]]
  let bytes = bytesOf(first)
  for (const block of rest) {
    const more = bytesOf(block)
    if (bytes + more > EVENT_BYTES) {
      groups.push([block])
      bytes = more
    } else {
      Arr.lastNonEmpty(groups).push(block)
      bytes += more
    }
  }
  return Arr.map(groups, (group) => new L1BlocksObserved({ blocks: group }))
}

const bytesOf = ({ events }: L1Block): number =>
  events.reduce(
    (sum, event) =>
      sum +
      500 +
      ("raw" in event ? event.raw.length : "payload" in event ? event.payload.length : 0),
    200
  )

const record = (
  { log }: Watch,
  events: Arr.NonEmptyReadonlyArray<L1Event>
): Effect.Effect<void, WatchError> =>
  Effect.gen(function* () {
    const encoded = yield* l1EventTypes.encode(events)
    if (!Arr.isNonEmptyReadonlyArray(encoded)) return
    // The watcher is this stream's only writer; a second one loses here, and reads again.
    const expected = yield* log.streamVersion(L1_STREAM)
    yield* log.append({ stream: L1_STREAM, expected, events: encoded })
  })

/** What L1 promises, as far as we have it and it is of the same chain. */
const recordHeads = (
  watch: Watch,
  head: L1Header,
  given: {
    readonly safe: Option.Option<L1BlockHeader>
    readonly finalized: Option.Option<L1BlockHeader>
  }
) =>
  Effect.gen(function* () {
    const view = yield* watch.view.view
    const safeNumber = promisedNumber(view, head, given.safe, view.safeNumber)
    const finalizedNumber = promisedNumber(view, head, given.finalized, view.finalizedNumber)
    if (safeNumber === undefined || finalizedNumber === undefined) return
    if (safeNumber === view.safeNumber && finalizedNumber === view.finalizedNumber) return
    yield* record(watch, [new L1HeadsAdvanced({ safeNumber, finalizedNumber })])
  })

const promisedNumber = (
  view: View,
  head: L1Header,
  given: Option.Option<L1BlockHeader>,
  before: bigint | undefined
): bigint | undefined => {
  if (Option.isNone(given) || given.value.number > head.number) return before
  const { hash, number } = given.value
  if (before !== undefined && number <= before) return before
  const ours = Fold.blockByNumber(view, number)
  return Option.isSome(ours) && ours.value.hash !== hash ? before : number
}
