/**
 * States saved along the way, so that loading a machine need not fold its whole stream. Disposable.
 */
import { createHash } from "node:crypto"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Context, Effect, Layer, Option, Schema } from "effect"
import type { Hash, Position } from "./Event.ts"

/** A state as bytes, and the event after which it was the state. */
export interface Snapshot {
  readonly position: Position
  /** Hash of the event at `position`: tells whether the snapshot is of this log. */
  readonly hash: Hash
  /** Version of the stream at `position`. */
  readonly version: number
  readonly bytes: Uint8Array
}

/** The store of snapshots can't be used. Nothing is lost: the state is folded from its events. */
export class SnapshotUnavailable extends Schema.TaggedError<SnapshotUnavailable>()(
  "SnapshotUnavailable",
  { stream: Schema.String, cause: Schema.Defect }
) {
  override get message() {
    return `Expected the snapshots of "${this.stream}" to be usable, found ${String(this.cause)}.`
  }
}

/** How many snapshots of a stream are kept, so that states of the past are near one as well. */
const KEPT = 8

export class Snapshots extends Context.Tag("@ovm/event-log/Snapshots")<
  Snapshots,
  {
    readonly save: (stream: string, snapshot: Snapshot) => Effect.Effect<void, SnapshotUnavailable>
    /** The newest sound snapshot at or below `position`. */
    readonly load: (
      stream: string,
      position: Position
    ) => Effect.Effect<Option.Option<Snapshot>, SnapshotUnavailable>
  }
>() {
  static readonly layerMemory: Layer.Layer<Snapshots> = Layer.sync(Snapshots, () => {
    const saved = new Map<string, ReadonlyArray<Snapshot>>()
    return {
      save: (stream, snapshot) =>
        Effect.sync(() => {
          const others = (saved.get(stream) ?? []).filter((s) => s.position !== snapshot.position)
          const all = [...others, snapshot].sort((a, b) => a.position - b.position)
          saved.set(stream, all.slice(-KEPT))
        }),
      load: (stream, position) =>
        Effect.sync(() =>
          Option.fromNullable(saved.get(stream)?.findLast((s) => s.position <= position))
        )
    }
  })

  /** Keeps snapshots in a database of the caller's. */
  static readonly layerSql: Layer.Layer<Snapshots, SnapshotUnavailable, SqlClient.SqlClient> =
    Layer.effect(
      Snapshots,
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.mapError(initialize(sql), unavailable("*"))
        return {
          save: (stream, snapshot) =>
            Effect.mapError(save(sql, stream, snapshot), unavailable(stream)),
          load: (stream, position) =>
            Effect.mapError(load(sql, stream, position), unavailable(stream))
        }
      })
    )
}

const initialize = (sql: SqlClient.SqlClient) =>
  sql`CREATE TABLE IF NOT EXISTS event_log_snapshots (
    stream TEXT NOT NULL,
    position INTEGER NOT NULL,
    hash TEXT NOT NULL,
    version INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (stream, position)
  )`

const save = (
  sql: SqlClient.SqlClient,
  stream: string,
  { bytes, hash, position, version }: Snapshot
): Effect.Effect<void, SqlError> =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`INSERT OR REPLACE INTO event_log_snapshots
        (stream, position, hash, version, bytes, sha256)
        VALUES (${stream}, ${position}, ${hash}, ${version}, ${bytes}, ${sha256(bytes)})`
      yield* sql`DELETE FROM event_log_snapshots WHERE stream = ${stream} AND position NOT IN (
        SELECT position FROM event_log_snapshots WHERE stream = ${stream}
        ORDER BY position DESC LIMIT ${KEPT})`
    })
  )

const load = (
  sql: SqlClient.SqlClient,
  stream: string,
  position: Position
): Effect.Effect<Option.Option<Snapshot>, SqlError> =>
  Effect.map(
    sql<Snapshot & { readonly sha256: string }>`
      SELECT position, hash, version, bytes, sha256 FROM event_log_snapshots
      WHERE stream = ${stream} AND position <= ${position} ORDER BY position DESC LIMIT 1`,
    ([row]) =>
      row !== undefined && sha256(row.bytes) === row.sha256 ? Option.some(row) : Option.none()
  )

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

const unavailable = (stream: string) => (cause: unknown) =>
  new SnapshotUnavailable({ stream, cause })
