/**
 * A sequencer's way of following L1: blocks that L1's batches confirm become safe; where L1 says otherwise (a
 * forced batch, an invalid one, a reorg) the sequencer moves back, adopts, and its users' transactions wait again.
 */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { L1View } from "@ovm/l1/L1View"
import type { Deployment } from "@ovm/protocol/Deployment"
import * as Sequencer from "@ovm/sequencer/Sequencer"
import { Layer } from "effect"
import * as Derivation from "./Derivation.ts"

export interface FollowOptions {
  readonly deployment: Deployment
}

/** Follows by itself, whenever more of L1 is seen. */
export const layer = (
  options: FollowOptions
): Layer.Layer<
  Derivation.Derivation,
  Derivation.DerivationStartError,
  Sequencer.Sequencer | L1View | EventLog
> => Derivation.layer({ ...options, keepsUnsafe: true }).pipe(Layer.provide(Sequencer.layerChain))

/** Follows when asked to, and only then. */
export const layerManual = (
  options: FollowOptions
): Layer.Layer<
  Derivation.Derivation,
  Derivation.DerivationStartError,
  Sequencer.Sequencer | L1View | EventLog
> =>
  Derivation.layerManual({ ...options, keepsUnsafe: true }).pipe(
    Layer.provide(Sequencer.layerChain)
  )
