/** `ovm`: the command line. Each command lives with the component it drives; this only gathers them. */
import { Command } from "@effect/cli"
import { NodeContext } from "@effect/platform-node"
import { checkCommand } from "@ovm/safety-checker/CheckCommand"
import * as SafetyChecker from "@ovm/safety-checker/SafetyChecker"
import { equivalenceCommand } from "@ovm/testing/EquivalenceCommand"
import { transpileCommand } from "@ovm/transpiler/TranspileCommand"
import * as Transpiler from "@ovm/transpiler/Transpiler"
import { Effect, Layer } from "effect"
import * as Cli from "./Cli.ts"
import { auditCommand } from "./AuditCommand.ts"
import { deployCommand } from "./DeployCommand.ts"
import { deriveCommand } from "./DeriveCommand.ts"

const ovm = Command.make("ovm").pipe(
  Command.withDescription(
    "The Optimistic Virtual Machine. `ovm <command> --help` shows a command's options and examples."
  ),
  Command.withSubcommands([
    transpileCommand,
    checkCommand,
    equivalenceCommand,
    deployCommand,
    deriveCommand,
    auditCommand
  ])
)

Command.run(ovm, { name: "ovm", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(Layer.mergeAll(NodeContext.layer, SafetyChecker.layer, Transpiler.layer)),
  Cli.runMain
)
