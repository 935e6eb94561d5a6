import { readFileSync } from "node:fs"
import { SafetyChecker } from "@ovm/contracts"
import { expect, it } from "vitest"

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")

it("has the artifacts' fields that the README names", () => {
  const fields = [...readme.matchAll(/^SafetyChecker\.(\w+)/gm)].map(([, field]) => field)
  expect(fields).toEqual(["abi", "bytecode", "deployedBytecode", "deployedSize"])
  expect(Object.keys(SafetyChecker)).toEqual(expect.arrayContaining(fields))
})
