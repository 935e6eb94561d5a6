import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import fc from "fast-check"
import * as EthereumJsTrie from "../src/EthereumJsTrie.ts"
import * as NodeStore from "../src/NodeStore.ts"
import { attempt, EMPTY_ROOT } from "../src/State.ts"
import { layer, StateManager } from "../src/StateManager.ts"
import { TrieFactory } from "../src/Trie.ts"
import { Comparison, type Operation, operations } from "./Comparison.ts"

/** With hardly a cache, so that what is not stored has to be found where it waits. */
const layerUncached = layer.pipe(
  Layer.provide(Layer.sync(TrieFactory, () => EthereumJsTrie.make({ cachedNodesMax: 2 }))),
  Layer.provide(NodeStore.layerMemory)
)

describe("State", () => {
  it.effect("is what plain maps are, through checkpoints, transactions, flushes and forks", () =>
    Effect.gen(function* () {
      const stateManager = yield* StateManager
      const open = (root: typeof EMPTY_ROOT) => Effect.runPromise(stateManager.open(root))
      const compare = async (run: ReadonlyArray<Operation>) => {
        const [state, follower] = [await open(EMPTY_ROOT), await open(EMPTY_ROOT)]
        const comparison = new Comparison({ state, follower, open })
        for (const next of run) await comparison.apply(next)
        const root = await comparison.finish()
        await comparison.matches(await open(root))
      }
      yield* attempt(() => fc.assert(fc.asyncProperty(operations, compare), { numRuns: 100 }))
    }).pipe(Effect.provide(layerUncached))
  )
})
