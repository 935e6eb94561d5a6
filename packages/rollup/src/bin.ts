/** `ovm`: the command line. Each command lives with the component it drives; this only gathers them. */
import { Command } from "@effect/cli"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { checkCommand } from "@ovm/safety-checker/CheckCommand"
import { equivalenceCommand } from "@ovm/testing/EquivalenceCommand"
import { transpileCommand } from "@ovm/transpiler/TranspileCommand"
import { Effect } from "effect"

const ovm = Command.make("ovm").pipe(
  Command.withDescription(
    "The Optimistic Virtual Machine. `ovm <command> --help` shows a command's options and examples."
  ),
  Command.withSubcommands([transpileCommand, checkCommand, equivalenceCommand])
)

Command.run(ovm, { name: "ovm", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
