/** Rebuilds L2 once, from L1 data alone: a log that has nothing of the sequencer's, and the same chain. */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { L1View } from "@ovm/l1/L1View"
import type { Deployment } from "@ovm/protocol/Deployment"
import * as Chain from "@ovm/sequencer/Chain"
import type { StartError } from "@ovm/sequencer/SequencerError"
import type { StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Layer, Option } from "effect"
import * as Derivation from "./Derivation.ts"

export interface Derived extends Derivation.Heads {
  /** L2 blocks behind genesis. */
  readonly blocks: number
  /** Transactions that ran. */
  readonly transactions: number
  /** Items that were part of blocks and could not run. */
  readonly skipped: number
}

export interface DeriveOptions {
  readonly deployment: Deployment
  /** L1 block that must have been seen before deriving starts: L1's head, for everything. */
  readonly upToL1Block?: bigint
}

/**
 * Derives all that the log's view of L1 has, into the same log. Needs no sequencer; whoever provides the view
 * (a watcher) fills the log.
 */
export const derive: (
  options: DeriveOptions
) => Effect.Effect<
  Derived,
  Derivation.DerivationError | Derivation.DerivationStartError | StartError,
  L1View | EventLog | StateManager | ExecutionManager
> = Effect.fn("DeriveFromL1.derive")(function* ({ deployment, upToL1Block }: DeriveOptions) {
  const l1 = yield* L1View
  if (upToL1Block !== undefined) {
    yield* l1.until(({ head }) => head !== undefined && head.number >= upToL1Block)
  }
  const chain = Chain.layer({ genesis: deployment.genesis })
  return yield* Effect.gen(function* () {
    const heads = yield* (yield* Derivation.Derivation).catchUp
    return { ...heads, ...(yield* count(heads.derived.header.number)) }
  }).pipe(Effect.provide(Derivation.layerManual({ deployment }).pipe(Layer.provideMerge(chain))))
})

const count = (last: bigint) =>
  Effect.gen(function* () {
    const chain = yield* Chain.Chain
    let transactions = 0
    let skipped = 0
    for (let number = 1n; number <= last; number++) {
      const block = Option.getOrThrow(yield* chain.block(number))
      transactions += block.transactions.length
      skipped += block.items.length - block.transactions.length
    }
    return { blocks: Number(last), transactions, skipped }
  })
