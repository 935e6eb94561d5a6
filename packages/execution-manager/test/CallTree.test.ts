/** What a tracer sees: virtual frames and operations, as contracts live them. */
import { expect, layer } from "@effect/vitest"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { bytesToHex, getContractAddress, hexToBytes } from "viem"
import * as CallTree from "../src/CallTree.ts"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import * as ManagerAbi from "../src/ManagerAbi.ts"
import { layerReference } from "../src/ReferenceExecutionManager.ts"
import { asm, deploying, memory } from "./support/Assemble.ts"
import {
  addressOf,
  CALLER,
  context,
  execute,
  makeWorld,
  NOBODY,
  OTHER,
  runCode,
  SELF,
  signed,
  USER,
  wordOf
} from "./support/World.ts"

const services = Layer.merge(layerReference(), layerMemory)
const THIRD = addressOf(0xb9)
const lower = (address: string) => address.toLowerCase()

layer(services)("a call tree", (it) => {
  it.effect("tells of every kind of frame: who, whose code, with what, and how it ended", () =>
    Effect.gen(function* () {
      const init = deploying(asm("STOP"))
      const calls = CallTree.make()
      const source = `0x11 0 MSTORE
        0 0 32 0 3 ${OTHER} GAS CALL 0 0 0 0 ${OTHER} GAS DELEGATECALL 0 0 0 0 ${THIRD} GAS STATICCALL
        0 0 0 0 1 ${NOBODY} 0 CALL ${memory(init)} ${init.length} 0 2 CREATE 0 0 0 0 4 ${OTHER} 50 CALLCODE`
      const result = yield* runCode(asm(source), {
        tracer: calls.tracer,
        accounts: {
          [OTHER]: { code: asm("CALLER 0 MSTORE 32 0 RETURN") },
          [THIRD]: { code: asm("TIMESTAMP POP 1 0 SSTORE") }
        }
      })
      const root = calls.root()
      expect(root).toMatchObject({
        type: "CALL",
        caller: CALLER,
        address: SELF,
        end: { success: true, gasUsed: result.gasUsed, output: "0x" }
      })
      const created = lower(getContractAddress({ from: SELF, nonce: 1n }))
      expect(root?.calls).toMatchObject([
        {
          type: "CALL",
          caller: SELF,
          address: OTHER,
          codeAddress: OTHER,
          value: 3n,
          input: wordOf(0x11),
          end: { success: true, output: wordOf(BigInt(SELF)) }
        },
        {
          type: "DELEGATECALL",
          caller: CALLER,
          address: SELF,
          codeAddress: OTHER,
          value: 0n,
          end: { success: true, output: wordOf(BigInt(CALLER)) }
        },
        { type: "STATICCALL", caller: SELF, address: THIRD, end: { success: false } },
        { type: "CALL", address: NOBODY, value: 1n, end: { success: true, gasUsed: 0n } },
        {
          type: "CREATE",
          caller: SELF,
          value: 2n,
          input: bytesToHex(init),
          end: { success: true, created }
        },
        { type: "CALLCODE", caller: SELF, address: SELF, codeAddress: OTHER, value: 4n }
      ])
      const [time, store] = root?.calls[2]?.operations ?? []
      expect(time).toMatchObject({ name: "TIMESTAMP", success: true, result: wordOf(1_000) })
      expect(store).toMatchObject({ name: "SSTORE", success: false })
      const refusal = ManagerAbi.decodeError(hexToBytes(store?.result ?? "0x"))
      expect(refusal.text).toBe("StaticViolation(opcode 85)")
    })
  )

  it.effect("begins with the transaction itself, and changes nothing", () =>
    Effect.gen(function* () {
      const accounts = { [USER]: { balance: 10n ** 18n }, [SELF]: { code: asm("1 0 SSTORE") } }
      const raw = yield* signed({ to: SELF, value: 5n, data: "0x0102" })
      const untraced = yield* execute(yield* makeWorld(accounts), raw)
      const calls = CallTree.make()
      const manager = yield* ExecutionManager
      const state = yield* makeWorld(accounts)
      const traced = yield* manager.executeTransaction({
        ...{ state, context, transaction: raw, tracer: calls.tracer }
      })
      expect(traced).toEqual(untraced)
      expect(calls.root()).toMatchObject({
        type: "CALL",
        caller: USER,
        address: SELF,
        value: 5n,
        input: "0x0102",
        end: { success: true, gasUsed: traced.gasUsed }
      })
    })
  )
})
