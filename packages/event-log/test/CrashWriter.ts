/**
 * The child of the crash test: once told to go, it appends numbered batches for ever, and prints
 * the ids of each that was acknowledged. Usage: CrashWriter.ts FILENAME, with the first batch's
 * number on standard input.
 */
import * as Fs from "node:fs"
import { Effect } from "effect"
import { EventLog } from "../src/EventLog.ts"
import * as SqliteEventLog from "../src/SqliteEventLog.ts"

/** Appends under way at once, so that groups of them are committed together. */
const CONCURRENCY = 8

const [, , filename = ""] = process.argv

const print = (line: string) => Effect.sync(() => Fs.writeSync(1, `${line}\n`))

/** One to four events; the same for the same numbers, so that a batch may be appended again. */
const batchOf = (writer: number, batch: number) => {
  const eventOf = (index: number) => ({
    type: "v1.Numbered",
    id: `${writer}-${batch}-${index}`,
    payload: Buffer.from(`${writer}-${batch}-${index};`.repeat(1 + (batch % 50)))
  })
  return [
    eventOf(0),
    ...Array.from({ length: batch % 4 }, (_, index) => eventOf(index + 1))
  ] as const
}

const writeForever = (writer: number, first: number) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    for (let batch = first; ; batch++) {
      const events = batchOf(writer, batch)
      yield* log.append({ stream: `stream-${writer}`, expected: "any", events })
      yield* print(events.map(({ id }) => id).join(" "))
    }
  })

const main = Effect.gen(function* () {
  yield* print("ready")
  const start = yield* Effect.promise(
    () =>
      new Promise<number>((resolve) => process.stdin.once("data", (data) => resolve(Number(data))))
  )
  const writers = Array.from({ length: CONCURRENCY }, (_, writer) => writeForever(writer, start))
  yield* Effect.all(writers, { concurrency: "unbounded" }).pipe(
    Effect.provide(SqliteEventLog.layer({ filename }))
  )
})

await Effect.runPromise(main)
