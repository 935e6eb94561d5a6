import { describe, expect, it } from "vitest"
import { Either } from "effect"
import { type Mode, transpile } from "../src/Transpiler.ts"
import { bytecode } from "./support/Artifacts.ts"
import { deploy } from "./support/Evm.ts"

const grow = (code: Uint8Array, mode: Mode) => {
  const result = Either.getOrThrow(transpile({ code, mode }))
  return {
    before: code.length,
    after: result.code.length,
    ratio: result.code.length / code.length,
    dispatch: result.dispatch
  }
}

describe("size of real contracts", () => {
  it("fits Uniswap V2's Router02 into EIP-170, with every JUMPDEST reachable", () => {
    const router = grow(bytecode("v2-periphery", "UniswapV2Router02", "runtime"), "runtime")
    expect(router).toEqual({ before: 21943, after: 24269, ratio: 24269 / 21943, dispatch: "full" })
    expect(router.after).toBeLessThanOrEqual(24_576)
  })

  it.each([
    ["UniswapV2Pair", "v2-core"],
    ["UniswapV2Factory", "v2-core"],
    ["UniswapV2Router01", "v2-periphery"],
    ["UniswapV2Migrator", "v2-periphery"]
  ] as const)("keeps %s within 1.25 times", (name, from) => {
    const contract = grow(bytecode(from, name, "runtime"), "runtime")
    expect(contract.ratio).toBeLessThanOrEqual(1.25)
    expect(contract.dispatch).toBe("full")
  })

  it("keeps the V1 exchange, as its creation code deploys it, within 1.25 times", async () => {
    const runtime = await deploy(bytecode("v2-periphery", "UniswapV1Exchange", "creation"))
    const exchange = grow(runtime, "runtime")
    expect(exchange).toMatchObject({ before: 12_440, after: 15_497, dispatch: "full" })
    expect(exchange.ratio).toBeLessThanOrEqual(1.25)
  })

  it("transpiles all of Uniswap's creation code", () => {
    for (const [from, name] of [
      ["v2-core", "UniswapV2Factory"],
      ["v2-core", "UniswapV2Pair"],
      ["v2-periphery", "UniswapV1Exchange"],
      ["v2-periphery", "UniswapV1Factory"],
      ["v2-periphery", "UniswapV2Router02"],
      ["v2-periphery", "WETH9"]
    ] as const) {
      const { after, before } = grow(bytecode(from, name, "creation"), "init")
      expect(after, name).toBeLessThanOrEqual(before + Math.max(before / 4, 1024))
    }
  })
})
