/**
 * Watches L1 and writes down what it sees: each block once, each with what our contracts said in it, and where L1
 * changed its mind. Whatever is read of L1 is read from the log it keeps.
 */
import type { ValueUnencodable } from "@ovm/event-log/Codec"
import { EventLog } from "@ovm/event-log/EventLog"
import type { AppendError } from "@ovm/event-log/LogError"
import type { Deployment } from "@ovm/protocol/Deployment"
import {
  type L1Block,
  L1BlocksObserved,
  type L1ContractEvent,
  type L1Event,
  L1HeadsAdvanced,
  L1Reorganized
} from "@ovm/protocol/L1Event"
import { Clock, Context, Duration, Effect, Layer, Option, Ref, Schedule, Schema } from "effect"
import * as ContractEvents from "./internal/ContractEvents.ts"
import { type L1BlockHeader, L1Client, type L1Log } from "./L1Client.ts"
import type { L1Error } from "./L1Error.ts"
import * as L1View from "./L1View.ts"

/** L1 moved while it was read, or its answers don't fit together. Recover by reading again. */
export class L1Inconsistent extends Schema.TaggedError<L1Inconsistent>()("L1Inconsistent", {
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.expected} on L1, found ${this.found}. L1 may be changing its mind: read again.`
  }
}

/** L1 is not the one that the rollup was deployed on, or it lost the deployment itself. Recover by naming the right node or file. */
export class DeploymentNotOnL1 extends Schema.TaggedError<DeploymentNotOnL1>()(
  "DeploymentNotOnL1",
  { number: Schema.BigIntFromSelf, expected: Schema.String, found: Schema.String }
) {
  override get message() {
    return `Expected L1 block ${this.number} to be ${this.expected}, where the rollup was deployed, found ${this.found}. Name the right L1 node, or the right deployment file.`
  }
}

/** L1 changed its mind about more than is remembered. Recover by deriving again into a new log. */
export class ReorgTooDeep extends Schema.TaggedError<ReorgTooDeep>()("ReorgTooDeep", {
  headNumber: Schema.BigIntFromSelf,
  oldestNumber: Schema.BigIntFromSelf
}) {
  override get message() {
    return `Expected L1 to agree with the log somewhere between blocks ${this.oldestNumber} and ${this.headNumber}, found no such block. Derive again into a new log.`
  }
}

export type WatchError =
  | L1Error
  | L1Inconsistent
  | DeploymentNotOnL1
  | ReorgTooDeep
  | L1View.ViewError
  | AppendError
  | ValueUnencodable

export interface WatcherOptions {
  readonly deployment: Deployment
  /** How often L1 is asked. Default 1 s. */
  readonly every?: Duration.DurationInput
  /** Blocks that are read, and appended, at once. Default 256. */
  readonly pageBlocks?: number
  /** Called while L1 is caught up with. */
  readonly onProgress?: (progress: {
    readonly number: bigint
    readonly headNumber: bigint
  }) => Effect.Effect<void>
}

export class L1Watcher extends Context.Tag("@ovm/l1/L1Watcher")<
  L1Watcher,
  {
    /** Reads L1 up to its head now, whatever that takes. */
    readonly catchUp: Effect.Effect<L1View.View, WatchError>
    /** Seconds since L1 last answered; L1's own clock plays no part. */
    readonly silenceSeconds: Effect.Effect<number>
  }
>() {}

type Requirements = EventLog | L1Client | L1View.L1View

/** Watches for as long as the scope lives. L1 down is waited for; a wrong L1 is an error at once. */
export const layer = (
  options: WatcherOptions
): Layer.Layer<L1Watcher, DeploymentNotOnL1, Requirements> =>
  Layer.scoped(
    L1Watcher,
    Effect.gen(function* () {
      const requirements = yield* Effect.context<Requirements>()
      const lastContactMs = yield* Ref.make(yield* Clock.currentTimeMillis)
      const alone = (yield* Effect.makeSemaphore(1)).withPermits(1)
      const contact = Effect.flatMap(Clock.currentTimeMillis, (now) => Ref.set(lastContactMs, now))
      const catchUp = readToHead(options).pipe(
        Effect.tap(() => contact),
        // What doesn't fit together while L1 changes its mind does a moment later.
        Effect.retry({
          while: (error) => error._tag === "L1Inconsistent",
          schedule: Schedule.spaced("50 millis"),
          times: 40
        }),
        alone,
        Effect.provide(requirements)
      )
      const every = Duration.decode(options.every ?? "1 second")
      const first = yield* Effect.either(catchUp)
      if (first._tag === "Left" && first.left._tag === "DeploymentNotOnL1") return yield* first.left
      yield* catchUp.pipe(
        Effect.catchAll((error) => Effect.logWarning(`watching L1: ${error.message}`)),
        Effect.repeat(Schedule.spaced(every)),
        Effect.delay(every),
        Effect.forkScoped
      )
      return L1Watcher.of({
        catchUp,
        silenceSeconds: Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          return Math.floor((now - (yield* Ref.get(lastContactMs))) / 1_000)
        })
      })
    })
  )

const readToHead = Effect.fn("L1Watcher.catchUp")(function* (options: WatcherOptions) {
  const l1 = yield* L1Client
  const views = yield* L1View.L1View
  const latest = yield* required("latest", yield* l1.getBlock("latest"))
  let view = yield* views.view
  yield* view.head === undefined
    ? checkDeployment(options.deployment)
    : agree(view, view.head, latest)
  view = yield* views.view
  for (;;) {
    const from =
      view.head === undefined ? options.deployment.deployedAt.number : view.head.number + 1n
    if (from > latest.number) break
    const to = min(latest.number, from + BigInt((options.pageBlocks ?? 256) - 1))
    yield* append(yield* readBlocks(options.deployment, view, from, to))
    view = yield* views.view
    yield* options.onProgress?.({ number: to, headNumber: latest.number }) ?? Effect.void
  }
  yield* observeHeads(view)
  return yield* views.view
})

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b)

const required = (what: string, block: Option.Option<L1BlockHeader>) =>
  Option.match(block, {
    onNone: () => Effect.fail(new L1Inconsistent({ expected: `block ${what}`, found: "none" })),
    onSome: Effect.succeed
  })

const checkDeployment = ({ deployedAt: { hash, number } }: Deployment) =>
  Effect.gen(function* () {
    const block = Option.getOrUndefined(yield* (yield* L1Client).getBlock(number))
    if (block?.hash === hash) return
    return yield* new DeploymentNotOnL1({
      number,
      expected: hash,
      found: block?.hash ?? "no block"
    })
  })

/** Headers that are compared at once while the common block is looked for. */
const STEP = 64n

/** Appends that L1 changed its mind, if it did. A node that is merely behind is waited for. */
const agree = (view: L1View.View, head: L1View.L1Header, latest: L1BlockHeader) =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    const oldest = view.first?.number ?? head.number
    let high = min(head.number, latest.number)
    while (high >= oldest) {
      const low = high - STEP + 1n > oldest ? high - STEP + 1n : oldest
      const numbers: Array<bigint> = []
      for (let number = high; number >= low; number--) numbers.push(number)
      for (const header of [...(yield* l1.getHeaders(numbers))].sort(newestFirst)) {
        const ours = Option.getOrUndefined(L1View.blockByNumber(view, header.number))
        if (ours?.hash !== header.hash) continue
        if (header.number === min(head.number, latest.number)) return
        yield* append(
          new L1Reorganized({
            commonNumber: header.number,
            commonHash: header.hash,
            oldHeadNumber: head.number,
            oldHeadHash: head.hash
          })
        )
        return
      }
      high = low - 1n
    }
    return yield* new ReorgTooDeep({ headNumber: head.number, oldestNumber: oldest })
  })

const newestFirst = (a: L1BlockHeader, b: L1BlockHeader) => (a.number < b.number ? 1 : -1)

/** The blocks with their events, all of one history: that of the block before them. */
const readBlocks = (deployment: Deployment, view: L1View.View, from: bigint, to: bigint) =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    const { bridge, inbox, stateCommitmentChain } = deployment.contracts
    const numbers: Array<bigint> = []
    for (let number = from; number <= to; number++) numbers.push(number)
    const headers = [...(yield* l1.getHeaders(numbers))].sort((a, b) => newestFirst(b, a))
    const logs = yield* l1.getLogs({
      addresses: [inbox, stateCommitmentChain, bridge],
      blocks: { from, to }
    })
    yield* checkHistory(deployment, view, numbers, headers)
    const byHash = new Map(headers.map((header): [string, Array<L1Log>] => [header.hash, []]))
    for (const log of logs) {
      const own = byHash.get(log.blockHash)
      if (own === undefined) {
        const expected = `a log of a block between ${from} and ${to}`
        return yield* new L1Inconsistent({ expected, found: `one of ${log.blockHash}` })
      }
      own.push(log)
    }
    const blocks = yield* Effect.forEach(headers, ({ hash, number, parentHash, timestamp }) =>
      Effect.map(
        eventsOf(deployment, byHash.get(hash) ?? []),
        (events): L1Block => ({ number, hash, parentHash, timestamp, events })
      )
    )
    const [first, ...rest] = blocks
    if (first === undefined) return yield* Effect.dieMessage("a page without blocks")
    return new L1BlocksObserved({ blocks: [first, ...rest] })
  })

/** Nothing is appended whose parent is not the recorded head. */
const checkHistory = (
  { deployedAt }: Deployment,
  view: L1View.View,
  numbers: ReadonlyArray<bigint>,
  headers: ReadonlyArray<L1BlockHeader>
) =>
  Effect.gen(function* () {
    if (headers.length !== numbers.length) {
      const found = `${headers.length}`
      return yield* new L1Inconsistent({ expected: `${numbers.length} headers`, found })
    }
    let parent: string | undefined = view.head?.hash
    for (const header of headers) {
      if (parent !== undefined && header.parentHash !== parent) {
        const expected = `block ${header.number} to follow ${parent}`
        return yield* new L1Inconsistent({ expected, found: header.parentHash })
      }
      if (parent === undefined && header.hash !== deployedAt.hash) {
        const expected = `block ${header.number} to be ${deployedAt.hash}`
        return yield* new L1Inconsistent({ expected, found: header.hash })
      }
      parent = header.hash
    }
  })

const eventsOf = (deployment: Deployment, logs: ReadonlyArray<L1Log>) =>
  Effect.gen(function* () {
    const ordered = [...logs].sort((a, b) => (a.logIndex < b.logIndex ? -1 : 1))
    const events: Array<L1ContractEvent> = []
    for (const log of ordered) {
      const said = Option.getOrUndefined(ContractEvents.read(log, deployment.contracts))
      if (said === undefined) continue
      if (said._tag !== "BatchPosted") {
        events.push(said)
        continue
      }
      const transaction = yield* (yield* L1Client).getTransaction(said.transactionHash)
      const batch = ContractEvents.withPayload(said, Option.getOrUndefined(transaction))
      if (Option.isNone(batch)) {
        const expected = `the payload of ${said.payloadHash} in ${said.transactionHash}`
        return yield* new L1Inconsistent({ expected, found: "another one, or none" })
      }
      events.push(batch.value)
    }
    return events
  })

/** A node that has no such word (a devnet's, at times) changes nothing. */
const observeHeads = (view: L1View.View) =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    if (view.head === undefined) return
    const head = view.head.number
    const numberOf = (tag: "safe" | "finalized") =>
      Effect.map(
        Effect.orElseSucceed(l1.getBlock(tag), () => Option.none<L1BlockHeader>()),
        Option.match({ onNone: () => 0n, onSome: ({ number }) => min(number, head) })
      )
    const finalizedNumber = yield* numberOf("finalized")
    const safeNumber = max(yield* numberOf("safe"), finalizedNumber)
    if (view.safeNumber === safeNumber && view.finalizedNumber === finalizedNumber) return
    yield* append(new L1HeadsAdvanced({ safeNumber, finalizedNumber }))
  })

const append = (event: L1Event) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const [encoded] = yield* L1View.l1EventTypes.encode([event])
    if (encoded === undefined) return
    const expected = yield* log.streamVersion(L1View.L1_STREAM)
    yield* log.append({ stream: L1View.L1_STREAM, expected, events: [encoded] })
  })
