/**
 * The file of a log: finding out what it is before SQLite touches it, locking it, creating it,
 * opening it.
 *
 * The writer's lock is a second database beside the log, `<log>.lock`, held in an exclusive
 * transaction: the system drops it when the process dies, and readers of the log never see it. A
 * new log is made under another name and renamed, so that no crash leaves half of one.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { Effect, type Scope } from "effect"
import {
  LogCorrupt,
  LogLocked,
  LogUnavailable,
  LogVersionUnsupported,
  NotALog,
  type OpenError
} from "../LogError.ts"
import { connect, type SqliteConnection, sqliteCode, storeError } from "./SqliteConnection.ts"

/** "EVLG" in ASCII: tells a log from any other SQLite database. */
const APPLICATION_ID = 0x45564c47
const FORMAT = 1
const HEADER_SIZE = 100
const MAGIC = "SQLite format 3\0"
const FULL = 2

/** What the guard answers where a segment does not continue the stored log. */
export const DISPLACED = "segment does not continue the log"

const schema = [
  `PRAGMA application_id = ${APPLICATION_ID}`,
  `PRAGMA user_version = ${FORMAT}`,
  // bytes stands last: what comes before it is read without following the row's overflow pages.
  `CREATE TABLE segments (
     first_position INTEGER PRIMARY KEY,
     stream TEXT NOT NULL,
     first_version INTEGER NOT NULL,
     event_count INTEGER NOT NULL,
     hash BLOB NOT NULL,
     bytes BLOB NOT NULL
   ) STRICT`,
  // SQLite keeps the rowid, first_position, in every index: within a stream this one is in order of
  // it.
  "CREATE INDEX segments_by_stream ON segments (stream)",
  `CREATE TABLE segment_types (
     type TEXT NOT NULL,
     first_position INTEGER NOT NULL,
     PRIMARY KEY (type, first_position)
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE event_ids (
     id TEXT PRIMARY KEY,
     position INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID`,
  // An append is one statement, its guard and its indexes included: each further one would cost as
  // much again.
  `CREATE VIEW appends AS
     SELECT first_position, stream, first_version, event_count, hash, bytes,
       hash AS previous_hash, '[]' AS types, '[]' AS ids FROM segments`,
  `CREATE TRIGGER append INSTEAD OF INSERT ON appends BEGIN
     SELECT RAISE(ABORT, '${DISPLACED}') WHERE
       new.first_position IS NOT 1 + coalesce((
         SELECT first_position + event_count - 1 FROM segments ORDER BY first_position DESC LIMIT 1), 0)
       OR new.previous_hash IS NOT coalesce((
         SELECT hash FROM segments ORDER BY first_position DESC LIMIT 1), zeroblob(32))
       OR new.first_version IS NOT 1 + coalesce((
         SELECT first_version + event_count - 1 FROM segments WHERE stream = new.stream
         ORDER BY first_position DESC LIMIT 1), 0);
     INSERT INTO segments (first_position, stream, first_version, event_count, hash, bytes)
       VALUES (new.first_position, new.stream, new.first_version, new.event_count, new.hash, new.bytes);
     INSERT INTO segment_types (type, first_position)
       SELECT value, new.first_position FROM json_each(new.types);
     INSERT INTO event_ids (id, position)
       SELECT value ->> 0, value ->> 1 FROM json_each(new.ids);
   END`
]

/** Opens the log for its only writer; creates it where there is none. */
export const openForWriting = (
  filename: string
): Effect.Effect<SqliteConnection, OpenError, Scope.Scope> =>
  Effect.gen(function* () {
    if (filename === ":memory:") {
      const memory = yield* connect(filename, { readonly: false })
      yield* run(memory, filename, schema)
      return memory
    }
    const path = yield* resolve(filename)
    const lockExisted = Fs.existsSync(`${path}.lock`)
    // Looked at before the lock, so that a file that is no log gets no lock file beside it...
    yield* inspect(path, { lockExisted })
    yield* lock(path)
    // ...and again after it, since until now another writer may have been at work.
    if ((yield* inspect(path, { lockExisted })) === "none") yield* create(path)
    const connection = yield* connect(path, { readonly: false })
    yield* checkVersion(connection, path)
    yield* makeDurable(connection, path)
    return connection
  })

/** Opens the log beside its writer, changing nothing. */
export const openForReading = (
  filename: string
): Effect.Effect<SqliteConnection, OpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const path = yield* resolve(filename)
    if ((yield* inspect(path, { lockExisted: true })) === "none") {
      return yield* new NotALog({ log: path, found: "no file" })
    }
    const connection = yield* connect(path, { readonly: true })
    yield* checkVersion(connection, path)
    return connection
  })

const resolve = (filename: string): Effect.Effect<string, LogUnavailable> =>
  fileSystem(filename, () => {
    if (Fs.existsSync(filename)) return Fs.realpathSync(filename)
    return Path.join(Fs.realpathSync(Path.dirname(filename)), Path.basename(filename))
  })

/** What stands at the path, by its first bytes alone. */
const inspect = (
  path: string,
  { lockExisted }: { readonly lockExisted: boolean }
): Effect.Effect<"none" | "log", OpenError> =>
  Effect.gen(function* () {
    const { header, size, walSize } = yield* fileSystem(path, () => readHeader(path))
    const corrupt = (reason: string) => new LogCorrupt({ log: path, position: 0, reason })
    if (size === 0) {
      if (walSize > 0)
        return yield* corrupt("its main file is missing or empty, though its -wal file is not")
      // The lock file outlives its lock: it shows that a log was here.
      if (size === 0 && lockExisted && header !== undefined) {
        return yield* corrupt("the file is empty (to begin a new log here, delete it)")
      }
      return "none"
    }
    if (
      header === undefined ||
      header.toString("latin1", 0, MAGIC.length) !== MAGIC.slice(0, size)
    ) {
      return yield* new NotALog({ log: path, found: "a file that is no SQLite database" })
    }
    if (size < HEADER_SIZE)
      return yield* corrupt(`the file ends after ${size} bytes, inside its header`)
    const applicationId = header.readUInt32BE(68)
    if (applicationId !== APPLICATION_ID) {
      return yield* new NotALog({ log: path, found: "a SQLite database of something else" })
    }
    const found = header.readInt32BE(60)
    if (found > FORMAT) {
      return yield* new LogVersionUnsupported({ log: path, found, supported: FORMAT })
    }
    const expected = header.readUInt16BE(16) * header.readUInt32BE(28)
    // A checkpoint that a crash cut short is finished from the WAL; without one, missing pages are
    // lost.
    if (size < expected && walSize === 0) {
      return yield* corrupt(`the file ends after ${size} of ${expected} bytes`)
    }
    return "log"
  })

const readHeader = (path: string) => {
  const walSize = Fs.statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  const stat = Fs.statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return { size: 0, walSize, header: undefined }
  if (!stat.isFile()) throw new Error(`${path} is not a file`)
  const file = Fs.openSync(path, "r")
  try {
    const header = Buffer.alloc(HEADER_SIZE)
    Fs.readSync(file, header, 0, HEADER_SIZE, 0)
    return { size: stat.size, walSize, header }
  } finally {
    Fs.closeSync(file)
  }
}

const lock = (path: string): Effect.Effect<void, LogLocked | LogUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* connect(`${path}.lock`, { readonly: false })
    // Waiting would block the whole process: another writer does not go away within milliseconds.
    yield* connection.query("PRAGMA busy_timeout = 0")
    yield* connection.query("BEGIN EXCLUSIVE")
  }).pipe(
    Effect.mapError((error) => {
      if (sqliteCode(error).startsWith("SQLITE_BUSY")) return new LogLocked({ log: path })
      const reason = `its lock file ${path}.lock can't be locked`
      return new LogUnavailable({ log: path, reason, cause: error })
    })
  )

const create = (path: string): Effect.Effect<void, LogCorrupt | LogUnavailable> =>
  Effect.gen(function* () {
    const draft = `${path}.new`
    yield* fileSystem(path, () => Fs.rmSync(draft, { force: true }))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* connect(draft, { readonly: false })
        yield* run(connection, path, ["PRAGMA synchronous = FULL", "BEGIN", ...schema, "COMMIT"])
      })
    )
    yield* fileSystem(path, () => {
      Fs.renameSync(draft, path)
      syncDirectory(Path.dirname(path))
    })
  })

/** Makes the rename itself survive a power cut. */
const syncDirectory = (directory: string): void => {
  // Windows can't open a directory, and needs no such call.
  if (process.platform === "win32") return
  const file = Fs.openSync(directory, "r")
  try {
    Fs.fsyncSync(file)
  } finally {
    Fs.closeSync(file)
  }
}

const checkVersion = (connection: SqliteConnection, path: string): Effect.Effect<void, OpenError> =>
  Effect.gen(function* () {
    const found = Number(yield* pragma(connection, path, "user_version"))
    if (found > FORMAT) {
      return yield* new LogVersionUnsupported({ log: path, found, supported: FORMAT })
    }
    const tables = yield* stored(
      path,
      connection.query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    )
    const names = tables.map(({ name }) => name).join(", ")
    const expected = "event_ids, segment_types, segments"
    if (names === expected) return
    const reason = `its tables are "${names}" instead of "${expected}"`
    return yield* new LogCorrupt({ log: path, position: 0, reason })
  })

/**
 * An append is acknowledged only when it would survive a power cut: set that, then see that it
 * holds.
 */
const makeDurable = (connection: SqliteConnection, path: string): Effect.Effect<void, OpenError> =>
  Effect.gen(function* () {
    yield* run(connection, path, [
      "PRAGMA journal_mode = WAL",
      "PRAGMA synchronous = FULL",
      // On macOS a plain fsync leaves the bytes in the drive's cache.
      "PRAGMA fullfsync = ON",
      "PRAGMA checkpoint_fullfsync = ON"
    ])
    const mode = yield* pragma(connection, path, "journal_mode")
    const synchronous = yield* pragma(connection, path, "synchronous")
    if (mode === "wal" && synchronous === FULL) return
    const reason = `SQLite answers journal_mode ${mode} and synchronous ${synchronous} where wal and ${FULL} were set, so appends would not be durable`
    return yield* new LogUnavailable({ log: path, reason })
  })

const pragma = (connection: SqliteConnection, path: string, name: string) =>
  Effect.map(stored(path, connection.query(`PRAGMA ${name}`)), (rows) => rows[0]?.[name])

const run = (connection: SqliteConnection, path: string, statements: ReadonlyArray<string>) =>
  stored(
    path,
    Effect.forEach(statements, (statement) => connection.query(statement), { discard: true })
  )

const stored = <A, E>(path: string, effect: Effect.Effect<A, E>) =>
  Effect.mapError(effect, (error) => storeError(path, error))

const fileSystem = <A>(path: string, evaluate: () => A): Effect.Effect<A, LogUnavailable> =>
  Effect.try({
    try: evaluate,
    catch: (cause) => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      return new LogUnavailable({ log: path, reason, cause })
    }
  })
