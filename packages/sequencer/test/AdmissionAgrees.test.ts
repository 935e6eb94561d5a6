import { assert, describe, it } from "@effect/vitest"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import * as Genesis from "@ovm/protocol/Genesis"
import { intrinsicGas } from "@ovm/protocol/IntrinsicGas"
import { recoverSender } from "@ovm/protocol/Signature"
import * as Transaction from "@ovm/protocol/Transaction"
import { EMPTY_ROOT } from "@ovm/state-manager/State"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Either, Layer } from "effect"
import * as fc from "fast-check"
import { bytesToHex, hexToBytes } from "viem"
import { checkAccount, checkBytes, fromInvalidReason } from "../src/Admission.ts"
import * as GenesisState from "../src/GenesisState.ts"
import * as MempoolState from "../src/MempoolState.ts"
import { nextContext } from "../src/NextBlock.ts"
import { addressOf, alice, DAVE, genesis } from "./chain.ts"

const hex = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => bytesToHex(bytes))
const data = fc
  .array(fc.constantFrom(0, 0, 7, 255), { maxLength: 100 })
  .map((bytes) => bytesToHex(Uint8Array.from(bytes)))

const transaction = fc.record({
  to: fc.constantFrom(DAVE, null),
  data,
  accessList: fc.array(
    fc.record({ address: hex(20), storageKeys: fc.array(hex(32), { maxLength: 2 }) }),
    { maxLength: 2 }
  ),
  chainId: fc.constantFrom(420, 420, 420, 421),
  nonce: fc.constantFrom(0, 0, 0, 1),
  gas: fc.constantFrom(20_999n, 21_000n, 60_000n, 200_000n, 14_000_001n),
  value: fc.constantFrom(0n, 1n, 10n ** 30n),
  maxFeePerGas: fc.constantFrom(1n, 10n ** 9n, 10n ** 10n)
})

const account = { nonce: 0n, balance: 100n * 10n ** 18n, hasCode: false }

/** What the manager says of the transaction, in the words of admission; none if it ran. */
const verdictOfManager = (raw: Uint8Array) =>
  Effect.gen(function* () {
    const { executeTransaction } = yield* ExecutionManager
    const state = yield* (yield* StateManager).open(EMPTY_ROOT)
    const root = yield* GenesisState.write(state, genesis)
    const parent = Genesis.header(genesis, root)
    const context = nextContext({ genesis, parent, l1Origin: genesis.l1Origin, nowMs: 0 })
    const outcome = yield* Effect.either(executeTransaction({ state, context, transaction: raw }))
    if (Either.isRight(outcome)) return undefined
    assert.strictEqual(outcome.left._tag, "InvalidTransaction")
    return outcome.left._tag === "InvalidTransaction" ? outcome.left.reason : undefined
  })

const rules = {
  chainId: 420n,
  blockGasLimit: genesis.gasLimit,
  maxTransactionGas: 14_000_000n,
  baseFeePerGas: 875_000_000n,
  minTipPerGas: 0n
}

describe("Admission and the ExecutionManager", () => {
  it.effect("agree on which transactions can run, and on their intrinsic gas", () =>
    Effect.gen(function* () {
      const sampled = fc.sample(transaction, { numRuns: 60, seed: 420 })
      let ran = 0
      for (const unsigned of sampled) {
        const raw = hexToBytes(
          yield* Effect.promise(() =>
            alice.signTransaction({ ...unsigned, type: "eip1559", maxPriorityFeePerGas: 1n })
          )
        )
        const decoded = Either.getOrThrow(Transaction.decode(raw))
        const admitted = {
          hash: Transaction.hash(raw),
          raw,
          sender: addressOf(alice),
          transaction: decoded
        }
        const admission = Either.flatMap(checkBytes(raw, rules), (checked) =>
          checkAccount(checked, account, MempoolState.empty())
        )
        const reason = yield* verdictOfManager(raw)
        if (reason === undefined) {
          ran++
          assert.isTrue(Either.isRight(admission))
          continue
        }
        if (reason._tag === "IntrinsicGasTooLow") {
          assert.strictEqual(reason.required, intrinsicGas(decoded))
        }
        // A later nonce may wait; everything else that can't run is turned away.
        if (reason._tag === "NonceTooHigh") continue
        assert.isTrue(Either.isLeft(admission), `${reason._tag} was admitted`)
        assert.isString(fromInvalidReason(reason, admitted).message)
      }
      assert.isAtLeast(ran, 5)
      assert.isBelow(ran, 50)
    }).pipe(Effect.provide(Layer.merge(layerReference(), layerMemory)))
  )

  it.effect("agree on which bytes are a signed transaction", () =>
    Effect.gen(function* () {
      const raw = hexToBytes(
        yield* Effect.promise(() =>
          alice.signTransaction({
            type: "eip1559",
            chainId: 420,
            gas: 100_000n,
            to: DAVE,
            data: "0x00ff",
            accessList: [{ address: DAVE, storageKeys: [`0x${"01".repeat(32)}`] }],
            maxFeePerGas: 10n ** 10n,
            maxPriorityFeePerGas: 1n
          })
        )
      )
      const flips = fc.sample(fc.tuple(fc.nat(raw.length - 1), fc.integer({ min: 1, max: 255 })), {
        numRuns: 150,
        seed: 7
      })
      let malformed = 0
      for (const [at, flip] of flips) {
        const bytes = raw.map((byte, index) => (index === at ? byte ^ flip : byte))
        const transaction = Transaction.decode(bytes)
        const readable = Either.isRight(Either.flatMap(transaction, recoverSender))
        const tipFits = Either.match(transaction, {
          onLeft: () => false,
          onRight: (one) => Transaction.tipCap(one) <= Transaction.feeCap(one)
        })
        const reason = yield* verdictOfManager(bytes)
        const isMalformed = reason?._tag === "Malformed"
        assert.strictEqual(isMalformed, !(readable && tipFits), `byte ${at} xor ${flip}`)
        if (isMalformed) malformed++
      }
      assert.isAbove(malformed, 20)
      assert.isBelow(malformed, 130)
    }).pipe(Effect.provide(Layer.merge(layerReference(), layerMemory)))
  )
})
