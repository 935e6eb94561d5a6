/**
 * Segments as rows: one row an append, with indexes by stream, by type and by the ids that writers
 * gave.
 */
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Option } from "effect"
import { GENESIS, GENESIS_HASH, type Hash, type Head, type Position } from "../Event.ts"
import { type LogCorrupt, LogReadOnly, LogUnavailable } from "../LogError.ts"
import type {
  IndexSize,
  NewSegment,
  SegmentQuery,
  SegmentStore,
  StoredSegment
} from "../SegmentStore.ts"
import { type SqliteConnection, type SqlValue, storeError } from "./SqliteConnection.ts"
import { DISPLACED } from "./SqliteLogFile.ts"

export interface SqliteStoreOptions {
  readonly name: string
  readonly connection: SqliteConnection
  readonly readonly: boolean
  readonly pollIntervalMs: number
}

interface SegmentRow {
  readonly first_position: number
  readonly stream: string
  readonly first_version: number
  readonly event_count: number
  readonly hash: Uint8Array
  readonly previous_hash: Uint8Array | null
  readonly bytes: Uint8Array
}

interface Outline {
  readonly first_position: number
  readonly event_count: number
  readonly size: number
}

/**
 * SQLite joins at most 500 selects into one; with more types than this the reader's own filter does
 * the work.
 */
const MAX_INDEXED_TYPES = 400

const COLUMNS = `s.first_position, s.stream, s.first_version, s.event_count, s.hash,
  (SELECT p.hash FROM segments p WHERE p.first_position < s.first_position
   ORDER BY p.first_position DESC LIMIT 1) AS previous_hash, s.bytes`

/**
 * The trigger behind it stores a segment only if it continues the log in position, hash and stream
 * version.
 */
const APPEND = `INSERT INTO appends
  (first_position, stream, first_version, event_count, hash, bytes, previous_hash, types, ids)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

export class SqliteSegmentStore implements SegmentStore {
  readonly name: string
  readonly awaitChange: Effect.Effect<void>
  readonly #connection: SqliteConnection
  readonly #readonly: boolean

  constructor({ connection, name, pollIntervalMs, readonly }: SqliteStoreOptions) {
    this.name = name
    this.awaitChange = Effect.sleep(pollIntervalMs)
    this.#connection = connection
    this.#readonly = readonly
  }

  readonly head = Effect.suspend(() =>
    Effect.map(
      this.#read<{ position: number; hash: Uint8Array }>(
        `SELECT first_position + event_count - 1 AS position, hash FROM segments
         ORDER BY first_position DESC LIMIT 1`,
        []
      ),
      ([last]): Head =>
        last === undefined ? GENESIS : { position: last.position, hash: toHash(last.hash) }
    )
  )

  segmentOfStream(stream: string, position: Position) {
    return Effect.map(
      this.#read<SegmentRow>(
        `SELECT ${COLUMNS} FROM segments s WHERE s.stream = ? AND s.first_position <= ?
         ORDER BY s.first_position DESC LIMIT 1`,
        [stream, position]
      ),
      ([row]) => Option.map(Option.fromNullable(row), toSegment)
    )
  }

  positionsOf(ids: ReadonlyArray<string>) {
    return Effect.map(
      this.#read<{ id: string; position: number }>(
        "SELECT id, position FROM event_ids WHERE id IN (SELECT value FROM json_each(?))",
        [JSON.stringify(ids)]
      ),
      (rows) => new Map(rows.map(({ id, position }) => [id, position]))
    )
  }

  segments(query: SegmentQuery) {
    return Effect.gen(this, function* () {
      if (query.types?.length === 0) return []
      const { sql, parameters } = outlineQuery(query)
      const [first, last] = pick(yield* this.#read<Outline>(sql, parameters), query)
      if (first === undefined || last === undefined) return []
      const { parameters: filter, sql: condition } = filters(query)
      const rows = yield* this.#read<SegmentRow>(
        `SELECT ${COLUMNS} FROM segments s WHERE s.first_position BETWEEN ? AND ?${condition}
         ORDER BY s.first_position`,
        [first, last, ...filter]
      )
      return rows.map(toSegment)
    })
  }

  commit(
    segments: ReadonlyArray<NewSegment>,
    head: Head
  ): Effect.Effect<void, LogUnavailable | LogReadOnly | LogCorrupt> {
    if (this.#readonly) return Effect.fail(new LogReadOnly({ log: this.name }))
    const { exclusively, query } = this.#connection
    const [segment, ...others] = segments
    if (segment === undefined) return Effect.void
    // One statement is a transaction by itself, and nothing can come in between.
    const transaction =
      others.length === 0
        ? query(APPEND, appendParameters(segment, head.hash))
        : exclusively(this.#insertAll(segments, head))
    return Effect.mapError(Effect.asVoid(transaction), (error) =>
      isDisplaced(error) ? this.#displaced(head) : storeError(this.name, error, head.position + 1)
    )
  }

  #insertAll(segments: ReadonlyArray<NewSegment>, head: Head): Effect.Effect<void, SqlError> {
    const { query } = this.#connection
    return Effect.gen(function* () {
      yield* query("BEGIN IMMEDIATE")
      let previousHash = head.hash
      for (const segment of segments) {
        yield* query(APPEND, appendParameters(segment, previousHash))
        previousHash = segment.hash
      }
      yield* query("COMMIT")
    }).pipe(
      // If SQLite has already rolled back, this fails, and that is as good.
      Effect.tapError(() => Effect.ignore(query("ROLLBACK")))
    )
  }

  isIndexed({ firstPosition, ids, types }: Pick<NewSegment, "firstPosition" | "types" | "ids">) {
    return Effect.map(
      this.#read<{ types: number; ids: number }>(
        `SELECT
           (SELECT count(*) FROM segment_types WHERE first_position = ?
              AND type IN (SELECT value FROM json_each(?))) AS types,
           (SELECT count(*) FROM json_each(?) given JOIN event_ids stored
              ON stored.id = given.value ->> 0 AND stored.position = given.value ->> 1) AS ids`,
        [firstPosition, JSON.stringify([...types]), JSON.stringify(ids)]
      ),
      ([found]) => found?.types === types.size && found.ids === ids.length
    )
  }

  readonly indexSize = Effect.suspend(() =>
    Effect.map(
      this.#read<IndexSize>(
        `SELECT (SELECT count(*) FROM segment_types) AS types,
           (SELECT count(*) FROM event_ids) AS ids`,
        []
      ),
      ([size = { types: 0, ids: 0 }]) => size
    )
  )

  #displaced({ position }: Head): LogUnavailable {
    const reason = `something else wrote to it: what comes after position ${position} does not continue what is stored`
    return new LogUnavailable({ log: this.name, reason })
  }

  #read<Row extends object>(sql: string, parameters: ReadonlyArray<SqlValue>) {
    return this.#connection.exclusively(
      Effect.mapError(this.#connection.query<Row>(sql, parameters), (error) =>
        storeError(this.name, error)
      )
    )
  }
}

interface Fragment {
  readonly sql: string
  readonly parameters: ReadonlyArray<SqlValue>
}

/** Which segments match and how large they are, without reading their bytes. */
const outlineQuery = (query: SegmentQuery): Fragment => {
  const { after, maxEvents, stream, types, until } = query
  const ofStream = stream === undefined ? "" : "stream = ? AND "
  const streamParameter = stream === undefined ? [] : [stream]
  // The segment that holds `after + 1` may begin before it.
  const lowest = `coalesce((SELECT first_position FROM segments WHERE ${ofStream}first_position <= ?
    ORDER BY first_position DESC LIMIT 1), 0)`
  const indexed = stream === undefined && types !== undefined && types.length <= MAX_INDEXED_TYPES
  const source = indexed
    ? `(${typeUnion(types.length)}) t CROSS JOIN segments s USING (first_position)`
    : "segments s"
  const condition = filters(indexed ? { stream } : query)
  return {
    sql: `SELECT s.first_position, s.event_count, length(s.bytes) AS size FROM ${source}
      WHERE s.first_position >= ${lowest} AND s.first_position <= ?
        AND s.first_position + s.event_count - 1 > ?${condition.sql}
      ORDER BY s.first_position LIMIT ?`,
    parameters: [
      ...(indexed ? types.flatMap((type) => [type, after]) : []),
      ...streamParameter,
      after + 1,
      until,
      after,
      ...condition.parameters,
      maxEvents
    ]
  }
}

/**
 * Positions of segments that have one of `count` types, in order, found type by type in the index.
 */
const typeUnion = (count: number): string => {
  const one = `SELECT first_position FROM segment_types WHERE type = ? AND first_position >= coalesce(
    (SELECT first_position FROM segments WHERE first_position <= 1 + ? ORDER BY first_position DESC LIMIT 1), 0)`
  return `${Array.from({ length: count }, () => one).join(" UNION ")} ORDER BY first_position`
}

const filters = ({ stream, types }: Pick<SegmentQuery, "stream" | "types">): Fragment => ({
  sql: [
    stream === undefined ? "" : " AND s.stream = ?",
    types === undefined
      ? ""
      : ` AND EXISTS (SELECT 1 FROM segment_types t WHERE t.first_position = s.first_position
          AND t.type IN (SELECT value FROM json_each(?)))`
  ].join(""),
  parameters: [
    ...(stream === undefined ? [] : [stream]),
    ...(types === undefined ? [] : [JSON.stringify(types)])
  ]
})

/** First and last position to fetch, within the limits of the query. */
const pick = (
  outlines: ReadonlyArray<Outline>,
  { maxBytes, maxEvents }: SegmentQuery
): readonly [first: Position, last: Position] | readonly [] => {
  const first = outlines[0]
  if (first === undefined) return []
  let last = first
  let events = 0
  let bytes = 0
  for (const outline of outlines) {
    bytes += outline.size
    if (events >= maxEvents || (events > 0 && bytes > maxBytes)) break
    events += outline.event_count
    last = outline
  }
  return [first.first_position, last.first_position]
}

const appendParameters = (segment: NewSegment, previousHash: Hash): ReadonlyArray<SqlValue> => [
  segment.firstPosition,
  segment.stream,
  segment.firstVersion,
  segment.eventCount,
  fromHash(segment.hash),
  segment.bytes,
  fromHash(previousHash),
  JSON.stringify([...segment.types]),
  JSON.stringify(segment.ids)
]

const isDisplaced = (error: SqlError): boolean =>
  error.cause instanceof Error && error.cause.message === DISPLACED

const toSegment = (row: SegmentRow): StoredSegment => ({
  firstPosition: row.first_position,
  stream: row.stream,
  firstVersion: row.first_version,
  eventCount: row.event_count,
  hash: toHash(row.hash),
  previousHash: row.previous_hash === null ? GENESIS_HASH : toHash(row.previous_hash),
  bytes: row.bytes
})

const toHash = (bytes: Uint8Array): Hash => `0x${Buffer.from(bytes).toString("hex")}`

const fromHash = (hash: Hash): Uint8Array => Buffer.from(hash.slice(2), "hex")
