/** The chain as it stands in the event log: one stream, block by block. */
import { EventLog } from "@ovm/event-log/EventLog"
import type { Appended } from "@ovm/event-log/EventLog"
import type { ValueUnencodable } from "@ovm/event-log/Codec"
import * as EventTypes from "@ovm/event-log/EventTypes"
import type { AppendError, ReadError } from "@ovm/event-log/LogError"
import * as RollupEvent from "@ovm/protocol/RollupEvent"
import { type Array as Arr, Chunk, Effect, Option, Schema, Stream } from "effect"

/** The log's stream that holds the chain. */
export const STREAM = "chain"

/** Everything the log says of one block. */
export interface BlockRecord {
  readonly opened: RollupEvent.BlockOpened
  /** In order; the first `opened.queuedCount` come from the queue. */
  readonly items: ReadonlyArray<BlockItemEvent>
  readonly sealed: RollupEvent.BlockSealed
}

export type BlockItemEvent = RollupEvent.TransactionExecuted | RollupEvent.TransactionSkipped

/** A step of the chain, forwards or backwards, and the log's position of its last event. */
export type ChainStep =
  | { readonly _tag: "Block"; readonly record: BlockRecord; readonly position: number }
  | {
      readonly _tag: "RolledBack"
      readonly event: RollupEvent.ChainRolledBack
      readonly position: number
    }

/** A log that holds no chain yet, or another one's. Recover by starting a sequencer on it, or by choosing the right file. */
export class ChainNotStarted extends Schema.TaggedError<ChainNotStarted>()("ChainNotStarted", {
  found: Schema.String
}) {
  override get message() {
    return `Expected the log's stream "${STREAM}" to begin with v1.ChainStarted, found ${this.found}. Start a sequencer on this log first, or open the log of a chain.`
  }
}

/** The events are whole, but make no chain. Recover by restoring the log: no sequencer writes this. */
export class ChainLogMalformed extends Schema.TaggedError<ChainLogMalformed>()(
  "ChainLogMalformed",
  { position: Schema.NonNegativeInt, expected: Schema.String, found: Schema.String }
) {
  override get message() {
    return `Expected ${this.expected} at position ${this.position} of the log, found ${this.found}. Restore the log from a copy.`
  }
}

export type ChainReadError =
  | ReadError
  | EventTypes.EventUndecodable
  | ChainNotStarted
  | ChainLogMalformed

const types = EventTypes.make({ schema: RollupEvent.RollupEvent })

/** The chain's first event, if there is one. */
export const readStart: Effect.Effect<
  Option.Option<RollupEvent.ChainStarted>,
  ChainReadError,
  EventLog
> = Effect.gen(function* () {
  const log = yield* EventLog
  const { events } = yield* log.page({ stream: STREAM, limit: 1 })
  const first = events[0]
  if (first === undefined) return Option.none()
  const { payload } = yield* types.decode(first)
  return payload._tag === "v1.ChainStarted"
    ? Option.some(payload)
    : yield* new ChainNotStarted({ found: payload._tag })
})

/** Everything that happened to the chain, oldest first, up to a position or the log's end as it is now. */
export const steps = (
  options: { readonly until?: number } = {}
): Stream.Stream<ChainStep, ChainReadError, EventLog> =>
  Stream.unwrap(
    Effect.map(EventLog, (log) =>
      log.read({ stream: STREAM, after: 0, until: options.until }).pipe(
        Stream.drop(1),
        Stream.mapChunksEffect((chunk) =>
          Effect.map(types.decodeAll(Chunk.toReadonlyArray(chunk)), Chunk.fromIterable)
        ),
        Stream.mapAccumEffect(NOTHING_OPEN, (open, { payload, position }) =>
          step(open, payload, position)
        ),
        Stream.filterMap((done) => done)
      )
    )
  )

/** Every block of the chain as it is now, oldest first: without those that were rolled back. */
export const blocks: Stream.Stream<BlockRecord, ChainReadError, EventLog> = Stream.unwrap(
  Effect.gen(function* () {
    const log = yield* EventLog
    const { position: until } = yield* log.head
    const rollbacks: Array<{ readonly position: number; readonly toNumber: bigint }> = []
    yield* log.read({ stream: STREAM, types: ["v1.ChainRolledBack"], until }).pipe(
      Stream.mapEffect((event) => types.decode(event)),
      Stream.runForEach(({ payload, position }) =>
        Effect.sync(() => {
          if (payload._tag !== "v1.ChainRolledBack") return
          const { toNumber } = payload
          // An earlier one that went less far back takes nothing that this one leaves.
          while ((rollbacks.at(-1)?.toNumber ?? -1n) >= toNumber) rollbacks.pop()
          rollbacks.push({ position, toNumber })
        })
      )
    )
    let next = 0
    return steps({ until }).pipe(
      Stream.filterMap((done) => {
        if (done._tag === "RolledBack") return Option.none()
        while ((rollbacks[next]?.position ?? Infinity) < done.position) next++
        const lowest = rollbacks[next]
        const { number } = done.record.sealed.header
        return lowest !== undefined && number > lowest.toNumber
          ? Option.none()
          : Option.some(done.record)
      })
    )
  })
)

/** Writes the chain's first event into an empty log. */
export const start = (event: RollupEvent.ChainStarted): AppendEffect => append([event], 0)

/** Writes one block as one append; `version` is the stream's version before it. */
export const appendBlock = (
  { items, opened, sealed }: BlockRecord,
  { version }: { readonly version: number }
): AppendEffect => append([opened, ...items, sealed], version)

/** Writes that the chain moved back; `version` is the stream's version before it. */
export const appendRollback = (
  event: RollupEvent.ChainRolledBack,
  { version }: { readonly version: number }
): AppendEffect => append([event], version)

export type AppendEffect = Effect.Effect<Appended, AppendError | ValueUnencodable, EventLog>

const append = (
  events: Arr.NonEmptyReadonlyArray<RollupEvent.RollupEvent>,
  expected: number
): AppendEffect =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const [first, ...rest] = yield* types.encode(events)
    if (first === undefined) return yield* Effect.dieMessage("encoding lost the events")
    return yield* log.append({ stream: STREAM, expected, events: [first, ...rest] })
  })

/** A block whose end was not read yet; its items are still being added. */
type OpenRecord =
  | { readonly opened: RollupEvent.BlockOpened; readonly items: Array<BlockItemEvent> }
  | undefined
const NOTHING_OPEN: OpenRecord = undefined

/** Puts one more event to the block that is being read. */
const step = (
  open: OpenRecord,
  event: RollupEvent.RollupEvent,
  position: number
): Effect.Effect<readonly [OpenRecord, Option.Option<ChainStep>], ChainLogMalformed> => {
  if (open === undefined) {
    switch (event._tag) {
      case "v1.BlockOpened":
        return Effect.succeed([{ opened: event, items: [] }, Option.none()])
      case "v1.ChainRolledBack":
        return Effect.succeed([undefined, Option.some({ _tag: "RolledBack", event, position })])
      default:
        return malformed(position, "v1.BlockOpened or v1.ChainRolledBack", event._tag)
    }
  }
  switch (event._tag) {
    case "v1.TransactionExecuted":
    case "v1.TransactionSkipped":
      open.items.push(event)
      return Effect.succeed([open, Option.none()])
    case "v1.BlockSealed":
      return Effect.map(checkCounts(open, event, position), () => {
        const record = { ...open, sealed: event }
        return [undefined, Option.some({ _tag: "Block", record, position })]
      })
    default:
      return malformed(position, "an item of the block or v1.BlockSealed", event._tag)
  }
}

const checkCounts = (
  { items, opened }: NonNullable<OpenRecord>,
  { transactionCount }: RollupEvent.BlockSealed,
  position: number
) => {
  const executed = items.filter(({ _tag }) => _tag === "v1.TransactionExecuted").length
  if (executed !== transactionCount) {
    return malformed(position, `a block of ${transactionCount} transactions`, `${executed}`)
  }
  return opened.queuedCount > items.length
    ? malformed(position, `${opened.queuedCount} queue entries`, `${items.length} items`)
    : Effect.void
}

const malformed = (position: number, expected: string, found: string) =>
  Effect.fail(new ChainLogMalformed({ position, expected, found }))
