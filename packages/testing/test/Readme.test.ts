import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import { judgeFile } from "./ReadmeExample.ts"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

it.effect("the README's example is the code that runs here, and does what it says", () =>
  Effect.gen(function* () {
    const readme = readFileSync(path("../README.md"), "utf8")
    expect(readme).toContain(readFileSync(path("ReadmeExample.ts"), "utf8"))
    const verdicts = yield* judgeFile(path("fixtures/HandWritten.json"))
    expect(verdicts).toHaveLength(7)
    expect(verdicts[0]).toMatchObject({ test: "sumStored", index: 0, verdict: "identical" })
  })
)
