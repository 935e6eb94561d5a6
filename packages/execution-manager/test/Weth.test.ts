/** ETH is WETH: the predeploy of `contracts`, run by ExecutionManager.sol over the node's state. */
import { expect, it } from "@effect/vitest"
import * as contracts from "@ovm/contracts"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import { ETH_CAP, LEDGER, MESSAGE_PASSER, WETH } from "@ovm/protocol/Predeploys"
import { type Address, type Hex, ZERO_ADDRESS, ZERO_HASH } from "@ovm/protocol/Primitives"
import type { State } from "@ovm/state-manager/State"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import {
  decodeErrorResult,
  encodeAbiParameters,
  encodeEventTopics,
  encodeFunctionData,
  hexToBytes,
  maxUint256,
  numberToHex,
  toFunctionSelector
} from "viem"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import { layerReference } from "../src/ReferenceExecutionManager.ts"

const abi = contracts.WETH.abi
const ALICE: Address = `0x${"a1".repeat(20)}`
const BOB: Address = `0x${"b0".repeat(20)}`
/** Logs, with no topics and no data, whenever it is called. */
const LOGGER: Address = `0x${"c0".repeat(20)}`
const REFUSER: Address = `0x${"d0".repeat(20)}`

const context: BlockContext = {
  chainId: 10n,
  number: 1n,
  timestamp: 1_000n,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  coinbase: ZERO_ADDRESS,
  prevRandao: ZERO_HASH,
  blobBaseFee: 1n,
  l1Origin: { number: 0n, hash: ZERO_HASH },
  protocolVersion: 1
}

const uint256 = (value: bigint) => numberToHex(value, { size: 32 })

const setUp = Effect.gen(function* () {
  const manager = yield* ExecutionManager
  const states = yield* StateManager
  const state: State = yield* states.open(states.emptyRoot)
  yield* Effect.promise(async () => {
    for (const [address, code] of [
      [WETH, contracts.WETH.deployedBytecode],
      [LOGGER, "0x5f5fa000"],
      [REFUSER, "0x5f5ffd"]
    ] as const) {
      await state.setAccount(address, { nonce: 1n, balance: 0n })
      await state.setCode(address, hexToBytes(code))
    }
    for (const account of [ALICE, LOGGER, REFUSER]) {
      await state.setAccount(account, { nonce: 1n, balance: 1_000n })
    }
  })
  const call = (from: Address, data: Hex, options: { value?: bigint; to?: Address } = {}) =>
    manager.executeCall({
      state,
      context,
      from,
      to: options.to ?? WETH,
      value: options.value ?? 0n,
      gas: 3_000_000n,
      gasPrice: 0n,
      data: hexToBytes(data)
    })
  const balanceOf = (address: Address) =>
    Effect.promise(async () => (await state.getAccount(address))?.balance ?? 0n)
  return { call, balanceOf, state }
})

const transfer = (to: Address, wad: bigint) =>
  encodeFunctionData({ abi, functionName: "transfer", args: [to, wad] })
const transferFrom = (from: Address, to: Address, wad: bigint) =>
  encodeFunctionData({ abi, functionName: "transferFrom", args: [from, to, wad] })
const approve = (spender: Address, wad: bigint) =>
  encodeFunctionData({ abi, functionName: "approve", args: [spender, wad] })
const allowance = (owner: Address, spender: Address) =>
  encodeFunctionData({ abi, functionName: "allowance", args: [owner, spender] })
const withdraw = (wad: bigint) => encodeFunctionData({ abi, functionName: "withdraw", args: [wad] })
const balance = (account: Address) =>
  encodeFunctionData({ abi, functionName: "balanceOf", args: [account] })

const services = Layer.merge(layerReference(), layerMemory)

it.effect("shows the native balance as the ERC-20 balance", () =>
  Effect.gen(function* () {
    const { call } = yield* setUp
    expect((yield* call(BOB, balance(ALICE))).returnData).toBe(uint256(1_000n))
    expect((yield* call(BOB, balance(BOB))).returnData).toBe(uint256(0n))
  }).pipe(Effect.provide(services))
)

it.effect("moves native balance by transfer, and logs it", () =>
  Effect.gen(function* () {
    const { balanceOf, call } = yield* setUp
    const topics = encodeEventTopics({ abi, eventName: "Transfer", args: { src: ALICE, dst: BOB } })
    expect(yield* call(ALICE, transfer(BOB, 400n))).toMatchObject({
      success: true,
      returnData: uint256(1n),
      logs: [{ address: WETH, topics, data: uint256(400n) }]
    })
    expect(yield* balanceOf(ALICE)).toBe(600n)
    expect(yield* balanceOf(BOB)).toBe(400n)
    expect(yield* call(ALICE, transfer(ALICE, 600n))).toMatchObject({ success: true })
    expect(yield* balanceOf(ALICE)).toBe(600n)
  }).pipe(Effect.provide(services))
)

it.effect("refuses to move more than there is, with the amounts", () =>
  Effect.gen(function* () {
    const { balanceOf, call } = yield* setUp
    const { returnData, success } = yield* call(ALICE, transfer(BOB, 1_001n))
    expect(success).toBe(false)
    const { args, errorName } = decodeErrorResult({ abi, data: returnData })
    expect(errorName).toBe("InsufficientBalance")
    expect(args?.slice(1)).toEqual([1_001n, 1_000n])
    expect(yield* balanceOf(ALICE)).toBe(1_000n)
  }).pipe(Effect.provide(services))
)

it.effect("sends nothing to the reserve, where it would arrive nowhere", () =>
  Effect.gen(function* () {
    const { balanceOf, call } = yield* setUp
    const { returnData, success } = yield* call(ALICE, transfer(MESSAGE_PASSER, 1n))
    expect(success).toBe(false)
    expect(decodeErrorResult({ abi, data: returnData }).errorName).toBe("TransferToReserve")
    expect(yield* balanceOf(ALICE)).toBe(1_000n)
  }).pipe(Effect.provide(services))
)

it.effect("lets a spender take what was approved, natively, and no more", () =>
  Effect.gen(function* () {
    const { balanceOf, call } = yield* setUp
    yield* call(ALICE, approve(BOB, 300n))
    expect(yield* call(BOB, transferFrom(ALICE, BOB, 200n))).toMatchObject({ success: true })
    expect(yield* balanceOf(BOB)).toBe(200n)
    expect((yield* call(BOB, allowance(ALICE, BOB))).returnData).toBe(uint256(100n))
    const refused = yield* call(BOB, transferFrom(ALICE, BOB, 101n))
    const { args, errorName } = decodeErrorResult({ abi, data: refused.returnData })
    expect(errorName).toBe("InsufficientAllowance")
    expect(args?.slice(2)).toEqual([101n, 100n])
    // No allowance is needed for one's own, and one of 2^256 - 1 never shrinks.
    expect(yield* call(BOB, transferFrom(BOB, ALICE, 200n))).toMatchObject({ success: true })
    yield* call(ALICE, approve(BOB, maxUint256))
    expect(yield* call(BOB, transferFrom(ALICE, BOB, 1_000n))).toMatchObject({ success: true })
    expect((yield* call(BOB, allowance(ALICE, BOB))).returnData).toBe(uint256(maxUint256))
  }).pipe(Effect.provide(services))
)

it.effect("gives a deposit back at once, with WETH9's event", () =>
  Effect.gen(function* () {
    const { balanceOf, call } = yield* setUp
    const topics = encodeEventTopics({ abi, eventName: "Deposit", args: { dst: ALICE } })
    // By its name, by plain value, and by a call of no function, as WETH9.
    for (const data of [toFunctionSelector("deposit()"), "0x", "0x12345678"] as const) {
      expect(yield* call(ALICE, data, { value: 70n })).toMatchObject({
        success: true,
        logs: [{ address: WETH, topics, data: uint256(70n) }]
      })
      expect(yield* balanceOf(ALICE)).toBe(1_000n)
      expect(yield* balanceOf(WETH)).toBe(0n)
    }
  }).pipe(Effect.provide(services))
)

it.effect("withdraws by calling the owner with value and the gas of a plain transfer", () =>
  Effect.gen(function* () {
    const { balanceOf, call } = yield* setUp
    const topics = encodeEventTopics({ abi, eventName: "Withdrawal", args: { src: LOGGER } })
    const { logs, success } = yield* call(LOGGER, withdraw(1_000n))
    expect(success).toBe(true)
    expect(logs).toEqual([
      { address: LOGGER, topics: [], data: "0x" },
      { address: WETH, topics, data: uint256(1_000n) }
    ])
    expect(yield* balanceOf(LOGGER)).toBe(1_000n)
    expect(yield* balanceOf(WETH)).toBe(0n)
    expect(yield* call(ALICE, withdraw(1_001n))).toMatchObject({ success: false })
    expect(yield* call(REFUSER, withdraw(1n))).toMatchObject({ success: false })
    expect(yield* balanceOf(REFUSER)).toBe(1_000n)
  }).pipe(Effect.provide(services))
)

it.effect("has WETH9's name, and all ETH that is not in the reserve as its supply", () =>
  Effect.gen(function* () {
    const { call, state } = yield* setUp
    const read = (functionName: "name" | "symbol" | "decimals" | "totalSupply") =>
      Effect.map(
        call(BOB, encodeFunctionData({ abi, functionName })),
        ({ returnData }) => returnData
      )
    const text = (value: string) => encodeAbiParameters([{ type: "string" }], [value])
    expect(yield* read("name")).toBe(text("Wrapped Ether"))
    expect(yield* read("symbol")).toBe(text("WETH"))
    expect(yield* read("decimals")).toBe(uint256(18n))
    for (const supply of [0n, 5_000n, ETH_CAP]) {
      const balance = ETH_CAP - supply
      yield* Effect.promise(() => state.setAccount(MESSAGE_PASSER, { nonce: 1n, balance }))
      expect(yield* read("totalSupply")).toBe(uint256(supply))
    }
  }).pipe(Effect.provide(services))
)

it.effect("keeps the ledger from everyone but the predeploy", () =>
  Effect.gen(function* () {
    const { balanceOf, call } = yield* setUp
    const move = encodeFunctionData({
      abi: contracts.ILedger.abi,
      functionName: "move",
      args: [ALICE, BOB, 1n]
    })
    // An account without code: the call succeeds and does nothing.
    expect(yield* call(BOB, move, { to: LEDGER })).toMatchObject({ success: true })
    expect(yield* balanceOf(ALICE)).toBe(1_000n)
    expect(yield* balanceOf(BOB)).toBe(0n)
  }).pipe(Effect.provide(services))
)
