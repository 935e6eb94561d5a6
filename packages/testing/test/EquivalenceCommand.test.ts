import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const OVM = path("../../rollup/src/bin.ts")
const FIXTURE = path("fixtures/HandWritten.json")
const folder = mkdtempSync(join(tmpdir(), "equivalence-"))
afterAll(() => rmSync(folder, { recursive: true }))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the real command line in a process of its own. */
const equivalence = (...args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) => {
    const all = ["--import", "tsx", OVM, "equivalence", "--jobs", "1", ...args]
    execFile(process.execPath, all, { cwd: path("..") }, (error, stdout, stderr) => {
      const code = typeof error?.code === "number" ? error.code : error === null ? 0 : 1
      resolve({ code, stdout, stderr })
    })
  })

describe("ovm equivalence", () => {
  it("prints one JSON object with the counts and exits with 0 where nothing is different", async () => {
    const { code, stdout } = await equivalence(FIXTURE, "--json")
    expect(JSON.parse(stdout)).toEqual({
      cases: 7,
      identical: 6,
      different: 0,
      gasDependent: 1,
      oversize: 0,
      unsupported: 0,
      invalidOracle: 0,
      differences: []
    })
    expect(code).toBe(0)
  }, 60_000)

  it("names what is set apart, and why", async () => {
    const { stdout } = await equivalence(FIXTURE, "--list")
    expect(stdout).toContain("7 cases")
    expect(stdout).toContain("gasStored 0: the plain EVM's own outcome changes with the gas supply")
  }, 60_000)

  it("sets every case apart at a fork that does not run here", async () => {
    const { code, stdout } = await equivalence(FIXTURE, "--fork", "London", "--json")
    expect(JSON.parse(stdout)).toMatchObject({ cases: 5, unsupported: 5 })
    expect(code).toBe(0)
  }, 60_000)

  it("refuses a malformed fixture before running any, and exits with 1", async () => {
    const broken = join(folder, "broken.json")
    writeFileSync(broken, '{"t":{"env":{}}}')
    const { code, stderr, stdout } = await equivalence(FIXTURE, broken)
    expect(`${stdout}${stderr}`).toContain("broken.json")
    expect(code).toBe(1)
  }, 60_000)
})
