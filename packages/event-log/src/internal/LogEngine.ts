/** The log over any SegmentStore: one FIFO writer, paged readers, subscriptions, verification. */
import { Chunk, Deferred, Effect, Exit, FiberId, Option, type Scope, Stream } from "effect"
import type { Append, Appended, EventLogService, Query } from "../EventLog.ts"
import type { Event, Position } from "../Event.ts"
import { type AppendError, LogReadOnly, LogUnavailable, type ReadError } from "../LogError.ts"
import type { LogLimits } from "../LogLimits.ts"
import type { SegmentStore } from "../SegmentStore.ts"
import { brokenRule } from "./EnvelopeRules.ts"
import { LogReader } from "./LogReader.ts"
import { startWorker } from "./Worker.ts"
import { WriterState } from "./WriterState.ts"

export interface EngineOptions {
  readonly store: SegmentStore
  readonly limits: LogLimits
  /** A reader of a log that another process writes: it asks the store where the log ends. */
  readonly readonly: boolean
}

/** Builds the service; its scope holds the writer fiber. */
export const makeEventLog = (
  options: EngineOptions
): Effect.Effect<EventLogService, ReadError, Scope.Scope> =>
  Effect.gen(function* () {
    const { limits, readonly, store } = options
    const signal = new ChangeSignal()
    const writer = readonly ? undefined : yield* startWriter(options, signal)
    const head = writer === undefined ? store.head : Effect.sync(() => writer.state.head)
    const reader = new LogReader(store, limits, head)

    const wait = (change: Deferred.Deferred<void, LogUnavailable>) =>
      writer === undefined ? store.awaitChange : Deferred.await(change)

    const subscribe = (query: Omit<Query, "until"> = {}): Stream.Stream<Event, ReadError> =>
      Stream.paginateChunkEffect(query.after ?? 0, (after) =>
        Effect.gen(function* () {
          // Taken before reading, so that an append between the reading and the waiting is not
          // missed.
          const change = signal.next
          const page = yield* reader.page({ ...query, after, until: undefined })
          if (page.complete && page.events.length === 0) yield* wait(change)
          return [Chunk.unsafeFromArray(page.events), Option.some(page.through)] as const
        })
      )

    const read = (query: Query = {}): Stream.Stream<Event, ReadError> =>
      Stream.unwrap(
        Effect.map(head, ({ position }) => {
          const until = Math.min(query.until ?? position, position)
          return Stream.paginateChunkEffect(query.after ?? 0, (after) =>
            Effect.map(reader.page({ ...query, after, until }), (page) => [
              Chunk.unsafeFromArray(page.events),
              page.complete ? Option.none<Position>() : Option.some(page.through)
            ])
          )
        })
      )

    return {
      append: (batch) =>
        writer === undefined
          ? Effect.fail(new LogReadOnly({ log: store.name }))
          : append(batch, writer, limits),
      page: (query) => reader.page(query ?? {}),
      read,
      subscribe,
      head,
      streamVersion: (stream) =>
        writer === undefined ? reader.streamVersion(stream) : writer.state.versionOf(stream),
      find: (id) => reader.find(id),
      verify: reader.verify
    }
  })

interface Writer {
  readonly state: WriterState
  readonly submit: (batch: Append) => Effect.Effect<Appended, AppendError>
}

const append = (
  batch: Append,
  writer: Writer,
  limits: LogLimits
): Effect.Effect<Appended, AppendError> =>
  Effect.suspend(() => {
    const broken = brokenRule(batch, limits)
    return broken === undefined ? writer.submit(batch) : Effect.fail(broken)
  })

const startWriter = (
  { limits, store }: EngineOptions,
  signal: ChangeSignal
): Effect.Effect<Writer, ReadError, Scope.Scope> =>
  Effect.gen(function* () {
    const state = new WriterState(store, limits, yield* store.head)
    const closed = new LogUnavailable({ log: store.name, reason: "it is closed" })
    yield* Effect.addFinalizer(() => Effect.sync(() => signal.close(closed)))
    const submit = yield* startWorker<Append, Appended, AppendError>({
      maxGroup: limits.maxGroupAppends,
      handle: (group) =>
        Effect.clockWith((clock) =>
          Effect.map(state.appendGroup(group, clock.unsafeCurrentTimeMillis()), (grew) => {
            if (grew) signal.fire()
          })
        ),
      closed: Exit.fail(closed)
    })
    return { state, submit }
  })

/** Wakes every subscription when the log has grown; nothing is buffered for them. */
class ChangeSignal {
  #next: Deferred.Deferred<void, LogUnavailable> | undefined
  #closed: LogUnavailable | undefined

  /** Ends with the next change. */
  get next(): Deferred.Deferred<void, LogUnavailable> {
    this.#next ??= Deferred.unsafeMake(FiberId.none)
    if (this.#closed !== undefined) Deferred.unsafeDone(this.#next, Effect.fail(this.#closed))
    return this.#next
  }

  fire(): void {
    if (this.#next !== undefined) Deferred.unsafeDone(this.#next, Effect.void)
    this.#next = undefined
  }

  close(error: LogUnavailable): void {
    this.#closed = error
    if (this.#next !== undefined) Deferred.unsafeDone(this.#next, Effect.fail(error))
  }
}
