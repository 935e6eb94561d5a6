import { describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { bytesToHex } from "viem"
import { expect } from "vitest"
import { differencesOf } from "../src/Equivalence.ts"
import { generateCase, stateTestOf } from "../src/Fuzz.ts"
import { layer as ovmLayer, make } from "../src/OvmRun.ts"
import { makePlainMachine } from "../src/PlainRun.ts"
import { senderOf } from "../src/SignedTransaction.ts"
import type { CaseTransaction, StateTestCase } from "../src/StateTestFixture.ts"
import { accountOf, word } from "../src/WorldState.ts"

const TARGET = "0x00000000000000000000000000000000000000aa"
const base = stateTestOf(generateCase(0))
const expectation = { stateRoot: word(0n), logsHash: word(0n), exception: "made invalid" }

const sent = (changes: Partial<CaseTransaction>): StateTestCase => ({
  ...base,
  expectation,
  transaction: { ...base.transaction, type: 2, to: TARGET, data: "0x", value: 1n, ...changes }
})
const sender = senderOf(base.transaction)
const withSender = (changes: object): StateTestCase => {
  const stateTest = sent({})
  const account = { ...accountOf(stateTest.pre, sender), ...changes }
  return { ...stateTest, pre: new Map(stateTest.pre).set(sender, account) }
}
const UINT64_MAX = (1n << 64n) - 1n

const INVALID: ReadonlyArray<readonly [string, StateTestCase]> = [
  ["nonce too high", sent({ nonce: 1n })],
  ["nonce too low", withSender({ nonce: 1n })],
  [
    "nonce at its end",
    {
      ...withSender({ nonce: UINT64_MAX }),
      ...{ transaction: sent({ nonce: UINT64_MAX }).transaction }
    }
  ],
  ["too little for value and gas", withSender({ balance: 5n })],
  ["exactly one wei short", withSender({ balance: 8_000_000n * 20n })],
  ["gas and price beyond 256 bits", sent({ maxFeePerGas: (1n << 256n) - 1n })],
  ["fee cap below the base fee", sent({ maxFeePerGas: 6n, maxPriorityFeePerGas: 1n })],
  ["legacy price below the base fee", sent({ type: 0, gasPrice: 6n })],
  ["tip above the fee cap", sent({ maxFeePerGas: 20n, maxPriorityFeePerGas: 21n })],
  ["less than the intrinsic gas", sent({ gasLimit: 20_999n })],
  ["less than the gas of a creation", sent({ to: undefined, gasLimit: 52_999n })],
  ["less than the gas of its data", sent({ data: "0x0001", gasLimit: 21_019n })],
  [
    "less than the gas of its access list",
    sent({ gasLimit: 23_399n, accessList: [{ address: TARGET, storageKeys: [] }] })
  ],
  ["initcode beyond EIP-3860", sent({ to: undefined, data: bytesToHex(new Uint8Array(49_153)) })],
  ["a sender with code", withSender({ code: "0x00" })],
  ["more gas than the block has", sent({ gasLimit: 30_000_001n })],
  ["a value beyond 256 bits", sent({ value: 1n << 256n })],
  ["no transaction at all", sent({ raw: "0xdeadbeef" })],
  ["no bytes at all", sent({ raw: "0x" })]
]

layer(ovmLayer, { timeout: 60_000 })((it) => {
  describe("the OVM refuses as the EVM does, and changes nothing:", () => {
    for (const [name, stateTest] of INVALID) {
      it.effect(name, () =>
        Effect.gen(function* () {
          const expected = yield* makePlainMachine().run(stateTest)
          const found = yield* (yield* make).run(stateTest)
          expect([expected._tag, found._tag]).toEqual(["Rejected", "Rejected"])
          expect(found.state).toEqual(stateTest.pre)
          expect(differencesOf(stateTest, expected, found)).toEqual([])
        })
      )
    }

    it.effect("but not one that has exactly enough", () =>
      Effect.gen(function* () {
        const stateTest = withSender({ balance: 8_000_000n * 20n + 1n })
        const expected = yield* makePlainMachine().run(stateTest)
        const found = yield* (yield* make).run(stateTest)
        expect([expected._tag, found._tag]).toEqual(["Executed", "Executed"])
      })
    )
  })
})
