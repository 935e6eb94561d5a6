import { readFileSync } from "node:fs"
import { firstUnsafe } from "@ovm/safety-checker/SafetyChecker"
import { expect, it } from "vitest"

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")

it("does what the README shows", () => {
  const unsafe = firstUnsafe(Uint8Array.of(0x60, 0x01, 0x54))
  expect(readme).toContain("const unsafe = firstUnsafe(Uint8Array.of(0x60, 0x01, 0x54))")
  expect(readme).toContain(`unsafe?.message\n// ${unsafe?.message}\n`)
})
