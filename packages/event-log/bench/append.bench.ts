/**
 * How fast the log appends, next to better-sqlite3 alone at the same durability, and how much it stores.
 *
 * The log encodes, hashes, guards and syncs; the raw rows are encoded and hashed beforehand, and are only inserted.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import Database from "better-sqlite3"
import { Console, Effect, Schema, Stream } from "effect"
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

/** An event such as logs of payments are made of: two hashes, two accounts, amounts, some data. */
class PaymentSettled extends Schema.TaggedClass<PaymentSettled>()("v1.PaymentSettled", {
  paymentHash: bytes(32),
  receiptHash: bytes(32),
  payer: bytes(20),
  payee: bytes(20),
  succeeded: Schema.Boolean,
  amount: Schema.NonNegativeBigInt,
  fee: Schema.NonNegativeBigInt,
  note: Schema.String
}) {}

const types = EventTypes.make({ schema: PaymentSettled })

const digits = (size: number, seed: number) =>
  `0x${((seed * 2654435761) >>> 0)
    .toString(16)
    .padStart(8, "0")
    .repeat(8)
    .slice(0, size * 2)}` as const

const payment = (index: number) =>
  new PaymentSettled(
    {
      paymentHash: digits(32, index),
      receiptHash: digits(32, index + 1),
      payer: digits(20, index + 2),
      payee: digits(20, index + 3),
      succeeded: true,
      amount: 10n ** 18n + BigInt(index),
      fee: 21_000n * BigInt(index),
      note: "for the usual"
    },
    true
  )

const nowUs = () => Number(process.hrtime.bigint()) / 1_000

const median = (values: ReadonlyArray<number>) =>
  [...values].sort((a, b) => a - b)[values.length >>> 1] ?? 0

/** Inserts one row an event, one transaction a batch. Returns the microseconds of a batch. */
const rawWriter = (filename: string) => {
  const database = new Database(filename)
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.exec(`CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
    type TEXT NOT NULL, payload BLOB NOT NULL, hash BLOB NOT NULL) STRICT`)
  const insert = database.prepare("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)")
  const hash = Buffer.alloc(32, 7)
  let position = 0
  const write = database.transaction((events: ReadonlyArray<NewEvent>) => {
    for (const { payload, type } of events) {
      position++
      insert.run(position, "payments", position, type, payload, hash)
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
  readonly ratio: number
  readonly stored: number
  readonly readNsPerEvent: number
}

/** Log and raw rows in turn, so that a busy machine slows both alike. */
const measure = (
  directory: string,
  batchSize: number,
  rounds: number
): Effect.Effect<Measured, unknown> =>
  Effect.gen(function* () {
    const filename = Path.join(directory, `${batchSize}.log`)
    const raw = rawWriter(Path.join(directory, `${batchSize}.raw`))
    const logUs: Array<number> = []
    const rawUs: Array<number> = []
    let payloadBytes = 0
    const readNsPerEvent = yield* Effect.gen(function* () {
      const log = yield* EventLog
      let version = 0
      for (let round = 0; round < rounds; round++) {
        const events = Array.from({ length: batchSize }, (_, index) =>
          payment(round * batchSize + index)
        )
        const start = nowUs()
        const encoded = yield* types.encode(events)
        if (!isNonEmptyReadonlyArray(encoded)) continue
        const appended = yield* log.append({
          stream: "payments",
          expected: version,
          events: encoded
        })
        logUs.push(nowUs() - start)
        version = appended.version
        rawUs.push(raw.append(encoded))
        for (const { payload } of encoded) payloadBytes += payload.length
      }
      const start = nowUs()
      yield* log.read().pipe(
        Stream.mapChunksEffect((chunk) =>
          types.decodeAll(Array.from(chunk)).pipe(Effect.map(() => chunk))
        ),
        Stream.runDrain
      )
      return ((nowUs() - start) * 1_000) / version
    }).pipe(Effect.provide(SqliteEventLog.layer({ filename })))
    raw.close()
    const size = Fs.statSync(filename).size
    return {
      logUs: median(logUs),
      rawUs: median(rawUs),
      ratio: median(rawUs) / median(logUs),
      stored: size / payloadBytes,
      readNsPerEvent
    }
  })

const rowsOf = (batchSize: number, measured: Measured): ReadonlyArray<Row> => {
  const name = `${batchSize} ${batchSize === 1 ? "event" : "events"} a commit`
  const expected: Partial<Record<number, string>> = { 100: ">= 1.0", 1000: ">= 1.5" }
  const bound = expected[batchSize]
  return [
    { name: `log, ${name}`, value: (batchSize * 1e6) / measured.logUs, unit: "events/s" },
    { name: `raw rows, ${name}`, value: (batchSize * 1e6) / measured.rawUs, unit: "events/s" },
    {
      name: `log / raw, ${name}`,
      value: measured.ratio,
      unit: "x",
      ...(bound === undefined ? {} : { expected: bound })
    },
    {
      name: `stored / payload, ${name}`,
      value: measured.stored,
      unit: "x",
      ...(bound === undefined ? {} : { expected: "<= 1.2" })
    },
    { name: `read and decode, ${name}`, value: measured.readNsPerEvent, unit: "ns/event" }
  ]
}

/** Measures everything; takes a few seconds. */
export const benchEventLog = async (): Promise<Array<Row>> => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "event-log-bench-"))
  try {
    const rows: Array<Row> = []
    for (const [batchSize, rounds] of [
      [1, 300],
      [100, 300],
      [1_000, 80]
    ] as const) {
      // The first run warms the code up; the second counts.
      await Effect.runPromise(measure(Fs.mkdtempSync(Path.join(directory, "warm-")), batchSize, 30))
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
    `${name.padEnd(40)}${value.toFixed(value < 100 ? 2 : 0).padStart(12)} ${unit.padEnd(10)}${expected ?? ""}`
  await Effect.runPromise(Console.log(rows.map(line).join("\n")))
}
