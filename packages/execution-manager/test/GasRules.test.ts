/** What contracts may rely on: the stipend, gas operands, plain transfers, return bombs. */
import { expect, layer } from "@effect/vitest"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { bytesToHex, hexToBigInt } from "viem"
import { layerReference } from "../src/ReferenceExecutionManager.ts"
import { asm, memory } from "./support/Assemble.ts"
import {
  addressOf,
  balanceOf,
  makeWorld,
  nonceOf,
  NOBODY,
  OTHER,
  runCode,
  SELF,
  send,
  storageOf,
  USER,
  wordOf
} from "./support/World.ts"

const services = Layer.merge(layerReference(), layerMemory)
const ETHER = 10n ** 18n
const RETURN_TOP = "0 MSTORE 32 0 RETURN"

layer(services)("the stipend", (it) => {
  /** Sends 1 wei with no gas of its own to a contract, and tells whether that worked. */
  const pay = (receive: string) =>
    runCode(asm(`0 0 0 0 1 ${OTHER} 0 CALL ${RETURN_TOP}`), {
      accounts: { [OTHER]: { code: asm(receive), balance: 5n } }
    })

  it.effect.each([
    ["nothing", "STOP"],
    ["a log of sender and value, as receive() emits it", "CALLVALUE 0 MSTORE CALLER 7 32 0 LOG2"],
    ["a look at storage", "0 SLOAD"]
  ])("pays for %s", ([, receive = ""]) =>
    Effect.gen(function* () {
      const { returnData, state } = yield* pay(receive)
      expect(returnData).toBe(wordOf(1))
      expect(yield* balanceOf(state, OTHER)).toBe(6n)
    })
  )

  it.effect.each([
    ["a write", "1 0 SSTORE"],
    ["a call", `0 0 0 0 0 ${NOBODY} GAS CALL`],
    ["a call with value", `0 0 0 0 1 ${NOBODY} GAS CALL`],
    ["a creation", "0 0 0 CREATE"]
  ])("does not pay for %s, and the value comes back", ([, receive = ""]) =>
    Effect.gen(function* () {
      const { returnData, state, success } = yield* pay(receive)
      expect(success).toBe(true)
      expect(returnData).toBe(wordOf(0))
      expect(yield* balanceOf(state, OTHER)).toBe(5n)
      expect(yield* balanceOf(state, SELF)).toBe(1_000n)
    })
  )

  it.effect("is the callee's to use up, and the caller's when it is not used", () =>
    Effect.gen(function* () {
      const spent = yield* pay(":loop @loop JUMP")
      const unspent = yield* pay("STOP")
      expect(spent.returnData).toBe(wordOf(0))
      expect(spent.gasUsed - unspent.gasUsed).toBe(GasSchedule.CALL_STIPEND)
    })
  )
})

layer(services)("a gas operand", (it) => {
  it.effect.each([1_000n, 2_300n, 30_000n])("of %d gives the callee its OVM equivalent", (gas) =>
    Effect.gen(function* () {
      const { returnData } = yield* runCode(
        asm(`32 0 0 0 0 ${OTHER} ${gas} CALL POP 0 MLOAD ${RETURN_TOP}`),
        { accounts: { [OTHER]: { code: asm(`GAS ${RETURN_TOP}`) } } }
      )
      // GAS itself costs 2.
      expect(hexToBigInt(returnData)).toBe(gas * GasSchedule.CALL_GAS_SCALE - 2n)
    })
  )

  it.effect("beyond what there is gives 15/16 of it instead of halting", () =>
    Effect.gen(function* () {
      const { returnData, success } = yield* runCode(
        asm(`0 0 0 0 0 ${OTHER} 0 NOT CALL ${RETURN_TOP}`),
        { accounts: { [OTHER]: { code: asm("STOP") } }, gas: 100_000n }
      )
      expect(success).toBe(true)
      expect(returnData).toBe(wordOf(1))
    })
  )
})

layer(services)("a transfer of ETH", (it) => {
  it.effect.each([
    ["a plain account", addressOf(0xe0)],
    ["an account that never was", NOBODY],
    ["oneself", USER]
  ] as const)("to %s costs exactly 21,000", ([, to]) =>
    Effect.gen(function* () {
      const state = yield* makeWorld({
        [USER]: { balance: ETHER },
        [addressOf(0xe0)]: { balance: 1n }
      })
      const before = yield* balanceOf(state, to)
      const result = yield* send(state, { to, value: 5n, gas: 21_000n })
      expect(result).toMatchObject({ success: true, gasUsed: 21_000n })
      if (to !== USER) expect(yield* balanceOf(state, to)).toBe(before + 5n)
    })
  )
})

layer(services)("a return bomb", (it) => {
  const SIZE = 200_000
  /** A word from the identity precompile first: what stands in the buffer before the bomb. */
  const BEFORE = "0 0 32 0 4 GAS STATICCALL POP"
  /** The bomb's result, RETURNDATASIZE, and proof that the caller lived on. */
  const AFTER = "0 MSTORE RETURNDATASIZE 32 MSTORE 7 7 SSTORE 64 0 RETURN"
  const gas = 1_500_000n

  it.effect.each([
    ["returns", "RETURN"],
    ["reverts with", "REVERT"]
  ])("that %s too much makes the call fail as if it ran out of gas", ([, end = ""]) =>
    Effect.gen(function* () {
      const bomb = asm(`1 1 SSTORE ${SIZE} 0 ${end}`)
      const { returnData, state, success } = yield* runCode(
        asm(`${BEFORE} 0 0 0 0 3 ${OTHER} GAS CALL ${AFTER}`),
        { accounts: { [OTHER]: { code: bomb } }, gas }
      )
      expect(success).toBe(true)
      expect(returnData).toBe(`${wordOf(0)}${wordOf(0).slice(2)}`)
      expect(yield* storageOf(state, OTHER, 1)).toBe(wordOf(0))
      expect(yield* storageOf(state, SELF, 7)).toBe(wordOf(7))
      expect(yield* balanceOf(state, SELF)).toBe(1_000n)
    })
  )

  it.effect("goes through where the caller can pay for it", () =>
    Effect.gen(function* () {
      const { returnData } = yield* runCode(
        asm(`0 0 0 0 ${OTHER} GAS STATICCALL 0 MSTORE RETURNDATASIZE 32 MSTORE 64 0 RETURN`),
        { accounts: { [OTHER]: { code: asm(`${SIZE} 0 RETURN`) } }, gas: 200_000_000n }
      )
      expect(returnData).toBe(`${wordOf(1)}${wordOf(SIZE).slice(2)}`)
    })
  )

  it.effect("of an init frame fails the creation, which counts", () =>
    Effect.gen(function* () {
      const initCode = asm(`${SIZE} 0 REVERT`)
      const { returnData, state } = yield* runCode(
        asm(`${BEFORE} ${memory(initCode)} ${initCode.length} 0 3 CREATE ${AFTER}`),
        { gas }
      )
      expect(returnData).toBe(`${wordOf(0)}${wordOf(0).slice(2)}`)
      expect(yield* nonceOf(state, SELF)).toBe(2n)
      expect(yield* balanceOf(state, SELF)).toBe(1_000n)
    })
  )

  it.effect("of a transaction is cut where its outcome ends", () =>
    Effect.gen(function* () {
      const state = yield* makeWorld({
        [USER]: { balance: ETHER },
        [OTHER]: { code: asm(`7 0 MSTORE 1 1 SSTORE ${SIZE} 0 RETURN`) }
      })
      const { returnData, success } = yield* send(state, { to: OTHER, gas: 10_000_000n })
      expect(success).toBe(true)
      expect(BigInt(returnData.length - 2) / 2n).toBe(GasSchedule.RETURN_BYTES_MAX)
      expect(returnData.slice(0, 66)).toBe(wordOf(7))
      expect(yield* storageOf(state, OTHER, 1)).toBe(wordOf(1))
    })
  )
})

layer(services)("an init frame", (it) => {
  it.effect.each([
    ["with next to no gas", "STOP", 100_000n],
    ["that halts", "INVALID", 3_000_000n],
    ["that reverts with all its gas in the data", "300000 0 REVERT", 1_200_000n]
  ] as const)("%s fails the creation and leaves its caller alone", ([, init, gas]) =>
    Effect.gen(function* () {
      const initCode = asm(init)
      const { returnData, success } = yield* runCode(
        asm(`${memory(initCode)} ${initCode.length} 0 0 CREATE ${RETURN_TOP}`),
        { gas }
      )
      expect(success).toBe(true)
      expect(returnData).toBe(wordOf(0))
    })
  )

  it.effect("of a transaction may run out of gas anywhere", () =>
    Effect.gen(function* () {
      const state = yield* makeWorld({ [USER]: { balance: ETHER } })
      const initCode = asm("ADDRESS POP 1 0 SSTORE 33 0 RETURN")
      let nonce = 0
      for (let gas = 55_000n; gas < 110_000n; gas += 1_237n) {
        const result = yield* send(state, { data: bytesToHex(initCode), gas, nonce: nonce++ })
        expect(result.gasUsed).toBeLessThanOrEqual(gas)
        if (!result.success) expect(result.gasUsed).toBe(gas)
      }
      expect(yield* nonceOf(state, USER)).toBe(BigInt(nonce))
    })
  )
})
