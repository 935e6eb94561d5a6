import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll } from "vitest"
import * as SqliteEventLog from "../src/SqliteEventLog.ts"
import { suite } from "./EventLogSuite.ts"

const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "event-log-"))
afterAll(() => Fs.rmSync(directory, { recursive: true, force: true }))
let count = 0
const newFilename = () => Path.join(directory, `${count++}.log`)

suite("SQLite", (limits) => SqliteEventLog.layer({ filename: newFilename(), ...limits }))
