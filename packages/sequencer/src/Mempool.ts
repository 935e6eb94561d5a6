/** Where admitted transactions wait for a block. Gone with the process, as in any Ethereum client. */
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { Context, Effect, Layer, Ref } from "effect"
import * as MempoolState from "./MempoolState.ts"

/** What a new block means to those that wait. */
export interface BlockEffect {
  /** Wei per gas in the block after it. */
  readonly baseFeePerGas: bigint
  /** Nonces that accounts have now. */
  readonly nonces: ReadonlyMap<Address, bigint>
  /** Transactions that can't run any more, for another reason than their nonce. */
  readonly dropped: ReadonlyArray<Hash32>
}

export class Mempool extends Context.Tag("@ovm/sequencer/Mempool")<
  Mempool,
  {
    /** Takes a transaction in; answers what had to go for it. */
    readonly add: (
      transaction: MempoolState.AdmittedTransaction,
      nextNonce: bigint
    ) => Effect.Effect<ReadonlyArray<MempoolState.PooledTransaction>, MempoolState.AddError>
    /** Forgets what a block has run or ruled out. */
    readonly settle: (block: BlockEffect) => Effect.Effect<void>
    /** All that waits, as of now. */
    readonly state: Effect.Effect<MempoolState.MempoolState>
  }
>() {}

export const layer = (
  limits: MempoolState.MempoolLimits = MempoolState.defaultLimits
): Layer.Layer<Mempool> =>
  Layer.effect(
    Mempool,
    Effect.gen(function* () {
      const ref = yield* Ref.make(MempoolState.empty({ limits }))
      return Mempool.of({
        state: ref,
        add: Effect.fn("Mempool.add")(function* (transaction, nextNonce) {
          const outcome = yield* Ref.modify(ref, (state) => {
            const added = MempoolState.add(state, transaction, nextNonce)
            return [added, added._tag === "Right" ? added.right.state : state]
          })
          return (yield* outcome).removed
        }),
        settle: ({ baseFeePerGas, dropped, nonces }) =>
          Ref.update(ref, (state) => {
            let next = MempoolState.withBaseFee(state, baseFeePerGas)
            for (const hash of dropped) next = MempoolState.remove(next, hash)
            for (const [sender, nonce] of nonces) {
              next = MempoolState.advance(next, sender, nonce)
            }
            return next
          })
      })
    })
  )

/** Every bound at its default. */
export const layerDefault: Layer.Layer<Mempool> = layer()
