/** Compiles one Solidity source with the `solc` of npm, and says in words what is wrong with it. */
import { Effect, Schema } from "effect"
import { settingsOf, TOLERATED_WARNINGS } from "./CompilerSettings.ts"

/** Sources by path below `src/`. */
export type Sources = ReadonlyMap<string, string>

const Code = Schema.Struct({
  object: Schema.String,
  linkReferences: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  immutableReferences: Schema.optional(
    Schema.Record({
      key: Schema.String,
      value: Schema.Array(Schema.Struct({ start: Schema.Int, length: Schema.Int }))
    })
  )
})

const Contract = Schema.Struct({
  abi: Schema.Array(Schema.Unknown),
  evm: Schema.Struct({ bytecode: Code, deployedBytecode: Code })
})

const Diagnostic = Schema.Struct({
  severity: Schema.Literal("error", "warning", "info"),
  errorCode: Schema.optional(Schema.String),
  formattedMessage: Schema.String
})

const Output = Schema.parseJson(
  Schema.Struct({
    errors: Schema.optional(Schema.Array(Diagnostic)),
    contracts: Schema.optional(
      Schema.Record({
        key: Schema.String,
        value: Schema.Record({ key: Schema.String, value: Contract })
      })
    )
  })
)

export interface Artifact {
  readonly name: string
  readonly abi: ReadonlyArray<unknown>
  /** Creation code, without 0x. Empty for interfaces and abstract contracts. */
  readonly bytecode: string
  /** Runtime code, without 0x; immutables are zero in it. */
  readonly deployedBytecode: string
  /** Where each immutable stands in the runtime code. */
  readonly immutableReferences: ReadonlyArray<{ readonly start: number; readonly length: number }>
}

/** solc refused a source, or warned of something the build doesn't tolerate. Fix the source. */
export class CompilationFailed extends Schema.TaggedError<CompilationFailed>()(
  "CompilationFailed",
  { source: Schema.String, diagnostics: Schema.Array(Schema.String) }
) {
  override get message() {
    return `Expected ${this.source} to compile without warnings, found:\n${this.diagnostics.join("\n")}`
  }
}

/** solc could not run, or answered in an unknown format. Reinstall the pinned version of `solc`. */
export class CompilerBroken extends Schema.TaggedError<CompilerBroken>()("CompilerBroken", {
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected a standard-JSON answer from solc, found: ${String(this.cause)}`
  }
}

/** The part of solc's JavaScript interface that is used here; the package itself types it as any. */
interface Solc {
  readonly compile: (input: string) => string
}

const solc = Effect.runSync(
  Effect.cached(
    Effect.tryPromise({
      try: async (): Promise<Solc> => (await import("solc")).default,
      catch: (cause) => new CompilerBroken({ cause })
    })
  )
)

/** Compiles `source` against `closure` (itself and everything it imports, nothing else). */
export const compile = Effect.fn("SolidityCompiler.compile")(function* (
  source: string,
  closure: Sources
) {
  const compiler = yield* solc
  const input = {
    language: "Solidity",
    sources: Object.fromEntries([...closure].map(([path, content]) => [path, { content }])),
    settings: settingsOf(source)
  }
  const answer = yield* Effect.try({
    try: () => compiler.compile(JSON.stringify(input)),
    catch: (cause) => new CompilerBroken({ cause })
  })
  const output = yield* Schema.decode(Output)(answer).pipe(
    Effect.mapError((cause) => new CompilerBroken({ cause }))
  )
  const grave = (output.errors ?? []).filter(
    ({ errorCode, severity }) =>
      severity === "error" || (severity === "warning" && !TOLERATED_WARNINGS.has(errorCode ?? ""))
  )
  if (grave.length > 0) {
    const diagnostics = grave.map(({ formattedMessage }) => formattedMessage)
    return yield* new CompilationFailed({ source, diagnostics })
  }
  return Object.entries(output.contracts?.[source] ?? {}).map(
    ([name, { abi, evm }]): Artifact => ({
      name,
      abi,
      bytecode: evm.bytecode.object,
      deployedBytecode: evm.deployedBytecode.object,
      immutableReferences: Object.values(evm.deployedBytecode.immutableReferences ?? {})
        .flat()
        .sort((a, b) => a.start - b.start)
    })
  )
})
