import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { afterAll } from "vitest"

const here = import.meta.dirname
// Beside the tests, so that the example finds the package by its name.
const directory = Fs.mkdtempSync(Path.join(here, "readme-"))
afterAll(() => Fs.rmSync(directory, { recursive: true, force: true }))

describe("README", () => {
  it("has an example that runs and prints what it says", () => {
    const readme = Fs.readFileSync(Path.join(here, "..", "README.md"), "utf8")
    const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
    const [, expected = ""] = /^\/\/ (.*)$/m.exec(example) ?? []
    const file = Path.join(directory, "example.ts")
    Fs.writeFileSync(file, example)
    const printed = execFileSync(process.execPath, ["--import", "tsx", file], { encoding: "utf8" })
    expect(expected).not.toBe("")
    expect(printed.trim()).toBe(expected)
  })

  it("has a counter machine of ten lines at most", () => {
    const readme = Fs.readFileSync(Path.join(here, "..", "README.md"), "utf8")
    const [machine = ""] = /class Added[\s\S]*?\n}\) {}/.exec(readme) ?? []
    expect(machine.split("\n").length).toBeLessThanOrEqual(10)
  })
})
