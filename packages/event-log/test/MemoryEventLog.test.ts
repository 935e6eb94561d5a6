import { Layer } from "effect"
import { EventLog } from "../src/EventLog.ts"
import { makeMemoryEventLog } from "../src/MemoryEventLog.ts"
import { suite } from "./EventLogSuite.ts"

suite("memory", (limits) => Layer.scoped(EventLog, makeMemoryEventLog(limits)))
