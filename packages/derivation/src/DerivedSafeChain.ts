/** Derivation as the batcher and the proposer ask for it. */
import { SafeChain, type SafeHead } from "@ovm/batcher/SafeChain"
import type { Deployment } from "@ovm/protocol/Deployment"
import { Chain } from "@ovm/sequencer/Chain"
import type { ChainBlock } from "@ovm/sequencer/ChainIndex"
import { Effect, Layer, Option, Stream } from "effect"
import { Derivation } from "./Derivation.ts"
import type { BatchDerived } from "./DerivationEvent.ts"

/** What was derived from L1 is safe to build on. */
export const layer = (options: {
  readonly deployment: Deployment
}): Layer.Layer<SafeChain, never, Derivation | Chain> =>
  Layer.effect(
    SafeChain,
    Effect.gen(function* () {
      const derivation = yield* Derivation
      const chain = yield* Chain
      const genesis = Option.getOrThrow(yield* chain.block(0n))
      const start: SafeHead = {
        batchCount: 0n,
        batchHash: undefined,
        l1BlockNumber: options.deployment.deployedAt.number,
        block: safeBlock(genesis),
        queueTaken: 0n
      }
      const headOf = (batch: BatchDerived): Effect.Effect<Option.Option<SafeHead>> =>
        Effect.map(
          chain.block(batch.lastBlock),
          // Between two moves, the chain may not have the block of a batch any more.
          Option.filterMap((block) =>
            block.hash === batch.lastHash ? Option.some(safeHead(batch, block)) : Option.none()
          )
        )
      const after = (batchCount: bigint): Effect.Effect<Option.Option<SafeHead>> =>
        batchCount === 0n
          ? Effect.succeedSome(start)
          : Effect.flatMap(
              derivation.batch(batchCount - 1n),
              Option.match({ onNone: () => Effect.succeedNone, onSome: headOf })
            )
      const head = Effect.gen(function* () {
        let { batchCount } = yield* derivation.heads
        for (;;) {
          const found = yield* after(batchCount)
          if (Option.isSome(found)) return found.value
          batchCount--
        }
      })
      return SafeChain.of({
        head,
        after,
        until: (is) =>
          derivation.changes.pipe(
            Stream.mapEffect(() => head),
            Stream.filter(is),
            Stream.runHead,
            Effect.flatMap(
              // The stream of changes never ends by itself.
              Option.match({ onNone: () => Effect.never, onSome: Effect.succeed })
            )
          )
      })
    })
  )

const safeHead = (batch: BatchDerived, block: ChainBlock): SafeHead => ({
  batchCount: batch.index + 1n,
  batchHash: batch.batchHash,
  l1BlockNumber: batch.l1BlockNumber,
  block: safeBlock(block),
  queueTaken: batch.queueEnd
})

const safeBlock = ({ context, hash, header }: ChainBlock): SafeHead["block"] => ({
  number: header.number,
  hash,
  stateRoot: header.stateRoot,
  timestamp: header.timestamp,
  l1OriginNumber: context.l1Origin.number
})
