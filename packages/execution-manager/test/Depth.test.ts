/** Call depth is the EVM's 1,024, whatever the native frames; under the cap native frames never get near it. */
import { expect, layer } from "@effect/vitest"
import type { Address } from "@ovm/protocol/Primitives"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { getContractAddress, hexToBigInt } from "viem"
import * as CodeRegistry from "../src/CodeRegistry.ts"
import { Engine } from "../src/Engine.ts"
import * as EthereumJsEngine from "../src/EthereumJsEngine.ts"
import {
  defaultOptions,
  layerReference,
  layerWith,
  STATE_MANAGER
} from "../src/ReferenceExecutionManager.ts"
import { asm } from "./support/Assemble.ts"
import { runPlain } from "./support/PlainEvm.ts"
import { type Allocation, nonceOf, runCode, SELF } from "./support/World.ts"

/** 15/16 of 63/64, forwarded 1,024 times over, leaves one part in 2^119. */
const GAS = 2n ** 200n
const NATIVE_DEPTH_MAX = 1024

/** Calls itself and answers how many frames deep that went; where it fails `atLimit` runs. */
const counting = (call: string, atLimit = "") =>
  asm(`${call} @deeper JUMPI ${atLimit} 1 0 MSTORE 32 0 RETURN
       :deeper 0 MLOAD 1 ADD 0 MSTORE 32 0 RETURN`)

const CALL = counting("32 0 0 0 0 ADDRESS GAS CALL")
/** Where it can go no deeper it creates, and adds what comes of that. */
const CREATE_AT_LIMIT = counting("32 0 0 0 0 ADDRESS GAS CALL", "0 0 0 CREATE 0 MSTORE 32 0 RETURN")
/** Where it can go no deeper it sends value, and asks for the return data of that. */
const VALUE_AT_LIMIT = counting(
  "32 0 0 0 0 ADDRESS GAS CALL",
  "0 0 0 0 1 0x99 0 CALL RETURNDATASIZE ADD 0 MSTORE 32 0 RETURN"
)

/** Initcode that creates itself. */
const CREATE_AGAIN = asm("CODESIZE 0 0 CODECOPY CODESIZE 0 0 CREATE STOP")
const createdBy = (from: Address): Address =>
  `0x${getContractAddress({ from, nonce: 1n }).slice(2).toLowerCase()}`

layer(Layer.merge(layerReference(), layerMemory))("virtual depth", (it) => {
  it.effect.each([
    ["DELEGATECALL", counting("32 0 0 0 ADDRESS GAS DELEGATECALL")],
    ["a creation behind it", CREATE_AT_LIMIT],
    ["a value call behind it", VALUE_AT_LIMIT]
  ] as const)("ends where the EVM's ends: %s", ([, code]) =>
    Effect.gen(function* () {
      const accounts: Readonly<Record<Address, Allocation>> = { [SELF]: { code, balance: 1_000n } }
      const plain = yield* runPlain(accounts, { gas: GAS })
      const { returnData, state, success } = yield* runCode(code, { accounts, gas: GAS })
      expect(success).toBe(true)
      expect(returnData).toBe(plain.returnData)
      expect(hexToBigInt(returnData)).toBeGreaterThanOrEqual(1_024n)
      expect(yield* nonceOf(state, SELF)).toBe(1n)
    })
  )

  it.effect("ends there for creations within creations too", () =>
    Effect.gen(function* () {
      const { state, success } = yield* runCode(CREATE_AGAIN, { gas: GAS })
      expect(success).toBe(true)
      let deepest = SELF
      for (let depth = 1; depth <= 1_024; depth++) {
        // A contract's nonce is 2 once it has created another.
        expect(yield* nonceOf(state, deepest)).toBe(2n)
        deepest = createdBy(deepest)
      }
      expect(yield* nonceOf(state, deepest)).toBe(1n)
      expect(yield* nonceOf(state, createdBy(deepest))).toBe(0n)
    })
  )
})

/** The deepest native frame of all runs. */
let deepest = 0
const watched = layerWith(defaultOptions).pipe(
  Layer.provide([
    Layer.effect(
      Engine,
      Effect.map(Engine, (engine) =>
        Engine.of({
          ...engine,
          run: (run) =>
            engine.run({
              ...run,
              listener: {
                onMessage: ({ depth }) => {
                  deepest = Math.max(deepest, depth)
                }
              }
            })
        })
      )
    ).pipe(Layer.provide(EthereumJsEngine.layer(STATE_MANAGER))),
    CodeRegistry.layer
  ])
)

layer(Layer.merge(watched, layerMemory))("native depth", (it) => {
  it.effect.each([
    ["calls", CALL],
    ["delegate calls", counting("32 0 0 0 ADDRESS GAS DELEGATECALL")],
    ["creations", CREATE_AGAIN]
  ] as const)("stays far from 1,024 whatever the gas cap buys: %s", ([, code]) =>
    Effect.gen(function* () {
      deepest = 0
      yield* runCode(code, { gas: defaultOptions.maxTransactionGas })
      expect(deepest).toBeGreaterThan(10)
      expect(deepest).toBeLessThan(NATIVE_DEPTH_MAX / 2)
    })
  )
})
