import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import { Chunk, Effect, Fiber, Stream } from "effect"
import { afterAll } from "vitest"
import { EventLog } from "../src/EventLog.ts"
import { packEvents, segmentHash } from "../src/internal/Segment.ts"
import { openForWriting } from "../src/internal/SqliteLogFile.ts"
import * as SqliteEventLog from "../src/SqliteEventLog.ts"
import { suite } from "./EventLogSuite.ts"
import { append, event } from "./LogTools.ts"

const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "event-log-"))
afterAll(() => Fs.rmSync(directory, { recursive: true, force: true }))
let count = 0
const newFilename = () => Path.join(directory, `${count++}.log`)

suite("SQLite", (limits) => SqliteEventLog.layer({ filename: newFilename(), ...limits }))
suite("SQLite in memory", (limits) => SqliteEventLog.layer({ filename: ":memory:", ...limits }))

const open = <A, E>(filename: string, use: Effect.Effect<A, E, EventLog>) =>
  Effect.provide(use, SqliteEventLog.layer({ filename }))

const head = Effect.flatMap(EventLog, (log) => log.head)
const verify = Effect.flatMap(EventLog, (log) => log.verify)
const openError = (filename: string) => Effect.flip(open(filename, head))

/** A closed log of ten batches of ten events, in two streams. */
const filled = Effect.gen(function* () {
  const filename = newFilename()
  const end = yield* open(
    filename,
    Effect.gen(function* () {
      for (let batch = 0; batch < 10; batch++) {
        const payloads = Array.from(
          { length: 10 },
          (_, index) => `payload ${batch * 10 + index + 1};`
        )
        yield* append(`stream ${batch % 2}`, "any", ...payloads)
      }
      return yield* head
    })
  )
  return { filename, end }
})

const edit = (filename: string, statement: string) =>
  Effect.sync(() => {
    const database = new Database(filename)
    database.exec(statement)
    database.close()
  })

/** Everything that stands in the log's place: its file and whatever is beside it. */
const traces = (filename: string) =>
  Fs.readdirSync(Path.dirname(filename))
    .filter((name) => name.startsWith(Path.basename(filename)))
    .map((name) => [name, Fs.readFileSync(Path.join(directory, name)).toString("base64")])

/** Opening fails as it should, and leaves everything as it was. */
const refuses = (filename: string, expected: Record<string, unknown>) =>
  Effect.gen(function* () {
    const before = traces(filename)
    expect(yield* openError(filename)).toMatchObject(expected)
    expect(traces(filename)).toEqual(before)
  })

describe("SqliteEventLog, as a file", () => {
  it.effect("holds what was appended when it is opened again, and goes on from there", () =>
    Effect.gen(function* () {
      const { end, filename } = yield* filled
      expect(yield* open(filename, verify)).toEqual(end)
      const appended = yield* open(filename, append("stream 1", 50, "more"))
      expect(appended).toMatchObject({ firstPosition: 101, version: 51 })
      expect((yield* open(filename, verify)).position).toBe(101)
    })
  )

  it.effect("syncs every commit to the disk", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* openForWriting(newFilename())
        const [synchronous] = yield* connection.query("PRAGMA synchronous")
        const [mode] = yield* connection.query("PRAGMA journal_mode")
        expect([synchronous, mode]).toEqual([{ synchronous: 2 }, { journal_mode: "wal" }])
        const strict = yield* connection.query(
          "SELECT name FROM pragma_table_list WHERE strict = 1"
        )
        expect(strict.map(({ name }) => name).sort()).toEqual([
          "event_ids",
          "segment_types",
          "segments"
        ])
      })
    )
  )

  it.effect("stores little more than the payloads", () =>
    Effect.gen(function* () {
      const filename = newFilename()
      const payload = Buffer.alloc(130, 7)
      yield* open(
        filename,
        Effect.gen(function* () {
          const log = yield* EventLog
          const one = { type: "v1.Noted", payload }
          const events = [one, ...Array.from({ length: 99 }, () => one)] as const
          for (let batch = 0; batch < 100; batch++)
            yield* log.append({ stream: "a", expected: "any", events })
        })
      )
      expect(Fs.statSync(filename).size / (100 * 100 * payload.length)).toBeLessThan(1.2)
    })
  )
})

describe("SqliteEventLog, beside others", () => {
  it.effect("lets no second writer in, until the first is closed", () =>
    Effect.gen(function* () {
      const filename = newFilename()
      yield* open(
        filename,
        Effect.gen(function* () {
          yield* append("a", 0, "first")
          expect(yield* openError(filename)).toMatchObject({ _tag: "LogLocked" })
          yield* append("a", 1, "second")
        })
      )
      expect((yield* open(filename, verify)).position).toBe(2)
    })
  )

  it.live("lets any number of readers follow the writer", () =>
    Effect.gen(function* () {
      const filename = newFilename()
      const reading = SqliteEventLog.layer({ filename, readonly: true, pollIntervalMs: 5 })
      const writing = Effect.gen(function* () {
        yield* append("a", 0, "1", "2")
        const fiber = yield* Effect.flatMap(EventLog, (log) =>
          Stream.runCollect(Stream.take(log.subscribe(), 4))
        ).pipe(Effect.provide(reading), Effect.fork)
        yield* Effect.sleep(20)
        yield* append("a", 2, "3")
        yield* append("b", 0, "4")
        return Chunk.toArray(yield* Fiber.join(fiber))
      })
      const events = yield* open(filename, writing)
      expect(events.map((e) => Buffer.from(e.payload).toString())).toEqual(["1", "2", "3", "4"])

      const error = yield* Effect.flip(Effect.provide(append("a", 3, "no"), reading))
      expect(error).toMatchObject({ _tag: "LogReadOnly" })
      expect((yield* Effect.provide(verify, reading)).position).toBe(4)
    })
  )

  it.effect("notices what was written past the lock, and goes on after it", () =>
    Effect.gen(function* () {
      const filename = newFilename()
      yield* open(
        filename,
        Effect.gen(function* () {
          const log = yield* EventLog
          const before = yield* append("a", 0, "1")
          const body = {
            firstPosition: 2,
            stream: "a",
            firstVersion: 2,
            eventCount: 1,
            bytes: packEvents([event("foreign")], 0).bytes
          }
          const hash = segmentHash(body, before.hash)
          yield* Effect.sync(() => {
            const database = new Database(filename)
            const [own, previous] = [hash, before.hash].map((h) => Buffer.from(h.slice(2), "hex"))
            const insert =
              "INSERT INTO appends VALUES (2, 'a', 2, 1, ?, ?, ?, '[\"v1.Noted\"]', '[]')"
            database.prepare(insert).run(own, body.bytes, previous)
            database.close()
          })
          const error = yield* Effect.flip(append("a", 1, "stale"))
          expect(error).toMatchObject({ _tag: "LogUnavailable" })
          expect(error.message).toContain("something else wrote")
          expect(yield* append("a", 2, "after it")).toMatchObject({ firstPosition: 3, version: 3 })
          yield* log.verify
        })
      )
    })
  )
})

describe("SqliteEventLog, when it can't be opened", () => {
  it.effect("leaves a log of a newer release alone", () =>
    Effect.gen(function* () {
      const { filename } = yield* filled
      yield* edit(filename, "PRAGMA user_version = 9")
      yield* refuses(filename, { _tag: "LogVersionUnsupported", found: 9, supported: 1 })
    })
  )

  it.effect("leaves files of other kinds alone", () =>
    Effect.gen(function* () {
      const text = newFilename()
      Fs.writeFileSync(text, "Dear diary, ".repeat(100))
      yield* refuses(text, { _tag: "NotALog", found: "a file that is no SQLite database" })
      const database = newFilename()
      yield* edit(database, "CREATE TABLE t (a)")
      yield* refuses(database, { _tag: "NotALog", found: "a SQLite database of something else" })
      for (const path of [Path.join(directory, "nowhere", "x.log"), directory]) {
        expect(yield* openError(path)).toMatchObject({ _tag: "LogUnavailable" })
      }
    })
  )

  it.effect("finds no log to read where there is none, and makes none", () =>
    Effect.gen(function* () {
      const filename = newFilename()
      const reading = SqliteEventLog.layer({ filename, readonly: true })
      const error = yield* Effect.flip(Effect.provide(head, reading))
      expect(error).toMatchObject({ _tag: "NotALog", found: "no file" })
      expect(traces(filename)).toEqual([])
    })
  )

  it.effect("says of a truncated file that it is, wherever it ends", () =>
    Effect.gen(function* () {
      const { filename } = yield* filled
      const { size } = Fs.statSync(filename)
      for (const length of [size - 1, size - 4096, size >>> 1, 4096, 100, 50, 0]) {
        Fs.truncateSync(filename, length)
        yield* refuses(filename, { _tag: "LogCorrupt", position: 0 })
      }
    })
  )

  it.effect("begins a new log in an empty file that never was one", () =>
    Effect.gen(function* () {
      const filename = newFilename()
      Fs.writeFileSync(filename, "")
      expect(yield* open(filename, append("a", 0, "1"))).toMatchObject({ lastPosition: 1 })
    })
  )

  it.effect("does not begin a new log beside what is left of another", () =>
    Effect.gen(function* () {
      const filename = newFilename()
      Fs.writeFileSync(`${filename}-wal`, "the last commits of a lost file")
      yield* refuses(filename, { _tag: "LogCorrupt" })
    })
  )

  it.effect("is not misled by a creation that a crash cut short", () =>
    Effect.gen(function* () {
      const filename = newFilename()
      Fs.writeFileSync(`${filename}.new`, "half a log")
      expect(yield* open(filename, append("a", 0, "1"))).toMatchObject({ lastPosition: 1 })
      expect(Fs.existsSync(`${filename}.new`)).toBe(false)
    })
  )
})

describe("SqliteEventLog, when it is tampered with", () => {
  for (const position of [1, 10, 57, 99]) {
    it.effect(`names position ${position} when the event there is damaged`, () =>
      Effect.gen(function* () {
        const { filename } = yield* filled
        const bytes = Fs.readFileSync(filename)
        bytes.write("P", bytes.indexOf(`payload ${position};`))
        Fs.writeFileSync(filename, bytes)
        if (position > 90) return yield* refuses(filename, { _tag: "LogCorrupt", position })
        yield* open(
          filename,
          Effect.gen(function* () {
            const log = yield* EventLog
            const error = yield* Effect.flip(log.verify)
            expect(error).toMatchObject({ _tag: "LogCorrupt", position })
            expect(error.message).toContain(`position ${position}`)
            const read = yield* Effect.flip(log.page({ after: position - 1 }))
            expect(read).toMatchObject({ _tag: "LogCorrupt", position })
            const sound = position - ((position - 1) % 10) - 1
            expect((yield* log.page({ until: sound })).events).toHaveLength(sound)
          })
        )
      })
    )
  }

  const edits: ReadonlyArray<readonly [what: string, statement: string, position: number]> = [
    ["a segment is missing", "DELETE FROM segments WHERE first_position = 41", 41],
    ["a stream is renamed", "UPDATE segments SET stream = 'other' WHERE first_position = 21", 21],
    ["a version is changed", "UPDATE segments SET first_version = 9 WHERE first_position = 31", 31],
    ["a hash is changed", "UPDATE segments SET hash = zeroblob(32) WHERE first_position = 61", 61],
    ["an index entry is missing", "DELETE FROM segment_types WHERE first_position = 51", 51],
    ["an index entry is made up", "INSERT INTO event_ids VALUES ('made-up', 7)", 100],
    [
      "two segments change places",
      `UPDATE segments SET first_position = first_position + 1000 WHERE first_position IN (11, 31);
       UPDATE segments SET first_position = 1042 - first_position WHERE first_position > 1000`,
      11
    ]
  ]
  for (const [what, statement, position] of edits) {
    it.effect(`names the first bad position when ${what}`, () =>
      Effect.gen(function* () {
        const { filename } = yield* filled
        yield* edit(filename, statement)
        expect(yield* Effect.flip(open(filename, verify))).toMatchObject({
          _tag: "LogCorrupt",
          position
        })
      })
    )
  }
})
