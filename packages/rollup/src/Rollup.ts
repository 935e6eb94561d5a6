/**
 * Puts the components together. Each is a layer of its own package: for another node, provide another
 * one to `Sequencer.layer`; a part left out is a type error that names it.
 */
import { EventLog } from "@ovm/event-log/EventLog"
import type { OpenError } from "@ovm/event-log/LogError"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import type { EngineFault } from "@ovm/execution-manager/Engine"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import * as ReferenceExecutionManager from "@ovm/execution-manager/ReferenceExecutionManager"
import * as L1Source from "@ovm/sequencer/L1Source"
import * as Mempool from "@ovm/sequencer/Mempool"
import * as Ordering from "@ovm/sequencer/Ordering"
import * as Sequencer from "@ovm/sequencer/Sequencer"
import * as StateManager from "@ovm/state-manager/StateManager"
import { Layer } from "effect"

export interface RollupOptions extends Sequencer.SequencerOptions {
  /** The SQLite file of the log; without one it is kept in memory. */
  readonly logFile?: string
  /** Opens an existing log beside its writer; nothing can be sealed then. */
  readonly readonly?: boolean
}

/** What runs transactions: the manager and the state it runs on, tries in memory. */
export const layerExecution: Layer.Layer<
  ExecutionManager | StateManager.StateManager,
  EngineFault
> = Layer.merge(ReferenceExecutionManager.layerReference(), StateManager.layerMemory)

/** What replays a log: no sequencer, and nothing that could write. */
export const layerReplay = (
  logFile: string
): Layer.Layer<ExecutionManager | StateManager.StateManager | EventLog, EngineFault | OpenError> =>
  Layer.merge(layerExecution, SqliteEventLog.layer({ filename: logFile, readonly: true }))

/** A sequencer node on embedded defaults: ExecutionManager.sol, tries in memory, order by fee. */
export const layer = (
  options: RollupOptions
): Layer.Layer<
  Sequencer.Sequencer | ExecutionManager | StateManager.StateManager | EventLog,
  Sequencer.StartError | EngineFault | OpenError
> =>
  Sequencer.layer(options).pipe(
    Layer.provide([Mempool.layerDefault, Ordering.layerByFee, L1Source.layerNone]),
    Layer.provideMerge(layerExecution),
    Layer.provideMerge(
      options.logFile === undefined
        ? EventLog.layerMemory
        : SqliteEventLog.layer({ filename: options.logFile })
    )
  )
