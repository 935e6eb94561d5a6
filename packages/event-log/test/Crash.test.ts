import { type ChildProcess, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import { afterAll } from "vitest"
import type { Event } from "../src/Event.ts"
import { EventLog } from "../src/EventLog.ts"
import * as SqliteEventLog from "../src/SqliteEventLog.ts"

const KILLS = 10
const SEED = 20_240_817

const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "event-log-crash-"))
const children: Array<ChildProcess> = []
afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  Fs.rmSync(directory, { recursive: true, force: true })
})

/** Numbers from 0 to 1, the same in every run. */
const random = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

interface Child {
  readonly process: ChildProcess
  /** Ids that were acknowledged, oldest first. */
  readonly acknowledged: Array<string>
  readonly until: (isReached: () => boolean) => Promise<void>
}

/** Starts a writer; it waits to be told to go, so that all can be started beforehand. */
const start = (filename: string): Child => {
  const script = Path.join(import.meta.dirname, "CrashWriter.ts")
  const child = spawn(process.execPath, ["--import", "tsx", script, filename], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  children.push(child)
  const acknowledged: Array<string> = []
  const waiting = new Set<() => void>()
  let partial = ""
  child.stdout.on("data", (data: Buffer) => {
    // Only a whole line is an acknowledgement.
    const lines = (partial + data.toString()).split("\n")
    partial = lines.pop() ?? ""
    for (const line of lines) acknowledged.push(...line.split(" "))
    for (const wake of waiting) wake()
  })
  const until = (isReached: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      child.once("exit", () => reject(new Error("The writer ended by itself.")))
      const wake = () => {
        if (!isReached()) return
        waiting.delete(wake)
        resolve()
      }
      waiting.add(wake)
      wake()
    })
  return { process: child, acknowledged, until }
}

const kill = (child: ChildProcess) =>
  new Promise<void>((resolve) => {
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

/** An id is writer-batch-index. */
const batchOf = (id: string) => Number(id.split("-")[1])

describe("SqliteEventLog, killed at any moment", () => {
  it.live(
    `has every acknowledged event, once, after each of ${KILLS} kills`,
    () =>
      Effect.gen(function* () {
        const filename = Path.join(directory, "crash.log")
        const next = random(SEED)
        const acknowledged = new Set<string>()
        let begin = 0
        let waiting = Array.from({ length: 2 }, () => start(filename))
        for (let round = 0; round < KILLS; round++) {
          const [child, ...others] = waiting
          if (child === undefined) throw new Error("No writer was started.")
          waiting = round + 2 < KILLS ? [...others, start(filename)] : others
          yield* Effect.promise(() => child.until(() => child.acknowledged.includes("ready")))
          child.process.stdin?.write(`${begin}\n`)
          const enough = 1 + Math.floor(next() * 40)
          yield* Effect.promise(() => child.until(() => child.acknowledged.length > enough))
          const error = yield* Effect.flip(readBack(filename))
          expect(error).toMatchObject({ _tag: "LogLocked" })
          yield* Effect.sleep(next() * 20)
          yield* Effect.promise(() => kill(child.process))
          for (const id of child.acknowledged) if (id !== "ready") acknowledged.add(id)
          const events = yield* readBack(filename)
          expectOnceAndWhole(events, acknowledged)
          // The next writer begins with batches that are stored already, acknowledged or not: none
          // may come twice.
          begin = Math.max(2, ...[...acknowledged].map(batchOf)) - 2
        }
        expect(acknowledged.size).toBeGreaterThan(KILLS * 2)
      }),
    60_000
  )
})

const readBack = (filename: string) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    yield* log.verify
    return Chunk.toReadonlyArray(yield* Stream.runCollect(log.read()))
  }).pipe(Effect.provide(SqliteEventLog.layer({ filename })))

const expectOnceAndWhole = (events: ReadonlyArray<Event>, acknowledged: ReadonlySet<string>) => {
  const ids = events.map(({ id }) => id)
  const stored = new Set(ids)
  expect(stored.size).toBe(ids.length)
  expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([])
  for (const { id, payload } of events) {
    expect(Buffer.from(payload).toString()).toBe(`${id};`.repeat(1 + (batchOf(id) % 50)))
  }
}
