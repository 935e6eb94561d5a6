/** `ovm transpile FILE`: what does T make of this bytecode? */
import { Args, Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { type BytecodeFile, type BytecodeFileError, parse } from "@ovm/protocol/BytecodeFile"
import { opcodeName } from "@ovm/protocol/Opcode"
import { Console, Effect, Either, Option } from "effect"
import { bytesToHex } from "viem"
import { sideBySide } from "./Disassembly.ts"
import { sweep } from "./internal/Sweep.ts"
import { LIMITS, type Mode, type Transpilation, Transpiler } from "./Transpiler.ts"

const file = Args.file({ name: "FILE", exists: "yes" }).pipe(
  Args.withDescription("Hex digits, a compiler's JSON artifact, or the bytes themselves.")
)

const mode = Options.choice("mode", ["runtime", "init", "auto"]).pipe(
  Options.withDefault("auto"),
  Options.withDescription(
    "Transpile as runtime code or as init code. `auto`: what a JSON artifact says it is (its runtime code, if it has both), else runtime."
  )
)

const diff = Options.boolean("diff").pipe(
  Options.withDescription("Print the disassembly, the original beside what replaced it.")
)

const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON object, the transpiled code included.")
)

const out = Options.file("out").pipe(
  Options.optional,
  Options.withDescription("Write the transpiled code to this file, as hex.")
)

/** Prints the report. Fails with the parser's or T's own errors. */
export const transpileCommand = Command.make(
  "transpile",
  { file, mode, diff, json, out },
  (options) =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const bytes = yield* fileSystem.readFile(options.file)
      const input = yield* read(bytes, options.mode)
      const resolved = resolveMode(options.mode, input)
      const transpiler = yield* Transpiler
      const transpilation = yield* transpiler.transpile({ code: input.code, mode: resolved })
      if (Option.isSome(options.out)) {
        yield* fileSystem.writeFileString(options.out.value, `${bytesToHex(transpilation.code)}\n`)
      }
      const subject = { file: options.file, input, transpilation }
      if (options.json) {
        yield* Console.log(JSON.stringify(toJson(subject)))
        return
      }
      yield* Console.log(report(subject).join("\n"))
      if (options.diff) {
        yield* Console.log("")
        yield* Console.log(sideBySide({ original: input.code, transpilation }).join("\n"))
      }
    })
).pipe(Command.withDescription("Turn EVM bytecode into OVM bytecode, and show what changed."))

interface Subject {
  readonly file: string
  readonly input: BytecodeFile
  readonly transpilation: Transpilation
}

const read = (
  bytes: Uint8Array,
  wanted: Mode | "auto"
): Either.Either<BytecodeFile, BytecodeFileError> =>
  bytes.every(isText)
    ? parse(new TextDecoder().decode(bytes), {
        prefer: wanted === "init" ? "creation" : "runtime"
      })
    : Either.right({ code: bytes, field: "binary", kind: undefined })

/** Printable ASCII and white space. Code that happens to be nothing else is no contract. */
const isText = (byte: number): boolean =>
  (byte >= 0x20 && byte <= 0x7e) || (byte >= 0x09 && byte <= 0x0d)

const resolveMode = (wanted: Mode | "auto", { kind }: BytecodeFile): Mode => {
  if (wanted !== "auto") return wanted
  return kind === "creation" ? "init" : "runtime"
}

/** Replaced opcodes by name, the most frequent first. */
const replacedByName = ({ replaced }: Transpilation): ReadonlyArray<readonly [string, number]> =>
  [...replaced]
    .sort(([a, m], [b, n]) => n - m || a - b)
    .map(([opcode, count]) => [opcodeName(opcode), count] as const)

const toJson = ({ file, input, transpilation }: Subject) => {
  const { code, dispatch, jumpTargets, mode, version } = transpilation
  return {
    file,
    field: input.field,
    mode,
    version,
    originalSize: input.code.length,
    size: code.length,
    limit: LIMITS[mode],
    dispatch,
    jumpTargets: jumpTargets.length,
    replaced: Object.fromEntries(replacedByName(transpilation)),
    code: bytesToHex(code)
  }
}

const report = ({ file, input, transpilation }: Subject): ReadonlyArray<string> => {
  const { code, mode, version } = transpilation
  const before = input.code.length
  const ratio = before === 0 ? "" : `, ${(code.length / before).toFixed(3)}x`
  const replaced = replacedByName(transpilation).map(([name, count]) => `${name} ${count}`)
  return [
    `${file} (${input.field}) as ${mode} code, transpiler version ${version}`,
    `size      ${before} -> ${code.length} bytes${ratio} (at most ${LIMITS[mode]})`,
    `dispatch  ${describeDispatch(input.code, transpilation)}`,
    `replaced  ${replaced.length === 0 ? "nothing" : replaced.join(", ")}`
  ]
}

const describeDispatch = (
  original: Uint8Array,
  { dispatch, jumpTargets }: Transpilation
): string => {
  const all = sweep(original).jumpDests.length
  switch (dispatch) {
    case "none":
      return "none: no jump is computed"
    case "full":
      return `full: computed jumps reach all ${all} JUMPDESTs`
    case "reduced":
      return `reduced: computed jumps reach the ${jumpTargets.length} of ${all} JUMPDESTs that the code names`
  }
}
