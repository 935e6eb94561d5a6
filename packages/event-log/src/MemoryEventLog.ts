/**
 * The log kept in memory: the same writer, segments and hash chain as the durable one, without a
 * disk.
 */
import { Effect, Option, type Scope } from "effect"
import type { EventLogService } from "./EventLog.ts"
import { GENESIS, GENESIS_HASH, type Position } from "./Event.ts"
import { makeEventLog } from "./internal/LogEngine.ts"
import { LogUnavailable } from "./LogError.ts"
import { defaultLimits, type LogLimits } from "./LogLimits.ts"
import type { NewSegment, SegmentQuery, SegmentStore, StoredSegment } from "./SegmentStore.ts"

/** A new, empty log. */
export const makeMemoryEventLog = (
  limits: Partial<LogLimits> = {}
): Effect.Effect<EventLogService, never, Scope.Scope> =>
  // An empty memory store has nothing that could be unreadable.
  Effect.suspend(() =>
    Effect.orDie(
      makeEventLog({
        store: new MemorySegmentStore(),
        limits: { ...defaultLimits, ...limits },
        readonly: false
      })
    )
  )

class MemorySegmentStore implements SegmentStore {
  readonly name = "memory"
  readonly awaitChange = Effect.never
  readonly #all: Array<StoredSegment> = []
  readonly #byStream = new Map<string, Array<StoredSegment>>()
  readonly #types = new Map<Position, ReadonlySet<string>>()
  readonly #ids = new Map<string, Position>()

  readonly head = Effect.sync(() => {
    const last = this.#all.at(-1)
    return last === undefined ? GENESIS : { position: lastPosition(last), hash: last.hash }
  })

  segmentOfStream(stream: string, position: Position) {
    return Effect.sync(() => {
      const segments = this.#byStream.get(stream) ?? []
      return Option.fromNullable(segments[firstReaching(segments, position + 1, beginsAt) - 1])
    })
  }

  positionsOf(ids: ReadonlyArray<string>) {
    return Effect.sync(() => {
      const positions = new Map<string, Position>()
      for (const id of ids) {
        const position = this.#ids.get(id)
        if (position !== undefined) positions.set(id, position)
      }
      return positions
    })
  }

  segments(query: SegmentQuery) {
    return Effect.sync(() => {
      const from = query.stream === undefined ? this.#all : (this.#byStream.get(query.stream) ?? [])
      const found: Array<StoredSegment> = []
      let events = 0
      let bytes = 0
      for (let at = firstReaching(from, query.after + 1, lastPosition); at < from.length; at++) {
        const segment = from[at]
        if (segment === undefined || segment.firstPosition > query.until) break
        const types = this.#types.get(segment.firstPosition)
        if (query.types?.every((type) => types?.has(type) !== true)) continue
        bytes += segment.bytes.length
        if (found.length > 0 && bytes > query.maxBytes) break
        found.push(segment)
        events += segment.eventCount
        if (events >= query.maxEvents) break
      }
      return found
    })
  }

  commit(segments: ReadonlyArray<NewSegment>) {
    return Effect.suspend(() => {
      const last = this.#all.at(-1)
      let expected = last === undefined ? 1 : lastPosition(last) + 1
      for (const { eventCount, firstPosition } of segments) {
        if (firstPosition !== expected) {
          const reason = `an append came for position ${firstPosition} where ${expected} is next`
          return Effect.fail(new LogUnavailable({ log: this.name, reason }))
        }
        expected += eventCount
      }
      for (const segment of segments) this.#store(segment)
      return Effect.void
    })
  }

  isIndexed({ firstPosition, ids, types }: Pick<NewSegment, "firstPosition" | "types" | "ids">) {
    return Effect.sync(() => {
      const indexed = this.#types.get(firstPosition)
      return (
        [...types].every((type) => indexed?.has(type) === true) &&
        ids.every(([id, position]) => this.#ids.get(id) === position)
      )
    })
  }

  readonly indexSize = Effect.sync(() => {
    let types = 0
    for (const ofSegment of this.#types.values()) types += ofSegment.size
    return { types, ids: this.#ids.size }
  })

  #store({ ids, types, ...segment }: NewSegment): void {
    const stored = { ...segment, previousHash: this.#all.at(-1)?.hash ?? GENESIS_HASH }
    this.#all.push(stored)
    this.#types.set(stored.firstPosition, types)
    const stream = this.#byStream.get(stored.stream)
    if (stream === undefined) this.#byStream.set(stored.stream, [stored])
    else stream.push(stored)
    for (const [id, position] of ids) this.#ids.set(id, position)
  }
}

const beginsAt = (segment: StoredSegment): Position => segment.firstPosition

const lastPosition = (segment: StoredSegment): Position =>
  segment.firstPosition + segment.eventCount - 1

/**
 * Index of the first segment whose `key` is at least `position`; the segments are in order of it.
 */
const firstReaching = (
  segments: ReadonlyArray<StoredSegment>,
  position: Position,
  key: (segment: StoredSegment) => Position
): number => {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const segment = segments[middle]
    if (segment !== undefined && key(segment) < position) low = middle + 1
    else high = middle
  }
  return low
}
