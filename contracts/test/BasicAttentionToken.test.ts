import { BasicAttentionToken } from "@ovm/contracts"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import {
  decodeErrorResult,
  encodeDeployData,
  encodeEventTopics,
  encodeFunctionData,
  maxUint256,
  numberToHex,
  zeroAddress
} from "viem"
import { beforeEach, describe, expect, it } from "vitest"
import { CALLER, makeTestEvm, type TestEvm } from "./support/TestEvm.ts"

const { abi, bytecode } = BasicAttentionToken
const BOB: Address = `0x${"b0".repeat(20)}`
const CAROL: Address = `0x${"ca".repeat(20)}`

let evm: TestEvm
let token: Address

beforeEach(async () => {
  evm = await makeTestEvm()
  const args = ["Basic Attention Token", "BAT", 1_000n] as const
  token = await evm.deploy(encodeDeployData({ abi, bytecode, args }))
})

const send = (from: Address, data: Hex) => evm.call({ from, to: token, data })
const transfer = (to: Address, value: bigint) =>
  encodeFunctionData({ abi, functionName: "transfer", args: [to, value] })
const transferFrom = (from: Address, to: Address, value: bigint) =>
  encodeFunctionData({ abi, functionName: "transferFrom", args: [from, to, value] })
const approve = (spender: Address, value: bigint) =>
  encodeFunctionData({ abi, functionName: "approve", args: [spender, value] })
const balanceOf = async (account: Address) => {
  const data = encodeFunctionData({ abi, functionName: "balanceOf", args: [account] })
  return BigInt((await send(BOB, data)).returnData)
}
const errorOf = async (from: Address, data: Hex) => {
  const { returnData, success } = await send(from, data)
  return success ? "accepted" : decodeErrorResult({ abi, data: returnData }).errorName
}

describe("BasicAttentionToken", () => {
  it("gives its creator all tokens", async () => {
    expect(await balanceOf(CALLER)).toBe(1_000n)
    const data = encodeFunctionData({ abi, functionName: "totalSupply" })
    expect(BigInt((await send(BOB, data)).returnData)).toBe(1_000n)
  })

  it("moves tokens and logs it", async () => {
    const { logs, returnData } = await send(CALLER, transfer(BOB, 300n))
    expect(returnData).toBe(numberToHex(1n, { size: 32 }))
    const topics = encodeEventTopics({
      abi,
      eventName: "Transfer",
      args: { from: CALLER, to: BOB }
    })
    expect(logs).toEqual([{ address: token, topics, data: numberToHex(300n, { size: 32 }) }])
    expect([await balanceOf(CALLER), await balanceOf(BOB)]).toEqual([700n, 300n])
    await send(BOB, transfer(BOB, 300n))
    expect(await balanceOf(BOB)).toBe(300n)
  })

  it("lets a spender move what was approved, and no more", async () => {
    await send(CALLER, approve(BOB, 300n))
    await send(BOB, transferFrom(CALLER, CAROL, 200n))
    expect(await balanceOf(CAROL)).toBe(200n)
    expect(await errorOf(BOB, transferFrom(CALLER, CAROL, 101n))).toBe("InsufficientAllowance")
    await send(CALLER, approve(BOB, maxUint256))
    await send(BOB, transferFrom(CALLER, CAROL, 500n))
    await send(BOB, transferFrom(CALLER, CAROL, 300n))
    expect(await balanceOf(CAROL)).toBe(1_000n)
  })

  it("refuses what would lose or invent tokens", async () => {
    expect(await errorOf(CALLER, transfer(BOB, 1_001n))).toBe("InsufficientBalance")
    expect(await errorOf(BOB, transfer(CALLER, 1n))).toBe("InsufficientBalance")
    expect(await errorOf(CALLER, transfer(zeroAddress, 1n))).toBe("InvalidRecipient")
    expect(await balanceOf(CALLER)).toBe(1_000n)
  })
})
