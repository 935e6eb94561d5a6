import { readFileSync } from "node:fs"
import { expect, it } from "@effect/vitest"
import { operations } from "@ovm/protocol/generated/GasSchedule"
import { Effect } from "effect"
import { example } from "./Example.ts"
import { context } from "./support/World.ts"

it.effect("the example of the README is the one that is run here, and does what it says", () =>
  Effect.gen(function* () {
    const [readme = "", code = ""] = ["../README.md", "./Example.ts"].map((path) =>
      readFileSync(new URL(path, import.meta.url), "utf8")
    )
    expect(readme).toContain(`\`\`\`ts\n${code}\`\`\``)
    const outcome = yield* example(context)
    expect(outcome).toMatchObject({ returned: context.timestamp, operations: ["TIMESTAMP"] })
    const price = operations.find(({ name }) => name === "TIMESTAMP")?.gas ?? 0n
    expect(outcome.gasUsed).toBeGreaterThan(price)
    // The stub around the operation and the code's own instructions.
    expect(outcome.gasUsed).toBeLessThan(price + 500n)
  })
)
