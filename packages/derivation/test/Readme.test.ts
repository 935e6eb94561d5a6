import { assert, describe, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import { L1View } from "@ovm/l1/L1View"
import * as StateManager from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { DAVE } from "../../sequencer/test/chain.ts"
import * as DeriveFromL1 from "../src/DeriveFromL1.ts"
import { FactualL1, forced } from "./l1.ts"
import { deployment, minting } from "./nodes.ts"

describe("README", () => {
  it.effect("rebuilds L2 from what L1 has", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1()
      l1.mine(minting(DAVE, 1n))
      l1.mine(forced(1n))
      const l1Head = l1.head.number
      yield* l1.watchedBy(yield* EventLog)
      const program = Effect.gen(function* () {
        const derived = yield* DeriveFromL1.derive({ deployment, upToL1Block: l1Head })
        return { blocks: derived.blocks, stateRoot: derived.head.header.stateRoot }
      })
      const node = Layer.mergeAll(L1View.layer, StateManager.layerMemory, layerReference())
      const { blocks, stateRoot } = yield* program.pipe(Effect.provide(node))
      assert.strictEqual(blocks, 1)
      assert.notStrictEqual(stateRoot, deployment.genesisHash)
    }).pipe(Effect.provide(EventLog.layerMemory))
  )
})
