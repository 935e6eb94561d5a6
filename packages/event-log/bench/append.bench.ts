/**
 * How fast the log appends, next to better-sqlite3 alone at the same durability, and how much it
 * stores.
 *
 * The log encodes, hashes, guards and syncs. The raw rows hold the same envelope, a column each,
 * but are encoded and hashed beforehand, have no index and no guard: they are only inserted. "Bare
 * rows" lack most of the envelope too.
 */
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import Database from "better-sqlite3"
import { Chunk, Console, Effect, Schema, Stream } from "effect"
import { isNonEmptyReadonlyArray } from "effect/Array"
import type { NewEvent } from "../src/Event.ts"
import { EventLog } from "../src/EventLog.ts"
import * as EventTypes from "../src/EventTypes.ts"
import * as SqliteEventLog from "../src/SqliteEventLog.ts"

export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What DESIGN asks for, where it asks for something. */
  readonly expected?: string
}

const bytes = (size: number) =>
  Schema.TemplateLiteral("0x", Schema.String).pipe(
    Schema.pattern(new RegExp(`^0x[0-9a-f]{${size * 2}}$`))
  )

/** A transfer: a hash, two accounts, two amounts and whether it went well. */
class TransferSettled extends Schema.TaggedClass<TransferSettled>()("v1.TransferSettled", {
  transferHash: bytes(32),
  sender: bytes(20),
  recipient: bytes(20),
  succeeded: Schema.Boolean,
  amount: Schema.NonNegativeBigInt,
  fee: Schema.NonNegativeBigInt
}) {}

const types = EventTypes.make({ schema: TransferSettled })

const digits = (size: number, seed: number) =>
  `0x${createHash("sha256").update(String(seed)).digest().toString("hex", 0, size)}` as const

const transfer = (index: number) =>
  new TransferSettled(
    {
      transferHash: digits(32, index),
      sender: digits(20, index + 1),
      recipient: digits(20, index + 2),
      succeeded: true,
      amount: 10n ** 18n + BigInt(index),
      fee: 21_000n * BigInt(index)
    },
    true
  )

const nowUs = () => Number(process.hrtime.bigint()) / 1_000

const median = (values: ReadonlyArray<number>) =>
  [...values].sort((a, b) => a - b)[values.length >>> 1] ?? 0

type Kind = "raw" | "bare"

const columns: Record<Kind, string> = {
  raw: `position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL,
    payload BLOB NOT NULL, hash BLOB NOT NULL, previous_hash BLOB NOT NULL, id TEXT NOT NULL, causation_id TEXT,
    correlation_id TEXT, recorded_at_ms INTEGER NOT NULL`,
  bare: `position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL,
    payload BLOB NOT NULL, hash BLOB NOT NULL`
}

/**
 * Inserts one row an event, one transaction a batch; `append` returns the microseconds that took.
 */
const rowWriter = (filename: string, kind: Kind) => {
  const database = new Database(filename)
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.exec(`CREATE TABLE events (${columns[kind]}) STRICT`)
  const marks = columns[kind].split(",").map(() => "?")
  const insert = database.prepare(`INSERT INTO events VALUES (${marks.join(", ")})`)
  const hash = Buffer.alloc(32, 7)
  let position = 0
  const write = database.transaction((events: ReadonlyArray<NewEvent>) => {
    for (const { payload, type } of events) {
      position++
      if (kind === "bare") insert.run(position, "transfers", position, type, payload, hash)
      else {
        const id = `transfers@${position}`
        const atMs = 1_700_000_000_000
        insert.run(position, "transfers", position, type, payload, hash, hash, id, null, null, atMs)
      }
    }
  })
  return {
    append: (events: ReadonlyArray<NewEvent>) => {
      const start = nowUs()
      write(events)
      return nowUs() - start
    },
    close: () => database.close()
  }
}

interface Measured {
  readonly logUs: number
  readonly rawUs: number
  readonly bareUs: number
  readonly storedPerPayload: number
  readonly readNsPerEvent: number
}

/** Commits of one kind in a row: each kind shows what it does when it is kept busy. */
const STRETCH = 20

/** Log and rows in turn, so that a busy machine slows all alike. */
const measure = (directory: string, batchSize: number, rounds: number) =>
  Effect.gen(function* () {
    const filename = Path.join(directory, `${batchSize}.log`)
    const raw = rowWriter(Path.join(directory, `${batchSize}.raw`), "raw")
    const bare = rowWriter(Path.join(directory, `${batchSize}.bare`), "bare")
    const us: Record<"log" | Kind, Array<number>> = { log: [], raw: [], bare: [] }
    let payloadBytes = 0
    const readNsPerEvent = yield* Effect.gen(function* () {
      const log = yield* EventLog
      // Made beforehand, so that the garbage of making them is not collected on the log's time.
      const batches = Array.from({ length: rounds }, (_, round) =>
        Array.from({ length: batchSize }, (_, index) => transfer(round * batchSize + index))
      )
      let version = 0
      for (let from = 0; from < batches.length; from += STRETCH) {
        const written: Array<ReadonlyArray<NewEvent>> = []
        for (const events of batches.slice(from, from + STRETCH)) {
          const start = nowUs()
          const encoded = yield* types.encode(events)
          if (!isNonEmptyReadonlyArray(encoded)) continue
          const batch = { stream: "transfers", expected: version, events: encoded }
          const appended = yield* log.append(batch)
          us.log.push(nowUs() - start)
          version = appended.version
          written.push(encoded)
        }
        for (const encoded of written) us.raw.push(raw.append(encoded))
        for (const encoded of written) us.bare.push(bare.append(encoded))
        for (const { payload } of written.flat()) payloadBytes += payload.length
      }
      return yield* readAll(version)
    }).pipe(Effect.provide(SqliteEventLog.layer({ filename })))
    raw.close()
    bare.close()
    return {
      logUs: median(us.log),
      rawUs: median(us.raw),
      bareUs: median(us.bare),
      storedPerPayload: Fs.statSync(filename).size / payloadBytes,
      readNsPerEvent
    }
  })

/** Reads and decodes the whole log. Returns the nanoseconds an event took. */
const readAll = (count: number) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const start = nowUs()
    yield* Stream.runForEachChunk(log.read(), (chunk) =>
      Effect.asVoid(types.decodeAll(Chunk.toReadonlyArray(chunk)))
    )
    return ((nowUs() - start) * 1_000) / count
  })

const EXPECTED_RATIO: Partial<Record<number, string>> = { 100: ">= 1.0", 1000: ">= 1.5" }

const rowsOf = (batchSize: number, measured: Measured): ReadonlyArray<Row> => {
  const { bareUs, logUs, rawUs, readNsPerEvent, storedPerPayload } = measured
  const name = `${batchSize} a commit`
  const ratio = EXPECTED_RATIO[batchSize]
  const perSecond = (us: number) => (batchSize * 1e6) / us
  return [
    { name: `log, ${name}`, value: perSecond(logUs), unit: "events/s" },
    { name: `raw rows, ${name}`, value: perSecond(rawUs), unit: "events/s" },
    { name: `bare rows, ${name}`, value: perSecond(bareUs), unit: "events/s" },
    row(`log / raw rows, ${name}`, rawUs / logUs, "x", ratio),
    row(`log / bare rows, ${name}`, bareUs / logUs, "x"),
    row(`file / payloads, ${name}`, storedPerPayload, "x", ratio && "<= 1.2"),
    { name: `read and decode, ${name}`, value: readNsPerEvent, unit: "ns/event" }
  ]
}

const row = (name: string, value: number, unit: string, expected?: string): Row =>
  expected === undefined ? { name, value, unit } : { name, value, unit, expected }

/** Measures everything; takes a few seconds. */
export const benchEventLog = async (): Promise<Array<Row>> => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "event-log-bench-"))
  try {
    const rows: Array<Row> = []
    for (const [batchSize, warmUp, rounds] of [
      [1, 1_000, 400],
      [100, 1_000, 400],
      [1_000, 100, 100]
    ] as const) {
      // A log lives long: what counts is how it appends once its code is compiled.
      const warm = Fs.mkdtempSync(Path.join(directory, "warm-"))
      await Effect.runPromise(measure(warm, batchSize, warmUp))
      rows.push(
        ...rowsOf(batchSize, await Effect.runPromise(measure(directory, batchSize, rounds)))
      )
    }
    return rows
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}

const isMain =
  process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href
if (isMain) {
  const rows = await benchEventLog()
  const line = ({ expected, name, unit, value }: Row) =>
    `${name.padEnd(36)}${value.toFixed(value < 100 ? 2 : 0).padStart(12)} ${unit.padEnd(10)}${expected ?? ""}`
  await Effect.runPromise(Console.log(rows.map(line).join("\n")))
}
