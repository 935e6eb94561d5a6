/** Messages on L1: out by the queue, in by withdrawals of the L2 messenger; each at most once with success. */
import * as contracts from "@ovm/contracts"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import { ALIAS_OFFSET, L2_MESSENGER } from "@ovm/protocol/Predeploys"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { Either } from "effect"
import {
  encodeAbiParameters,
  encodeFunctionData,
  hexToBytes,
  keccak256,
  numberToHex,
  parseAbiParameters,
  toHex
} from "viem"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  accounts,
  type BridgeL1,
  CHALLENGE_PERIOD,
  decodeFailure,
  startBridgeL1
} from "./support/BridgeL1.ts"
import { encodeProof, stateWith, type Withdrawal } from "./support/Withdrawals.ts"

const abi = contracts.L1Messenger.abi
const receiverAbi = contracts.HostileReceiver.abi
const SENDER: Address = "0x00000000000000000000000000000000005e4de4"
const BOB: Address = "0x0000000000000000000000000000000000000b0b"

interface Message {
  readonly nonce: bigint
  readonly sender: Address
  readonly target: Address
  readonly value: bigint
  readonly gasLimit: bigint
  readonly message: Hex
}

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

const argsOf = (m: Message) =>
  [m.nonce, m.sender, m.target, m.value, m.gasLimit, m.message] as const
const hashOf = (message: Message): Hash32 =>
  keccak256(
    encodeAbiParameters(
      parseAbiParameters("uint256, address, address, uint256, uint256, bytes"),
      argsOf(message)
    )
  )
const encoded = (message: Message): Hex =>
  encodeFunctionData({ abi, functionName: "relayMessage", args: argsOf(message) })
/** The withdrawal by which the L2 messenger sends it. */
const carrying = (message: Message, sender: Address = L2_MESSENGER): Withdrawal => ({
  nonce: message.nonce,
  sender,
  target: l1.messenger,
  value: message.value,
  gasLimit:
    message.gasLimit +
    message.gasLimit / 63n +
    250_000n +
    10n * BigInt((encoded(message).length - 2) / 2),
  data: encoded(message)
})
const message = (fields: Partial<Message> = {}): Message => ({
  ...{ nonce: 0n, sender: SENDER, target: receiver, value: 50n, gasLimit: 200_000n },
  message: "0xabcdef",
  ...fields
})

const finalizing = async (withdrawals: ReadonlyArray<Withdrawal>) => {
  const state = await stateWith(withdrawals, 5)
  const index = await l1.propose(state.root)
  await l1.travel(CHALLENGE_PERIOD + 1n)
  return Promise.all(
    withdrawals.map(async (withdrawal) => ({
      to: l1.bridge,
      abi: contracts.L1Bridge.abi,
      functionName: "finalizeWithdrawal",
      args: [encodeProof(await state.proofOf(withdrawal, index))],
      gas: 3_000_000n
    }))
  )
}
const deliver = async (withdrawal: Withdrawal) => {
  const [call] = await finalizing([withdrawal])
  if (call === undefined) throw new Error("Expected one call.")
  return l1.events(call)
}
const replay = (sent: Message, value = 0n, gas = 3_000_000n) => ({
  to: l1.messenger,
  abi,
  functionName: "relayMessage",
  args: argsOf(sent),
  value,
  gas
})
const receiverCall = (functionName: string, args: ReadonlyArray<unknown>) =>
  l1.events({ to: receiver, abi: receiverAbi, functionName, args })
const held = () => l1.client.getBalance({ address: l1.messenger })
const is = (question: "isFailed" | "isRelayed", sent: Message) =>
  l1.read({ to: l1.messenger, abi, functionName: question, args: [hashOf(sent)] })

describe("a message to L2", () => {
  it("becomes a deposit transaction of the messenger's alias, with gas for the way", async () => {
    const events = await l1.events({
      to: l1.messenger,
      abi,
      functionName: "sendMessage",
      args: [BOB, "0x1234", 100_000n],
      value: 8n
    })
    const raw = events.find(({ name }) => name === "TransactionEnqueued")?.args["raw"] as Hex
    const deposit = Either.getOrThrow(DepositTransaction.decode(hexToBytes(raw)))
    const sent = {
      ...{ nonce: 0n, sender: accounts.alice.address, target: BOB, value: 8n },
      ...{ gasLimit: 100_000n, message: "0x1234" as const }
    }
    expect(deposit).toMatchObject({
      from: numberToHex(BigInt(l1.messenger) + ALIAS_OFFSET, { size: 20 }),
      to: L2_MESSENGER,
      mint: 8n,
      value: 8n
    })
    expect(toHex(deposit.data)).toBe(encoded(sent))
    expect(deposit.gasLimit).toBeGreaterThan(500_000n)
    expect(events.find(({ name }) => name === "MessageSent")?.args).toMatchObject({
      messageHash: hashOf(sent)
    })
    expect(await l1.read({ to: l1.messenger, abi, functionName: "messageCount" })).toBe(1n)
  })

  it("is refused if it is too long, or asks for more gas than a transaction can have", async () => {
    const send = (size: number, gas: bigint) => ({
      to: l1.messenger,
      abi,
      functionName: "sendMessage",
      args: [BOB, `0x${"ff".repeat(size)}`, gas],
      gas: 12_000_000n
    })
    expect(await l1.failure(send(12_289, 1n))).toMatchObject({ error: "MessageTooLarge" })
    expect(await l1.failure(send(1, 10_000_001n))).toMatchObject({ error: "GasLimitTooHigh" })
    expect(await l1.failure(send(12_288, 10_000_000n))).toMatchObject({ error: "none" })
  })
})

describe("a message from L2", () => {
  it("is delivered with value, and its target learns who sent it", async () => {
    const data = encodeFunctionData({ abi, functionName: "xDomainMessageSender" })
    await receiverCall("setCall", [l1.messenger, data])
    const events = await deliver(carrying(message()))
    expect(events).toMatchObject([
      {
        name: "Called",
        args: { value: 50n, data: "0xabcdef", result: `0x${SENDER.slice(2).padStart(64, "0")}` }
      },
      { name: "MessageRelayed", args: { messageHash: hashOf(message()) } },
      { name: "WithdrawalFinalized", args: { success: true } }
    ])
    expect(events[0]?.args["sender"]).toMatch(new RegExp(l1.messenger, "i"))
    const outside = { to: l1.messenger, abi, functionName: "xDomainMessageSender" }
    expect(await l1.failure(outside)).toMatchObject({ error: "NoMessage" })
  })

  it("is delivered once: not again by replay, nor by a second withdrawal that says the same", async () => {
    const [first, second] = await finalizing([
      carrying(message()),
      { ...carrying(message()), nonce: 1n }
    ])
    if (!first || !second) throw new Error("Expected two calls.")
    await l1.events(first)
    expect(await l1.failure(replay(message()))).toMatchObject({ error: "AlreadyRelayed" })
    expect(await l1.events(second)).toMatchObject([
      { name: "WithdrawalFinalized", args: { success: false } }
    ])
  })

  it("that failed keeps its value, and is replayed by anyone until it succeeds once", async () => {
    await receiverCall("setHabit", [1])
    const events = await deliver(carrying(message()))
    expect(events.map(({ name }) => name)).toEqual(["MessageFailed", "WithdrawalFinalized"])
    expect(await held()).toBe(50n)
    expect(await is("isFailed", message())).toBe(true)
    expect(await l1.failure(replay(message()))).toMatchObject({ error: "ReplayFailed" })
    expect(await l1.failure(replay(message(), 50n))).toMatchObject({ error: "WrongValue" })
    expect(await l1.failure(replay(message(), 0n, 350_000n))).toMatchObject({
      error: "NotEnoughGas"
    })
    await receiverCall("setHabit", [0])
    const replayed = await l1.events({ ...replay(message()), from: accounts.disputeGame })
    expect(replayed.map(({ name }) => name)).toEqual(["Called", "MessageRelayed"])
    expect(await held()).toBe(0n)
    expect(await is("isRelayed", message())).toBe(true)
    expect(await l1.failure(replay(message()))).toMatchObject({ error: "AlreadyRelayed" })
  })

  it("that burns all its gas fails, and is kept", async () => {
    await receiverCall("setHabit", [2])
    const events = await deliver(carrying(message()))
    expect(events.map(({ name }) => name)).toEqual(["MessageFailed", "WithdrawalFinalized"])
    expect(await held()).toBe(50n)
  })

  it("has the gas it asked for, however little more the bridge is given", async () => {
    const asked = message({ gasLimit: 700_000n })
    const [call] = await finalizing([carrying(asked)])
    if (!call) throw new Error("Expected one call.")
    let delivered = 0
    for (let gas = 1_000_000n; gas < 1_400_000n; gas += 25_013n) {
      const id = await l1.node.snapshot()
      const receipt = await l1.send({ ...call, gas })
      if (receipt.status === "success") {
        const { eventsOf } = await import("./support/BridgeL1.ts")
        const called = eventsOf(receipt).find(({ name }) => name === "Called")
        expect(called?.args["gas"], `with ${gas} gas`).toBeGreaterThanOrEqual(699_000n)
        delivered++
      }
      await l1.node.revert({ id })
    }
    expect(delivered).toBeGreaterThan(2)
  })

  it("counts for nothing if someone else sent it, on L2 or on L1", async () => {
    expect(await deliver(carrying(message(), SENDER))).toMatchObject([
      { name: "WithdrawalFinalized", args: { success: false } }
    ])
    expect(await l1.failure(replay(message(), 50n))).toMatchObject({ error: "WrongValue" })
    expect(await l1.failure(replay(message()))).toMatchObject({ error: "NotReplayable" })
  })

  it("can't make the messenger speak to the bridge, nor to itself", async () => {
    const bridge = message({
      target: l1.bridge,
      message: encodeFunctionData({
        abi: contracts.L1Bridge.abi,
        functionName: "depositTransaction",
        args: [false, L2_MESSENGER, 0n, 1_000_000n, "0x"]
      })
    })
    const self = message({ nonce: 1n, target: l1.messenger })
    const calls = await finalizing([carrying(bridge), carrying(self)])
    for (const call of calls) {
      const events = await l1.events(call)
      expect(events.map(({ name }) => name)).toEqual(["MessageFailed", "WithdrawalFinalized"])
    }
    expect(await l1.failure(replay(bridge))).toMatchObject({ error: "ReplayFailed" })
  })

  it("that arrives while another is replayed is kept, not lost", async () => {
    const nested = message({ nonce: 1n, value: 7n, target: BOB })
    await receiverCall("setHabit", [1])
    const [first, second] = await finalizing([carrying(message()), carrying(nested)])
    if (!first || !second) throw new Error("Expected two calls.")
    await l1.events(first)
    // The target of the replay finalizes a stranger's withdrawal from inside.
    await receiverCall("setCall", [
      l1.bridge,
      encodeFunctionData({
        abi: contracts.L1Bridge.abi,
        functionName: "finalizeWithdrawal",
        args: [second.args[0] as Hex]
      })
    ])
    const events = await l1.events(replay(message(), 0n, 6_000_000n))
    expect(events.map(({ name }) => name)).toEqual([
      "MessageFailed",
      "WithdrawalFinalized",
      "Called",
      "MessageRelayed"
    ])
    expect(await is("isFailed", nested)).toBe(true)
    await l1.events(replay(nested))
    expect(await l1.client.getBalance({ address: BOB })).toBe(7n)
  })

  it("can't be replayed from inside its own delivery", async () => {
    await receiverCall("setHabit", [1])
    await deliver(carrying(message()))
    await receiverCall("setCall", [l1.messenger, encoded(message())])
    const events = await l1.events(replay(message(), 0n, 6_000_000n))
    const called = events.find(({ name }) => name === "Called")
    expect(decodeFailure(called?.args["result"] as Hex).error).toBe("AlreadyRelayed")
    expect(await held()).toBe(0n)
  })
})
