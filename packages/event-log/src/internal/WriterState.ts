/** What the one writer knows, and how it turns waiting appends into one commit. */
import { Effect, Exit } from "effect"
import type { Append, Appended } from "../EventLog.ts"
import type { Event, Head, NewEvent, Position } from "../Event.ts"
import { type AppendError, EventIdConflict, type ReadError, StreamConflict } from "../LogError.ts"
import type { LogLimits } from "../LogLimits.ts"
import type { NewSegment, SegmentStore } from "../SegmentStore.ts"
import { LogReader } from "./LogReader.ts"
import { packEvents, segmentHash } from "./Segment.ts"
import type { Waiting } from "./Worker.ts"

type WaitingAppend = Waiting<Append, Appended, AppendError>

/** An answer that is given once everything before it is durable. */
interface Answer {
  readonly answer: WaitingAppend["answer"]
  readonly exit: Exit.Exit<Appended, AppendError>
}

/** What the next commit will hold, and the end of the log after it. */
interface Stage {
  readonly segments: Array<NewSegment>
  readonly answers: Array<Answer>
  readonly versions: Map<string, number>
  readonly ids: Set<string>
  bytes: number
  head: Head
}

const emptyStage = (head: Head): Stage => ({
  segments: [],
  answers: [],
  versions: new Map(),
  ids: new Set(),
  bytes: 0,
  head
})

export class WriterState {
  /** The end of what is durable. */
  head: Head
  readonly #store: SegmentStore
  readonly #limits: LogLimits
  readonly #reader: LogReader
  /** Durable versions, least recently used first. */
  readonly #known = new Map<string, number>()
  #staged: Stage

  constructor(store: SegmentStore, limits: LogLimits, head: Head) {
    this.#store = store
    this.#limits = limits
    this.head = head
    this.#staged = emptyStage(head)
    this.#reader = new LogReader(
      store,
      limits,
      Effect.sync(() => this.head)
    )
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
  appendGroup(group: ReadonlyArray<WaitingAppend>, recordedAtMs: number): Effect.Effect<boolean> {
    const before = this.head.position
    const staged = this.#stageFrom(group, 0, recordedAtMs)
    return Effect.map(Effect.zipRight(staged, this.#flush), () => this.head.position > before)
  }

  /** Stages at once what it can; only what must ask the store first takes steps of the fiber. */
  #stageFrom(
    group: ReadonlyArray<WaitingAppend>,
    from: number,
    recordedAtMs: number
  ): Effect.Effect<void> {
    for (let index = from; index < group.length; index++) {
      const waiting = group[index]
      if (waiting === undefined) break
      const { answer, request } = waiting
      const version = this.#versionAtHand(request)
      if (version === undefined) {
        return Effect.exit(this.#stage(request, recordedAtMs)).pipe(
          Effect.flatMap((exit) => {
            this.#staged.answers.push({ answer, exit })
            return this.#stageFrom(group, index + 1, recordedAtMs)
          })
        )
      }
      this.#staged.answers.push({ answer, exit: this.#place(request, version, recordedAtMs) })
    }
    return Effect.void
  }

  /** The version of the stream, unless it has to be looked up, or an id has, or a commit is due. */
  #versionAtHand({ events, stream }: Append): number | undefined {
    if (this.#staged.bytes > this.#limits.maxGroupBytes) return undefined
    if (events.some(({ id }) => id !== undefined)) return undefined
    return this.#staged.versions.get(stream) ?? this.#known.get(stream)
  }

  #stage(batch: Append, recordedAtMs: number): Effect.Effect<Appended, AppendError> {
    return Effect.gen(this, function* () {
      const ids = givenIds(batch.events)
      // An id that is still being staged can only be compared once it is stored.
      const isStaged = ids.some((id) => this.#staged.ids.has(id))
      if (isStaged || this.#staged.bytes > this.#limits.maxGroupBytes) yield* this.#flush
      const earlier = ids.length === 0 ? undefined : yield* this.#findEarlier(batch, ids)
      if (earlier !== undefined) return earlier
      const staged = this.#staged.versions.get(batch.stream)
      const version = staged ?? (yield* this.versionOf(batch.stream))
      return yield* this.#place(batch, version, recordedAtMs)
    })
  }

  #place(
    { events, expected, stream }: Append,
    actual: number,
    recordedAtMs: number
  ): Exit.Exit<Appended, StreamConflict> {
    return expected === "any" || expected === actual
      ? Exit.succeed(this.#push(stream, actual, events, recordedAtMs))
      : Exit.fail(new StreamConflict({ stream, expected, actual }))
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
    const { bytes, ids, types } = packEvents(events, recordedAtMs)
    const body = {
      firstPosition,
      stream,
      firstVersion: version + 1,
      eventCount: events.length,
      bytes
    }
    const hash = segmentHash(body, staged.head.hash)
    const positions = ids.map(([id, index]) => [id, firstPosition + index] as const)
    for (const [id] of ids) staged.ids.add(id)
    staged.segments.push({ ...body, hash, types, ids: positions })
    staged.bytes += bytes.length
    staged.head = { position: lastPosition, hash }
    staged.versions.set(stream, version + events.length)
    return { firstPosition, lastPosition, version: version + events.length, hash, duplicate: false }
  }

  /** Commits what is staged, then gives the answers; if that fails, to every staged append. */
  readonly #flush: Effect.Effect<void> = Effect.suspend(() => {
    const { segments } = this.#staged
    if (segments.length === 0) return this.#answer(Exit.void)
    return Effect.flatMap(Effect.exit(this.#store.commit(segments, this.head)), (exit) =>
      this.#answer(exit)
    )
  })

  #answer(exit: Exit.Exit<void, AppendError>): Effect.Effect<void> {
    const { answers, head, versions } = this.#staged
    if (Exit.isSuccess(exit)) {
      this.head = head
      for (const [stream, version] of versions) this.#remember(stream, version)
    } else this.#known.clear()
    this.#staged = emptyStage(this.head)
    for (const { answer, exit: staged } of answers) {
      const isNew = Exit.isSuccess(staged) && !staged.value.duplicate
      answer(isNew ? Exit.zipRight(exit, staged) : staged)
    }
    if (Exit.isSuccess(exit)) return Effect.void
    // The store may hold more or less than was believed: ask it again.
    return Effect.map(
      Effect.orElseSucceed(this.#store.head, () => this.head),
      (found) => {
        this.head = found
        this.#staged = emptyStage(found)
      }
    )
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
