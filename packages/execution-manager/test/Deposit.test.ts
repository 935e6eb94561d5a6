/** What L1 tells L2 to run: no signature, no fees, and ETH that comes out of the reserve alone. */
import { expect, layer } from "@effect/vitest"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import { intrinsicGas } from "@ovm/protocol/IntrinsicGas"
import { ALIAS_OFFSET, BASE_FEE_VAULT, ETH_CAP, MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"
import type { State } from "@ovm/state-manager/State"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import fc from "fast-check"
import { getContractAddress, numberToHex } from "viem"
import * as CallTree from "../src/CallTree.ts"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import { defaultOptions, layerReference } from "../src/ReferenceExecutionManager.ts"
import { asm, deploying } from "./support/Assemble.ts"
import { deposited, type DepositFields, depositOf } from "./support/Deposits.ts"
import {
  addressOf,
  type Allocation,
  balanceOf,
  COINBASE,
  context,
  execute,
  makeWorld,
  NOBODY,
  nonceOf,
  OTHER,
  runCode,
  send,
  storageOf,
  USER
} from "./support/World.ts"

const services = Layer.merge(layerReference(), layerMemory)
const RESERVE = MESSAGE_PASSER
const ETHER = 10n ** 18n
const DEPOSITOR = addressOf(0xde)
const REVERTER = addressOf(0xb7)
const LOOPER = addressOf(0xb8)
const WITNESS = addressOf(0xb9)
const BASIC = 21_000n

/** Keeps who called, who began, what was sent and what gas costs. */
const witness = asm("CALLER 0 SSTORE ORIGIN 1 SSTORE CALLVALUE 2 SSTORE GASPRICE 3 SSTORE")

const accounts: Readonly<Record<Address, Allocation>> = {
  [USER]: { balance: ETHER },
  [RESERVE]: { balance: ETH_CAP - 2n * ETHER },
  [REVERTER]: { code: asm(`0 0 0 0 1 ${NOBODY} GAS CALL POP 0 0 REVERT`) },
  [LOOPER]: { code: asm(":loop @loop JUMP") },
  [OTHER]: { code: asm("1 0 SSTORE") },
  [WITNESS]: { code: witness }
}

const world = makeWorld(accounts)

/** All wei of the accounts that a deposit can reach. */
const changeOfSupply = (state: State): bigint => {
  let change = 0n
  for (const { after, before } of state.endTransaction().accounts.values()) {
    change += (after?.balance ?? 0n) - (before?.balance ?? 0n)
  }
  return change
}

const run = (state: State, fields: DepositFields) => execute(state, deposited(fields))

/** What is refused, having left the state as it was. */
const refusal = Effect.fnUntraced(function* (state: State, raw: Uint8Array) {
  const before = yield* Effect.promise(() => state.root())
  const error = yield* Effect.flip(execute(state, raw))
  state.endTransaction()
  expect(yield* Effect.promise(() => state.root())).toBe(before)
  return error._tag === "InvalidTransaction" ? error.reason : expect.fail(error.message)
})

layer(services)("a deposit", (it) => {
  it.effect("mints out of the reserve, and sends", () =>
    Effect.gen(function* () {
      const state = yield* world
      const result = yield* run(state, { from: DEPOSITOR, to: NOBODY, mint: 70n, value: 40n })
      expect(result).toMatchObject({
        success: true,
        sender: DEPOSITOR,
        gasUsed: BASIC,
        effectiveGasPrice: 0n,
        returnData: "0x",
        logs: []
      })
      expect(yield* balanceOf(state, DEPOSITOR)).toBe(30n)
      expect(yield* balanceOf(state, NOBODY)).toBe(40n)
      expect(yield* balanceOf(state, RESERVE)).toBe(ETH_CAP - 2n * ETHER - 70n)
      expect(yield* nonceOf(state, DEPOSITOR)).toBe(1n)
    })
  )

  it.effect("calls code as its sender, at no gas price, and pays nobody", () =>
    Effect.gen(function* () {
      const state = yield* world
      const raw = deposited({ from: DEPOSITOR, to: WITNESS, mint: 9n, value: 9n })
      const result = yield* execute(state, raw)
      const plain = yield* runCode(witness, {
        from: DEPOSITOR,
        value: 9n,
        accounts: {
          [DEPOSITOR]: { balance: 9n }
        }
      })
      expect(result).toMatchObject({ success: true, gasUsed: BASIC + plain.gasUsed })
      expect(BigInt(yield* storageOf(state, WITNESS, 0))).toBe(BigInt(DEPOSITOR))
      expect(BigInt(yield* storageOf(state, WITNESS, 1))).toBe(BigInt(DEPOSITOR))
      expect(BigInt(yield* storageOf(state, WITNESS, 2))).toBe(9n)
      expect(BigInt(yield* storageOf(state, WITNESS, 3))).toBe(0n)
      for (const payee of [COINBASE, BASE_FEE_VAULT, DEPOSITOR]) {
        expect(yield* balanceOf(state, payee)).toBe(0n)
      }
    })
  )

  it.effect("that fails keeps what it minted, raises the nonce and undoes the rest", () =>
    Effect.gen(function* () {
      const state = yield* world
      const result = yield* run(state, { from: DEPOSITOR, to: REVERTER, mint: 50n, value: 20n })
      expect(result.success).toBe(false)
      expect(result.gasUsed).toBeGreaterThan(BASIC)
      expect(yield* balanceOf(state, DEPOSITOR)).toBe(50n)
      expect(yield* balanceOf(state, REVERTER)).toBe(0n)
      expect(yield* balanceOf(state, NOBODY)).toBe(0n)
      expect(yield* balanceOf(state, RESERVE)).toBe(ETH_CAP - 2n * ETHER - 50n)
      expect(yield* nonceOf(state, DEPOSITOR)).toBe(1n)
    })
  )

  it.effect("of more value than its sender has fails, and is not invalid", () =>
    Effect.gen(function* () {
      for (const to of [NOBODY, OTHER, undefined]) {
        const state = yield* world
        const data = deploying(asm("STOP"))
        const fields = { from: DEPOSITOR, to, mint: 5n, value: 6n, data }
        const result = yield* run(state, fields)
        expect(result).toMatchObject({ success: false, returnData: "0x" })
        expect(result).not.toHaveProperty("contractAddress")
        expect(result.gasUsed).toBe(intrinsicGas(depositOf(fields)))
        expect(yield* balanceOf(state, DEPOSITOR)).toBe(5n)
        expect(yield* nonceOf(state, DEPOSITOR)).toBe(1n)
        expect(yield* storageOf(state, OTHER, 0)).toBe(numberToHex(0, { size: 32 }))
      }
    })
  )

  it.effect("sends what its sender had before, too", () =>
    Effect.gen(function* () {
      const state = yield* world
      const result = yield* run(state, { from: USER, to: NOBODY, mint: 1n, value: ETHER + 1n })
      expect(result.success).toBe(true)
      expect(yield* balanceOf(state, USER)).toBe(0n)
      expect(yield* balanceOf(state, NOBODY)).toBe(ETHER + 1n)
    })
  )

  it.effect("creates at the address of its sender's nonce", () =>
    Effect.gen(function* () {
      const state = yield* world
      for (const nonce of [0n, 1n]) {
        const data = deploying(asm("1 0 SSTORE"))
        const raw = deposited({ from: DEPOSITOR, data, mint: 8n, value: 3n })
        const calls = CallTree.make()
        const manager = yield* ExecutionManager
        const tracer = calls.tracer
        const result = yield* manager.executeTransaction({
          state,
          context,
          transaction: raw,
          tracer
        })
        state.endTransaction()
        const created = getContractAddress({ from: DEPOSITOR, nonce }).toLowerCase()
        expect(result).toMatchObject({ success: true, contractAddress: created })
        expect(calls.root()).toMatchObject({ type: "CREATE", caller: DEPOSITOR, address: created })
        expect(calls.root()?.end).toMatchObject({ success: true, created })
        expect(yield* nonceOf(state, DEPOSITOR)).toBe(nonce + 1n)
        expect(yield* Effect.promise(() => state.getCode(`0x${created.slice(2)}`))).toEqual(
          asm("1 0 SSTORE")
        )
      }
    })
  )

  it.effect("and a signed transaction of the same account share its nonce", () =>
    Effect.gen(function* () {
      const state = yield* world
      expect((yield* send(state, { to: NOBODY, nonce: 0 })).success).toBe(true)
      expect((yield* run(state, { from: USER, to: NOBODY })).success).toBe(true)
      expect((yield* send(state, { to: NOBODY, nonce: 2 })).success).toBe(true)
      expect(yield* nonceOf(state, USER)).toBe(3n)
    })
  )

  it.effect("comes from a contract of L1 under its alias", () =>
    Effect.gen(function* () {
      const l1Contract = BigInt(`0xff${"ff".repeat(19)}`)
      const alias = numberToHex((l1Contract + ALIAS_OFFSET) % 2n ** 160n, { size: 20 })
      const state = yield* world
      const result = yield* run(state, { from: alias, to: WITNESS, mint: 4n, value: 4n })
      expect(result).toMatchObject({ success: true, sender: alias })
      expect(BigInt(yield* storageOf(state, WITNESS, 0))).toBe(BigInt(alias))
    })
  )

  it.effect("may come from an account with code, which a signed transaction may not", () =>
    Effect.gen(function* () {
      const state = yield* makeWorld({
        ...accounts,
        [USER]: { code: asm("STOP"), balance: 10n, nonce: 7n }
      })
      const result = yield* run(state, { from: USER, to: WITNESS, mint: 1n, value: 11n })
      expect(result.success).toBe(true)
      expect(yield* nonceOf(state, USER)).toBe(8n)
      expect(yield* Effect.promise(() => state.getCode(USER))).toEqual(asm("STOP"))
    })
  )

  it.effect("uses gas to the unit, and all of it when it runs out", () =>
    Effect.gen(function* () {
      const exact = (yield* run(yield* world, { to: OTHER })).gasUsed
      const enough = yield* run(yield* world, { to: OTHER, gasLimit: exact * 2n })
      expect(enough).toMatchObject({ success: true, gasUsed: exact })
      const state = yield* world
      const short = yield* run(state, { to: OTHER, mint: 3n, gasLimit: BASIC + 1n })
      expect(short).toMatchObject({ success: false, gasUsed: BASIC + 1n })
      expect(yield* balanceOf(state, DEPOSITOR)).toBe(3n)
      const looped = yield* run(state, { to: LOOPER, gasLimit: 77_777n })
      expect(looped).toMatchObject({ success: false, gasUsed: 77_777n })
    })
  )

  it.effect("from the reserve itself, to itself, moves nothing", () =>
    Effect.gen(function* () {
      const state = yield* world
      const before = yield* balanceOf(state, RESERVE)
      const result = yield* run(state, { from: RESERVE, to: RESERVE, mint: 5n, value: 5n })
      expect(result.success).toBe(true)
      expect(yield* balanceOf(state, RESERVE)).toBe(before)
    })
  )

  it.effect("may take the reserve's last wei", () =>
    Effect.gen(function* () {
      const state = yield* world
      const mint = yield* balanceOf(state, RESERVE)
      expect((yield* run(state, { mint, to: NOBODY })).success).toBe(true)
      expect(yield* balanceOf(state, RESERVE)).toBe(0n)
      expect(yield* balanceOf(state, DEPOSITOR)).toBe(mint)
      expect(yield* refusal(state, deposited({ mint: 1n, to: NOBODY }))).toEqual({
        _tag: "InsufficientFunds",
        sender: RESERVE,
        required: 1n,
        available: 0n
      })
    })
  )
})

layer(services)("an invalid deposit", (it) => {
  const limit = defaultOptions.maxTransactionGas
  const available = ETH_CAP - 2n * ETHER
  const cases: ReadonlyArray<readonly [string, DepositFields, object]> = [
    [
      "that mints more than the reserve has",
      { mint: available + 1n },
      { _tag: "InsufficientFunds", sender: RESERVE, required: available + 1n, available }
    ],
    [
      "that mints more than there can be",
      { mint: 2n ** 256n - 1n },
      { _tag: "InsufficientFunds", sender: RESERVE, required: 2n ** 256n - 1n, available }
    ],
    [
      "with less gas than its bytes cost",
      { gasLimit: 21_015n, data: Uint8Array.of(1) },
      { _tag: "IntrinsicGasTooLow", required: 21_016n, gasLimit: 21_015n }
    ],
    [
      "with more gas than a transaction may have",
      { gasLimit: limit + 1n },
      { _tag: "GasLimitTooHigh", gasLimit: limit + 1n, limit }
    ],
    [
      "with initcode beyond EIP-3860",
      { to: undefined, data: new Uint8Array(49_153), gasLimit: limit },
      { _tag: "InitCodeTooLarge", size: 49_153n, limit: 49_152n }
    ]
  ]
  it.effect.each(cases)("%s changes nothing", ([, fields, reason]) =>
    Effect.gen(function* () {
      expect(yield* refusal(yield* world, deposited({ to: NOBODY, ...fields }))).toEqual(reason)
    })
  )

  const raw = deposited({ to: NOBODY })
  it.effect.each([
    ["a byte more", Uint8Array.of(...raw, 0)],
    ["a byte less", raw.subarray(0, -1)],
    ["another type", raw.with(0, 0x7d)],
    ["only its type", Uint8Array.of(0x7e)],
    ["a list of nothing", Uint8Array.of(0x7e, 0xc0)]
  ] as const)("of malformed bytes changes nothing: %s", ([, bytes]) =>
    Effect.gen(function* () {
      expect((yield* refusal(yield* world, bytes))._tag).toBe("Malformed")
    })
  )

  it.effect("has no frame to trace if it is malformed, and one if the reserve is too small", () =>
    Effect.gen(function* () {
      const state = yield* world
      const manager = yield* ExecutionManager
      const types = [raw.subarray(0, -1), deposited({ mint: ETH_CAP })].map((transaction) =>
        Effect.gen(function* () {
          const { root, tracer } = CallTree.make()
          yield* Effect.flip(manager.executeTransaction({ state, context, transaction, tracer }))
          return root()?.type
        })
      )
      expect(yield* Effect.all(types)).toEqual([undefined, "CREATE"])
    })
  )
})

const someDeposit = fc.record({
  from: fc.constantFrom<Address>(DEPOSITOR, USER, REVERTER, RESERVE),
  to: fc.constantFrom<Address | undefined>(REVERTER, LOOPER, OTHER, NOBODY, RESERVE, undefined),
  mint: fc.oneof(fc.bigInt({ min: 0n, max: 100n }), fc.bigInt({ min: 0n, max: 2n * ETH_CAP })),
  value: fc.oneof(fc.bigInt({ min: 0n, max: 100n }), fc.bigInt({ min: 0n, max: ETHER })),
  gasLimit: fc.bigInt({ min: 20_000n, max: 400_000n }),
  data: fc.constantFrom(
    new Uint8Array(0),
    deploying(asm("STOP")),
    asm(`0 0 0 0 3 ${NOBODY} GAS CALL 0 0 REVERT`),
    // Gives all to the reserve and is gone (EIP-6780): what withdrawals do.
    asm(`${RESERVE} SELFDESTRUCT`)
  )
})

layer(services)("the supply, reserve included", (it) => {
  it.effect("is the same after any deposits, valid or not", () =>
    Effect.gen(function* () {
      const sequences = fc.sample(fc.array(someDeposit, { minLength: 6, maxLength: 6 }), {
        numRuns: 25,
        seed: 7
      })
      let [valid, succeeded] = [0, 0]
      const manager = yield* ExecutionManager
      for (const deposits of sequences) {
        const state = yield* world
        for (const fields of deposits) {
          const transaction = deposited(fields)
          const nonce = yield* nonceOf(state, fields.from)
          const result = yield* Effect.option(
            manager.executeTransaction({ state, context, transaction })
          )
          expect(changeOfSupply(state)).toBe(0n)
          expect(yield* nonceOf(state, fields.from)).toBe(
            result._tag === "Some" ? nonce + 1n : nonce
          )
          if (result._tag === "None") continue
          valid++
          if (result.value.success) succeeded++
          expect(result.value.transactionHash).toBe(DepositTransaction.hash(depositOf(fields)))
        }
      }
      expect(valid).toBeGreaterThan(50)
      expect(succeeded).toBeGreaterThan(20)
      expect(valid - succeeded).toBeGreaterThan(10)
    })
  )
})
