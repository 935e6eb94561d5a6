import { execFile } from "node:child_process"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const run = promisify(execFile)
const root = fileURLToPath(new URL("../../../", import.meta.url))
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
/** Below node_modules: packages resolve as for the example, and neither git nor `tsc` at the root looks here. */
const scratch = fileURLToPath(
  new URL(`../node_modules/.custom-node-${process.pid}/`, import.meta.url)
)

const LAYERS = "[EventLog.layerMemory, Rollup.layerExecution, Mempool.layerDefault, LeastGasFirst]"

/** The layers of the example with one left out, and what the compiler must miss then. */
const INCOMPLETE = [
  ["NoEventLog", "[Rollup.layerExecution, Mempool.layerDefault, LeastGasFirst]", "EventLog"],
  [
    "NoExecution",
    "[EventLog.layerMemory, Mempool.layerDefault, LeastGasFirst]",
    "ExecutionManager"
  ],
  ["NoMempool", "[EventLog.layerMemory, Rollup.layerExecution, LeastGasFirst]", "Mempool"],
  ["NoOrdering", "[EventLog.layerMemory, Rollup.layerExecution, Mempool.layerDefault]", "Ordering"]
] as const

/** What `tsc` says about each variant of the example, by the variant's name. */
const compile = async (variants: ReadonlyMap<string, string>) => {
  await mkdir(scratch, { recursive: true })
  for (const [name, text] of variants) await writeFile(`${scratch}${name}.ts`, text)
  await writeFile(
    `${scratch}tsconfig.json`,
    JSON.stringify({
      extends: `${root}tsconfig.json`,
      compilerOptions: { noUnusedLocals: false, typeRoots: [`${root}node_modules/@types`] },
      files: [...variants.keys()].map((name) => `${name}.ts`),
      include: []
    })
  )
  const tsc = `${root}node_modules/typescript/bin/tsc`
  const output = await run(process.execPath, [tsc, "--noEmit", "--pretty", "false"], {
    cwd: scratch
  }).then(
    ({ stdout }) => stdout,
    (failed: { readonly stdout: string }) => failed.stdout
  )
  return (name: string) => sectionsOf(output).filter((section) => section.startsWith(`${name}.ts(`))
}

/** An error and the indented lines that belong to it. */
const sectionsOf = (output: string) => output.split(/\n(?=\S)/).filter((text) => text !== "")

describe("A custom node", () => {
  it("fits into 40 lines", async () => {
    const lines = (await readFile(main, "utf8")).trimEnd().split("\n")
    assert.isBelow(lines.length, 40)
  })

  it("puts the second sender first, as its policy says", async () => {
    const { stdout } = await run(process.execPath, ["--import", "tsx", main], { cwd: root })
    assert.strictEqual(stdout, "Alice came first. In the block: Bob, then Alice.\n")
  }, 60_000)
})

describe("A node with a layer left out", () => {
  let errors: (name: string) => ReadonlyArray<string> = () => []

  beforeAll(async () => {
    const whole = await readFile(main, "utf8")
    // The formatter may break the list; its words are what counts.
    const flat = whole.replace(/\[\s*EventLog\.layerMemory,[^\]]*?\s*\]/, LAYERS)
    const variants = INCOMPLETE.map(
      ([name, layers]) => [name, flat.replace(LAYERS, layers)] as const
    )
    errors = await compile(new Map([["Whole", flat], ...variants]))
  }, 120_000)

  afterAll(() => rm(scratch, { recursive: true, force: true }))

  it("is what makes the difference: with all layers there is no error", () => {
    assert.deepStrictEqual(errors("Whole"), [])
  })

  it.each(INCOMPLETE)(
    "%s does not compile, and the error names the service",
    (name, _, service) => {
      const found = errors(name)
      assert.isNotEmpty(found)
      assert.include(found.join("\n"), `'${service}'`)
    }
  )
})
