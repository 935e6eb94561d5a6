import { assert, describe, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import * as StateManager from "@ovm/state-manager/StateManager"
import { Effect, Layer, Option } from "effect"
import * as L1Source from "../src/L1Source.ts"
import * as Mempool from "../src/Mempool.ts"
import * as Ordering from "../src/Ordering.ts"
import * as Sequencer from "../src/Sequencer.ts"
import { alice, genesis, signed } from "./chain.ts"

describe("README", () => {
  it.effect("submits a transaction and finds its receipt and internal hash", () =>
    Effect.gen(function* () {
      const raw = yield* signed(alice, 0)
      const program = Effect.gen(function* () {
        const sequencer = yield* Sequencer.Sequencer
        const hash = yield* sequencer.submit(raw)
        const receipt = yield* sequencer.receipt(hash)
        const internal = yield* sequencer.internalHash(hash)
        return { hash, receipt, internal }
      })
      const node = Sequencer.layer({ genesis }).pipe(
        Layer.provide([Mempool.layerDefault, Ordering.layerByFee, L1Source.layerNone]),
        Layer.provide([EventLog.layerMemory, StateManager.layerMemory, layerReference()])
      )
      const { hash, internal, receipt } = yield* program.pipe(Effect.provide(node))
      assert.strictEqual(Option.getOrThrow(receipt).status, 1)
      assert.notStrictEqual(Option.getOrThrow(internal), hash)
    })
  )
})
