import { Command } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { Console, Effect, Layer } from "effect"
import { checkCommand } from "../src/CheckCommand.ts"
import { layer } from "../src/SafetyChecker.ts"

const run = Command.run(checkCommand, { name: "ovm", version: "0" })

/** Runs `check` on a file with this text; gives what it printed and how it ended. */
const check = (text: string, ...flags: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const file = yield* fileSystem.makeTempFileScoped()
    yield* fileSystem.writeFileString(file, text)
    const printed: Array<string> = []
    const console = yield* Console.consoleWith(Effect.succeed)
    const log = (...values: ReadonlyArray<unknown>) =>
      Effect.sync(() => void printed.push(values.join(" ")))
    const exit = yield* run(["node", "ovm", ...flags, file]).pipe(
      Console.withConsole({ ...console, log }),
      Effect.either
    )
    return { exit, printed: printed.join("\n").replaceAll(file, "FILE") }
  })

const services = Layer.merge(NodeContext.layer, layer)

it.scopedLive("says that safe code is safe", () =>
  Effect.gen(function* () {
    const { exit, printed } = yield* check("0x335af400")
    expect(exit._tag).toBe("Right")
    expect(printed).toBe("Safe: 4 bytes of OVM bytecode (hex of FILE).")
  }).pipe(Effect.provide(services))
)

it.scopedLive("fails with the first offending opcode", () =>
  Effect.gen(function* () {
    const { exit } = yield* check(
      JSON.stringify({ bytecode: "0x00", deployedBytecode: "0x600154" })
    )
    expect(exit).toMatchObject({ left: { _tag: "UnsafeBytecode", offset: 2, name: "SLOAD" } })
  }).pipe(Effect.provide(services))
)

it.scopedLive("prints one JSON object with --json", () =>
  Effect.gen(function* () {
    const artifact = JSON.stringify({ bytecode: "0x5b", deployedBytecode: "0x600154" })
    const unsafe = yield* check(artifact, "--json")
    expect(JSON.parse(unsafe.printed)).toEqual({
      file: "FILE",
      field: "deployedBytecode",
      size: 3,
      safe: false,
      unsafe: {
        offset: 2,
        opcode: 0x54,
        name: "SLOAD",
        why: "reaches outside the frame without the ExecutionManager"
      }
    })
    expect(unsafe.exit._tag).toBe("Left")
    const safe = yield* check(artifact, "--json", "--creation")
    expect(JSON.parse(safe.printed)).toMatchObject({ field: "bytecode", safe: true })
  }).pipe(Effect.provide(services))
)

it.scopedLive("fails typed on a file that holds no bytecode", () =>
  Effect.gen(function* () {
    const { exit } = yield* check("{}")
    expect(exit).toMatchObject({ left: { _tag: "BytecodeMissing" } })
  }).pipe(Effect.provide(services))
)
