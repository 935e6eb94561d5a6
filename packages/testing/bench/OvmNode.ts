/** The node as it is shipped, with a watch on the layers whose share of the time is asked for. */
import { EventLog } from "@ovm/event-log/EventLog"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import type { Genesis } from "@ovm/protocol/Genesis"
import * as L1Source from "@ovm/sequencer/L1Source"
import * as Mempool from "@ovm/sequencer/Mempool"
import * as Ordering from "@ovm/sequencer/Ordering"
import * as Sequencer from "@ovm/sequencer/Sequencer"
import type { State } from "@ovm/state-manager/State"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import type { Stopwatch } from "./Sampling.ts"

export type OvmPart = "execution" | "stateRoot" | "append"
type Watch = Stopwatch<OvmPart>

const watchExecution = (watch: Watch) =>
  Layer.effect(
    ExecutionManager,
    Effect.map(ExecutionManager, (manager) =>
      ExecutionManager.of({
        ...manager,
        executeTransaction: (run) => watch.effect("execution", manager.executeTransaction(run))
      })
    )
  )

/** Roots of transactions, and what a block's flush stores. */
const watchState = (watch: Watch) => {
  const watched = (state: State): State => {
    const { flush, fork, root } = state
    state.flush = () => watch.promise("stateRoot", () => flush.call(state))
    state.root = () => watch.promise("stateRoot", () => root.call(state))
    state.fork = () => watched(fork.call(state))
    return state
  }
  return Layer.effect(
    StateManager,
    Effect.map(StateManager, (manager) =>
      StateManager.of({ ...manager, open: (root) => Effect.map(manager.open(root), watched) })
    )
  )
}

const watchLog = (watch: Watch) =>
  Layer.effect(
    EventLog,
    Effect.map(EventLog, (log) =>
      EventLog.of({ ...log, append: (options) => watch.effect("append", log.append(options)) })
    )
  )

/** A sequencer that seals when told to, on a log in a file, tries in memory. */
export const layerNode = (options: {
  readonly genesis: Genesis
  readonly logFile: string
  readonly watch: Watch
}) => {
  const { genesis, logFile, watch } = options
  return Sequencer.layer({ genesis, sealing: { _tag: "Manual" } }).pipe(
    Layer.provide([Mempool.layerDefault, Ordering.layerByArrival, L1Source.layerNone]),
    Layer.provideMerge(
      Layer.mergeAll(
        Layer.provide(watchExecution(watch), layerReference()),
        Layer.provide(watchState(watch), layerMemory),
        Layer.provide(watchLog(watch), SqliteEventLog.layer({ filename: logFile }))
      )
    )
  )
}

/** What replays: the same parts unwatched, the log readable only. */
export const layerReplay = (logFile: string) =>
  Layer.mergeAll(
    layerReference(),
    layerMemory,
    SqliteEventLog.layer({ filename: logFile, readonly: true })
  )
