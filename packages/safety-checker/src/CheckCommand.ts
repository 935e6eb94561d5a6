/** `ovm check FILE`: may this bytecode run inside the OVM as it stands? */
import { Args, Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { parse } from "@ovm/protocol/BytecodeFile"
import { Console, Effect, Either } from "effect"
import { SafetyChecker } from "./SafetyChecker.ts"

const file = Args.file({ name: "FILE", exists: "yes" }).pipe(
  Args.withDescription(
    "Hex digits, or a compiler's JSON artifact (its runtime code, if it has both)."
  )
)

const creation = Options.boolean("creation").pipe(
  Options.withDescription("Take the creation code of a JSON artifact.")
)

const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON object: file, field, size, safe, and what is unsafe.")
)

/**
 * Prints the verdict. On unsafe code it fails with `UnsafeBytecode` too, so that whoever composes the command
 * line can end with a status other than zero; with `--json` the object has been printed by then.
 */
export const checkCommand = Command.make("check", { file, creation, json }, (options) =>
  Effect.gen(function* () {
    const text = yield* FileSystem.FileSystem.pipe(
      Effect.flatMap((fileSystem) => fileSystem.readFileString(options.file))
    )
    const { code, field } = yield* parse(text, {
      prefer: options.creation ? "creation" : "runtime"
    })
    const verdict = yield* Effect.either((yield* SafetyChecker).check(code))
    const facts = { file: options.file, field, size: code.length }
    if (options.json) {
      yield* Console.log(
        JSON.stringify(
          Either.match(verdict, {
            onLeft: ({ name, offset, opcode, why }) => ({
              ...facts,
              safe: false,
              unsafe: { offset, opcode, name, why }
            }),
            onRight: () => ({ ...facts, safe: true })
          })
        )
      )
    } else if (Either.isRight(verdict)) {
      yield* Console.log(
        `Safe: ${facts.size} bytes of OVM bytecode (${facts.field} of ${facts.file}).`
      )
    }
    yield* verdict
  })
).pipe(Command.withDescription("Check that bytecode is safe to run inside the OVM."))
