import { readFileSync } from "node:fs"
import { it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect } from "effect"
import { example } from "./Example.ts"
import { word } from "./utilities.ts"

it.effect("the example of the README is the one that is run here, and does what it says", () =>
  Effect.gen(function* () {
    const [readme, code] = ["../README.md", "./Example.ts"].map((path) =>
      readFileSync(new URL(path, import.meta.url), "utf8")
    )
    strictEqual(readme?.includes(`\`\`\`ts\n${code}\`\`\``), true)
    const { changed, proven } = yield* example
    deepStrictEqual(changed, { before: word(0), after: word(42) })
    strictEqual(proven, 42n)
  })
)
