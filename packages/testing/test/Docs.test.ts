/**
 * The code in documents is code. A block that imports what it uses is compiled and run, and what it
 * says in a comment of a value (`// => 42`, or a literal behind an expression) must be so. Any other
 * block is an excerpt: its lines stand in a test of its package.
 */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL("../../../", import.meta.url))
/** `rollup` depends on every package, so every import resolves from here; git ignores `generated`. */
const SCRATCH = `${ROOT}packages/rollup/generated/docs-${process.pid}/`

const folders = ["packages", "examples"].flatMap((parent) =>
  readdirSync(`${ROOT}${parent}`).map((name) => `${parent}/${name}`)
)

interface Block {
  /** File and line, as an editor opens them. */
  readonly at: string
  readonly folder: string
  readonly text: string
  readonly module: string
  readonly standsAlone: boolean
}

const blocksOf = (folder: string): ReadonlyArray<Block> => {
  const path = `${folder}/README.md`
  if (!existsSync(`${ROOT}${path}`)) return []
  const document = readFileSync(`${ROOT}${path}`, "utf8")
  return [...document.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(({ 1: text = "", index }) => {
    const line = document.slice(0, index).split("\n").length
    const module = `${folder}-${line}`.replace(/[^a-z0-9]+/g, "-").replace(/^-/, "")
    return { at: `${path}:${line}`, folder, text, module, standsAlone: /^import /m.test(text) }
  })
}

const blocks = [".", "contracts", ...folders].flatMap(blocksOf)
const whole = blocks.filter(({ standsAlone }) => standsAlone)
const excerpts = blocks.filter(({ standsAlone }) => !standsAlone)

const LITERAL = String.raw`-?\d+n?|"[^"]*"|true|false`
const NAMED = /^(?:export )?const (\w+) = .* \/\/ => (.+)$/
const EXPRESSION = new RegExp(`^(\\w\\S.*?) // (?:=> )?(${LITERAL})(?::.*)?$`)

/** The block with a check behind each line that says what it gives. */
const checked = ({ at, text }: Block): string =>
  [
    'import { check as checkSaid } from "./check.mts"',
    ...text.split("\n").map((line) => {
      const [, name, said] = NAMED.exec(line) ?? []
      if (name !== undefined) return `${line}\ncheckSaid(${name}, ${said}, "${at}")`
      const [, expression, literal] = EXPRESSION.exec(line) ?? []
      if (expression === undefined || /^(import|const|let|return|yield)\b/.test(line)) return line
      return `checkSaid(${expression}, ${literal}, "${at}")`
    })
  ].join("\n")

const CHECK = `import { deepStrictEqual } from "node:assert"
export const check = (found: unknown, said: unknown, at: string): void => deepStrictEqual(found, said, at)
`

/** What the compiler says, by module. One run for all: starting it is what takes the time. */
const compile = async (modules: ReadonlyArray<Block>) => {
  writeFileSync(
    `${SCRATCH}tsconfig.json`,
    JSON.stringify({
      extends: `${ROOT}tsconfig.json`,
      compilerOptions: { noUnusedLocals: false, typeRoots: [`${ROOT}node_modules/@types`] },
      files: modules.map(({ module }) => `${module}.mts`),
      include: [`${ROOT}packages/protocol/src/internal/*.d.ts`],
      exclude: []
    })
  )
  const tsc = `${ROOT}node_modules/typescript/bin/tsc`
  const output = await run(process.execPath, [tsc, "--noEmit", "--pretty", "false"], {
    cwd: SCRATCH
  }).then(
    ({ stdout }) => stdout,
    (failed: { readonly stdout: string }) => failed.stdout
  )
  return output.split(/\n(?=\S)/).filter((text) => text !== "")
}

/** A line without comment and spaces: a document may be laid out for reading. */
const essence = (line: string): string => line.replace(/(^|\s)\/\/ .*$/, "").replace(/\s+/g, "")

const essences = (text: string): ReadonlyArray<string> =>
  text
    .split("\n")
    .map(essence)
    .filter((line) => line !== "")

const testsOf = (folder: string): ReadonlySet<string> =>
  new Set(
    readdirSync(`${ROOT}${folder}/test`, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts"))
      .flatMap((path) => essences(readFileSync(`${ROOT}${folder}/test/${path}`, "utf8")))
  )

describe("a document's code", () => {
  let errors: ReadonlyArray<string> = []

  beforeAll(async () => {
    rmSync(SCRATCH, { recursive: true, force: true })
    mkdirSync(SCRATCH, { recursive: true })
    writeFileSync(`${SCRATCH}check.mts`, CHECK)
    for (const block of whole) writeFileSync(`${SCRATCH}${block.module}.mts`, checked(block))
    errors = await compile(whole)
  }, 180_000)

  afterAll(() => rmSync(SCRATCH, { recursive: true, force: true }))

  it("is found in the documents", () => {
    assert.isAtLeast(whole.length, 3)
  })

  it.each(whole)("compiles: $at", ({ module }) => {
    assert.deepStrictEqual(
      errors.filter((error) => error.startsWith(`${module}.mts(`)),
      []
    )
  })

  it.each(whole)(
    "does what it says: $at",
    async ({ module }) => {
      await run(process.execPath, ["--import", "tsx", `${SCRATCH}${module}.mts`], { cwd: ROOT })
    },
    60_000
  )

  it.each(excerpts)("is an excerpt of a test: $at", ({ folder, text }) => {
    const tests = testsOf(folder)
    const strangers = essences(text).filter((line) => !tests.has(line))
    assert.deepStrictEqual(strangers, [])
  })
})
