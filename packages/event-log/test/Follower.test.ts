/** Checkpoints, projections and snapshots, over memory and over a real database. */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { isNonEmptyReadonlyArray } from "effect/Array"
import { afterAll } from "vitest"
import { Checkpoints, follow } from "../src/Checkpoint.ts"
import type { Event } from "../src/Event.ts"
import { EventLog } from "../src/EventLog.ts"
import * as EventTypes from "../src/EventTypes.ts"
import * as Projection from "../src/Projection.ts"
import { Snapshots } from "../src/Snapshot.ts"
import { append } from "./LogTools.ts"

const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "event-log-followers-"))
afterAll(() => Fs.rmSync(directory, { recursive: true, force: true }))
let count = 0
const newDatabase = () => SqliteClient.layer({ filename: Path.join(directory, `${count++}.db`) })

const payloads = (events: ReadonlyArray<Event>) =>
  events.map((e) => Buffer.from(e.payload).toString())

/** Lets other fibers run until they have nothing more to do. */
const settle = Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow(), {
  discard: true
})

const checkpointSuite = (name: string, layer: () => Layer.Layer<Checkpoints, unknown>) =>
  describe(`Checkpoints (${name})`, () => {
    it.effect("let a follower go on where it stopped", () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const follower = {
          name: "f",
          handle: (events: ReadonlyArray<Event>) =>
            Effect.sync(() => void seen.push(...payloads(events)))
        }
        const runFor = (during: Effect.Effect<unknown, unknown, EventLog>) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(follow(follower))
            yield* settle
            yield* during
            yield* settle
            yield* Fiber.interrupt(fiber)
          })
        yield* append("a", 0, "1", "2")
        yield* runFor(append("a", 2, "3"))
        yield* append("a", 3, "4")
        yield* runFor(append("a", 4, "5"))
        expect(seen).toEqual(["1", "2", "3", "4", "5"])
        const again = { ...follower, version: 2 }
        const fiber = yield* Effect.fork(follow(again))
        yield* settle
        yield* Fiber.interrupt(fiber)
        expect(seen.slice(5)).toEqual(["1", "2", "3", "4", "5"])
      }).pipe(Effect.provide(Layer.merge(EventLog.layerMemory, layer())))
    )

    it.effect("stay where they were when handling fails", () =>
      Effect.gen(function* () {
        yield* append("a", 0, "1")
        const failing = follow({ name: "f", handle: () => Effect.fail("no") })
        expect(yield* Effect.flip(failing)).toBe("no")
        expect(yield* (yield* Checkpoints).load("f")).toEqual(Option.none())
      }).pipe(Effect.provide(Layer.merge(EventLog.layerMemory, layer())))
    )

    it.effect("belong to one log", () =>
      Effect.gen(function* () {
        yield* append("a", 0, "1")
        const checkpoints = yield* Checkpoints
        const nothing = follow({ name: "f", handle: () => Effect.void })
        const hash = `0x${"ab".repeat(32)}` as const
        yield* checkpoints.save("f", { position: 1, hash, version: 1 })
        expect(yield* Effect.flip(nothing)).toMatchObject({
          _tag: "CheckpointMismatch",
          position: 1
        })
        yield* checkpoints.save("f", { position: 9, hash, version: 1 })
        expect(yield* Effect.flip(nothing)).toMatchObject({ found: undefined, position: 9 })
      }).pipe(Effect.provide(Layer.merge(EventLog.layerMemory, layer())))
    )
  })

checkpointSuite("memory", () => Checkpoints.layerMemory)
checkpointSuite("SQL", () => Layer.provide(Checkpoints.layerSql, newDatabase()))

const snapshotSuite = (name: string, layer: () => Layer.Layer<Snapshots, unknown>) =>
  describe(`Snapshots (${name})`, () => {
    it.effect("give the newest at or below a position, and keep only the last few", () =>
      Effect.gen(function* () {
        const snapshots = yield* Snapshots
        const hash = `0x${"cd".repeat(32)}` as const
        for (let position = 10; position <= 200; position += 10) {
          const bytes = Uint8Array.of(position)
          yield* snapshots.save("a", { position, hash, version: position, bytes })
        }
        const load = (position: number) =>
          Effect.map(
            snapshots.load("a", position),
            Option.map((found) => found.position)
          )
        expect(yield* load(1_000)).toEqual(Option.some(200))
        expect(yield* load(195)).toEqual(Option.some(190))
        expect(yield* load(10)).toEqual(Option.none())
        expect(yield* snapshots.load("b", 1_000)).toEqual(Option.none())
        const { bytes } = Option.getOrThrow(yield* snapshots.load("a", 150))
        expect(Uint8Array.from(bytes)).toEqual(Uint8Array.of(150))
      }).pipe(Effect.provide(layer()))
    )
  })

snapshotSuite("memory", () => Snapshots.layerMemory)
snapshotSuite("SQL", () => Layer.provide(Snapshots.layerSql, newDatabase()))

describe("Snapshots (SQL)", () => {
  it.effect("never give damaged bytes", () => {
    const database = newDatabase()
    return Effect.gen(function* () {
      const snapshots = yield* Snapshots
      const sql = yield* SqlClient.SqlClient
      const hash = `0x${"cd".repeat(32)}` as const
      yield* snapshots.save("a", { position: 1, hash, version: 1, bytes: Uint8Array.of(1, 2) })
      yield* sql`UPDATE event_log_snapshots SET bytes = ${Uint8Array.of(1, 3)}`
      expect(yield* snapshots.load("a", 1)).toEqual(Option.none())
    }).pipe(Effect.provide(Layer.provideMerge(Snapshots.layerSql, database)))
  })
})

class Scored extends Schema.TaggedClass<Scored>()("v1.Scored", {
  player: Schema.String,
  points: Schema.Int
}) {}
const types = EventTypes.make({ schema: Scored })

const score = (player: string, ...points: Array<number>) =>
  Effect.gen(function* () {
    const events = yield* types.encode(points.map((p) => new Scored({ player, points: p })))
    const log = yield* EventLog
    if (isNonEmptyReadonlyArray(events))
      yield* log.append({ stream: player, expected: "any", events })
  })

/** Sums up points by player; a negative score fails half-way through. */
const totals = (
  version: number,
  factor: number
): Projection.Projection<Scored, SqlError | "negative", SqlClient.SqlClient> => ({
  name: "totals",
  version,
  types,
  create: Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`CREATE TABLE totals (player TEXT PRIMARY KEY, points INTEGER)`
  ),
  drop: Effect.flatMap(SqlClient.SqlClient, (sql) => sql`DROP TABLE IF EXISTS totals`),
  apply: (events) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      for (const { payload } of events) {
        if (payload.points < 0) return yield* Effect.fail("negative" as const)
        yield* sql`INSERT INTO totals VALUES (${payload.player}, ${payload.points * factor})
          ON CONFLICT DO UPDATE SET points = points + excluded.points`
      }
    })
})

const table = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ player: string; points: number }>`SELECT * FROM totals ORDER BY player`
  return rows.map(({ player, points }) => [player, points])
})

describe("Projection", () => {
  const provide = () => Effect.provide(Layer.merge(EventLog.layerMemory, newDatabase()))

  it.effect("applies every event once, across catching up, running and restarting", () =>
    Effect.gen(function* () {
      yield* score("ann", 1, 2)
      expect(yield* Projection.catchUp(totals(1, 1))).toBe(2)
      expect(yield* Projection.catchUp(totals(1, 1))).toBe(2)
      expect(yield* table).toEqual([["ann", 3]])
      const fiber = yield* Effect.fork(Projection.run(totals(1, 1)))
      yield* settle
      yield* score("bob", 5)
      yield* append("elsewhere", 0, "not a score")
      yield* score("ann", 10)
      yield* settle
      yield* Fiber.interrupt(fiber)
      yield* score("bob", 1)
      yield* Projection.catchUp(totals(1, 1))
      expect(yield* table).toEqual([
        ["ann", 13],
        ["bob", 6]
      ])
    }).pipe(provide())
  )

  it.effect("is the same when it is dropped and rebuilt", () =>
    Effect.gen(function* () {
      yield* score("ann", 1, 2)
      yield* score("bob", 4)
      yield* Projection.catchUp(totals(1, 1))
      const before = yield* table
      const sql = yield* SqlClient.SqlClient
      yield* sql`UPDATE totals SET points = 99`
      yield* Projection.rebuild(totals(1, 1))
      expect(yield* table).toEqual(before)
    }).pipe(provide())
  )

  it.effect("rebuilds itself when its version changes", () =>
    Effect.gen(function* () {
      yield* score("ann", 1, 2)
      yield* Projection.catchUp(totals(1, 1))
      yield* Projection.catchUp(totals(2, 100))
      expect(yield* table).toEqual([["ann", 300]])
    }).pipe(provide())
  )

  it.effect("rebuilds itself when it followed another log", () => {
    const database = newDatabase()
    const withLog = <A, E>(effect: Effect.Effect<A, E, EventLog | SqlClient.SqlClient>) =>
      Effect.provide(effect, Layer.merge(Layer.fresh(EventLog.layerMemory), database))
    return Effect.gen(function* () {
      yield* withLog(Effect.zipRight(score("ann", 1, 2), Projection.catchUp(totals(1, 1))))
      const rows = yield* withLog(
        Effect.gen(function* () {
          yield* score("bob", 7)
          yield* Projection.catchUp(totals(1, 1))
          return yield* table
        })
      )
      expect(rows).toEqual([["bob", 7]])
    })
  })

  it.effect("never shows half of a page that failed", () =>
    Effect.gen(function* () {
      yield* score("ann", 1)
      yield* Projection.catchUp(totals(1, 1))
      yield* score("ann", 2, -1)
      expect(Exit.isFailure(yield* Effect.exit(Projection.catchUp(totals(1, 1))))).toBe(true)
      expect(yield* table).toEqual([["ann", 1]])
    }).pipe(provide())
  )
})
