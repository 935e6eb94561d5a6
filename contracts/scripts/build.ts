/** `pnpm build`: every contract below `src/` becomes a typed artifact in `generated/`. */
import { createHash } from "node:crypto"
import { createRequire } from "node:module"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { Console, Effect } from "effect"
import { settingsOf } from "./CompilerSettings.ts"
import { type Artifact, compile, type Sources } from "./SolidityCompiler.ts"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const sourceFolder = path.join(root, "src")
const generatedFolder = path.join(root, "generated")

/** This script decides the form of the artifacts: when it changes, old ones are rebuilt. */
const script = readFileSync(fileURLToPath(import.meta.url), "utf8")

const readSources = (): Sources =>
  new Map(
    readdirSync(sourceFolder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".sol"))
      .map((file) => file.split(path.sep).join("/"))
      .sort()
      .map((file) => [file, readFileSync(path.join(sourceFolder, file), "utf8")])
  )

const importsOf = (source: string, content: string): ReadonlyArray<string> =>
  [...content.matchAll(/^\s*import\s[^;]*?["']([^"']+)["']\s*;/gm)].flatMap(([, target]) =>
    target === undefined
      ? []
      : [target.startsWith(".") ? path.posix.join(path.posix.dirname(source), target) : target]
  )

/**
 * The source and all it imports, directly or not. Each source is compiled with exactly these: what else
 * is in a compilation renumbers solc's internal names, and with them, at times, the bytecode.
 */
const closureOf = (source: string, sources: Sources): Sources => {
  const closure = new Map<string, string>()
  const visit = (name: string) => {
    const content = sources.get(name)
    // A missing import is left to solc, whose message names the line.
    if (content === undefined || closure.has(name)) return
    closure.set(name, content)
    for (const target of importsOf(name, content)) visit(target)
  }
  visit(source)
  return new Map([...closure].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const fingerprintOf = (source: string, closure: Sources): string =>
  createHash("sha256")
    .update(JSON.stringify([script, compilerVersion(), settingsOf(source), [...closure]]))
    .digest("hex")

const compilerVersion = (): unknown => createRequire(import.meta.url)("solc/package.json").version

/** Other processes may read the artifacts while they are written: they see the old or the new file. */
const writeAtomically = (file: string, content: string): void => {
  const temporary = `${file}.${process.pid}.tmp`
  writeFileSync(temporary, content)
  renameSync(temporary, file)
}

const render = (artifact: Artifact): string => {
  const literal = (value: unknown) => JSON.stringify(value, null, 2)
  return `export const ${artifact.name} = {
  abi: ${literal(artifact.abi)},
  // Not literal types: the compiler would carry, and print, 24 kilobytes each.
  bytecode: "0x${artifact.bytecode}" as \`0x\${string}\`,
  deployedBytecode: "0x${artifact.deployedBytecode}" as \`0x\${string}\`,
  immutableReferences: ${literal(artifact.immutableReferences)},
  deployedSize: ${artifact.deployedBytecode.length / 2}
} as const
`
}

/** `execution/ExecutionManager.sol` is written to `execution/ExecutionManager.ts`. */
const moduleOf = (source: string): string => source.replace(/\.sol$/, ".ts")

const buildSource = Effect.fn("build.source")(function* (source: string, sources: Sources) {
  const closure = closureOf(source, sources)
  const stamp = `// Generated from ${source} by scripts/build.ts. Fingerprint ${fingerprintOf(source, closure)}\n`
  const file = path.join(generatedFolder, moduleOf(source))
  if (existsSync(file) && readFileSync(file, "utf8").startsWith(stamp)) return
  const artifacts = yield* compile(source, closure)
  mkdirSync(path.dirname(file), { recursive: true })
  // A source with nothing but types or free functions is a module too, just an empty one.
  const body = artifacts.length === 0 ? "export {}\n" : artifacts.map(render).join("\n")
  writeAtomically(file, stamp + body)
  for (const { deployedBytecode, name } of artifacts) {
    if (deployedBytecode.length > 0) {
      yield* Console.log(
        `${name.padEnd(32)}${String(deployedBytecode.length / 2).padStart(7)} bytes`
      )
    }
  }
})

const removeStale = (modules: ReadonlySet<string>): void => {
  for (const file of readdirSync(generatedFolder, { recursive: true, encoding: "utf8" })) {
    const name = file.split(path.sep).join("/")
    if (name.endsWith(".ts") && !modules.has(name)) rmSync(path.join(generatedFolder, file))
  }
}

const build = Effect.gen(function* () {
  const sources = readSources()
  mkdirSync(generatedFolder, { recursive: true })
  const results = yield* Effect.forEach([...sources.keys()], (source) =>
    buildSource(source, sources).pipe(Effect.either)
  )
  const modules = [...sources.keys()].map(moduleOf)
  // A source that doesn't compile is left out, or keeps its last artifact: the others stay usable.
  const index = modules
    .filter((module) => existsSync(path.join(generatedFolder, module)))
    .map((module) => `export * from "./${module}"\n`)
  writeAtomically(path.join(generatedFolder, "index.ts"), index.join(""))
  removeStale(new Set(["index.ts", ...modules]))
  // All sources are tried before the first failure ends the build, so that one run shows all trouble.
  const failures = results.flatMap((result) => (result._tag === "Left" ? [result.left] : []))
  for (const failure of failures) yield* Console.error(failure.message)
  if (failures.length > 0) yield* Effect.sync(() => process.exit(1))
})

Effect.runPromise(build)
