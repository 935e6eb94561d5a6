/** ETH goes in by the queue, in the caller's name; and what the guardian can do, and can't. */
import * as contracts from "@ovm/contracts"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import { ALIAS_OFFSET, MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { Either } from "effect"
import { encodeFunctionData, hexToBytes, numberToHex } from "viem"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  accounts,
  type BridgeL1,
  ESCROW,
  type SeenEvent,
  startBridgeL1
} from "./support/BridgeL1.ts"

const abi = contracts.L1Bridge.abi
const ALICE: Address = `0x${accounts.alice.address.slice(2).toLowerCase()}`
const BOB: Address = "0x0000000000000000000000000000000000000b0b"
const DAY = 86_400n

let l1: BridgeL1
let receiver: Address
let snapshot: Hex

beforeAll(async () => {
  l1 = await startBridgeL1()
  receiver = await l1.deploy(contracts.HostileReceiver)
}, 30_000)
afterAll(() => l1?.stop())
beforeEach(async () => {
  snapshot = await l1.node.snapshot()
})
afterEach(() => l1.node.revert({ id: snapshot }))

const bridgeCall = (functionName: string, args: ReadonlyArray<unknown> = [], value = 0n) => ({
  to: l1.bridge,
  abi,
  functionName,
  args,
  value
})
const aliasOf = (address: Address): Address =>
  numberToHex((BigInt(address) + ALIAS_OFFSET) % 2n ** 160n, { size: 20 })
const held = () => l1.client.getBalance({ address: l1.bridge })

/** The deposit transaction that the Inbox made. */
const depositIn = (events: ReadonlyArray<SeenEvent>): DepositTransaction.DepositTransaction => {
  const enqueued = events.find(({ name }) => name === "TransactionEnqueued")
  if (enqueued === undefined) throw new Error("Nothing was enqueued.")
  return Either.getOrThrow(DepositTransaction.decode(hexToBytes(enqueued.args["raw"] as Hex)))
}

describe("deposits", () => {
  it("give ETH to the caller's own account, and keep it here", async () => {
    const events = await l1.events(bridgeCall("depositETH", [], 7n))
    const { sourceHash, ...deposit } = depositIn(events)
    expect(deposit).toEqual({
      type: 0x7e,
      from: ALICE,
      to: ALICE,
      mint: 7n,
      value: 7n,
      gasLimit: 21_000n,
      data: new Uint8Array(0)
    })
    expect(sourceHash).toBe(
      DepositTransaction.sourceHash({ l1ChainId: 31337n, inbox: l1.inbox, queueIndex: 0n })
    )
    expect(await held()).toBe(ESCROW + 7n)
  })

  it("of a contract are in its alias' name", async () => {
    const data = encodeFunctionData({ abi, functionName: "depositETH" })
    const events = await l1.events({
      to: receiver,
      abi: contracts.HostileReceiver.abi,
      functionName: "forward",
      args: [l1.bridge, data],
      value: 9n
    })
    expect(depositIn(events)).toMatchObject({
      from: aliasOf(receiver),
      to: aliasOf(receiver),
      mint: 9n
    })
    expect(events.find(({ name }) => name === "ETHDeposited")?.args).toMatchObject({ amount: 9n })
  })

  it("wrap around when an alias passes the last address", () => {
    expect(aliasOf("0xffffffffffffffffffffffffffffffffffffffff")).toBe(
      "0x1111000000000000000000000000000000001110"
    )
  })

  it("go to anyone, with data and gas, and name what was asked", async () => {
    const events = await l1.events(bridgeCall("depositETHTo", [BOB, 90_000n, "0x1234"], 5n))
    expect(depositIn(events)).toMatchObject({
      from: ALICE,
      to: BOB,
      mint: 5n,
      value: 5n,
      gasLimit: 90_000n,
      data: hexToBytes("0x1234")
    })
  })

  it("carry any transaction, creations too, in the caller's name", async () => {
    const created = await l1.events(
      bridgeCall("depositTransaction", [true, BOB, 3n, 200_000n, "0x00"], 4n)
    )
    expect(depositIn(created)).toMatchObject({ from: ALICE, to: undefined, mint: 4n, value: 3n })
    const called = await l1.events(
      bridgeCall("depositTransaction", [false, BOB, 3n, 50_000n, "0x"])
    )
    expect(depositIn(called)).toMatchObject({ from: ALICE, to: BOB, mint: 0n, value: 3n })
    expect(called.map(({ name }) => name)).toEqual(["TransactionEnqueued"])
  })

  it("of nothing are refused, and so is a gas limit that can't suffice", async () => {
    expect(await l1.failure(bridgeCall("depositETH"))).toMatchObject({ error: "NothingDeposited" })
    expect(await l1.failure(bridgeCall("depositETHTo", [BOB, 90_000n, "0x"]))).toMatchObject({
      error: "NothingDeposited"
    })
    expect(await l1.failure(bridgeCall("depositETHTo", [BOB, 20_999n, "0x"], 1n))).toMatchObject({
      error: "GasLimitOutOfRange"
    })
  })

  it("by a plain transfer are refused: they would name no account", async () => {
    const hash = await l1.wallet.sendTransaction({
      account: accounts.alice,
      to: l1.bridge,
      value: 1n,
      gas: 100_000n
    })
    expect((await l1.settled(hash)).status).toBe("reverted")
    expect(await held()).toBe(ESCROW)
  })

  it("can be made by nobody but the bridge", async () => {
    const call = {
      to: l1.inbox,
      abi: contracts.Inbox.abi,
      functionName: "enqueueDeposit",
      args: [ALICE, false, ALICE, 10n ** 18n, 0n, 21_000n, "0x"]
    }
    expect(await l1.failure(call)).toMatchObject({ error: "NotBridge" })
  })
})

describe("a withdrawal requested on L1", () => {
  it("calls the passer in the caller's name, with the amount, and nothing minted", async () => {
    const events = await l1.events(bridgeCall("withdrawETH", [11n]))
    const deposit = depositIn(events)
    expect(deposit).toMatchObject({ from: ALICE, to: MESSAGE_PASSER, mint: 0n, value: 11n })
    expect(deposit.data).toEqual(
      hexToBytes(
        encodeFunctionData({
          abi: contracts.L2ToL1MessagePasser.abi,
          functionName: "initiateWithdrawal",
          args: [accounts.alice.address, 100_000n, "0x"]
        })
      )
    )
    expect(events.map(({ name }) => name)).toContain("ETHWithdrawalRequested")
    expect(await l1.failure(bridgeCall("withdrawETH", [0n]))).toMatchObject({
      error: "NothingDeposited"
    })
  })

  it("of a contract leaves its alias and arrives at the contract", async () => {
    const data = encodeFunctionData({ abi, functionName: "withdrawETH", args: [11n] })
    const events = await l1.events({
      to: receiver,
      abi: contracts.HostileReceiver.abi,
      functionName: "forward",
      args: [l1.bridge, data]
    })
    const deposit = depositIn(events)
    expect(deposit.from).toBe(aliasOf(receiver))
    expect(Buffer.from(deposit.data).toString("hex")).toContain(receiver.slice(2))
  })
})

describe("the guardian", () => {
  const pause = (until: bigint, from = accounts.guardian) => ({
    ...bridgeCall("pause", [until]),
    from
  })
  const now = async () => (await l1.client.getBlock()).timestamp

  it("stops deposits and withdrawals for up to 7 days, and not again for 30", async () => {
    const start = await now()
    expect(await l1.failure(pause(start + 8n * DAY))).toMatchObject({ error: "PauseTooLong" })
    await l1.events(pause(start + 6n * DAY))
    const paused = { error: "Paused", args: [start + 6n * DAY] }
    expect(await l1.failure(bridgeCall("depositETH", [], 1n))).toEqual(paused)
    expect(await l1.failure(bridgeCall("depositETHTo", [BOB, 21_000n, "0x"], 1n))).toEqual(paused)
    expect(
      await l1.failure(bridgeCall("depositTransaction", [false, BOB, 0n, 50_000n, "0x"], 1n))
    ).toEqual(paused)
    expect(await l1.failure(bridgeCall("depositERC20", [BOB, BOB, 1n, 0n]))).toEqual(paused)
    expect(await l1.failure(bridgeCall("finalizeWithdrawal", ["0x"]))).toEqual(paused)
    expect(await l1.failure(bridgeCall("claimERC20", [BOB, BOB]))).toEqual(paused)
    expect(await l1.failure(pause(start + 7n * DAY))).toMatchObject({ error: "PauseTooLong" })
    await l1.travel(6n * DAY)
    await l1.events(bridgeCall("depositETH", [], 1n))
    expect(await l1.failure(pause((await now()) + DAY))).toMatchObject({ error: "PauseTooSoon" })
    await l1.travel(30n * DAY)
    await l1.events(pause((await now()) + DAY))
  })

  it("can't stop forced transactions, nor a withdrawal's request", async () => {
    await l1.events(pause((await now()) + DAY))
    await l1.events(bridgeCall("withdrawETH", [11n]))
    await l1.events(bridgeCall("depositTransaction", [false, BOB, 3n, 50_000n, "0x"]))
  })

  it("can end a pause, and is the only one who can pause", async () => {
    expect(await l1.failure(pause((await now()) + 1n, accounts.alice))).toEqual({
      error: "NotGuardian",
      args: [accounts.alice.address]
    })
    await l1.events(pause((await now()) + 5n * DAY))
    await l1.events(pause(0n))
    await l1.events(bridgeCall("depositETH", [], 1n))
  })

  it("has no other way in", () => {
    const changing = abi.flatMap((item) =>
      item.type === "function" && item.stateMutability !== "view" ? [item.name] : []
    )
    expect(changing.sort()).toEqual([
      "claimERC20",
      "depositERC20",
      "depositETH",
      "depositETHTo",
      "depositTransaction",
      "finalizeERC20Withdrawal",
      "finalizeWithdrawal",
      "pause",
      "withdrawETH"
    ])
  })
})
