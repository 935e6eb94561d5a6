/** SafetyChecker.sol, run in a real EVM, against the TypeScript checker. */
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import path from "node:path"
import { Common, Mainnet } from "@ethereumjs/common"
import { createEVM } from "@ethereumjs/evm"
import * as contracts from "@ovm/contracts"
import { parse } from "@ovm/protocol/BytecodeFile"
import { Either } from "effect"
import fc from "fast-check"
import { bytesToHex, concatBytes, decodeFunctionResult, encodeFunctionData, hexToBytes } from "viem"
import { describe, expect, it } from "vitest"
import { firstUnsafe } from "../src/SafetyChecker.ts"

const { abi, deployedBytecode } = contracts.SafetyChecker

const evm = createEVM({ common: new Common({ chain: Mainnet, hardfork: "cancun" }) })

/** @param tail Put behind the code in calldata, where it must not count. */
const checkOnChain = async (code: Uint8Array, tail: Uint8Array = new Uint8Array(0)) => {
  const data = encodeFunctionData({ abi, functionName: "check", args: [bytesToHex(code)] })
  // Cuts the zero padding off, so that the tail follows the code's last byte.
  const exact = hexToBytes(data).subarray(0, 4 + 64 + code.length)
  const { exceptionError, executionGasUsed, returnValue } = await (await evm).runCode({
    code: hexToBytes(deployedBytecode),
    data: concatBytes([exact, tail]),
    gasLimit: 1_000_000_000n
  })
  expect(exceptionError).toBeUndefined()
  const [safe, offset, opcode] = decodeFunctionResult({
    abi,
    functionName: "check",
    data: bytesToHex(returnValue)
  })
  return { verdict: safe ? undefined : { offset: Number(offset), opcode }, gas: executionGasUsed }
}

const checkOffChain = (code: Uint8Array) => {
  const unsafe = firstUnsafe(code)
  return unsafe && { offset: unsafe.offset, opcode: unsafe.opcode }
}

const expectSameVerdict = async (code: Uint8Array, tail?: Uint8Array) => {
  const { verdict } = await checkOnChain(code, tail)
  expect(verdict).toEqual(checkOffChain(code))
  return verdict
}

/** Gates, parts of gates, and what may be mistaken for one. */
const PIECES = [
  ...["335af4", "33", "335a", "5af4", "5a", "f4", "5f5c", "5f5d", "5c", "5d", "60095d", "600a5d"],
  ...["60005d", "5f", "5f5f", "5f5f5f5f", "5f5f5f5f60045afa", "60045afa", "045afa", "5afa", "fa"],
  ...["60", "61", "62", "67", "7f", "605f", "6160", "6004", "00", "5b", "01", "80", "fe"]
].map((piece) => hexToBytes(`0x${piece}`))

const SAFE_PIECES = [
  ...["335af4", "5f5c", "5f5d", "60095d", "5f5f5f5f60045afa", "5b", "01", "80", "5f", "fe", "605d"],
  ...["61fafa", "7f33333333333333333333333333333333335f5f5f5f60045afa5f5d33335a5af4"]
].map((piece) => hexToBytes(`0x${piece}`))

const concatenated = (pieces: ReadonlyArray<Uint8Array>, maxLength: number) =>
  fc.array(fc.constantFrom(...pieces), { maxLength }).map((parts) => concatBytes(parts))

describe("SafetyChecker.sol", () => {
  it("gives every pair of bytes the verdict of the TypeScript checker", async () => {
    for (let opcode = 0; opcode < 256; opcode++) {
      await expectSameVerdict(Uint8Array.of(opcode))
      await expectSameVerdict(Uint8Array.of(0x5b, opcode, 0x5b))
      await expectSameVerdict(Uint8Array.of(0x60, 0x04, opcode))
    }
  })

  it("gives random bytes the verdict of the TypeScript checker", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 80 }),
        fc.uint8Array({ maxLength: 40 }),
        async (code, tail) => void (await expectSameVerdict(code, tail))
      ),
      { numRuns: 2_000 }
    )
  }, 60_000)

  it("gives near misses the verdict of the TypeScript checker", async () => {
    await fc.assert(
      fc.asyncProperty(
        concatenated(PIECES, 12),
        fc.constantFrom(...PIECES),
        async (code, tail) => void (await expectSameVerdict(code, tail))
      ),
      {
        numRuns: 4_000
      }
    )
  }, 60_000)

  it("finds one forbidden piece in long safe code, wherever its blocks of 16 begin", async () => {
    const verdicts = new Set<boolean>()
    await fc.assert(
      fc.asyncProperty(
        concatenated(SAFE_PIECES, 80),
        fc.constantFrom(...PIECES),
        concatenated(SAFE_PIECES, 10),
        async (before, piece, after) => {
          const verdict = await expectSameVerdict(concatBytes([before, piece, after]))
          verdicts.add(verdict === undefined)
          expect(checkOffChain(before)).toBeUndefined()
        }
      ),
      { numRuns: 1_500 }
    )
    expect(verdicts.size).toBe(2)
  }, 60_000)

  it("gives real contracts the verdict of the TypeScript checker", async () => {
    const require = createRequire(import.meta.url)
    const folder = path.dirname(
      require.resolve("@uniswap/v2-periphery/build/UniswapV2Router02.json")
    )
    const codes = [
      ...Object.values(contracts).map(({ deployedBytecode }) => hexToBytes(deployedBytecode)),
      ...readdirSync(folder)
        .filter((file) => file.endsWith(".json"))
        .map((file) => parse(readFileSync(path.join(folder, file), "utf8"), { prefer: "runtime" }))
        .flatMap((parsed) => (Either.isRight(parsed) ? [parsed.right.code] : []))
    ]
    expect(codes.length).toBeGreaterThan(20)
    for (const code of codes) await expectSameVerdict(code)
  })

  it("checks the largest possible code for a small part of what its deployment costs", async () => {
    // Half of it PUSH1, as in compiled code. EIP-170's 24,576 bytes cost 4,915,200 gas to deploy.
    const code = new Uint8Array(24_576)
      .fill(0x01)
      .map((byte, index) => (index % 3 === 1 ? 0x60 : byte))
    const { gas, verdict } = await checkOnChain(code)
    expect(verdict).toBeUndefined()
    expect(gas).toBeLessThan(700_000n)
  })

  it("isn't slowed down by code made of gates", async () => {
    const gates = concatBytes(Array(3_072).fill(hexToBytes("0x5f5f5f5f60045afa")))
    const { gas, verdict } = await checkOnChain(gates)
    expect(verdict).toBeUndefined()
    expect(gas).toBeLessThan(4_000_000n)
  })
})
