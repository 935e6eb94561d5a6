/** What a workload's blocks take in a log of their own. */
import { statSync } from "node:fs"
import { join } from "node:path"
import type { Event } from "@ovm/event-log/Event"
import { EventLog } from "@ovm/event-log/EventLog"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import * as ChainLog from "@ovm/sequencer/ChainLog"
import { Chunk, Effect, Stream } from "effect"
import { isNonEmptyReadonlyArray } from "effect/Array"
import type { WorkloadResult } from "./Throughput.ts"

export interface LogBytesRow {
  readonly name: string
  readonly events: number
  readonly transactions: number
  /** Of one transaction, its share of the block's two events included. */
  readonly rawBytes: number
  readonly payloadBytes: number
  readonly storedBytes: number
}

/** Copies the blocks of each workload into a new log, block by block, and looks at its file. */
export const measureLogBytes = (options: {
  readonly directory: string
  readonly logFile: string
  readonly workloads: ReadonlyArray<WorkloadResult>
}) =>
  Effect.gen(function* () {
    const empty = yield* sizeOfLog(join(options.directory, "empty.sqlite"), [])
    const blocks = yield* Effect.provide(
      readBlocks,
      SqliteEventLog.layer({ filename: options.logFile, readonly: true })
    )
    const rows: Array<LogBytesRow> = []
    for (const { firstBlock, lastBlock, name } of options.workloads) {
      // Block n is the n-th that was opened: genesis is an event of its own.
      const own = blocks.slice(Number(firstBlock) - 1, Number(lastBlock))
      const file = join(options.directory, `${firstBlock}.sqlite`)
      const stored = (yield* sizeOfLog(file, own)) - empty
      const events = own.flat()
      const transactions = events.length - 2 * own.length
      const payload = events.reduce((sum, event) => sum + event.payload.length, 0)
      rows.push({
        name,
        events: events.length,
        transactions,
        rawBytes: (yield* rawBytes(options.logFile, firstBlock, lastBlock)) / transactions,
        payloadBytes: payload / transactions,
        storedBytes: stored / transactions
      })
    }
    return rows
  })

const readBlocks = Effect.gen(function* () {
  const log = yield* EventLog
  const events = Chunk.toReadonlyArray(
    yield* Stream.runCollect(log.read({ stream: ChainLog.STREAM }))
  )
  const blocks: Array<Array<Event>> = []
  for (const event of events) {
    if (event.type === "v1.BlockOpened") blocks.push([])
    blocks.at(-1)?.push(event)
  }
  return blocks
})

/** Bytes of the signed transactions themselves. */
const rawBytes = (logFile: string, first: bigint, last: bigint) =>
  ChainLog.blocks.pipe(
    Stream.filter(({ sealed }) => sealed.header.number >= first && sealed.header.number <= last),
    Stream.runFold(0, (sum, { items }) =>
      items.reduce((bytes, { raw }) => bytes + raw.length, sum)
    ),
    Effect.provide(SqliteEventLog.layer({ filename: logFile, readonly: true }))
  )

const sizeOfLog = (filename: string, blocks: ReadonlyArray<ReadonlyArray<Event>>) =>
  Effect.gen(function* () {
    yield* Effect.gen(function* () {
      const log = yield* EventLog
      let version = 0
      for (const block of blocks) {
        // An id with an @ is the log's own, which it will give again.
        const events = block.map(({ id, payload, type }) =>
          id.includes("@") ? { type, payload } : { type, payload, id }
        )
        if (!isNonEmptyReadonlyArray(events)) continue
        const appended = yield* log.append({ stream: ChainLog.STREAM, expected: version, events })
        version = appended.version
      }
    }).pipe(Effect.provide(SqliteEventLog.layer({ filename })))
    return statSync(filename).size
  })
