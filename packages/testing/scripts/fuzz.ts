/** `pnpm fuzz --seed N --runs N`: random bytecode, plain EVM against OVM. Exits with 1 on a finding. */
import { Command, Options } from "@effect/cli"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Effect, Option } from "effect"
import { describeFinding, runFuzz } from "../src/Fuzz.ts"
import * as OvmRun from "../src/OvmRun.ts"
import { makePlainMachine } from "../src/PlainRun.ts"

const seed = Options.integer("seed").pipe(
  Options.optional,
  Options.withDescription("Where to begin: run i is made from seed + i. Default: from the clock.")
)

const runs = Options.integer("runs").pipe(
  Options.withDefault(100),
  Options.withDescription("How many cases.")
)

const fuzz = Command.make("fuzz", { seed, runs }, (options) =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const first = Option.getOrElse(options.seed, () => now % 1_000_000_000)
    yield* Console.log(`seed ${first}, ${options.runs} runs`)
    const machines = { plain: makePlainMachine(), ovm: yield* OvmRun.make }
    const { findings, verdicts } = yield* runFuzz({
      machines,
      seed: first,
      runs: options.runs,
      onVerdict: (_, done) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${options.runs} `)
      }
    })
    for (const finding of findings) yield* Console.log(`\n${describeFinding(finding)}`)
    const counts = Object.entries(verdicts).filter(([, count]) => count > 0)
    yield* Console.log(counts.map(([verdict, count]) => `${verdict} ${count}`).join(", "))
    if (findings.length > 0) process.exitCode = 1
  })
)

Command.run(fuzz, { name: "fuzz", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(OvmRun.layer),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
