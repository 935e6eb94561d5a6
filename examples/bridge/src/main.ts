/** `pnpm example:bridge`: in, trade, out, on a real L1, and L2 rebuilt from that L1 alone. */
import { Command, Options } from "@effect/cli"
import { NodeContext } from "@effect/platform-node"
import { layerSilent, layerText, Output } from "@ovm/example-uniswap/Output"
import { layerAnvil } from "@ovm/l1/Anvil"
import * as Cli from "@ovm/rollup/Cli"
import { Effect, Layer } from "effect"
import * as Nodes from "./Nodes.ts"
import * as Story from "./Story.ts"

const run = Effect.gen(function* () {
  const { paint, say } = yield* Output
  yield* say(paint("bold", "An optimistic rollup on an L1 of its own"))
  const deployment = yield* Nodes.deploy
  const sequencer = yield* Layer.build(Nodes.layerSequencer(deployment))
  const verifier = yield* Layer.build(Nodes.layerVerifier(deployment))
  const told = yield* Story.tell({ deployment, sequencer, verifier })
  yield* say(`\n${paint("bold", paint("green", "Every check held."))}`)
  return told
}).pipe(Effect.provide(layerAnvil()), Effect.scoped)

/** Amounts of wei as decimal strings: they exceed 2^53. Counts are numbers. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "bigint" ? inner.toString() : inner
  )

const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON object instead of the story.")
)

const command = Command.make("example:bridge", { json }, (options) =>
  Effect.gen(function* () {
    const told = yield* run.pipe(Effect.provide(options.json ? layerSilent : layerText))
    if (options.json) yield* Effect.sync(() => process.stdout.write(`${toJson(told)}\n`))
  })
).pipe(
  Command.withDescription(
    "Deposits on a real L1, trades on L2, posts batches, claims their state, withdraws, and rebuilds L2 from L1 alone. Example: pnpm example:bridge --json"
  )
)

Command.run(command, { name: "example:bridge", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  Cli.runMain
)
