/** A transaction that does not fit is refused by a typed reason, and the state stays as it was. */
import { expect, layer } from "@effect/vitest"
import {
  signRaw,
  someDamage,
  damaged,
  someMisfit
} from "../../../contracts/test/support/SignedTransactions.ts"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import type { State } from "@ovm/state-manager/State"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Either, Layer } from "effect"
import fc from "fast-check"
import { bytesToHex, hexToBytes } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import type { InvalidReason } from "../src/ExecutionError.ts"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import { defaultOptions, layerReference } from "../src/ReferenceExecutionManager.ts"
import { asm } from "./support/Assemble.ts"
import {
  context,
  execute,
  makeWorld,
  OTHER,
  send,
  signed,
  type TransactionFields,
  USER,
  wordOf
} from "./support/World.ts"

const services = Layer.merge(layerReference(), layerMemory)
const BALANCE = 10n ** 18n
const world = makeWorld({
  [USER]: { balance: BALANCE, nonce: 5n },
  [OTHER]: { code: asm("1 0 SSTORE"), balance: 3n }
})

const root = (state: State) => Effect.promise(() => state.root())

/** Sends to a fresh world, and answers why it was refused. */
const refusal = Effect.fnUntraced(function* (raw: Uint8Array, state: State) {
  const before = yield* root(state)
  const error = yield* Effect.flip(execute(state, raw))
  expect(yield* root(state)).toBe(before)
  if (error._tag !== "InvalidTransaction") return yield* error
  return error.reason
})

const fields: TransactionFields = { to: OTHER, nonce: 5, value: 1n, gas: 100_000n }
const MAX = defaultOptions.maxTransactionGas

layer(services)("refuses", (it) => {
  const cases: ReadonlyArray<readonly [string, TransactionFields, InvalidReason]> = [
    [
      "a nonce that was used",
      { nonce: 4 },
      { _tag: "NonceTooLow", sender: USER, expected: 5n, actual: 4n }
    ],
    [
      "a nonce that is not due yet",
      { nonce: 6 },
      { _tag: "NonceTooHigh", sender: USER, expected: 5n, actual: 6n }
    ],
    [
      "value and fees beyond the balance",
      { value: BALANCE },
      {
        _tag: "InsufficientFunds",
        sender: USER,
        required: BALANCE + 1_000_000n,
        available: BALANCE
      }
    ],
    [
      "fees beyond 256 bits",
      { maxFeePerGas: 2n ** 255n, maxPriorityFeePerGas: 0n },
      { _tag: "InsufficientFunds", sender: USER, required: 2n ** 256n - 1n, available: BALANCE }
    ],
    [
      "a fee cap below the base fee",
      { maxFeePerGas: 6n },
      { _tag: "FeeCapTooLow", maxFeePerGas: 6n, baseFeePerGas: 7n }
    ],
    [
      "more gas than one transaction may have",
      { gas: MAX + 1n },
      { _tag: "GasLimitTooHigh", gasLimit: MAX + 1n, limit: MAX }
    ],
    [
      "less gas than its bytes cost",
      { gas: 21_019n, data: "0x0001" },
      { _tag: "IntrinsicGasTooLow", required: 21_020n, gasLimit: 21_019n }
    ],
    ["another chain's id", { chainId: 11 }, { _tag: "WrongChainId", expected: 10n, actual: 11n }]
  ]
  it.effect.each(cases)("%s", ([, change, reason]) =>
    Effect.gen(function* () {
      const raw = yield* signed({ ...fields, ...change })
      expect(yield* refusal(raw, yield* world)).toEqual(reason)
    })
  )

  it.effect("initcode beyond EIP-3860, and takes what fits", () =>
    Effect.gen(function* () {
      const creation = (size: number) =>
        signed({ nonce: 5, gas: MAX, data: `0x${"00".repeat(size)}` })
      expect(yield* refusal(yield* creation(49_153), yield* world)).toEqual({
        _tag: "InitCodeTooLarge",
        size: 49_153n,
        limit: 49_152n
      })
      const result = yield* execute(yield* world, yield* creation(49_152))
      expect(result.success).toBe(true)
    })
  )

  it.effect("more bytes than leave room on L1", () =>
    Effect.gen(function* () {
      const limit = Number(GasSchedule.TRANSACTION_BYTES_MAX)
      const of = (size: number) => signed({ ...fields, gas: MAX, data: `0x${"00".repeat(size)}` })
      const overhead = (yield* of(limit - 200)).length - (limit - 200)
      expect(yield* refusal(yield* of(limit - overhead + 1), yield* world)).toEqual({
        _tag: "TransactionTooLarge",
        size: BigInt(limit + 1),
        limit: BigInt(limit)
      })
      const fits = yield* of(limit - overhead)
      expect((yield* execute(yield* world, fits)).success).toBe(true)
    })
  )

  it.effect("a sender with code (EIP-3607)", () =>
    Effect.gen(function* () {
      const state = yield* makeWorld({ [USER]: { balance: BALANCE, code: asm("STOP"), nonce: 5n } })
      const reason = yield* refusal(yield* signed(fields), state)
      expect(reason).toEqual({ _tag: "SenderNotEOA", sender: USER })
    })
  )

  it.effect("what it would have taken before: the next one with that nonce is valid", () =>
    Effect.gen(function* () {
      const state = yield* world
      yield* refusal(yield* signed({ ...fields, gas: 21_000n, data: "0x01" }), state)
      expect((yield* send(state, fields)).success).toBe(true)
    })
  )
})

layer(services)("malformed bytes", (it) => {
  const good = signed(fields)

  it.effect.each([
    ["nothing", () => new Uint8Array(0)],
    ["an unknown type", (raw: Uint8Array) => raw.with(0, 3)],
    ["a byte more", (raw: Uint8Array) => Uint8Array.from([...raw, 0])],
    ["a byte less", (raw: Uint8Array) => raw.subarray(0, -1)],
    ["no RLP", () => Uint8Array.of(2, 0xc1)]
  ] as const)("are refused as such: %s", ([, damage]) =>
    Effect.gen(function* () {
      const reason = yield* refusal(damage(yield* good), yield* world)
      expect(reason._tag).toBe("Malformed")
    })
  )

  it.effect("a tip above the fee cap is malformed", () =>
    Effect.gen(function* () {
      // The wallet's library refuses to sign it.
      const reason = yield* refusal(
        hexToBytes(
          yield* Effect.promise(() =>
            signRaw({
              type: 2,
              chainId: 10n,
              fields: [
                Uint8Array.of(5),
                Uint8Array.of(11),
                Uint8Array.of(10),
                Uint8Array.of(0x7f, 0xff),
                hexToBytes(OTHER),
                new Uint8Array(0),
                new Uint8Array(0),
                []
              ]
            })
          )
        ),
        yield* world
      )
      expect(reason._tag).toBe("Malformed")
    })
  )

  it.effect("never fault the manager, however they are damaged", () =>
    Effect.gen(function* () {
      const raw = yield* good
      const state = yield* world
      const before = yield* root(state)
      const inputs = [
        ...fc
          .sample(someDamage, { numRuns: 60, seed: 1 })
          .map((damage) => damaged(bytesToHex(raw), damage)),
        ...(yield* Effect.promise(() =>
          Promise.all(fc.sample(someMisfit, { numRuns: 60, seed: 2 }).map(signRaw))
        ))
      ]
      let refused = 0
      for (const input of inputs) {
        const outcome = yield* Effect.either(execute(state.fork(), hexToBytes(input)))
        if (Either.isRight(outcome)) continue
        expect(outcome.left._tag).toBe("InvalidTransaction")
        refused++
      }
      expect(refused).toBeGreaterThan(100)
      expect(yield* root(state)).toBe(before)
    })
  )
})

layer(services)("a block of another protocol version", (it) => {
  it.effect("is the node's fault, not the transaction's", () =>
    Effect.gen(function* () {
      const state = yield* world
      const before = yield* root(state)
      const manager = yield* ExecutionManager
      const error = yield* Effect.flip(
        manager.executeTransaction({
          state,
          context: { ...context, protocolVersion: 2 },
          transaction: yield* signed(fields)
        })
      )
      expect(error._tag).toBe("ExecutionFault")
      expect(error.message).toContain("WrongProtocolVersion(expected 1, actual 2)")
      expect(yield* root(state)).toBe(before)
    })
  )
})

layer(services)("a signature from before EIP-155", (it) => {
  it.effect("holds on every chain", () =>
    Effect.gen(function* () {
      const account = privateKeyToAccount(`0x${"11".repeat(32)}`)
      const raw = yield* Effect.promise(() =>
        account.signTransaction({
          type: "legacy",
          nonce: 5,
          gasPrice: 10n,
          gas: 100_000n,
          to: OTHER
        })
      )
      const state = yield* world
      expect(yield* execute(state, hexToBytes(raw))).toMatchObject({ success: true, sender: USER })
      expect(yield* Effect.promise(() => state.getStorage(OTHER, wordOf(0)))).toBe(wordOf(1))
    })
  )
})
