/**
 * The table of checkpoints. Saving in the transaction of what was derived keeps the two together.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Option } from "effect"
import type { Checkpoint } from "../Checkpoint.ts"

export const initialize = (sql: SqlClient.SqlClient): Effect.Effect<void, SqlError> =>
  Effect.asVoid(sql`CREATE TABLE IF NOT EXISTS event_log_checkpoints (
    follower TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash TEXT NOT NULL
  )`)

export const loadCheckpoint = (
  sql: SqlClient.SqlClient,
  follower: string
): Effect.Effect<Option.Option<Checkpoint>, SqlError> =>
  Effect.map(
    sql<Checkpoint>`SELECT position, hash, version FROM event_log_checkpoints WHERE follower = ${follower}`,
    ([row]) => Option.fromNullable(row)
  )

export const saveCheckpoint = (
  sql: SqlClient.SqlClient,
  follower: string,
  { hash, position, version }: Checkpoint
): Effect.Effect<void, SqlError> =>
  Effect.asVoid(sql`INSERT INTO event_log_checkpoints (follower, version, position, hash)
    VALUES (${follower}, ${version}, ${position}, ${hash})
    ON CONFLICT (follower) DO UPDATE SET
      version = excluded.version, position = excluded.position, hash = excluded.hash`)
