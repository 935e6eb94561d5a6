/**
 * Nodes that live on L1: a sequencer's and a verifier's, and what posts and claims on top of them. Each is layers of other
 * packages; leave one out and the compiler names it.
 */
import * as Batcher from "@ovm/batcher/Batcher"
import type { L1Outbox } from "@ovm/batcher/L1Outbox"
import * as Proposer from "@ovm/batcher/Proposer"
import * as ManagedOutbox from "@ovm/batcher/ManagedOutbox"
import type { SafeChain } from "@ovm/batcher/SafeChain"
import type * as Derivation from "@ovm/derivation/Derivation"
import * as DerivationLayers from "@ovm/derivation/Derivation"
import * as DerivedSafeChain from "@ovm/derivation/DerivedSafeChain"
import * as Follow from "@ovm/derivation/Follow"
import * as L1ViewSource from "@ovm/derivation/L1ViewSource"
import * as Verifier from "@ovm/derivation/Verifier"
import { EventLog } from "@ovm/event-log/EventLog"
import type { OpenError } from "@ovm/event-log/LogError"
import type { LoadError } from "@ovm/event-log/Machine"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import type { EngineFault } from "@ovm/execution-manager/Engine"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { L1Client } from "@ovm/l1/L1Client"
import type { L1ChainMismatch } from "@ovm/l1/L1Error"
import { L1View, type ViewError } from "@ovm/l1/L1View"
import * as L1Watcher from "@ovm/l1/L1Watcher"
import * as TransactionManager from "@ovm/l1/TransactionManager"
import type { Deployment } from "@ovm/protocol/Deployment"
import * as Chain from "@ovm/sequencer/Chain"
import * as Mempool from "@ovm/sequencer/Mempool"
import * as Ordering from "@ovm/sequencer/Ordering"
import * as Sequencer from "@ovm/sequencer/Sequencer"
import type { StateManager } from "@ovm/state-manager/StateManager"
import { type Duration, Layer } from "effect"
import { layerExecution } from "./Rollup.ts"

export interface NodeOptions {
  readonly deployment: Deployment
  /** The SQLite file of the node's own log; without one it is kept in memory. */
  readonly logFile?: string
  /** How often L1 is looked at. Default 1 s. */
  readonly watchEvery?: Duration.DurationInput
}

export interface SequencerNodeOptions
  extends NodeOptions,
    Omit<Sequencer.SequencerOptions, "genesis"> {
  /** L1 blocks on top of an L1 origin at least. Default 1. */
  readonly confirmations?: bigint
}

/** What every node on L1 has. */
export type NodeServices =
  | Chain.Chain
  | Derivation.Derivation
  | SafeChain
  | L1View
  | L1Watcher.L1Watcher
  | EventLog
  | ExecutionManager
  | StateManager

export type NodeError =
  | OpenError
  | EngineFault
  | ViewError
  | L1ChainMismatch
  | Derivation.DerivationStartError
  | Sequencer.StartError

const layerLog = (logFile: string | undefined): Layer.Layer<EventLog, OpenError> =>
  logFile === undefined ? EventLog.layerMemory : SqliteEventLog.layer({ filename: logFile })

/** A log that L1 is watched into, and nothing else. */
export const layerL1Log = ({
  deployment,
  logFile,
  watchEvery
}: NodeOptions): Layer.Layer<
  L1Watcher.L1Watcher | L1View | EventLog,
  OpenError | ViewError | L1ChainMismatch,
  L1Client
> =>
  L1Watcher.L1Watcher.layer({
    deployment,
    ...(watchEvery === undefined ? {} : { every: watchEvery })
  }).pipe(Layer.provideMerge(L1View.layer), Layer.provideMerge(layerLog(logFile)))

/** The log, what runs transactions, and L1 as it is watched. */
const layerFoundation = (options: NodeOptions) =>
  Layer.provideMerge(layerL1Log(options), layerExecution)

/** Admits, orders and seals; follows L1, which has the last word. */
export const layerSequencer = (
  options: SequencerNodeOptions
): Layer.Layer<Sequencer.Sequencer | NodeServices, NodeError, L1Client> => {
  const { confirmations, deployment, logFile, watchEvery, ...rest } = options
  const source = L1ViewSource.layer(confirmations === undefined ? {} : { confirmations })
  return DerivedSafeChain.layer({ deployment }).pipe(
    Layer.provideMerge(Sequencer.layerChain),
    Layer.provideMerge(Follow.layer({ deployment })),
    Layer.provideMerge(
      Sequencer.layer({ ...rest, genesis: deployment.genesis }).pipe(
        Layer.provide([Mempool.layerDefault, Ordering.layerByFee, source])
      )
    ),
    Layer.provideMerge(layerFoundation(options))
  )
}

/** Derives L2 from L1 alone, and holds every claim to it. No sequencer. */
export const layerVerifier = (
  options: NodeOptions & Verifier.VerifierOptions
): Layer.Layer<Verifier.Verifier | NodeServices, NodeError, L1Client> => {
  const { deployment } = options
  return Verifier.layer(options).pipe(
    Layer.provideMerge(DerivedSafeChain.layer({ deployment })),
    Layer.provideMerge(DerivationLayers.layer({ deployment })),
    Layer.provideMerge(Chain.layer({ genesis: deployment.genesis })),
    Layer.provideMerge(layerFoundation(options))
  )
}

/** Sends the node's L1 transactions, each once: intents and outcomes are in the node's own log. */
export const layerOutbox = (
  options: TransactionManager.ManagerOptions = {}
): Layer.Layer<L1Outbox | TransactionManager.TransactionManager, LoadError, L1Client | EventLog> =>
  Layer.provideMerge(ManagedOutbox.layer, TransactionManager.TransactionManager.layer(options))

/** Posts what a sequencer's node seals. Its L1 client must hold the batcher's key. */
export const layerBatcher: (
  options: Batcher.BatcherOptions
) => Layer.Layer<
  Batcher.Batcher,
  Batcher.BatcherError,
  Chain.Chain | SafeChain | L1View | L1Client | L1Outbox
> = Batcher.layer

/** Claims what a verifier's node derived. Its L1 client must hold a key with ETH for the bonds. */
export const layerProposer: (
  options: Proposer.ProposerOptions
) => Layer.Layer<Proposer.Proposer, never, SafeChain | L1View | L1Outbox> = Proposer.layer
