/** Who pays what to whom: every transaction type, and not a wei more or less in the world. */
import { expect, layer } from "@effect/vitest"
import { BASE_FEE_VAULT } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"
import type { State } from "@ovm/state-manager/State"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import fc from "fast-check"
import { bytesToHex, hexToBytes } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import { layerReference } from "../src/ReferenceExecutionManager.ts"
import { asm, deploying } from "./support/Assemble.ts"
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
  SELF,
  USER,
  wordOf
} from "./support/World.ts"

const services = Layer.merge(layerReference(), layerMemory)
const account = privateKeyToAccount(`0x${"11".repeat(32)}`)
const ETHER = 10n ** 18n
const PAYER = addressOf(0xb6)
const REVERTER = addressOf(0xb7)
const LOOPER = addressOf(0xb8)
const world: Readonly<Record<Address, Allocation>> = {
  [USER]: { balance: ETHER },
  // Gives half of what it has to whom the calldata names.
  [PAYER]: {
    code: asm("0 0 0 0 2 SELFBALANCE DIV 0 CALLDATALOAD GAS CALL STOP"),
    balance: 1_000_000n
  },
  [REVERTER]: { code: asm(`0 0 0 0 1 ${NOBODY} GAS CALL POP 0 0 REVERT`), balance: 50n },
  [LOOPER]: { code: asm(":loop @loop JUMP") },
  [OTHER]: { code: asm("1 0 SSTORE") }
}
const base = context.baseFeePerGas

type Typed =
  | { readonly type: "legacy"; readonly gasPrice: bigint }
  | { readonly type: "eip2930"; readonly gasPrice: bigint; readonly accessList: AccessList }
  | {
      readonly type: "eip1559"
      readonly maxFeePerGas: bigint
      readonly maxPriorityFeePerGas: bigint
      readonly accessList?: AccessList
    }
type AccessList = ReadonlyArray<{
  readonly address: Address
  readonly storageKeys: ReadonlyArray<`0x${string}`>
}>

const sign = (
  fields: Typed & {
    to?: Address
    value?: bigint
    data?: `0x${string}`
    nonce?: number
    gas?: bigint
  }
) =>
  Effect.promise(async () =>
    hexToBytes(await account.signTransaction({ chainId: 10, nonce: 0, gas: 100_000n, ...fields }))
  )

/** EIP-2930: 2,400 for the address and 1,900 for each key. */
const accessList: AccessList = [{ address: OTHER, storageKeys: [wordOf(0), wordOf(1)] }]
const ACCESS_LIST_GAS = 6_200n

const expectPaid = Effect.fnUntraced(function* (state: State, gasUsed: bigint, price: bigint) {
  expect(yield* balanceOf(state, USER)).toBe(ETHER - gasUsed * price)
  expect(yield* balanceOf(state, BASE_FEE_VAULT)).toBe(gasUsed * base)
  expect(yield* balanceOf(state, COINBASE)).toBe(gasUsed * (price - base))
})

layer(services)("fees", (it) => {
  const types: ReadonlyArray<readonly [string, Typed, bigint, bigint]> = [
    ["a legacy transaction", { type: "legacy", gasPrice: 20n }, 20n, 0n],
    ["an EIP-2930 transaction", { type: "eip2930", gasPrice: 9n, accessList }, 9n, ACCESS_LIST_GAS],
    [
      "an EIP-1559 transaction with its tip",
      { type: "eip1559", maxFeePerGas: 100n, maxPriorityFeePerGas: 3n, accessList },
      10n,
      ACCESS_LIST_GAS
    ],
    [
      "an EIP-1559 transaction with what its cap leaves of the tip",
      { type: "eip1559", maxFeePerGas: 8n, maxPriorityFeePerGas: 5n },
      8n,
      0n
    ],
    [
      "a transaction that tips nothing",
      { type: "eip1559", maxFeePerGas: 7n, maxPriorityFeePerGas: 0n },
      7n,
      0n
    ]
  ]
  it.effect.each(types)("of %s go to the vault and to the coinbase", ([, typed, price, extra]) =>
    Effect.gen(function* () {
      const plain = yield* runCode(asm("1 0 SSTORE"))
      const state = yield* makeWorld(world)
      const result = yield* execute(state, yield* sign({ ...typed, to: OTHER }))
      expect(result).toMatchObject({ success: true, effectiveGasPrice: price })
      expect(result.gasUsed).toBe(21_000n + extra + plain.gasUsed)
      yield* expectPaid(state, result.gasUsed, price)
    })
  )

  it.effect("are due when it fails, too", () =>
    Effect.gen(function* () {
      for (const [to, gasUsed] of [
        [REVERTER, undefined],
        [LOOPER, 100_000n]
      ] as const) {
        const state = yield* makeWorld(world)
        const raw = yield* sign({ type: "legacy", gasPrice: 10n, to, value: 5n })
        const result = yield* execute(state, raw)
        expect(result.success).toBe(false)
        if (gasUsed !== undefined) expect(result.gasUsed).toBe(gasUsed)
        yield* expectPaid(state, result.gasUsed, 10n)
        expect(yield* nonceOf(state, USER)).toBe(1n)
      }
    })
  )

  it.effect("cost the data's bytes, zeros less (EIP-2028)", () =>
    Effect.gen(function* () {
      for (const [data, gas] of [
        ["0x", 0n],
        ["0x00", 4n],
        ["0x01", 16n],
        [`0x${"00".repeat(31)}ff`, 31n * 4n + 16n],
        [`0x${"00ff7f80".repeat(16)}01`, 16n * 52n + 16n],
        [`0x${"00".repeat(100)}`, 400n]
      ] as const) {
        const state = yield* makeWorld(world)
        const result = yield* execute(
          state,
          yield* sign({ type: "legacy", gasPrice: 7n, to: NOBODY, data })
        )
        expect(result.gasUsed).toBe(21_000n + gas)
      }
    })
  )

  it.effect("come back to a sender who is the coinbase, but for the base fee", () =>
    Effect.gen(function* () {
      const state = yield* makeWorld(world)
      const result = yield* execute(
        state,
        yield* sign({ type: "legacy", gasPrice: 10n, to: NOBODY }),
        { context: { ...context, coinbase: USER } }
      )
      expect(yield* balanceOf(state, USER)).toBe(ETHER - result.gasUsed * base)
    })
  )
})

/** What random transactions do. */
const someAction = fc.record({
  to: fc.constantFrom<Address | undefined>(PAYER, REVERTER, LOOPER, OTHER, NOBODY, SELF, undefined),
  value: fc.oneof(fc.bigInt({ min: 0n, max: 100n }), fc.bigInt({ min: 0n, max: ETHER })),
  gas: fc.bigInt({ min: 20_000n, max: 400_000n }),
  data: fc.constantFrom(
    wordOf(BigInt(PAYER)),
    wordOf(BigInt(NOBODY)),
    wordOf(4n),
    bytesToHex(deploying(asm("STOP"))),
    bytesToHex(asm(`0 0 0 0 3 ${NOBODY} GAS CALL 0 0 REVERT`))
  ),
  fees: fc.record({ tip: fc.bigInt({ min: 0n, max: 20n }), cap: fc.bigInt({ min: 5n, max: 40n }) })
})

layer(services)("the supply", (it) => {
  it.effect("is the same after any transactions, valid or not", () =>
    Effect.gen(function* () {
      const sequences = fc.sample(fc.array(someAction, { minLength: 6, maxLength: 6 }), {
        numRuns: 25,
        seed: 7
      })
      const manager = yield* ExecutionManager
      let [valid, succeeded] = [0, 0]
      for (const actions of sequences) {
        const state = yield* makeWorld(world)
        let nonce = 0
        for (const { data, fees, gas, to, value } of actions) {
          const maxPriorityFeePerGas = fees.tip % (fees.cap + 1n)
          const typed = { type: "eip1559", maxFeePerGas: fees.cap, maxPriorityFeePerGas } as const
          const target = to === undefined ? {} : { to }
          const raw = yield* sign({ ...typed, ...target, value, gas, data, nonce })
          const run = { state, context, transaction: raw }
          const result = yield* Effect.option(manager.executeTransaction(run))
          if (result._tag === "Some") {
            nonce++
            valid++
            if (result.value.success) succeeded++
          }
          let change = 0n
          for (const { after, before } of state.endTransaction().accounts.values()) {
            change += (after?.balance ?? 0n) - (before?.balance ?? 0n)
          }
          expect(change).toBe(0n)
        }
      }
      // The property is about something only if transactions of all sorts took part.
      expect(valid).toBeGreaterThan(50)
      expect(succeeded).toBeGreaterThan(20)
      expect(valid - succeeded).toBeGreaterThan(10)
    })
  )
})
