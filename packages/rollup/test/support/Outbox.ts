/** Sends to L1 for the nodes of a test, as those of an operator do, only faster. */
import * as ManagedOutbox from "@ovm/batcher/ManagedOutbox"
import { type ManagerOptions, TransactionManager } from "@ovm/l1/TransactionManager"
import { Layer } from "effect"

/** Keeps its intents in the node's own log. */
export const layer = (options: ManagerOptions = {}) =>
  ManagedOutbox.layer.pipe(
    Layer.provide(TransactionManager.layer({ every: "100 millis", ...options }))
  )
