/** What the one writer knows, and how it turns waiting appends into one commit. */
import { Deferred, Effect, Exit } from "effect"
import type { Append, Appended } from "../EventLog.ts"
import type { Event, Head, NewEvent, Position } from "../Event.ts"
import { type AppendError, EventIdConflict, type ReadError, StreamConflict } from "../LogError.ts"
import type { LogLimits } from "../LogLimits.ts"
import type { NewSegment, SegmentStore } from "../SegmentStore.ts"
import { LogReader } from "./LogReader.ts"
import { packEvents, segmentHash } from "./Segment.ts"

export interface Waiting {
  readonly batch: Append
  readonly done: Deferred.Deferred<Appended, AppendError>
}

/** Answers that are given once everything before them is durable. */
interface Answer {
  readonly done: Waiting["done"]
  readonly exit: Exit.Exit<Appended, AppendError>
}

export class WriterState {
  /** The end of what is durable. */
  head: Head
  readonly #store: SegmentStore
  readonly #limits: LogLimits
  readonly #reader: LogReader
  /** Durable versions, least recently used first. */
  readonly #known = new Map<string, number>()
  readonly #staged: {
    segments: Array<NewSegment>
    answers: Array<Answer>
    bytes: number
    head: Head
    readonly versions: Map<string, number>
    readonly ids: Set<string>
  }

  constructor(store: SegmentStore, limits: LogLimits, head: Head) {
    this.#store = store
    this.#limits = limits
    this.head = head
    this.#reader = new LogReader(
      store,
      limits,
      Effect.sync(() => this.head)
    )
    this.#staged = {
      segments: [],
      answers: [],
      bytes: 0,
      head,
      versions: new Map(),
      ids: new Set()
    }
  }

  /** The version at which a stream durably ends. */
  versionOf(stream: string): Effect.Effect<number, ReadError> {
    return Effect.suspend(() => {
      const known = this.#known.get(stream)
      if (known !== undefined) return Effect.succeed(known)
      return this.#reader.streamVersion(stream)
    })
  }

  /** Answers every waiting append, in order, and says whether the log grew. */
  appendGroup(group: Iterable<Waiting>, recordedAtMs: number): Effect.Effect<boolean> {
    return Effect.gen(this, function* () {
      const before = this.head.position
      for (const waiting of group) {
        const { batch, done } = waiting
        const answer = yield* Effect.exit(this.#stage(batch, recordedAtMs))
        this.#staged.answers.push({ done, exit: answer })
        if (this.#staged.bytes > this.#limits.maxGroupBytes) yield* this.#flush()
      }
      yield* this.#flush()
      return this.head.position > before
    })
  }

  #stage(batch: Append, recordedAtMs: number): Effect.Effect<Appended, AppendError> {
    const ids = givenIds(batch.events)
    if (ids.length === 0) return this.#place(batch, recordedAtMs)
    return Effect.gen(this, function* () {
      // An id that is still being staged can only be compared once it is stored.
      if (ids.some((id) => this.#staged.ids.has(id))) yield* this.#flush()
      const earlier = yield* this.#findEarlier(batch, ids)
      return earlier ?? (yield* this.#place(batch, recordedAtMs))
    })
  }

  #place(batch: Append, recordedAtMs: number): Effect.Effect<Appended, AppendError> {
    const { events, expected, stream } = batch
    const staged = this.#staged.versions.get(stream)
    const version = staged === undefined ? this.versionOf(stream) : Effect.succeed(staged)
    return Effect.flatMap(version, (actual) =>
      expected === "any" || expected === actual
        ? Effect.sync(() => this.#push(stream, actual, events, recordedAtMs))
        : new StreamConflict({ stream, expected, actual })
    )
  }

  #push(
    stream: string,
    version: number,
    events: ReadonlyArray<NewEvent>,
    recordedAtMs: number
  ): Appended {
    const staged = this.#staged
    const firstPosition = staged.head.position + 1
    const lastPosition = staged.head.position + events.length
    const body = {
      firstPosition,
      stream,
      firstVersion: version + 1,
      eventCount: events.length,
      bytes: packEvents(events, recordedAtMs)
    }
    const hash = segmentHash(body, staged.head.hash)
    const types = new Set(events.map(({ type }) => type))
    const ids: Array<readonly [string, Position]> = []
    for (let index = 0; index < events.length; index++) {
      const id = events[index]?.id
      if (id === undefined) continue
      ids.push([id, firstPosition + index])
      staged.ids.add(id)
    }
    staged.segments.push({ ...body, hash, types, ids })
    staged.bytes += body.bytes.length
    staged.head = { position: lastPosition, hash }
    staged.versions.set(stream, version + events.length)
    return { firstPosition, lastPosition, version: version + events.length, hash, duplicate: false }
  }

  /**
   * Commits what is staged, then gives all answers; if the commit fails, that is every staged
   * answer.
   */
  #flush(): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const { answers, segments, versions } = this.#staged
      const exit =
        segments.length === 0
          ? Exit.void
          : yield* Effect.exit(this.#store.commit(segments, this.head))
      if (Exit.isSuccess(exit)) {
        this.head = this.#staged.head
        for (const [stream, version] of versions) this.#remember(stream, version)
      } else {
        // The store may hold more or less than was believed: believe nothing, ask it again.
        this.#known.clear()
        this.head = yield* Effect.orElseSucceed(this.#store.head, () => this.head)
      }
      this.#staged.segments = []
      this.#staged.answers = []
      this.#staged.bytes = 0
      this.#staged.head = this.head
      versions.clear()
      this.#staged.ids.clear()
      for (const { done, exit: answer } of answers) {
        const failed = Exit.isFailure(exit) && Exit.isSuccess(answer) && !answer.value.duplicate
        yield* Deferred.done(done, failed ? Exit.failCause(exit.cause) : answer)
      }
    })
  }

  #remember(stream: string, version: number): void {
    this.#known.delete(stream)
    this.#known.set(stream, version)
    if (this.#known.size <= this.#limits.maxKnownStreams) return
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest)
      return
    }
  }

  /** The answer that this batch had the first time, if it was appended before. */
  #findEarlier(
    { events, stream }: Append,
    ids: ReadonlyArray<string>
  ): Effect.Effect<Appended | undefined, AppendError> {
    return Effect.gen(this, function* () {
      const positions = yield* this.#store.positionsOf(ids)
      if (positions.size === 0) return undefined
      const index = events.findIndex(({ id }) => id !== undefined && positions.has(id))
      const id = events[index]?.id ?? ""
      const position = positions.get(id) ?? 0
      const stored = yield* this.#readRun(position - index, events.length)
      const differs = events.some((event, at) => !isSame(event, stream, stored[at]))
      const last = stored.at(-1)
      if (differs || last === undefined) return yield* new EventIdConflict({ id, position })
      return {
        firstPosition: position - index,
        lastPosition: last.position,
        version: last.version,
        hash: last.hash,
        duplicate: true
      }
    })
  }

  #readRun(first: Position, count: number): Effect.Effect<ReadonlyArray<Event>, ReadError> {
    return Effect.gen(this, function* () {
      const run: Array<Event> = []
      for (let after = first - 1; run.length < count; ) {
        const page = yield* this.#reader.page({ after, until: first + count - 1 })
        run.push(...page.events)
        after = page.through
        if (page.complete) break
      }
      return run
    })
  }
}

const givenIds = (events: ReadonlyArray<NewEvent>): ReadonlyArray<string> => {
  const ids: Array<string> = []
  for (const { id } of events) if (id !== undefined) ids.push(id)
  return ids
}

const isSame = (event: NewEvent, stream: string, stored: Event | undefined): boolean =>
  stored !== undefined &&
  stored.stream === stream &&
  stored.type === event.type &&
  (event.id === undefined || event.id === stored.id) &&
  Buffer.compare(event.payload, stored.payload) === 0
