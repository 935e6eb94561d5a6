/** One SQLite connection of the log's own, used by one fiber at a time. */
import * as Reactivity from "@effect/experimental/Reactivity"
import type { SqlError } from "@effect/sql/SqlError"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Predicate, type Scope } from "effect"
import { LogCorrupt, LogUnavailable } from "../LogError.ts"

export type SqlValue = string | number | Uint8Array | null

export interface SqliteConnection {
  /**
   * Rows of one statement. `Row` is what the statement's columns are, by the STRICT tables behind
   * them.
   */
  readonly query: <Row extends object = Record<string, SqlValue>>(
    statement: string,
    parameters?: ReadonlyArray<SqlValue>
  ) => Effect.Effect<ReadonlyArray<Row>, SqlError>
  /** Keeps other fibers away, so that none reads inside an open transaction. */
  readonly exclusively: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * Opens a connection and keeps it until the scope closes. Neither WAL nor any other setting is
 * touched.
 */
export const connect = (
  filename: string,
  options: { readonly readonly: boolean }
): Effect.Effect<SqliteConnection, LogCorrupt | LogUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* SqliteClient.make({
      filename,
      readonly: options.readonly,
      disableWAL: true
    })
    // Reserved for good: a statement through the client's own interface costs a span and a
    // compilation each.
    const connection = yield* client.reserve
    const lock = yield* Effect.makeSemaphore(1)
    return {
      query: (statement, parameters = []) => connection.execute(statement, parameters, undefined),
      exclusively: lock.withPermits(1)
    } satisfies SqliteConnection
  }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.catchAll((error) => Effect.fail(storeError(filename, error))),
    // The client throws where a file can't be opened at all.
    Effect.catchAllDefect((defect) => Effect.fail(storeError(filename, defect)))
  )

/**
 * Says what a failure of SQLite means for the log. `position` is the best known place of the
 * damage.
 */
export const storeError = (
  log: string,
  error: unknown,
  position = 0
): LogCorrupt | LogUnavailable => {
  const cause =
    Predicate.hasProperty(error, "cause") && error.cause !== undefined ? error.cause : error
  const code = sqliteCode(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") {
    return new LogCorrupt({ log, position, reason: `SQLite reports "${text}"`, cause })
  }
  return new LogUnavailable({ log, reason: `SQLite reports "${text}"`, cause })
}

export const sqliteCode = (error: unknown): string => {
  const cause =
    Predicate.hasProperty(error, "cause") && error.cause !== undefined ? error.cause : error
  return Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : ""
}
