/** Keeps trie nodes and code in one SQLite table. A projection: safe to drop and rebuild. */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Effect, Layer, Option } from "effect"
import { hexToBytes } from "./internal/Bytes.ts"
import { NodeStore } from "./NodeStore.ts"
import { NodeStoreFailed } from "./State.ts"

/** SQLite binds at most 32,766 values to a statement, and each row takes two. */
const ROWS_PER_INSERT_MAX = 10_000

/**
 * A store in the database of the caller's `SqlClient`, which also decides about durability. Don't
 * flush a state inside a `withTransaction` of the same client: the flush would wait for it.
 */
export const layerSqlite: Layer.Layer<NodeStore, NodeStoreFailed, SqlClient.SqlClient> =
  Layer.effect(
    NodeStore,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      // The key is random, so a row beside its key spares the second lookup of a rowid table.
      yield* sql`
        CREATE TABLE IF NOT EXISTS trie_nodes (
          hash BLOB NOT NULL PRIMARY KEY,
          bytes BLOB NOT NULL
        ) STRICT, WITHOUT ROWID
      `.pipe(Effect.mapError(failed("open")))

      const insert = (rows: ReadonlyArray<readonly [Hash32, Uint8Array]>) => {
        const places = rows.map(() => "(?, ?)").join(", ")
        return sql.unsafe(
          `INSERT OR IGNORE INTO trie_nodes (hash, bytes) VALUES ${places}`,
          rows.flatMap(([hash, bytes]) => [hexToBytes(hash), bytes])
        )
      }

      return NodeStore.of({
        get: Effect.fnUntraced(
          function* (hash) {
            const rows = yield* sql<{ readonly bytes: Uint8Array }>`
            SELECT bytes FROM trie_nodes WHERE hash = ${hexToBytes(hash)}
          `
            return Option.map(Option.fromNullable(rows[0]), ({ bytes }) => plain(bytes))
          },
          Effect.mapError(failed("get"))
        ),

        putMany: Effect.fnUntraced(
          function* (entries) {
            const rows = Array.from(entries)
            if (rows.length === 0) return
            if (rows.length <= ROWS_PER_INSERT_MAX) return void (yield* insert(rows))
            const parts: Array<Effect.Effect<unknown, SqlError>> = []
            for (let at = 0; at < rows.length; at += ROWS_PER_INSERT_MAX) {
              parts.push(insert(rows.slice(at, at + ROWS_PER_INSERT_MAX)))
            }
            yield* sql.withTransaction(Effect.all(parts, { discard: true }))
          },
          Effect.mapError(failed("putMany"))
        )
      })
    })
  )

/** The driver answers a Buffer; nothing above should see that. */
const plain = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)

const failed = (operation: NodeStoreFailed["operation"]) => (cause: SqlError) =>
  new NodeStoreFailed({ operation, cause })
