import { readFileSync } from "node:fs"
import { Either } from "effect"
import { expect, it } from "vitest"
import { transpile } from "../src/Transpiler.ts"
import { bytecode } from "./support/Artifacts.ts"
import { deploy } from "./support/Evm.ts"

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")

it("does what the README's example shows", () => {
  const code = Uint8Array.of(0x60, 0x01, 0x54)
  expect(readme).toContain("Uint8Array.of(0x60, 0x01, 0x54)")
  const { code: out, replaced, sourceMap } = Either.getOrThrow(transpile({ code, mode: "runtime" }))
  expect(readme).toContain(`result.code.length // ${out.length}\n`)
  expect([...replaced]).toEqual([[0x54, 1]])
  expect(readme).toContain(`result.sourceMap.oldToNew(2) // ${sourceMap.oldToNew(2)}:`)
  expect(readme).toContain(`result.sourceMap.newToOld(48) // ${sourceMap.newToOld(48)}\n`)
})

it("has the sizes of the README's table", async () => {
  const exchange = await deploy(bytecode("v2-periphery", "UniswapV1Exchange", "creation"))
  const rows: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["V2 Router02", bytecode("v2-periphery", "UniswapV2Router02", "runtime")],
    ["V2 Pair", bytecode("v2-core", "UniswapV2Pair", "runtime")],
    ["V2 Factory", bytecode("v2-core", "UniswapV2Factory", "runtime")],
    ["V1 Exchange (Vyper)", exchange]
  ]
  const grouped = (size: number) => size.toLocaleString("en-US")
  for (const [name, code] of rows) {
    const { code: out, dispatch } = Either.getOrThrow(transpile({ code, mode: "runtime" }))
    const growth = `${(out.length / code.length).toFixed(2)}x`
    const cells = [name, grouped(code.length), grouped(out.length), growth, dispatch]
    const row = new RegExp(cells.map((cell) => cell.replace(/[()]/g, "\\$&")).join(" *\\| "))
    expect(readme).toMatch(row)
  }
})
