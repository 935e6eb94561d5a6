/** ERC-20 tokens of every kind: what arrives counts, and what a token refuses to pay is kept. */
import * as contracts from "@ovm/contracts"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import { L2_BRIDGE } from "@ovm/protocol/Predeploys"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { Either } from "effect"
import { decodeFunctionData, encodeFunctionData, hexToBytes, toHex } from "viem"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  accounts,
  type BridgeL1,
  CHALLENGE_PERIOD,
  decodeFailure,
  type SeenEvent,
  startBridgeL1
} from "./support/BridgeL1.ts"
import { encodeProof, stateWith, type Withdrawal } from "./support/Withdrawals.ts"

const abi = contracts.L1Bridge.abi
const tokenAbi = contracts.HostileToken.abi
const ALICE = accounts.alice.address
const BOB: Address = "0x0000000000000000000000000000000000000b0b"
const HABIT = {
  noReturnValue: 1,
  returnsFalse: 2,
  takesFee: 3,
  reverts: 4,
  bytes32Name: 5,
  endlessName: 6,
  noName: 7,
  answersMuch: 8
} as const

let l1: BridgeL1
let token: Address
let snapshot: Hex

beforeAll(async () => {
  l1 = await startBridgeL1()
  token = await l1.deploy(contracts.HostileToken)
  await tokenCall("mint", [ALICE, 10_000n])
  await tokenCall("approve", [l1.bridge, 10_000n])
}, 30_000)
afterAll(() => l1?.stop())
beforeEach(async () => {
  snapshot = await l1.node.snapshot()
})
afterEach(() => l1.node.revert({ id: snapshot }))

const tokenCall = (functionName: string, args: ReadonlyArray<unknown>) =>
  l1.events({ to: token, abi: tokenAbi, functionName, args })
const setHabit = (habit: number) => tokenCall("setHabit", [habit])
const deposit = (amount = 1_000n, gasLimit = 0n) => ({
  to: l1.bridge,
  abi,
  functionName: "depositERC20",
  args: [token, BOB, amount, gasLimit]
})
const balanceOf = (account: Address) =>
  l1.read({ to: token, abi: tokenAbi, functionName: "balanceOf", args: [account] })
const tokenBalance = () =>
  l1.read({ to: l1.bridge, abi, functionName: "tokenBalance", args: [token] })
const owed = (to: Address) =>
  l1.read({ to: l1.bridge, abi, functionName: "owed", args: [token, to] })

/** What the L2 bridge is told. */
const told = (events: ReadonlyArray<SeenEvent>) => {
  const raw = events.find(({ name }) => name === "TransactionEnqueued")?.args["raw"] as Hex
  const transaction = Either.getOrThrow(DepositTransaction.decode(hexToBytes(raw)))
  expect(transaction).toMatchObject({ to: L2_BRIDGE, mint: 0n, value: 0n })
  const { args } = decodeFunctionData({
    abi: contracts.L2Bridge.abi,
    data: toHex(transaction.data)
  })
  return { args, transaction }
}

const payment = (amount: bigint, to: Address = BOB, nonce = 0n): Withdrawal => ({
  nonce,
  sender: L2_BRIDGE,
  target: l1.bridge,
  value: 0n,
  gasLimit: 300_000n,
  data: encodeFunctionData({
    abi,
    functionName: "finalizeERC20Withdrawal",
    args: [token, ALICE, to, amount]
  })
})

/** Claims a state that holds the withdrawals, waits, and gives the calls that finalize them. */
const finalizing = async (withdrawals: ReadonlyArray<Withdrawal>) => {
  const state = await stateWith(withdrawals, 5)
  const index = await l1.propose(state.root)
  await l1.travel(CHALLENGE_PERIOD + 1n)
  return Promise.all(
    withdrawals.map(async (withdrawal) => ({
      to: l1.bridge,
      abi,
      functionName: "finalizeWithdrawal",
      args: [encodeProof(await state.proofOf(withdrawal, index))]
    }))
  )
}
const finalized = async (withdrawal: Withdrawal) => {
  const [call] = await finalizing([withdrawal])
  if (call === undefined) throw new Error("Expected one call.")
  return l1.events(call)
}

describe("a deposit of tokens", () => {
  it("tells L2 the token, what arrived, and what it is called", async () => {
    const { args, transaction } = told(await l1.events(deposit()))
    expect(args).toMatchObject([
      expect.stringMatching(new RegExp(token, "i")),
      ALICE,
      expect.stringMatching(new RegExp(BOB, "i")),
      1_000n,
      expect.stringMatching(/^Hostile\0*$/),
      expect.stringMatching(/^HOST\0*$/),
      6
    ])
    expect(transaction.gasLimit).toBe(2_000_000n)
    expect(await tokenBalance()).toBe(1_000n)
    expect(await balanceOf(l1.bridge)).toBe(1_000n)
    const { transaction: generous } = told(await l1.events(deposit(1n, 3_000_000n)))
    expect(generous.gasLimit).toBe(3_000_000n)
  })

  it.each([
    ["that returns nothing", HABIT.noReturnValue, 1_000n],
    ["that takes a fee: what arrived counts", HABIT.takesFee, 990n],
    ["that answers with a lot", HABIT.answersMuch, 1_000n]
  ])("%s", async (_, habit, arrived) => {
    await setHabit(habit)
    expect(told(await l1.events(deposit())).args?.[3]).toBe(arrived)
    expect(await tokenBalance()).toBe(arrived)
    expect(await balanceOf(l1.bridge)).toBe(arrived)
  })

  it.each([
    ["as bytes32", HABIT.bytes32Name, "Hostile", "HOST", 6],
    ["not at all", HABIT.noName, "", "", 18],
    ["without end", HABIT.endlessName, "\0".repeat(64), "\0".repeat(64), 18]
  ])("that names itself %s", async (_, habit, name, symbol, decimals) => {
    await setHabit(habit)
    const { args } = told(await l1.events(deposit()))
    expect(args?.slice(4)).toEqual([name, symbol, decimals])
  })

  it("is refused if the token refuses, or moves nothing, or is none", async () => {
    const refused = { error: "TokenTransferFailed" }
    await setHabit(HABIT.returnsFalse)
    expect(await l1.failure(deposit())).toMatchObject(refused)
    await setHabit(HABIT.reverts)
    expect(await l1.failure(deposit())).toMatchObject(refused)
    await setHabit(0)
    expect(await l1.failure(deposit(10_001n))).toMatchObject(refused)
    expect(await l1.failure(deposit(0n))).toMatchObject({ error: "NothingDeposited" })
    expect(await l1.failure({ ...deposit(), args: [BOB, BOB, 1n, 0n] })).toMatchObject({
      error: "NotContract"
    })
  })

  it("can't be counted twice from inside the token", async () => {
    const again = encodeFunctionData({
      abi,
      functionName: "depositERC20",
      args: [token, BOB, 1n, 0n]
    })
    await tokenCall("setHook", [l1.bridge, again])
    const events = await l1.events(deposit())
    const hook = events.find(({ name }) => name === "HookRan")
    expect(decodeFailure(hook?.args["result"] as Hex).error).toBe("Reentered")
    expect(events.filter(({ name }) => name === "ERC20Deposited")).toHaveLength(1)
    expect(await tokenBalance()).toBe(1_000n)
  })

  it("can't spoil another's withdrawal from inside the token", async () => {
    await l1.events(deposit())
    const [call] = await finalizing([payment(400n)])
    await tokenCall("setHook", [
      l1.bridge,
      encodeFunctionData({ abi, functionName: "finalizeWithdrawal", args: [call?.args[0] as Hex] })
    ])
    const events = await l1.events(deposit(1n))
    const hook = events.find(({ name }) => name === "HookRan")
    expect(decodeFailure(hook?.args["result"] as Hex).error).toBe("Reentered")
    expect(await balanceOf(BOB)).toBe(0n)
    if (call !== undefined) await l1.events(call)
    expect(await balanceOf(BOB)).toBe(400n)
  })
})

describe("a withdrawal of tokens", () => {
  it.each([
    ["pays what L2 destroyed", 0, 400n],
    ["pays in a token that returns nothing", HABIT.noReturnValue, 400n],
    ["pays in a token that takes a fee", HABIT.takesFee, 396n]
  ])("%s", async (_, habit, arrives) => {
    await l1.events(deposit())
    await setHabit(habit)
    const events = await finalized(payment(400n))
    expect(events.map(({ name }) => name)).toEqual(["ERC20Withdrawn", "WithdrawalFinalized"])
    expect(await balanceOf(BOB)).toBe(arrives)
    expect(await tokenBalance()).toBe(600n)
  })

  it.each([
    ["reverts", HABIT.reverts],
    ["returns false", HABIT.returnsFalse]
  ])("is kept if the token %s, and can be claimed by anyone later, once", async (_, habit) => {
    await l1.events(deposit())
    await setHabit(habit)
    const events = await finalized(payment(400n))
    expect(events).toMatchObject([
      { name: "ERC20WithdrawalKept", args: { amount: 400n } },
      { name: "WithdrawalFinalized", args: { success: true } }
    ])
    expect(await owed(BOB)).toBe(400n)
    const claim = { to: l1.bridge, abi, functionName: "claimERC20", args: [token, BOB] }
    expect(await l1.failure(claim)).toMatchObject({ error: "TokenTransferFailed" })
    await setHabit(0)
    await l1.events(claim)
    expect(await balanceOf(BOB)).toBe(400n)
    expect(await l1.failure(claim)).toMatchObject({ error: "NothingOwed" })
    expect(await balanceOf(l1.bridge)).toBe(600n)
  })

  it("pays no more than was deposited", async () => {
    await l1.events(deposit())
    const events = await finalized(payment(1_001n))
    expect(events).toMatchObject([{ name: "WithdrawalFinalized", args: { success: false } }])
    expect(await balanceOf(BOB)).toBe(0n)
  })

  it("needs the L2 bridge to have sent it", async () => {
    await l1.events(deposit())
    const events = await finalized({ ...payment(400n), sender: BOB })
    expect(events).toMatchObject([{ name: "WithdrawalFinalized", args: { success: false } }])
    const direct = {
      to: l1.bridge,
      abi,
      functionName: "finalizeERC20Withdrawal",
      args: [token, ALICE, BOB, 1n]
    }
    expect(await l1.failure(direct)).toMatchObject({ error: "NotL2Bridge" })
    expect(await balanceOf(BOB)).toBe(0n)
  })

  it("can't be paid twice from inside the token", async () => {
    await l1.events(deposit())
    await setHabit(HABIT.reverts)
    await finalized(payment(400n))
    await setHabit(0)
    await tokenCall("setHook", [
      l1.bridge,
      encodeFunctionData({ abi, functionName: "claimERC20", args: [token, BOB] })
    ])
    const events = await l1.events({
      to: l1.bridge,
      abi,
      functionName: "claimERC20",
      args: [token, BOB]
    })
    const hook = events.find(({ name }) => name === "HookRan")
    expect(decodeFailure(hook?.args["result"] as Hex).error).toBe("Reentered")
    expect(await balanceOf(BOB)).toBe(400n)
  })

  it("of another's making can't touch tokens that are here, nor approvals", async () => {
    await l1.events(deposit())
    const raw = (data: Hex, nonce: bigint): Withdrawal => ({
      ...{ nonce, sender: BOB, target: token, value: 0n, gasLimit: 300_000n, data }
    })
    const calls = await finalizing([
      raw(encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args: [BOB, 1_000n] }), 0n),
      raw(
        encodeFunctionData({ abi: tokenAbi, functionName: "transferFrom", args: [ALICE, BOB, 1n] }),
        1n
      ),
      raw(encodeFunctionData({ abi: tokenAbi, functionName: "approve", args: [BOB, 1_000n] }), 2n)
    ])
    for (const call of calls) await l1.events(call)
    expect(await balanceOf(BOB)).toBe(0n)
    expect(await balanceOf(l1.bridge)).toBe(1_000n)
    const allowance = {
      to: token,
      abi: tokenAbi,
      functionName: "allowance",
      args: [l1.bridge, BOB]
    }
    expect(await l1.read(allowance)).toBe(0n)
  })
})
