/** Opens world states by root, and proves to others what they hold. */
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { Context, Effect, Either, Layer, Option, Runtime } from "effect"
import * as EthereumJsTrie from "./EthereumJsTrie.ts"
import { codeReader } from "./internal/CodeReader.ts"
import { type Backing, JournaledState } from "./internal/JournaledState.ts"
import { prove } from "./internal/Prover.ts"
import { recordWitness } from "./internal/WitnessRecorder.ts"
import * as NodeStore from "./NodeStore.ts"
import {
  attempt,
  EMPTY_ROOT,
  type NodeStoreFailed,
  type State,
  type StateDiff,
  type StateError,
  StateRootUnknown
} from "./State.ts"
import type { AccountProof, Witness } from "./StateProof.ts"
import { type NodeSource, TrieFactory } from "./Trie.ts"

export class StateManager extends Context.Tag("@ovm/state-manager/StateManager")<
  StateManager,
  {
    /** Root of a state without accounts; it can always be opened. */
    readonly emptyRoot: Hash32
    /** The state at `root`, which stays as it is: a flush makes another root. */
    readonly open: (root: Hash32) => Effect.Effect<State, StateRootUnknown | NodeStoreFailed>
    /** What `eth_getProof` answers; absence is proven too. */
    readonly prove: (options: {
      readonly root: Hash32
      readonly address: Address
      readonly slots: ReadonlyArray<Hash32>
    }) => Effect.Effect<AccountProof, StateRootUnknown | StateError>
    /** All that is needed at `root` to read what `diff` touched and to make its changes. */
    readonly witness: (options: {
      readonly root: Hash32
      readonly diff: StateDiff
    }) => Effect.Effect<Witness, StateRootUnknown | StateError>
  }
>() {}

/** States in the node store, over whatever trie `TrieFactory` makes. */
export const layer: Layer.Layer<StateManager, never, NodeStore.NodeStore | TrieFactory> =
  Layer.effect(
    StateManager,
    Effect.gen(function* () {
      const store = yield* NodeStore.NodeStore
      const tries = yield* TrieFactory
      const runtime = yield* Effect.runtime()

      // Expected errors cross the promise as themselves, not as a FiberFailure.
      const run = async <A>(effect: Effect.Effect<A, NodeStoreFailed>): Promise<A> =>
        Either.getOrThrowWith(
          await Runtime.runPromise(runtime)(Effect.either(effect)),
          (error) => error
        )
      const source: NodeSource = {
        load: async (hash) => Option.getOrUndefined(await run(store.get(hash)))
      }
      const backing: Backing = {
        openTrie: tries.over(source),
        loadCode: codeReader(source),
        store: (entries) => run(store.putMany(entries))
      }

      const requireRoot = Effect.fnUntraced(function* (root: Hash32) {
        if (root === EMPTY_ROOT) return
        if (Option.isNone(yield* store.get(root))) return yield* new StateRootUnknown({ root })
      })

      return StateManager.of({
        emptyRoot: EMPTY_ROOT,
        open: Effect.fn("StateManager.open")(function* (root) {
          yield* requireRoot(root)
          return new JournaledState(backing, root)
        }),
        prove: Effect.fn("StateManager.prove")(function* (options) {
          yield* requireRoot(options.root)
          return yield* attempt(() => prove(backing.openTrie, options))
        }),
        witness: Effect.fn("StateManager.witness")(function* ({ root, diff }) {
          yield* requireRoot(root)
          return yield* attempt(() => recordWitness({ source, tries, root, diff }))
        })
      })
    })
  )

/** States over @ethereumjs/mpt; the caller gives the node store. */
export const layerEthereumJs: Layer.Layer<StateManager, never, NodeStore.NodeStore> = layer.pipe(
  Layer.provide(EthereumJsTrie.layer)
)

/** Everything in memory, gone with the layer. */
export const layerMemory: Layer.Layer<StateManager> = layerEthereumJs.pipe(
  Layer.provide(NodeStore.layerMemory)
)
