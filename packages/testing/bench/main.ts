/** `pnpm bench`: measures everything next to its peer, in one process, and writes BENCHMARKS.md. */
import { fileURLToPath } from "node:url"
import { Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Cause, Console, Effect, Layer } from "effect"
import { benchEventLog } from "../../event-log/bench/append.bench.ts"
import { measureBatches } from "./Batches.ts"
import { environment, load } from "./Environment.ts"
import { measureGasAndCode } from "./GasAndCode.ts"
import { measureLogBytes } from "./LogBytes.ts"
import { measureRecovery } from "./Recovery.ts"
import { type Results, render, targetsOf } from "./Report.ts"
import { nowMs } from "./Sampling.ts"
import { measureThroughput, type ThroughputOptions } from "./Throughput.ts"

const root = (file: string) => fileURLToPath(new URL(`../../../${file}`, import.meta.url))

const SIZES = {
  full: { transactionsPerBlock: 50, blocks: { "ERC-20 transfer": 7, "Uniswap V2 swap": 5 } },
  quick: { transactionsPerBlock: 20, blocks: { "ERC-20 transfer": 5, "Uniswap V2 swap": 3 } }
} satisfies Record<string, Omit<ThroughputOptions, "directory">>

const measure = (quick: boolean) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const directory = yield* files.makeTempDirectoryScoped({ prefix: "ovm-bench-" })
    const loadBefore = load()
    const started = nowMs()
    yield* Console.error("signature recovery")
    const recovery = yield* Effect.promise(() => measureRecovery(quick ? 3 : 10))
    yield* Console.error("gas and code of the example's transactions")
    const gasAndCode = yield* Effect.provide(
      measureGasAndCode(directory),
      Layer.merge(layerReference(), layerMemory)
    )
    yield* Console.error("transfers and swaps: OVM, plain EVM, replay")
    const size = quick ? SIZES.quick : SIZES.full
    const { logFile, workloads } = yield* measureThroughput({ directory, ...size })
    yield* Console.error("the log")
    const logBytes = yield* measureLogBytes({ directory, logFile, workloads })
    const log = yield* Effect.promise(benchEventLog)
    yield* Console.error("batches on L1")
    const batches = yield* Effect.promise(() => measureBatches(quick ? 200 : 600))
    const results: Results = {
      environment: environment({ date: new Date(), loadBefore }),
      seconds: (nowMs() - started) / 1_000,
      workloads,
      recovery,
      gasAndCode,
      log,
      logBytes,
      batches
    }
    return results
  }).pipe(Effect.scoped)

/** Exact amounts of gas as decimal strings, measurements as numbers. */
const toJson = (results: Results): string =>
  JSON.stringify({ ...results, targets: targetsOf(results) }, (_key, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value
  )

const quick = Options.boolean("quick").pipe(
  Options.withDescription("A shorter and rougher run, printed only: writes no file.")
)
const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON object instead of the tables.")
)

const command = Command.make("bench", { json, quick }, (options) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const results = yield* measure(options.quick)
    yield* Console.log(options.json ? toJson(results) : render(results))
    if (options.quick) return
    yield* files.writeFileString(root("BENCHMARKS.md"), `${render(results)}\n`)
    yield* files.writeFileString(root("bench-results.json"), `${toJson(results)}\n`)
  })
).pipe(
  Command.withDescription(
    "Measures the OVM next to the plain EVM, and the log next to plain SQLite; writes BENCHMARKS.md and bench-results.json. Example: pnpm bench --quick"
  )
)

Command.run(command, { name: "bench", version: "0.1.0" })(process.argv).pipe(
  Effect.tapErrorCause((cause) => Console.error(Cause.pretty(cause))),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
