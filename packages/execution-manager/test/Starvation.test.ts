/** Native gas that does not suffice is never judged: the outcome is the right one or none at all. */
import { expect, layer } from "@effect/vitest"
import { MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Either, Layer } from "effect"
import { bytesToHex } from "viem"
import { defaultOptions } from "../src/ReferenceExecutionManager.ts"
import { asm, deploying, memory, times } from "./support/Assemble.ts"
import { deposited } from "./support/Deposits.ts"
import { layerTampering } from "./support/Tampering.ts"
import {
  type Allocation,
  addressOf,
  call,
  execute,
  makeWorld,
  OTHER,
  SELF,
  signed,
  type TransactionFields,
  USER
} from "./support/World.ts"

/** Native gas of the next run; undefined for plenty. */
let supply: bigint | undefined
const services = Layer.merge(
  layerTampering((run) => ({ ...run, gas: supply ?? run.gas })),
  layerMemory
)

const MAX = defaultOptions.maxTransactionGas
const RECURSIVE = addressOf(0xa1)
const FACTORY = addressOf(0xa2)
const MORTALS = addressOf(0xa3)
const BOMB = addressOf(0xa4)
const mortal = asm("0 SELFDESTRUCT")
const world: Readonly<Record<Address, Allocation>> = {
  [USER]: { balance: 10n ** 18n },
  [MESSAGE_PASSER]: { balance: 10n },
  [SELF]: { code: asm(`1 0 SSTORE 0 0 0 0 1 ${OTHER} GAS CALL POP 7 0 0 LOG1`), balance: 9n },
  [OTHER]: { code: asm("CALLVALUE 0 SSTORE 32 0 RETURN") },
  [RECURSIVE]: { code: asm("0 0 0 0 0 ADDRESS GAS CALL POP GAS 0 SSTORE") },
  [FACTORY]: {
    code: asm("CALLDATASIZE 0 0 CALLDATACOPY CALLDATASIZE 0 0 CREATE 0 MSTORE 32 0 RETURN")
  },
  // Creates contracts that die at once until its gas is used up.
  [MORTALS]: {
    code: asm(`${memory(mortal)} :again ${mortal.length} 0 0 CREATE POP @again JUMP`)
  },
  [BOMB]: { code: asm("1000000 0 RETURN") }
}

const bytes = (size: number, of = "01") => `0x${of.repeat(size)}` as const
const transactions: Readonly<Record<string, TransactionFields | Uint8Array>> = {
  "a call within a call": { to: SELF, gas: 200_000n },
  "a transfer": { to: addressOf(0xe0), value: 1n, gas: 21_000n },
  "calls as deep as the gas goes": { to: RECURSIVE, gas: MAX },
  "a creation": { data: bytesToHex(deploying(asm(times(300, "ADDRESS POP")))), gas: 3_000_000n },
  "the largest initcode and code": {
    data: bytesToHex(Uint8Array.from([...asm("24576 0 RETURN"), ...new Uint8Array(49_000)])),
    gas: MAX
  },
  "the largest transaction": { to: OTHER, data: bytes(122_000, "00"), gas: MAX },
  "the largest transaction, with more to say than is kept": {
    to: BOMB,
    data: bytes(122_000, "00"),
    gas: MAX
  },
  "a contract that creates": {
    to: FACTORY,
    data: bytesToHex(deploying(asm(times(200, "ADDRESS POP")))),
    gas: 2_000_000n
  },
  "contracts that are born and die": { to: MORTALS, gas: 3_000_000n },
  "a deposit": deposited({ to: SELF, mint: 9n, value: 9n, gasLimit: 200_000n }),
  "a deposit that creates": deposited({ mint: 9n, data: deploying(asm("STOP")) })
}

const run = Effect.fnUntraced(function* (raw: Uint8Array, gas: bigint | undefined) {
  supply = undefined
  const state = yield* makeWorld(world)
  supply = gas
  const outcome = yield* Effect.either(execute(state, raw))
  supply = undefined
  const root = yield* Effect.promise(() => state.root())
  return Either.match(outcome, {
    onLeft: (error) => ({ error: error.message, root }),
    onRight: (result) => ({ result, root })
  })
})

layer(services)("native gas", (it) => {
  it.effect.each(Object.entries(transactions))(
    "gives the right outcome or none: %s",
    ([, fields]) =>
      Effect.gen(function* () {
        const raw = fields instanceof Uint8Array ? fields : yield* signed(fields)
        const right = yield* run(raw, undefined)
        expect(right).toHaveProperty("result")
        const untouched = yield* Effect.flatMap(makeWorld(world), (state) =>
          Effect.promise(() => state.root())
        )
        // The least supply that gives an outcome, to the unit.
        let [tooLittle, enough] = [0n, 40_000_000n]
        while (enough - tooLittle > 1n) {
          const middle = (tooLittle + enough) / 2n
          const outcome = yield* run(raw, middle)
          if ("result" in outcome) {
            expect(outcome).toEqual(right)
            enough = middle
          } else {
            expect(outcome.error).toMatch(/NotEnoughGas|revert data 0x is none/)
            expect(outcome.root).toBe(untouched)
            tooLittle = middle
          }
        }
        const refused = yield* run(raw, tooLittle)
        expect(refused).toMatchObject({ error: expect.stringContaining("NotEnoughGas") })
        for (const more of [0n, 1n, 63n, 64n, 1_000n, 100_000n]) {
          expect(yield* run(raw, enough + more)).toEqual(right)
        }
      })
  )

  it.effect("is asked for in a way that says how much is missing", () =>
    Effect.gen(function* () {
      const raw = yield* signed({ to: SELF, gas: 200_000n })
      const refused = yield* run(raw, 500_000n)
      const error = "error" in refused ? refused.error : ""
      const [, required = "0", available = "0"] =
        /NotEnoughGas\(required (\d+), available (\d+)\)/.exec(error) ?? []
      expect(BigInt(available)).toBeLessThan(500_000n)
      const missing = BigInt(required) - BigInt(available)
      // What came before the check has to be paid again, 64th included.
      expect(yield* run(raw, 500_000n + missing + missing / 63n + 1n)).toHaveProperty("result")
    })
  )
})

layer(services)("a run that is torn apart", (it) => {
  it.effect("leaves the state as it was, and the manager ready", () =>
    Effect.gen(function* () {
      // Code that no transaction could have put there: too large when transpiled.
      const impossible = asm(times(20_000, "TIMESTAMP"))
      const state = yield* makeWorld({
        ...world,
        [OTHER]: { code: impossible },
        [SELF]: { code: asm(`1 0 SSTORE 0 0 0 0 0 ${OTHER} GAS CALL`) }
      })
      const before = yield* Effect.promise(() => state.root())
      const raw = yield* signed({ to: SELF })
      const error = yield* Effect.flip(execute(state, raw))
      expect(error._tag).toBe("ExecutionFault")
      expect(error.message).toContain("Expected every account's code to be transpilable")
      expect(yield* Effect.promise(() => state.root())).toBe(before)
      expect((yield* call(state, { to: FACTORY, gas: 300_000n })).success).toBe(true)
    })
  )
})
