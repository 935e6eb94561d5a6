/** Reading: pages, look-ups by id, and the walk along the hash chain. */
import { Effect, Option } from "effect"
import type { Page, PageQuery } from "../EventLog.ts"
import { defaultEventId, type Event, GENESIS_HASH, type Head, type Position } from "../Event.ts"
import { LogCorrupt, type ReadError } from "../LogError.ts"
import type { LogLimits } from "../LogLimits.ts"
import type { IndexSize, SegmentStore, StoredSegment } from "../SegmentStore.ts"
import { type SegmentDamage, unpackSegment } from "./Segment.ts"

interface Unpacked {
  readonly segment: StoredSegment
  readonly events: ReadonlyArray<Event>
}

export class LogReader {
  readonly #store: SegmentStore
  readonly #limits: LogLimits
  readonly #head: Effect.Effect<Head, ReadError>
  /** A segment larger than a page is fetched and unpacked once, not once for every page of it. */
  #cut: Unpacked | undefined

  constructor(store: SegmentStore, limits: LogLimits, head: Effect.Effect<Head, ReadError>) {
    this.#store = store
    this.#limits = limits
    this.#head = head
  }

  page(query: PageQuery): Effect.Effect<Page, ReadError> {
    return Effect.flatMap(this.#head, (head) => {
      const after = Math.max(0, query.after ?? 0)
      const until = Math.min(query.until ?? head.position, head.position)
      if (after >= until) return Effect.succeed({ events: [], through: after, complete: true })
      const most = this.#limits.maxPageEvents
      const limit = Math.max(1, Math.min(query.limit ?? most, most))
      return Effect.flatMap(this.#fetch(query, { after, until, limit }), (unpacked) =>
        Effect.map(unpacked, (segments) => this.#cutPage(segments, query, { after, until, limit }))
      )
    })
  }

  streamVersion(stream: string): Effect.Effect<number, ReadError> {
    return Effect.gen(this, function* () {
      const { position } = yield* this.#head
      const last = yield* this.#store.segmentOfStream(stream, position)
      return Option.match(last, { onNone: () => 0, onSome: lastVersion })
    })
  }

  find(id: string): Effect.Effect<Option.Option<Event>, ReadError> {
    return Effect.gen(this, function* () {
      const known = yield* this.#store.positionsOf([id])
      const position = known.get(id)
      if (position !== undefined) return yield* this.#eventAt(position)
      const at = id.lastIndexOf("@")
      const version = Number(id.slice(at + 1))
      if (at < 1 || !Number.isSafeInteger(version) || version < 1) return Option.none<Event>()
      const found = yield* this.#locate(id.slice(0, at), version)
      // An event that was given an id of its own is not known by its default one.
      return Option.filter(found, (event) => event.id === id)
    })
  }

  readonly verify: Effect.Effect<Head, ReadError> = Effect.suspend(() => {
    const walk = new ChainWalk(this.#store, this.#limits)
    return Effect.gen(this, function* () {
      const head = yield* this.#head
      while (walk.head.position < head.position) {
        const segments = yield* this.#store.segments({
          after: walk.head.position,
          until: head.position,
          maxEvents: this.#limits.maxPageEvents,
          maxBytes: this.#limits.maxPageBytes
        })
        if (segments.length === 0) {
          return yield* this.#corrupt({
            position: walk.head.position + 1,
            reason: `nothing is stored, though the log ends at position ${head.position}`
          })
        }
        for (const segment of segments) {
          const damage = yield* walk.step(segment)
          if (damage !== undefined) return yield* this.#corrupt(damage)
        }
      }
      if (walk.head.position !== head.position || walk.head.hash !== head.hash) {
        const reason = "the chain ends in another hash"
        return yield* this.#corrupt({ position: head.position, reason })
      }
      const damage = yield* walk.finish
      return damage === undefined ? head : yield* this.#corrupt(damage)
    })
  })

  #fetch(query: PageQuery, range: { after: Position; until: Position; limit: number }) {
    const cut = this.#cut
    if (cut !== undefined && isWithin(range.after + 1, cut.segment) && hasStream(cut, query)) {
      return Effect.succeed(Effect.succeed<ReadonlyArray<Unpacked>>([cut]))
    }
    return Effect.map(
      this.#store.segments({
        stream: query.stream,
        types: query.types,
        after: range.after,
        until: range.until,
        maxEvents: range.limit,
        maxBytes: this.#limits.maxPageBytes
      }),
      (segments) => this.#unpackAll(segments)
    )
  }

  #unpackAll(
    segments: ReadonlyArray<StoredSegment>
  ): Effect.Effect<ReadonlyArray<Unpacked>, LogCorrupt> {
    const unpacked: Array<Unpacked> = []
    for (const segment of segments) {
      const result = unpackSegment(segment)
      if ("damage" in result) return this.#corrupt(result.damage)
      unpacked.push({ segment, events: result.events })
    }
    return Effect.succeed(unpacked)
  }

  #cutPage(
    segments: ReadonlyArray<Unpacked>,
    query: PageQuery,
    { after, limit, until }: { after: Position; until: Position; limit: number }
  ): Page {
    const types = query.types === undefined ? undefined : new Set(query.types)
    const events: Array<Event> = []
    for (const unpacked of segments) {
      for (const event of unpacked.events) {
        if (event.position <= after || event.position > until) continue
        if (types !== undefined && !types.has(event.type)) continue
        if (events.length === limit) {
          this.#cut = unpacked
          return { events, through: event.position - 1, complete: false }
        }
        events.push(event)
      }
    }
    this.#cut = undefined
    const last = segments.at(-1)
    // A page stops at its limits, so only an empty one or one that reaches the end shows that
    // nothing is left.
    const through = last === undefined ? until : Math.min(until, lastPosition(last.segment))
    return { events, through, complete: through === until }
  }

  #eventAt(position: Position): Effect.Effect<Option.Option<Event>, ReadError> {
    return Effect.map(this.page({ after: position - 1, until: position, limit: 1 }), ({ events }) =>
      Option.fromNullable(events[0])
    )
  }

  /** Positions and versions grow together, so the event is found by halving the positions. */
  #locate(stream: string, version: number): Effect.Effect<Option.Option<Event>, ReadError> {
    return Effect.gen(this, function* () {
      let low = 1
      let high = (yield* this.#head).position
      while (low <= high) {
        const middle = high === low ? low : low + Math.ceil((high - low) / 2)
        const segment = Option.getOrUndefined(yield* this.#store.segmentOfStream(stream, middle))
        if (segment === undefined || lastVersion(segment) < version) low = middle + 1
        else if (segment.firstVersion > version) high = segment.firstPosition - 1
        else return yield* this.#eventAt(segment.firstPosition + version - segment.firstVersion)
      }
      return Option.none<Event>()
    })
  }

  #corrupt({ position, reason }: SegmentDamage): Effect.Effect<never, LogCorrupt> {
    return Effect.fail(new LogCorrupt({ log: this.#store.name, position, reason }))
  }
}

/** Where the walk has come to, and the version each stream has there. */
class ChainWalk {
  head: Head = { position: 0, hash: GENESIS_HASH }
  readonly #store: SegmentStore
  readonly #limits: LogLimits
  readonly #versions = new Map<string, number>()
  #entries: IndexSize = { types: 0, ids: 0 }

  constructor(store: SegmentStore, limits: LogLimits) {
    this.#store = store
    this.#limits = limits
  }

  step(segment: StoredSegment): Effect.Effect<SegmentDamage | undefined, ReadError> {
    return Effect.gen(this, function* () {
      const expected = this.head.position + 1
      if (segment.firstPosition !== expected) {
        return { position: expected, reason: `the next event stored is ${segment.firstPosition}` }
      }
      if (segment.previousHash !== this.head.hash) {
        return { position: expected, reason: "it does not continue the event before it" }
      }
      const unpacked = unpackSegment(segment)
      if ("damage" in unpacked) return unpacked.damage
      const version = yield* this.#versionBefore(segment)
      if (segment.firstVersion !== version + 1) {
        const found = `has version ${segment.firstVersion} of stream "${segment.stream}"`
        return { position: expected, reason: `it ${found}, which is at version ${version}` }
      }
      const entries = entriesOf(segment, unpacked.events)
      if (!(yield* this.#store.isIndexed(entries))) {
        return { position: expected, reason: "the indexes lack entries of its segment" }
      }
      this.#entries = {
        types: this.#entries.types + entries.types.size,
        ids: this.#entries.ids + entries.ids.length
      }
      this.#versions.set(segment.stream, lastVersion(segment))
      this.head = { position: lastPosition(segment), hash: segment.hash }
      return undefined
    })
  }

  /** What is left to look at once every segment was: entries that belong to none. */
  readonly finish: Effect.Effect<SegmentDamage | undefined, ReadError> = Effect.suspend(() =>
    Effect.map(this.#store.indexSize, ({ ids, types }) =>
      ids === this.#entries.ids && types === this.#entries.types
        ? undefined
        : { position: this.head.position, reason: "the indexes have entries of no segment" }
    )
  )

  #versionBefore(segment: StoredSegment): Effect.Effect<number, ReadError> {
    const known = this.#versions.get(segment.stream)
    if (known !== undefined) return Effect.succeed(known)
    // Forgetting all keeps the walk's memory bounded; what is asked for again is looked up.
    if (this.#versions.size >= this.#limits.maxKnownStreams) this.#versions.clear()
    return Effect.map(
      this.#store.segmentOfStream(segment.stream, segment.firstPosition - 1),
      Option.match({ onNone: () => 0, onSome: lastVersion })
    )
  }
}

const entriesOf = ({ firstPosition }: StoredSegment, events: ReadonlyArray<Event>) => ({
  firstPosition,
  types: new Set(events.map(({ type }) => type)),
  ids: events
    .filter(({ id, stream, version }) => id !== defaultEventId(stream, version))
    .map(({ id, position }) => [id, position] as const)
})

const lastPosition = (segment: StoredSegment): Position =>
  segment.firstPosition + segment.eventCount - 1

const lastVersion = (segment: StoredSegment): number =>
  segment.firstVersion + segment.eventCount - 1

const isWithin = (position: Position, segment: StoredSegment): boolean =>
  position >= segment.firstPosition && position <= lastPosition(segment)

const hasStream = ({ segment }: Unpacked, query: PageQuery): boolean =>
  query.stream === undefined || query.stream === segment.stream
