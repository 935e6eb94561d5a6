import { describe, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Effect, Layer } from "effect"
import fc from "fast-check"
import * as EthereumJsTrie from "../src/EthereumJsTrie.ts"
import * as NodeStore from "../src/NodeStore.ts"
import { attempt, EMPTY_ROOT } from "../src/State.ts"
import { applyDiff } from "../src/StateDiff.ts"
import { layer, layerEthereumJs, StateManager } from "../src/StateManager.ts"
import type { Witness } from "../src/StateProof.ts"
import { TrieFactory } from "../src/Trie.ts"
import { Comparison, type Operation, operations, transaction } from "./Comparison.ts"

/** With hardly a cache, so that what is not stored has to be found where it waits. */
const layerUncached = layer.pipe(
  Layer.provide(Layer.sync(TrieFactory, () => EthereumJsTrie.make({ cachedNodesMax: 2 }))),
  Layer.provide(NodeStore.layerMemory)
)

type Run = ReadonlyArray<Operation>

/** The state of a witness, with nothing else below it. */
const openWitness = ({ codes, nodes, root }: Witness) =>
  StateManager.pipe(
    Effect.flatMap(({ open }) => open(root)),
    Effect.provide(layerEthereumJs),
    Effect.provideService(NodeStore.NodeStore, NodeStore.makeMemory([...nodes, ...codes])),
    Effect.runPromise
  )

describe("State", () => {
  it.effect("is what plain maps are, through checkpoints, transactions, flushes and forks", () =>
    Effect.gen(function* () {
      const stateManager = yield* StateManager
      const open = (root: Hash32) => Effect.runPromise(stateManager.open(root))
      const compare = async (run: Run) => {
        const [state, follower] = [await open(EMPTY_ROOT), await open(EMPTY_ROOT)]
        const comparison = new Comparison({ state, follower, open })
        for (const next of run) await comparison.apply(next)
        const root = await comparison.finish()
        await comparison.matches(await open(root))
      }
      yield* attempt(() => fc.assert(fc.asyncProperty(operations, compare), { numRuns: 100 }))
    }).pipe(Effect.provide(layerUncached))
  )

  it.effect("a witness suffices for the transaction it was recorded for", () =>
    Effect.gen(function* () {
      const stateManager = yield* StateManager
      const open = (root: Hash32) => Effect.runPromise(stateManager.open(root))
      const compare = async ([history, next]: readonly [Run, Run]) => {
        const genesis = { state: await open(EMPTY_ROOT), follower: await open(EMPTY_ROOT) }
        const past = new Comparison({ ...genesis, open })
        for (const operation of history) await past.apply(operation)
        const root = await past.finish()

        const { model } = past
        const present = { state: await open(root), follower: await open(root) }
        const comparison = new Comparison({ ...present, open, model })
        for (const operation of next) await comparison.apply(operation)
        const rootAfter = await comparison.finish()

        const { diff } = comparison
        const witness = await Effect.runPromise(stateManager.witness({ root, diff }))
        const stateless = await openWitness(witness)
        for (const [at, slots] of diff.touched.slots) {
          for (const slot of slots) await stateless.getStorage(at, slot)
        }
        await applyDiff(stateless, diff)
        strictEqual(await stateless.flush(), rootAfter)
      }
      const runs = fc.tuple(operations, transaction)
      yield* attempt(() => fc.assert(fc.asyncProperty(runs, compare), { numRuns: 40 }))
    }).pipe(Effect.provide(layerUncached))
  )
})
