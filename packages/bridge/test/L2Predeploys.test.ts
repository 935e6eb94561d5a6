/** The L2 half, transpiled, in ExecutionManager.sol: who may say what, what things cost, and that all of it fits. */
import { describe, expect, it } from "@effect/vitest"
import * as contracts from "@ovm/contracts"
import {
  ALIAS_OFFSET,
  L2_BRIDGE,
  L2_MESSENGER,
  L2_TOKEN_FACTORY,
  MESSAGE_PASSER,
  WETH
} from "@ovm/protocol/Predeploys"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { Effect } from "effect"
import {
  type Abi,
  decodeErrorResult,
  decodeEventLog,
  encodeAbiParameters,
  encodeFunctionData,
  hexToBytes,
  keccak256,
  numberToHex,
  parseAbiParameters
} from "viem"
import * as BridgePredeploys from "../src/BridgePredeploys.ts"
import * as Withdrawal from "../src/Withdrawal.ts"
import { type L2, type Log, layer, openL2 } from "./support/L2.ts"

const BRIDGE: Address = "0x1000000000000000000000000000000000000001"
const MESSENGER: Address = "0x1000000000000000000000000000000000000002"
const L1_TOKEN: Address = "0x2000000000000000000000000000000000000001"
const ALICE: Address = "0x00000000000000000000000000000000000a11ce"
const BOB: Address = "0x0000000000000000000000000000000000000b0b"
const RECEIVER: Address = "0x000000000000000000000000000000000000eeee"
const aliasOf = (address: Address): Address =>
  numberToHex((BigInt(address) + ALIAS_OFFSET) % 2n ** 160n, { size: 20 })

const everyAbi: Abi = Object.values(contracts).flatMap(({ abi }) => [...abi] as Abi)
const errorIn = (returnData: Hex): string =>
  decodeErrorResult({ abi: everyAbi, data: returnData }).errorName
const namesOf = (logs: ReadonlyArray<Log>) =>
  logs.map(({ data, topics: [topic, ...topics] }) =>
    topic === undefined
      ? ""
      : decodeEventLog({ abi: everyAbi, data, topics: [topic, ...topics] }).eventName
  )

const open = openL2({
  ...{ bridge: BRIDGE, messenger: MESSENGER },
  balances: { [ALICE]: 10n ** 18n },
  code: { [RECEIVER]: contracts.HostileReceiver.deployedBytecode }
})

describe("the predeploys", () => {
  // The token is made on L2 itself.
  const all = { ...BridgePredeploys.predeploys, token: contracts.L2Token.deployedBytecode }

  it.effect.each(Object.entries(all))(
    "%s could be deployed: transpiled, it fits EIP-170",
    ([, code]) =>
      Effect.gen(function* () {
        const l2 = yield* open
        const size = (code.length - 2) / 2
        // PUSH2 size, DUP1, PUSH1 10, RETURNDATASIZE, CODECOPY, RETURNDATASIZE, RETURN: returns what follows.
        const initcode =
          `0x61${size.toString(16).padStart(4, "0")}80600a3d393df3${code.slice(2)}` as const
        const created = yield* l2.deposit({
          ...{ from: ALICE, to: undefined, gasLimit: 14_000_000n, data: hexToBytes(initcode) }
        })
        expect(created.success).toBe(true)
        const account = yield* Effect.promise(() =>
          l2.state.getAccount(created.contractAddress ?? ALICE)
        )
        expect(account?.codeHash).toBe(keccak256(code))
      }).pipe(Effect.provide(layer))
  )

  it.effect("know of L1 what genesis wrote into their slots", () =>
    Effect.gen(function* () {
      const l2 = yield* open
      const read = (to: Address, abi: Abi, functionName: string) =>
        Effect.map(
          l2.call({ from: BOB, to, data: encodeFunctionData({ abi, functionName }) }),
          ({ returnData }) => BigInt(returnData)
        )
      expect(yield* read(L2_BRIDGE, contracts.L2Bridge.abi, "l1Bridge")).toBe(BigInt(BRIDGE))
      expect(yield* read(L2_MESSENGER, contracts.L2Messenger.abi, "l1Messenger")).toBe(
        BigInt(MESSENGER)
      )
    }).pipe(Effect.provide(layer))
  )
})

describe("the message passer", () => {
  const { abi } = contracts.L2ToL1MessagePasser
  const initiate = (size: number, gasLimit = 100_000n, value = 5n) => ({
    ...{ from: ALICE, to: MESSAGE_PASSER, value },
    data: encodeFunctionData({
      ...{ abi, functionName: "initiateWithdrawal" },
      args: [BOB, gasLimit, `0x${"ff".repeat(size)}`]
    })
  })

  it.effect("remembers each withdrawal under its own hash, and keeps the ETH", () =>
    Effect.gen(function* () {
      const l2 = yield* open
      const reserve = yield* l2.balanceOf(MESSAGE_PASSER)
      for (const nonce of [0n, 1n]) {
        const { logs } = yield* l2.call(initiate(3))
        const [sent] = Withdrawal.fromLogs(logs)
        expect(sent).toEqual({
          ...{ nonce, sender: ALICE, target: BOB, value: 5n, gasLimit: 100_000n, data: "0xffffff" }
        })
        if (sent === undefined) continue
        const slot = Withdrawal.storageSlot(Withdrawal.hash(sent))
        const word = yield* Effect.promise(() => l2.state.getStorage(MESSAGE_PASSER, slot))
        expect(BigInt(word)).toBe(1n)
        // The log names the same hash.
        expect(logs[0]?.data.slice(-64)).not.toBe("")
        expect(logs[0]?.data).toContain(Withdrawal.hash(sent).slice(2))
      }
      expect((yield* l2.balanceOf(MESSAGE_PASSER)) - reserve).toBe(10n)
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses what L1 could not carry out, and ETH that names no withdrawal", () =>
    Effect.gen(function* () {
      const l2 = yield* open
      expect(errorIn((yield* l2.call(initiate(16_385))).returnData)).toBe("DataTooLarge")
      expect(errorIn((yield* l2.call(initiate(0, 10_000_001n))).returnData)).toBe("GasLimitTooHigh")
      expect((yield* l2.call(initiate(16_384, 10_000_000n))).success).toBe(true)
      const plain = yield* l2.call({ from: ALICE, to: MESSAGE_PASSER, value: 1n })
      expect(plain).toMatchObject({ success: false, returnData: "0x" })
    }).pipe(Effect.provide(layer))
  )
})

describe("the L2 bridge", () => {
  const { abi } = contracts.L2Bridge
  const factoryAbi = contracts.L2TokenFactory.abi
  const tokenAbi = contracts.L2Token.abi
  const arrival = (name = "Token", symbol = "TKN", amount = 1_000n) =>
    encodeFunctionData({
      ...{ abi, functionName: "finalizeDeposit" },
      args: [L1_TOKEN, ALICE, ALICE, amount, name, symbol, 8]
    })
  const arrive = (l2: L2, data: Hex, gasLimit = 2_000_000n) =>
    l2.deposit({ from: aliasOf(BRIDGE), to: L2_BRIDGE, gasLimit, data: hexToBytes(data) })
  const tokenOf = Effect.fnUntraced(function* (l2: L2) {
    const { returnData } = yield* l2.call({
      ...{ from: BOB, to: L2_TOKEN_FACTORY },
      data: encodeFunctionData({ abi: factoryAbi, functionName: "l2TokenOf", args: [L1_TOKEN] })
    })
    return `0x${returnData.slice(26)}` as const
  })

  it.effect(
    "makes a token when it first arrives, at an address known before, with what the L1 bridge gives at least",
    () =>
      Effect.gen(function* () {
        const l2 = yield* open
        const expected = yield* tokenOf(l2)
        // The longest names there are, and not a letter in them.
        const first = yield* arrive(l2, arrival("é".repeat(64), "ß".repeat(64)))
        expect(first.success).toBe(true)
        expect(first.gasUsed).toBeLessThan(1_500_000n)
        expect(namesOf(first.logs)).toEqual(["TokenCreated", "Transfer", "DepositFinalized"])
        expect(first.logs[1]?.address).toBe(expected)
        const second = yield* arrive(l2, arrival())
        expect(namesOf(second.logs)).toEqual(["Transfer", "DepositFinalized"])
        expect(second.gasUsed).toBeLessThan(250_000n)
      }).pipe(Effect.provide(layer))
  )

  it.effect(
    "believes nobody but the L1 bridge's alias, the token nobody but the bridge, the factory neither",
    () =>
      Effect.gen(function* () {
        const l2 = yield* open
        for (const from of [ALICE, BRIDGE, aliasOf(MESSENGER)]) {
          const { logs, returnData, success } = yield* l2.deposit({
            ...{ from, to: L2_BRIDGE, gasLimit: 2_000_000n, data: hexToBytes(arrival()) }
          })
          expect({ success, logs }).toEqual({ success: false, logs: [] })
          expect(errorIn(returnData)).toBe("NotL1Bridge")
        }
        yield* arrive(l2, arrival())
        const token = yield* tokenOf(l2)
        const refusals = [
          [
            token,
            encodeFunctionData({ abi: tokenAbi, functionName: "mint", args: [ALICE, 1n] }),
            "NotL2Bridge"
          ],
          [
            token,
            encodeFunctionData({ abi: tokenAbi, functionName: "burn", args: [BOB, 1n] }),
            "NotL2Bridge"
          ],
          [
            token,
            encodeFunctionData({ abi: tokenAbi, functionName: "initialize", args: ["", "", 0] }),
            "NotFactory"
          ],
          [
            L2_TOKEN_FACTORY,
            encodeFunctionData({ abi: factoryAbi, functionName: "ensure", args: [BOB, "", "", 0] }),
            "NotL2Bridge"
          ]
        ] as const
        for (const [to, data, error] of refusals) {
          expect(errorIn((yield* l2.call({ from: ALICE, to, data })).returnData)).toBe(error)
        }
      }).pipe(Effect.provide(layer))
  )

  it.effect("sends back what it destroyed, and nothing else", () =>
    Effect.gen(function* () {
      const l2 = yield* open
      yield* arrive(l2, arrival())
      const token = yield* tokenOf(l2)
      const withdraw = (of: Address, amount: bigint, gas = 0n) =>
        l2.call({
          ...{ from: ALICE, to: L2_BRIDGE },
          data: encodeFunctionData({ abi, functionName: "withdraw", args: [of, BOB, amount, gas] })
        })
      expect(errorIn((yield* withdraw(token, 1_001n)).returnData)).toBe("InsufficientBalance")
      expect(errorIn((yield* withdraw(token, 0n)).returnData)).toBe("NothingWithdrawn")
      expect(errorIn((yield* withdraw(WETH, 1n)).returnData)).toBe("NotBridgedToken")
      const { logs } = yield* withdraw(token, 600n)
      expect(namesOf(logs)).toEqual(["Transfer", "WithdrawalInitiated", "WithdrawalStarted"])
      const [sent] = Withdrawal.fromLogs(logs)
      expect(sent).toMatchObject({
        sender: L2_BRIDGE,
        target: BRIDGE,
        value: 0n,
        gasLimit: 300_000n
      })
      expect(sent?.data).toBe(
        encodeFunctionData({
          ...{ abi: contracts.L1Bridge.abi, functionName: "finalizeERC20Withdrawal" },
          args: [L1_TOKEN, ALICE, BOB, 600n]
        })
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "makes ordinary tokens: allowances shrink unless endless, and overdrafts are named",
    () =>
      Effect.gen(function* () {
        const l2 = yield* open
        yield* arrive(l2, arrival())
        const token = yield* tokenOf(l2)
        const call = (
          from: Address,
          functionName: "approve" | "transfer",
          args: readonly [Address, bigint]
        ) =>
          l2.call({
            from,
            to: token,
            data: encodeFunctionData({ abi: tokenAbi, functionName, args })
          })
        const take = (amount: bigint) =>
          l2.call({
            ...{ from: BOB, to: token },
            data: encodeFunctionData({
              ...{ abi: tokenAbi, functionName: "transferFrom", args: [ALICE, BOB, amount] }
            })
          })
        expect(errorIn((yield* take(1n)).returnData)).toBe("InsufficientAllowance")
        yield* call(ALICE, "approve", [BOB, 300n])
        expect((yield* take(200n)).success).toBe(true)
        expect(errorIn((yield* take(101n)).returnData)).toBe("InsufficientAllowance")
        yield* call(ALICE, "approve", [BOB, 2n ** 256n - 1n])
        expect((yield* take(500n)).success).toBe(true)
        expect((yield* take(300n)).success).toBe(true)
        expect(errorIn((yield* take(1n)).returnData)).toBe("InsufficientBalance")
        expect(errorIn((yield* call(ALICE, "transfer", [BOB, 1n])).returnData)).toBe(
          "InsufficientBalance"
        )
        expect((yield* call(BOB, "transfer", [BOB, 1_000n])).success).toBe(true)
      }).pipe(Effect.provide(layer))
  )
})

describe("the L2 messenger", () => {
  const { abi } = contracts.L2Messenger
  const receiverAbi = contracts.HostileReceiver.abi
  interface Message {
    readonly nonce: bigint
    readonly target: Address
    readonly value: bigint
    readonly gasLimit: bigint
    readonly message: Hex
  }
  const message = (fields: Partial<Message> = {}): Message => ({
    ...{ nonce: 0n, target: RECEIVER, value: 5n, gasLimit: 200_000n, message: "0xabcdef" },
    ...fields
  })
  const argsOf = (m: Message) => [m.nonce, BOB, m.target, m.value, m.gasLimit, m.message] as const
  const encoded = (m: Message) =>
    encodeFunctionData({ abi, functionName: "relayMessage", args: argsOf(m) })
  const hashOf = (m: Message): Hash32 =>
    keccak256(
      encodeAbiParameters(
        parseAbiParameters("uint256, address, address, uint256, uint256, bytes"),
        argsOf(m)
      )
    )
  /** As `L1Messenger` computes it. */
  const gasOf = (m: Message): bigint =>
    m.gasLimit + m.gasLimit / 15n + 400_000n + 100n * BigInt((encoded(m).length - 2) / 2)
  const arrive = (l2: L2, m: Message, from = aliasOf(MESSENGER)) =>
    l2.deposit({
      ...{ from, to: L2_MESSENGER, mint: m.value, value: m.value, gasLimit: gasOf(m) },
      data: hexToBytes(encoded(m))
    })
  const replay = (l2: L2, m: Message, gas = 5_000_000n) =>
    l2.call({ from: ALICE, to: L2_MESSENGER, data: encoded(m), gas })
  const receiverCall = (l2: L2, functionName: string, args: ReadonlyArray<unknown>) =>
    l2.call({
      ...{ from: ALICE, to: RECEIVER },
      data: encodeFunctionData({ abi: receiverAbi as Abi, functionName, args })
    })

  it.effect.each([
    ["the smallest", message({ gasLimit: 0n, message: "0x", target: BOB })],
    ["one with value and data", message()],
    [
      "the longest, with the most gas",
      message({ gasLimit: 10_000_000n, message: `0x${"ff".repeat(12_288)}` })
    ]
  ] as const)("delivers %s with the gas that L1 gave it", ([, sent]) =>
    Effect.gen(function* () {
      const l2 = yield* open
      const { logs, success } = yield* arrive(l2, sent)
      expect(success).toBe(true)
      expect(namesOf(logs).at(-1)).toBe("MessageRelayed")
      const called = logs.find(({ address }) => address === RECEIVER)
      if (called !== undefined) {
        const gas = BigInt(`0x${called.data.slice(2 + 128, 2 + 192)}`)
        expect(gas).toBeGreaterThanOrEqual(sent.gasLimit - 10_000n)
      }
      expect(yield* l2.balanceOf(sent.target)).toBe(5n)
      expect(errorIn((yield* replay(l2, sent)).returnData)).toBe("AlreadyRelayed")
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps what failed, with its value, until a replay succeeds once", () =>
    Effect.gen(function* () {
      const l2 = yield* open
      for (const habit of [1, 2]) {
        yield* receiverCall(l2, "setHabit", [habit])
        const sent = message({ nonce: BigInt(habit) })
        const { logs, success } = yield* arrive(l2, sent)
        expect({ success, names: namesOf(logs) }).toEqual({
          success: true,
          names: ["MessageFailed"]
        })
        expect(logs[0]?.topics[1]).toBe(hashOf(sent))
        expect(yield* l2.balanceOf(L2_MESSENGER)).toBe(5n)
        expect(errorIn((yield* replay(l2, sent)).returnData)).toBe("ReplayFailed")
        expect(errorIn((yield* replay(l2, sent, 300_000n)).returnData)).toBe("NotEnoughGas")
        yield* receiverCall(l2, "setHabit", [0])
        expect(namesOf((yield* replay(l2, sent)).logs).at(-1)).toBe("MessageRelayed")
        expect(errorIn((yield* replay(l2, sent)).returnData)).toBe("AlreadyRelayed")
        expect(yield* l2.balanceOf(L2_MESSENGER)).toBe(0n)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "takes nobody's word but its twin's, and never speaks to those who would believe it",
    () =>
      Effect.gen(function* () {
        const l2 = yield* open
        const forged = yield* arrive(l2, message(), ALICE)
        expect(errorIn(forged.returnData)).toBe("WrongValue")
        const unpaid = yield* arrive(l2, message({ value: 0n }), ALICE)
        expect(errorIn(unpaid.returnData)).toBe("NotReplayable")
        // The value of failed messages is the messenger's native balance, which WETH would move.
        const steal = encodeFunctionData({
          ...{ abi: contracts.WETH.abi, functionName: "transfer", args: [ALICE, 5n] }
        })
        for (const [nonce, target, data] of [
          [1n, WETH, steal],
          [2n, MESSAGE_PASSER, "0x"],
          [3n, L2_MESSENGER, "0x"]
        ] as const) {
          const sent = message({ nonce, target, message: data, value: 2n })
          expect(namesOf((yield* arrive(l2, sent)).logs)).toEqual(["MessageFailed"])
          expect(errorIn((yield* replay(l2, sent)).returnData)).toBe("ReplayFailed")
        }
        expect(yield* l2.balanceOf(L2_MESSENGER)).toBe(6n)
      }).pipe(Effect.provide(layer))
  )

  it.effect("sends to L1 by the passer, in the sender's name", () =>
    Effect.gen(function* () {
      const l2 = yield* open
      const send = (size: number, gas: bigint) =>
        l2.call({
          ...{ from: ALICE, to: L2_MESSENGER, value: 7n },
          data: encodeFunctionData({
            ...{ abi, functionName: "sendMessage", args: [BOB, `0x${"ff".repeat(size)}`, gas] }
          })
        })
      const { logs } = yield* send(12_288, 9_000_000n)
      expect(namesOf(logs)).toEqual(["MessageSent", "WithdrawalInitiated"])
      expect(Withdrawal.fromLogs(logs)).toMatchObject([
        { sender: L2_MESSENGER, target: MESSENGER, value: 7n }
      ])
      expect(errorIn((yield* send(12_289, 1n)).returnData)).toBe("MessageTooLarge")
      expect(errorIn((yield* send(1, 9_000_001n)).returnData)).toBe("GasLimitTooHigh")
    }).pipe(Effect.provide(layer))
  )
})
