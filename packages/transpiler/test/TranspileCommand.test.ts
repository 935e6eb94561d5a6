import { Command } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { Console, Effect, Either, Layer } from "effect"
import { bytesToHex } from "viem"
import { layer, transpile } from "../src/Transpiler.ts"
import { transpileCommand } from "../src/TranspileCommand.ts"
import { artifactPath, bytecode } from "./support/Artifacts.ts"
import { assemble } from "./support/Assemble.ts"

const run = Command.run(transpileCommand, { name: "ovm", version: "0" })
const services = Layer.merge(NodeContext.layer, layer)

/** Runs `transpile` with these arguments; gives what it printed and how it ended. */
const command = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const printed: Array<string> = []
    const console = yield* Console.consoleWith(Effect.succeed)
    const log = (...values: ReadonlyArray<unknown>) =>
      Effect.sync(() => void printed.push(values.join(" ")))
    const exit = yield* run(["node", "ovm", ...args]).pipe(
      Console.withConsole({ ...console, log }),
      Effect.either
    )
    return { exit, printed: printed.join("\n") }
  })

const fileWith = (content: string | Uint8Array) =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const file = yield* fileSystem.makeTempFileScoped()
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
    yield* fileSystem.writeFile(file, bytes)
    return file
  })

const CODE = assemble("CALLER", 1, "SLOAD", "EQ", "@end", "JUMPI", "0x600080fd", "0xc0de", ":end")

it.scopedLive("reports sizes, dispatch and what was replaced", () =>
  Effect.gen(function* () {
    const file = artifactPath("v2-periphery", "UniswapV2Router02")
    const { exit, printed } = yield* command(file)
    expect(exit._tag).toBe("Right")
    const [first, size, dispatch, replaced] = printed.replaceAll(file, "FILE").split("\n")
    expect(first).toBe("FILE (evm.deployedBytecode.object) as runtime code, transpiler version 1")
    expect(size).toBe("size      21943 -> 24269 bytes, 1.106x (at most 24576)")
    expect(dispatch).toBe("dispatch  full: computed jumps reach all 468 JUMPDESTs")
    expect(replaced).toMatch(/^replaced {2}\w+ \d+(, \w+ \d+)+$/)
  }).pipe(Effect.provide(services))
)

it.scopedLive("prints one JSON object with --json", () =>
  Effect.gen(function* () {
    const file = yield* fileWith(bytesToHex(CODE))
    const { printed } = yield* command("--json", file)
    const { code } = Either.getOrThrow(transpile({ code: CODE, mode: "runtime" }))
    expect(JSON.parse(printed)).toEqual({
      file,
      field: "hex",
      mode: "runtime",
      version: 1,
      originalSize: CODE.length,
      size: code.length,
      limit: 24_576,
      dispatch: "none",
      jumpTargets: 0,
      replaced: { CALLER: 1, SLOAD: 1 },
      code: bytesToHex(code)
    })
  }).pipe(Effect.provide(services))
)

it.scopedLive("shows old beside new with --diff", () =>
  Effect.gen(function* () {
    const file = yield* fileWith(bytesToHex(CODE))
    const { printed } = yield* command("--diff", file)
    const lines = (printed.split("\n\n")[1] ?? "").split("\n")
    const body = lines.findIndex((line) => line.startsWith("0000 "))
    const end = lines.findIndex((line) => line.startsWith("000f "))
    const narrow = lines.slice(body, end + 4).map((line) => line.replace(/ {10,}/, "          "))
    expect(narrow).toMatchInlineSnapshot(`
      [
        "0000 CALLER          | 002c PUSH1 0x20",
        "          | 002e CALLDATALOAD",
        "0001 PUSH1 0x01          002f PUSH1 0x01",
        "0003 SLOAD          | 0031 PC",
        "          | 0032 PUSH1 0x04",
        "          | 0034 JUMP",
        "          | 0035 JUMPDEST",
        "0004 EQ          0036 EQ",
        "0005 PUSH2 0x000f          | 0037 PUSH2 0x003e",
        "0008 JUMPI          003a JUMPI",
        "0009 PUSH1 0x00          | 003b PUSH0",
        "000b DUP1          003c DUP1",
        "000c REVERT          003d REVERT",
        "000d 2 dead bytes          |",
        "000f JUMPDEST          003e JUMPDEST",
        "          | 003f STOP",
        "          | 0040 JUMPDEST",
        "          | 0041 INVALID",
      ]
    `)
    expect(lines[0]).toMatch(/^ +\| 0000 PUSH2 0x/)
  }).pipe(Effect.provide(services))
)

it.scopedLive("takes raw bytes, hex and artifacts, and each mode's own code from these", () =>
  Effect.gen(function* () {
    const modeOf = (...args: ReadonlyArray<string>) =>
      Effect.map(command("--json", ...args), ({ printed }) => {
        const { field, mode, originalSize } = JSON.parse(printed)
        return { field, mode, originalSize }
      })
    const binary = yield* fileWith(CODE)
    const originalSize = CODE.length
    expect(yield* modeOf(binary)).toEqual({ field: "binary", mode: "runtime", originalSize })
    expect(yield* modeOf("--mode", "init", binary)).toMatchObject({ mode: "init" })

    const both = artifactPath("v2-periphery", "WETH9")
    const runtime = bytecode("v2-periphery", "WETH9", "runtime").length
    const creation = bytecode("v2-periphery", "WETH9", "creation").length
    expect(yield* modeOf(both)).toMatchObject({ mode: "runtime", originalSize: runtime })
    expect(yield* modeOf("--mode", "init", both)).toMatchObject({ originalSize: creation })
    // Vyper's artifact has creation code alone.
    const exchange = artifactPath("v2-periphery", "UniswapV1Exchange")
    expect(yield* modeOf(exchange)).toMatchObject({ mode: "init", originalSize: 12_468 })
  }).pipe(Effect.provide(services))
)

it.scopedLive("writes the code with --out, so that it can be read again", () =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const file = yield* fileWith(bytesToHex(CODE))
    const out = yield* fileSystem.makeTempFileScoped()
    yield* command("--out", out, file)
    const { code } = Either.getOrThrow(transpile({ code: CODE, mode: "runtime" }))
    expect(yield* fileSystem.readFileString(out)).toBe(`${bytesToHex(code)}\n`)
  }).pipe(Effect.provide(services))
)

it.scopedLive("fails typed on what is no bytecode or too large", () =>
  Effect.gen(function* () {
    const { exit } = yield* command(yield* fileWith("{}"))
    expect(exit).toMatchObject({ left: { _tag: "BytecodeMissing" } })
    const large = yield* command(yield* fileWith(new Uint8Array(24_577)))
    expect(large.exit).toMatchObject({ left: { _tag: "CodeTooLarge", size: 24_577 } })
  }).pipe(Effect.provide(services))
)
