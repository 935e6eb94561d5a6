/** What no linter checks, after TigerBeetle's `tidy`: the repository keeps its own rules. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const ROOT = fileURLToPath(new URL("../../..", import.meta.url))
const LINES_MAX = 500

interface SourceFile {
  readonly path: string
  readonly text: string
}

const read = (path: string): SourceFile => ({ path, text: readFileSync(`${ROOT}/${path}`, "utf8") })

/** Every file that is or will be checked in; git's ignored files are not the repository's. */
const files: ReadonlyArray<string> = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard"],
  { cwd: ROOT, encoding: "utf8" }
)
  .split("\n")
  .filter((path) => path !== "" && existsSync(`${ROOT}/${path}`))

const isText = (path: string): boolean => /\.(ts|sol|md|json|ya?ml|sh)$/.test(path)
const isCode = (path: string): boolean => /\.(ts|sol)$/.test(path) && !path.includes("/generated/")
const texts = files.filter((path) => isText(path) && path !== "pnpm-lock.yaml").map(read)
const code = texts.filter(({ path }) => isCode(path))

const offending = (among: ReadonlyArray<SourceFile>, pattern: RegExp): ReadonlyArray<string> =>
  among.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : []))
  )

const packages = readdirSync(`${ROOT}/packages`, { withFileTypes: true })
  .filter(
    (entry) => entry.isDirectory() && existsSync(`${ROOT}/packages/${entry.name}/package.json`)
  )
  .map(({ name }) => name)

describe("every file", () => {
  it("is free of paths of one machine", () => {
    // Spelled in pieces, so that this line is not its own offence.
    const machine = new RegExp(
      ["/home/\\w", "/Users/\\w", "/ro" + "ot/", "/wo" + "rk/", "/tm" + "p/\\w"].join("|")
    )
    expect(offending(texts, machine)).toEqual([])
  })

  it("leaves nothing for later without saying where it is tracked", () => {
    const later = new RegExp(
      `\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`
    )
    expect(offending(texts, later)).toEqual([])
  })

  it("ends with a newline and has no tab or trailing space where code is", () => {
    expect(code.filter(({ text }) => !text.endsWith("\n")).map(({ path }) => path)).toEqual([])
    expect(offending(code, /\t|[ ]+$/)).toEqual([])
  })
})

describe("code", () => {
  it(`is in files of at most ${LINES_MAX} lines`, () => {
    const long = code.filter(({ text }) => text.split("\n").length - 1 > LINES_MAX)
    expect(long.map(({ path }) => path)).toEqual([])
  })

  it("opens with a sentence that says why the module exists", () => {
    const sources = code.filter(({ path }) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path))
    expect(sources.length).toBeGreaterThan(0)
    expect(sources.filter(({ text }) => !text.startsWith("/**")).map(({ path }) => path)).toEqual(
      []
    )
  })

  it("skips no test and runs none alone", () => {
    const tests = code.filter(({ path }) => path.includes("/test/"))
    const chosen = new RegExp(
      `\\b(it|test|describe)(\\.effect)?\\.(sk${"ip"}|on${"ly"}|to${"do"})\\b`
    )
    expect(offending(tests, chosen)).toEqual([])
  })

  it("never silences the type checker", () => {
    const silenced = new RegExp(
      `@ts-(ig${"nore"}|no${"check"}|expect-er${"ror"})|\\bas an${"y"}\\b`
    )
    // A test may state that something does not compile.
    const sources = code.filter(
      ({ path }) => !path.includes("/test/") && !path.startsWith("examples/")
    )
    const spoken = sources.map(({ path, text }) => ({ path, text: withoutComments(text) }))
    const told = offending(sources, new RegExp(`@ts-(ig${"nore"}|no${"check"})`))
    expect([...told, ...offending(spoken, silenced)]).toEqual([])
  })
})

/** Packages that L1 must be able to repeat bit by bit: no clock, no dice, no surroundings. */
const DETERMINISTIC = [
  "protocol",
  "transpiler",
  "safety-checker",
  "execution-manager",
  "state-manager"
]

describe.each(DETERMINISTIC)("%s", (name) => {
  // The command line is driven by a person, and ends there.
  const sources = code.filter(
    ({ path }) => path.startsWith(`packages/${name}/src/`) && !path.endsWith("Command.ts")
  )

  it("asks neither clock nor dice nor its surroundings", () => {
    expect(sources.length).toBeGreaterThan(0)
    const impure =
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bprocess\.|\bperformance\.|\bClock\b|\bRandom\b|\bcrypto\.getRandomValues\b/
    const spoken = sources.map(({ path, text }) => ({ path, text: withoutComments(text) }))
    expect(offending(spoken, impure)).toEqual([])
  })

  it("imports nothing of Node, of SQL or of the network", () => {
    const imports = sources.filter(({ path }) => !path.includes("Sqlite"))
    expect(offending(imports, /from "(node:|@effect\/sql|@effect\/platform-node)/)).toEqual([])
  })
})

/** Comments become blank lines, so that line numbers stay. */
const withoutComments = (text: string): string =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ""))
    .replace(/\/\/.*$/gm, "")

describe.each(packages)("package %s", (name) => {
  const readme = `packages/${name}/README.md`

  it("says in its README what it owns and what it does not", () => {
    expect(existsSync(`${ROOT}/${readme}`), `${readme} is missing`).toBe(true)
    const { text } = read(readme)
    expect(text).toMatch(/\bOwns\b/)
    expect(text).toMatch(/\bDoes not own\b/i)
  })

  it("keeps its private code private", () => {
    const manifest: unknown = JSON.parse(read(`packages/${name}/package.json`).text)
    expect(manifest).toMatchObject({ exports: { "./internal/*": null }, type: "module" })
  })
})

describe("documents", () => {
  const documents = texts.filter(({ path }) => path.endsWith(".md"))

  it("link to files that are there", () => {
    const broken = documents.flatMap(({ path, text }) => {
      const folder = path.split("/").slice(0, -1).join("/")
      return [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].flatMap(([, target]) =>
        target !== undefined && existsSync(`${ROOT}/${folder}/${target}`)
          ? []
          : [`${path}: ${target}`]
      )
    })
    expect(broken).toEqual([])
  })

  it("name only scripts that the workspace has", () => {
    const manifest: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(
      read("package.json").text
    )
    const builtIn = new Set(["install", "run", "exec", "add", "dlx", "test"])
    const unknown = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/\bpnpm(?:@[\d.]+)? ((?!-)[a-z][\w:-]*)/g)].flatMap(([, script]) =>
        script === undefined || script in manifest.scripts || builtIn.has(script)
          ? []
          : [`${path}: pnpm ${script}`]
      )
    )
    expect(unknown).toEqual([])
  })

  it("import in their examples only modules that exist", () => {
    const broken = documents.flatMap(({ path, text }) =>
      [...text.matchAll(/from "@ovm\/([\w-]+)\/([\w/]+)"/g)].flatMap(([, name, module]) =>
        existsSync(`${ROOT}/packages/${name}/src/${module}.ts`)
          ? []
          : [`${path}: @ovm/${name}/${module}`]
      )
    )
    expect(broken).toEqual([])
  })
})
