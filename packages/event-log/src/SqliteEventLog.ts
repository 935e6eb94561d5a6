/** The log in a SQLite file: durable, with one writer and any number of readers. */
import { Effect, Layer, Option } from "effect"
import { EventLog } from "./EventLog.ts"
import { makeEventLog } from "./internal/LogEngine.ts"
import { unpackSegment } from "./internal/Segment.ts"
import { openForReading, openForWriting } from "./internal/SqliteLogFile.ts"
import { SqliteSegmentStore } from "./internal/SqliteSegmentStore.ts"
import { LogCorrupt, type OpenError } from "./LogError.ts"
import { defaultLimits, type LogLimits } from "./LogLimits.ts"
import type { SegmentStore } from "./SegmentStore.ts"

export interface SqliteEventLogOptions extends Partial<LogLimits> {
  /**
   * Path of the file; it is created if there is none, but its directory is not. ":memory:" keeps it
   * nowhere.
   */
  readonly filename: string
  /** Read beside the writer, which may be another process. Appends fail, and nothing is changed. */
  readonly readonly?: boolean
  /** How often a read-only log looks for news of the writer. Default 50. */
  readonly pollIntervalMs?: number
}

/**
 * Opens or creates the log. The file and the connection are the log's own: derived tables belong in
 * another database, since a transaction on this one would hold up the writer.
 */
export const layer = (options: SqliteEventLogOptions): Layer.Layer<EventLog, OpenError> =>
  Layer.scoped(
    EventLog,
    Effect.gen(function* () {
      const { filename, pollIntervalMs = 50, readonly = false, ...limits } = options
      const connection = yield* (readonly ? openForReading : openForWriting)(filename)
      const store = new SqliteSegmentStore({ name: filename, connection, readonly, pollIntervalMs })
      yield* checkTail(store)
      return yield* makeEventLog({ store, limits: { ...defaultLimits, ...limits }, readonly })
    })
  )

/**
 * A damaged end is found before anything is appended to it; the rest is found when it is read, or
 * by `verify`.
 */
const checkTail = (store: SegmentStore) =>
  Effect.gen(function* () {
    const { position } = yield* store.head
    const query = { after: position - 1, until: position, maxEvents: 1, maxBytes: 1 }
    const last = Option.fromNullable((yield* store.segments(query))[0])
    if (Option.isNone(last)) return
    const unpacked = unpackSegment(last.value)
    if ("damage" in unpacked) {
      return yield* new LogCorrupt({ log: store.name, ...unpacked.damage })
    }
  })
