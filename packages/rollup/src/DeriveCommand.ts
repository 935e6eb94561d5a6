/** `ovm derive`: all of L2 out of L1 alone, into a log of its own. Asks no sequencer and trusts none. */
import { Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import * as DeriveFromL1 from "@ovm/derivation/DeriveFromL1"
import { EventLog } from "@ovm/event-log/EventLog"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import * as DeploymentFile from "@ovm/l1/DeploymentFile"
import { L1Client, layerRpc } from "@ovm/l1/L1Client"
import { L1View } from "@ovm/l1/L1View"
import { DeploymentNotOnL1, L1Watcher } from "@ovm/l1/L1Watcher"
import type { Deployment } from "@ovm/protocol/Deployment"
import * as ChainLog from "@ovm/sequencer/ChainLog"
import { Console, Effect, Layer, Option, Schema, Stream } from "effect"
import * as Rollup from "./Rollup.ts"

/** There is a file already where the new log was to be. Recover by naming another, or moving it away. */
export class LogExists extends Schema.TaggedError<LogExists>()("LogExists", {
  path: Schema.String
}) {
  override get message() {
    return `Expected no file at ${this.path}, where the new log is to be, found one. Name another file, or move it away.`
  }
}

/** What deriving is doing, for whoever waits. */
export type Progress =
  | { readonly _tag: "L1Blocks"; readonly done: bigint; readonly of: bigint }
  | { readonly _tag: "L2Blocks"; readonly done: number }

export interface DeriveOptions {
  readonly deployment: Deployment
  /** The SQLite file of the new log. */
  readonly logFile: string
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

/** Reads L1 up to its head, and derives what follows from it. If that fails, no log is left behind. */
export const derive = Effect.fn("DeriveCommand.derive")(function* (options: DeriveOptions) {
  const { deployment, logFile } = options
  const files = yield* FileSystem.FileSystem
  if (yield* files.exists(logFile)) return yield* new LogExists({ path: logFile })
  // Before there is a log: nothing can be derived from another L1.
  yield* requireDeployed(deployment)
  const removeLog = Effect.forEach(["", ".lock", "-wal", "-shm"], (suffix) =>
    Effect.ignore(files.remove(`${logFile}${suffix}`))
  )
  const layers = L1Watcher.layer({ deployment, every: "manual" }).pipe(
    Layer.provideMerge(L1View.layer),
    Layer.provideMerge(
      Layer.merge(Rollup.layerExecution, SqliteEventLog.layer({ filename: logFile }))
    )
  )
  return yield* readAndDerive(options).pipe(
    Effect.scoped,
    Effect.provide(layers),
    Effect.onError(() => removeLog)
  )
})

const readAndDerive = ({ deployment, onProgress = () => Effect.void }: DeriveOptions) =>
  Effect.gen(function* () {
    const watcher = yield* L1Watcher
    const log = yield* EventLog
    const first = deployment.deployedAt.number
    yield* watcher.statuses.pipe(
      Stream.runForEach(({ head, l1HeadNumber }) =>
        l1HeadNumber === undefined
          ? Effect.void
          : onProgress({
              _tag: "L1Blocks",
              done: head === undefined ? 0n : head.number - first + 1n,
              of: l1HeadNumber - first + 1n
            })
      ),
      Effect.raceFirst(watcher.poll)
    )
    const sealed = log.subscribe({ stream: ChainLog.STREAM, types: ["v1.BlockSealed"] })
    const derived = yield* sealed.pipe(
      Stream.zipWithIndex,
      Stream.runForEach(([, before]) => onProgress({ _tag: "L2Blocks", done: before + 1 })),
      Effect.zipRight(Effect.never),
      Effect.raceFirst(DeriveFromL1.derive({ deployment }))
    )
    return { ...derived, l1Blocks: (derived.l1HeadNumber ?? first) - first + 1n }
  })

const requireDeployed = (deployment: Deployment) =>
  Effect.gen(function* () {
    const { hash: expected, number } = deployment.deployedAt
    const block = yield* (yield* L1Client).getBlock(number)
    const found = Option.getOrUndefined(block)?.hash
    if (found !== expected) return yield* new DeploymentNotOnL1({ number, expected, found })
  })

const showProgress = (progress: Progress): Effect.Effect<void> =>
  Effect.sync(() => {
    if (!process.stderr.isTTY) return
    const line =
      progress._tag === "L1Blocks"
        ? `${progress.done} of ${progress.of} L1 blocks read`
        : `${progress.done} L2 blocks derived`
    process.stderr.write(`\r\u001b[K${line}`)
  })

const clearProgress: Effect.Effect<void> = Effect.sync(() => {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
})

const flags = {
  l1: Options.text("l1").pipe(
    Options.withDefault("http://127.0.0.1:8545"),
    Options.withDescription("URL of an L1 node's JSON-RPC.")
  ),
  log: Options.text("log").pipe(
    Options.withDescription("The log to write, a SQLite file. One that exists is never touched.")
  ),
  rollup: Options.text("rollup").pipe(
    Options.withDefault("rollup.json"),
    Options.withDescription("The deployment file, as `ovm deploy` wrote it.")
  ),
  json: Options.boolean("json").pipe(Options.withDescription("Print one JSON object."))
}

/** Derives, and says what came of it. */
export const deriveCommand = Command.make("derive", flags, (options) =>
  Effect.gen(function* () {
    const deployment = yield* DeploymentFile.read(options.rollup)
    const { blocks, derived, l1Blocks, skipped, transactions } = yield* derive({
      deployment,
      logFile: options.log,
      onProgress: showProgress
    }).pipe(
      Effect.provide(layerRpc({ url: options.l1, chainId: deployment.l1ChainId })),
      Effect.ensuring(clearProgress)
    )
    const { hash, header } = derived
    const { stateRoot } = header
    yield* Console.log(
      options.json
        ? JSON.stringify({
            ...{ l1Blocks: Number(l1Blocks), blocks, transactions, skipped },
            ...{ head: hash, stateRoot }
          })
        : [
            `Derived ${blocks} blocks from ${l1Blocks} L1 blocks, into ${options.log}.`,
            `  transactions  ${transactions}, and ${skipped} skipped`,
            `  head          ${hash}`,
            `  state root    ${stateRoot}`
          ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Rebuilds the whole L2 from L1 data alone, into a new log. Examples: `ovm derive --log derived.sqlite` (a devnet on this machine); `ovm derive --l1 https://l1.example --rollup rollup.json --log derived.sqlite --json`"
  )
)
