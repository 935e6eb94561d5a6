/**
 * A table derived from the log: kept up to date as it grows, dropped and rebuilt whenever that is
 * wanted.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Chunk, Effect, Either, Option, Stream } from "effect"
import { type Checkpoint, CheckpointMismatch, checkIsOfThisLog } from "./Checkpoint.ts"
import { type Event, GENESIS_HASH, type Position } from "./Event.ts"
import { EventLog, type Query } from "./EventLog.ts"
import type { EventTypes, EventUndecodable } from "./EventTypes.ts"
import { initialize, loadCheckpoint, saveCheckpoint } from "./internal/SqlCheckpoints.ts"
import type { ReadError } from "./LogError.ts"
import type { Tagged } from "./Upcaster.ts"

export interface Projection<A extends Tagged, E, R> {
  readonly name: string
  /**
   * Raise it with every change of the tables or of `apply`: they are then rebuilt by themselves.
   */
  readonly version: number
  readonly types: EventTypes<A>
  /** Which events it is made of. Default: all that `types` knows. */
  readonly query?: Pick<Query, "stream" | "types">
  readonly create: Effect.Effect<unknown, SqlError, SqlClient.SqlClient>
  readonly drop: Effect.Effect<unknown, SqlError, SqlClient.SqlClient>
  /**
   * Writes what follows from the events. Runs in one transaction with the checkpoint: never half,
   * never twice.
   */
  readonly apply: (events: ReadonlyArray<Event<A>>) => Effect.Effect<void, E, R>
}

export type ProjectionError = SqlError | ReadError | EventUndecodable

type Requirements<R> = R | EventLog | SqlClient.SqlClient

/** Applies every event so far, and returns the position up to which the tables now hold. */
export const catchUp = <A extends Tagged, E, R>(
  projection: Projection<A, E, R>
): Effect.Effect<Position, E | ProjectionError, Requirements<R>> =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const start = yield* prepare(projection)
    const { position } = yield* log.head
    yield* Stream.runForEachChunk(
      log.read({ ...queryOf(projection), after: start, until: position }),
      applyChunk(projection)
    )
    return position
  })

/** Keeps the tables up to date, for ever. */
export const run = <A extends Tagged, E, R>(
  projection: Projection<A, E, R>
): Effect.Effect<never, E | ProjectionError, Requirements<R>> =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const after = yield* prepare(projection)
    const events = log.subscribe({ ...queryOf(projection), after })
    yield* Stream.runForEachChunk(events, applyChunk(projection))
    // A subscription ends by failing only.
    return yield* Effect.never
  })

/** Drops the tables and makes them again from the first event on. */
export const rebuild = <A extends Tagged, E, R>(
  projection: Projection<A, E, R>
): Effect.Effect<Position, E | ProjectionError, Requirements<R>> =>
  Effect.zipRight(
    Effect.flatMap(SqlClient.SqlClient, (sql) => reset(projection, sql)),
    catchUp(projection)
  )

/**
 * Sees to it that the tables are there and of this version and this log; returns where they stand.
 */
const prepare = <A extends Tagged, E, R>(projection: Projection<A, E, R>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* initialize(sql)
    const saved = yield* loadCheckpoint(sql, followerOf(projection))
    if (Option.isNone(saved) || saved.value.version !== projection.version) {
      return yield* reset(projection, sql)
    }
    const isOfAnotherLog = yield* checkIsOfThisLog(projection.name, saved.value).pipe(
      Effect.as(false),
      Effect.catchIf(
        (error) => error instanceof CheckpointMismatch,
        () => Effect.succeed(true)
      )
    )
    // Derived tables are disposable: better made again than mixed from two logs.
    return isOfAnotherLog ? yield* reset(projection, sql) : saved.value.position
  })

const reset = <A extends Tagged, E, R>(
  projection: Projection<A, E, R>,
  sql: SqlClient.SqlClient
): Effect.Effect<Position, SqlError, SqlClient.SqlClient> =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* initialize(sql)
      yield* projection.drop
      yield* projection.create
      yield* saveCheckpoint(sql, followerOf(projection), {
        ...BEGINNING,
        version: projection.version
      })
      return BEGINNING.position
    })
  )

const applyChunk =
  <A extends Tagged, E, R>(projection: Projection<A, E, R>) =>
  (
    chunk: Chunk.Chunk<Event>
  ): Effect.Effect<void, E | SqlError | EventUndecodable, R | SqlClient.SqlClient> =>
    Effect.gen(function* () {
      const stored = Chunk.toReadonlyArray(chunk)
      const last = stored.at(-1)
      if (last === undefined) return
      const events = yield* Either.match(projection.types.decodeAll(stored), {
        onLeft: Effect.fail,
        onRight: Effect.succeed
      })
      const sql = yield* SqlClient.SqlClient
      const { hash, position } = last
      const checkpoint = { position, hash, version: projection.version }
      yield* sql.withTransaction(
        Effect.zipRight(
          projection.apply(events),
          saveCheckpoint(sql, followerOf(projection), checkpoint)
        )
      )
    })

const BEGINNING: Pick<Checkpoint, "position" | "hash"> = { position: 0, hash: GENESIS_HASH }

const queryOf = <A extends Tagged, E, R>({ query, types }: Projection<A, E, R>) =>
  query ?? { types: [...types.types] }

const followerOf = ({ name }: { readonly name: string }): string => `projection ${name}`
