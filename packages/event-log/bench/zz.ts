import { Effect, Schema } from "effect"
import { EventLog } from "../src/EventLog.ts"
import * as EventTypes from "../src/EventTypes.ts"
import * as SqliteEventLog from "../src/SqliteEventLog.ts"
import { packEvents, segmentHash } from "../src/internal/Segment.ts"
import Database from "better-sqlite3"
import * as fs from "node:fs"
const bytes = (size: number) => Schema.TemplateLiteral("0x", Schema.String).pipe(Schema.pattern(new RegExp(`^0x[0-9a-f]{${size * 2}}$`)))
class P extends Schema.TaggedClass<P>()("v1.P", { a: bytes(32), b: bytes(32), c: bytes(20), d: bytes(20), ok: Schema.Boolean, amount: Schema.NonNegativeBigInt, fee: Schema.NonNegativeBigInt, note: Schema.String }) {}
const types = EventTypes.make({ schema: P })
const dg = (s: number, k: number) => `0x${((k * 2654435761) >>> 0).toString(16).padStart(8, "0").repeat(8).slice(0, s * 2)}` as const
const mk = (i: number) => new P({ a: dg(32, i), b: dg(32, i + 1), c: dg(20, i), d: dg(20, i + 3), ok: true, amount: 10n ** 18n + BigInt(i), fee: 21000n * BigInt(i), note: "for the usual" }, true)
const N = 1000, R = 60
const med = (x: number[]) => x.sort((a, b) => a - b)[x.length >> 1]!
const dir = fs.mkdtempSync("/tmp/elz-")
await Effect.runPromise(Effect.gen(function* () {
  const log = yield* EventLog
  const te: number[] = [], tp: number[] = [], th: number[] = [], ta: number[] = [], ti: number[] = [], tr: number[] = []
  const db = new Database(dir + "/raw.db"); db.pragma("journal_mode=WAL"); db.pragma("synchronous=FULL"); db.exec("create table s(p integer primary key, b blob not null) strict"); const ins = db.prepare("insert into s values(?,?)")
  db.exec("create table r(position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL, payload BLOB NOT NULL, hash BLOB NOT NULL, previous_hash BLOB NOT NULL, id TEXT NOT NULL, causation_id TEXT, correlation_id TEXT, recorded_at_ms INTEGER NOT NULL) strict"); const insr = db.prepare("insert into r values(?,?,?,?,?,?,?,?,?,?,?)")
  const h = Buffer.alloc(32, 7)
  let version = 0, pos = 0
  const wr = db.transaction((ev: any[]) => { for (const { payload, type } of ev) { pos++; insr.run(pos, "payments", pos, type, payload, h, h, "payments@" + pos, null, null, 1700000000000) } })
  for (let r = 0; r < R; r++) {
    const ev = Array.from({ length: N }, (_, i) => mk(r * N + i))
    let t = performance.now(); const enc = yield* types.encode(ev); te.push(performance.now() - t)
    t = performance.now(); const p = packEvents(enc, 1700000000000); tp.push(performance.now() - t)
    t = performance.now(); segmentHash({ stream: "payments", firstPosition: 1, firstVersion: 1, bytes: p.bytes, eventCount: N } as any, `0x${"00".repeat(32)}`); th.push(performance.now() - t)
    t = performance.now(); const a = yield* log.append({ stream: "payments", expected: version, events: enc as any }); ta.push(performance.now() - t); version = a.version
    t = performance.now(); ins.run(r, p.bytes); ti.push(performance.now() - t)
    t = performance.now(); wr(enc as any); tr.push(performance.now() - t)
  }
  console.log({ encode: med(te), pack: med(tp), hash: med(th), append: med(ta), insertBlob: med(ti), rawRows: med(tr) })
}).pipe(Effect.provide(SqliteEventLog.layer({ filename: dir + "/log.db" }))))
