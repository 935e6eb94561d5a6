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
  readonly transactions: ReadonlyArray<RollupEvent.TransactionExecuted>
  readonly sealed: RollupEvent.BlockSealed
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

/** Every sealed block, oldest first, up to the log's end as it is now. */
export const blocks: Stream.Stream<BlockRecord, ChainReadError, EventLog> = Stream.unwrap(
  Effect.map(EventLog, (log) =>
    log.read({ stream: STREAM, after: 0 }).pipe(
      Stream.drop(1),
      Stream.mapChunksEffect((chunk) =>
        Effect.map(types.decodeAll(Chunk.toReadonlyArray(chunk)), Chunk.fromIterable)
      ),
      Stream.mapAccumEffect(NOTHING_OPEN, (open, { payload, position }) =>
        step(open, payload, position)
      ),
      Stream.filterMap((record) => record)
    )
  )
)

/** Writes the chain's first event into an empty log. */
export const start = (event: RollupEvent.ChainStarted): AppendEffect => append([event], 0)

/** Writes one block as one append; `version` is the stream's version before it. */
export const appendBlock = (
  { opened, sealed, transactions }: BlockRecord,
  { version }: { readonly version: number }
): AppendEffect => append([opened, ...transactions, sealed], version)

type AppendEffect = Effect.Effect<Appended, AppendError | ValueUnencodable, EventLog>

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

type OpenRecord = Omit<BlockRecord, "sealed"> | undefined
const NOTHING_OPEN: OpenRecord = undefined

/** Puts one more event to the block that is being read. */
const step = (
  open: OpenRecord,
  event: RollupEvent.RollupEvent,
  position: number
): Effect.Effect<readonly [OpenRecord, Option.Option<BlockRecord>], ChainLogMalformed> => {
  if (open === undefined) {
    return event._tag === "v1.BlockOpened"
      ? Effect.succeed([{ opened: event, transactions: [] }, Option.none()])
      : malformed(position, "v1.BlockOpened", event._tag)
  }
  switch (event._tag) {
    case "v1.TransactionExecuted":
      return Effect.succeed([
        { ...open, transactions: [...open.transactions, event] },
        Option.none()
      ])
    case "v1.BlockSealed": {
      const count = open.transactions.length
      return event.transactionCount === count
        ? Effect.succeed([undefined, Option.some({ ...open, sealed: event })])
        : malformed(position, `a block of ${event.transactionCount} transactions`, `${count}`)
    }
    default:
      return malformed(position, "v1.TransactionExecuted or v1.BlockSealed", event._tag)
  }
}

const malformed = (position: number, expected: string, found: string) =>
  Effect.fail(new ChainLogMalformed({ position, expected, found }))
