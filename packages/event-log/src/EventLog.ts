/** The only source of truth: an append-only, gap-free, hash-chained sequence of events. */
import { type Array, Context, type Effect, Layer, type Option, type Stream } from "effect"
import type { Event, Hash, Head, NewEvent, Position } from "./Event.ts"
import type { AppendError, ReadError } from "./LogError.ts"
import { makeMemoryEventLog } from "./MemoryEventLog.ts"

/** Which events to read. Every field narrows; none at all means the whole log. */
export interface Query {
  readonly stream?: string | undefined
  readonly types?: ReadonlyArray<string> | undefined
  /** Only positions above this one. Default 0. */
  readonly after?: Position | undefined
  /** Only positions up to this one. Default: the head. */
  readonly until?: Position | undefined
}

export interface PageQuery extends Query {
  /** Most events to return; never more than the log's own `maxPageEvents`. */
  readonly limit?: number | undefined
}

export interface Page {
  readonly events: ReadonlyArray<Event>
  /**
   * Every matching event up to here is in this page or in earlier ones: the next page's `after`.
   */
  readonly through: Position
  /** Nothing that matches is left up to `until`, or up to the head as it was. */
  readonly complete: boolean
}

export interface Append {
  readonly stream: string
  /**
   * The version at which the writer saw the stream end, 0 for a new one; "any" to append
   * regardless.
   */
  readonly expected: number | "any"
  readonly events: Array.NonEmptyReadonlyArray<NewEvent>
}

export interface Appended {
  readonly firstPosition: Position
  readonly lastPosition: Position
  /** Version of the stream after the last of these events. */
  readonly version: number
  /** Hash of the last of these events. */
  readonly hash: Hash
  /** These very events were in the log already, known by their ids: nothing was written. */
  readonly duplicate: boolean
}

export interface EventLogService {
  /** Appends all events or none. Succeeds only once they would survive a power cut. */
  readonly append: (batch: Append) => Effect.Effect<Appended, AppendError>
  /** One bounded page of events, oldest first. */
  readonly page: (query?: PageQuery) => Effect.Effect<Page, ReadError>
  /** All matching events up to `until`, or up to the head as it is at the start. */
  readonly read: (query?: Query) => Stream.Stream<Event, ReadError>
  /** All matching events so far, then every further one as it is appended. Never ends. */
  readonly subscribe: (query?: Omit<Query, "until">) => Stream.Stream<Event, ReadError>
  /** Where the log ends. */
  readonly head: Effect.Effect<Head, ReadError>
  /** The version at which a stream ends, 0 if it has no events. */
  readonly streamVersion: (stream: string) => Effect.Effect<number, ReadError>
  /** The event with this id. */
  readonly find: (id: string) => Effect.Effect<Option.Option<Event>, ReadError>
  /** Walks the whole hash chain; fails naming the first bad position. */
  readonly verify: Effect.Effect<Head, ReadError>
}

export class EventLog extends Context.Tag("@ovm/event-log/EventLog")<EventLog, EventLogService>() {
  /** Keeps events in memory, for tests and throwaway runs. */
  static readonly layerMemory: Layer.Layer<EventLog> = Layer.scoped(EventLog, makeMemoryEventLog())
}
