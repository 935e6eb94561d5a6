/**
 * An operation that really costs more than its price must abort the run: no contract can catch that, and no
 * supply of gas may turn it into a wrong outcome. Here the state charges what no price covers.
 */
import { expect, layer } from "@effect/vitest"
import type { Address } from "@ovm/protocol/Primitives"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Context, Effect, Either, Layer } from "effect"
import * as EthereumJsEngine from "../src/EthereumJsEngine.ts"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import { layerReference, STATE_MANAGER } from "../src/ReferenceExecutionManager.ts"
import { asm, memory } from "./support/Assemble.ts"
import { layerTampering } from "./support/Tampering.ts"
import { type Allocation, makeWorld, OTHER, runCode, SELF, send, USER } from "./support/World.ts"

/** Charges for state: above SLOAD's price alone, above that of most operations, above any. */
const CHARGES = [5_000n, 12_000n, 1_000_000n]

const costly = (servedGas: bigint) =>
  layerTampering((run) => run, EthereumJsEngine.layer(STATE_MANAGER, { servedGas }))

class Managers extends Context.Tag("test/Managers")<
  Managers,
  {
    readonly right: typeof ExecutionManager.Service
    readonly costly: ReadonlyArray<typeof ExecutionManager.Service>
  }
>() {}

const managers = Layer.scoped(
  Managers,
  Effect.gen(function* () {
    const build = (manager: Layer.Layer<ExecutionManager, unknown>) =>
      Effect.map(Layer.build(Layer.orDie(manager)), Context.get(ExecutionManager))
    return {
      right: yield* build(layerReference()),
      costly: yield* Effect.forEach(CHARGES, (charge) => build(costly(charge)))
    }
  })
)

/** Everything that a contract could try, around code that asks for an operation. */
const INIT_CODE = asm("0 SLOAD POP 1 1 SSTORE 0 0 RETURN")
const CATCHERS: Readonly<Record<string, string>> = {
  "a call": `0 0 0 0 0 ${OTHER} GAS CALL POP`,
  "a call with some gas": `0 0 0 0 0 ${OTHER} 3000 CALL POP`,
  "a call with value": `0 0 0 0 1 ${OTHER} GAS CALL POP`,
  "a static call": `0 0 0 0 ${OTHER} GAS STATICCALL POP`,
  "a delegate call": `0 0 0 0 ${OTHER} GAS DELEGATECALL POP`,
  "a creation": `${memory(INIT_CODE)} ${INIT_CODE.length} 0 0 CREATE POP`,
  "two levels": `0 0 0 0 0 ${SELF} GAS CALL POP`
}
const REACTIONS = ["STOP", "7 0 MSTORE 32 0 RETURN", "0 0 REVERT", "INVALID", ":loop @loop JUMP"]
const accounts: Readonly<Record<Address, Allocation>> = {
  [OTHER]: { code: asm("0 SLOAD POP RETURNDATASIZE POP 0 0 REVERT"), balance: 5n }
}

/** `SELF` catches, reacts, and when it is called by itself catches by a plain call. */
const catching = (catcher: string, reaction: string) =>
  asm(
    `CALLER ADDRESS EQ @inner JUMPI ${catcher} ${reaction}
     :inner 0 0 0 0 0 ${OTHER} GAS CALL POP 0 0 REVERT`
  )

layer(Layer.merge(managers, layerMemory))("an underpriced operation", (it) => {
  it.effect.each(Object.entries(CATCHERS))("is not caught by %s", ([, catcher]) =>
    Effect.gen(function* () {
      const { costly, right } = yield* Managers
      for (const reaction of REACTIONS) {
        const code = catching(catcher, reaction)
        const run = (manager: typeof ExecutionManager.Service, gas: bigint) =>
          runCode(code, { accounts, gas }).pipe(
            Effect.map(({ gasUsed, logs, returnData, success }) => ({
              gasUsed,
              logs,
              returnData,
              success
            })),
            Effect.provideService(ExecutionManager, manager),
            Effect.either
          )
        for (const manager of costly) {
          const outcome = yield* run(manager, 3_000_000n)
          expect(Either.isLeft(outcome) ? outcome.left.message : outcome.right).toContain(
            "RunAborted"
          )
        }
        // On little gas the frame may halt before it asks; it must halt just as it ought to.
        for (let gas = 1_000n; gas < 160_000n; gas += 19_013n) {
          const expected = yield* run(right, gas)
          for (const manager of costly) {
            const outcome = yield* run(manager, gas)
            if (Either.isLeft(outcome)) expect(outcome.left.message).toContain("RunAborted")
            else expect(outcome).toEqual(expected)
          }
        }
      }
    })
  )

  it.effect("leaves the state of a transaction as it was", () =>
    Effect.gen(function* () {
      const { costly } = yield* Managers
      for (const manager of costly) {
        const state = yield* makeWorld({
          ...accounts,
          [USER]: { balance: 10n ** 18n },
          [SELF]: { code: catching(CATCHERS["a call"] ?? "", "STOP") }
        })
        const root = yield* Effect.promise(() => state.root())
        const error = yield* send(state, { to: SELF }).pipe(
          Effect.provideService(ExecutionManager, manager),
          Effect.flip
        )
        expect(error._tag).toBe("ExecutionFault")
        expect(yield* Effect.promise(() => state.root())).toBe(root)
      }
    })
  )
})
