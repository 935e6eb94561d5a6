/** Stage 2: admits transactions, orders them, seals blocks, and makes each block durable as one append. */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionFault } from "@ovm/execution-manager/ExecutionError"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Genesis } from "@ovm/protocol/Genesis"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import type { Receipt } from "@ovm/protocol/Receipt"
import type { NodeStoreFailed, State, StateError, StateRootUnknown } from "@ovm/state-manager/State"
import type { StateManager } from "@ovm/state-manager/StateManager"
import { Context, type Duration, Effect, Layer, type Option, Schedule, Stream } from "effect"
import type { AdmissionError } from "./AdmissionError.ts"
import { type Adopted, type Adoption, Chain, type MoveError, type RollBack } from "./Chain.ts"
import type { ChainBlock, ChainTransaction } from "./ChainIndex.ts"
import { makeSequencer } from "./internal/SequencerState.ts"
import { L1Source } from "./L1Source.ts"
import type { Mempool } from "./Mempool.ts"
import type { Ordering } from "./Ordering.ts"
import type { BlockUnknown, SealError, StartError } from "./SequencerError.ts"

export { L1Lagging } from "./L1Source.ts"
export { BlockUnknown, GenesisMismatch } from "./SequencerError.ts"
export type { SealError, StartError } from "./SequencerError.ts"

/** When blocks are sealed. */
export type Sealing =
  /** At once: `submit` answers when the transaction's block is durable. */
  | { readonly _tag: "Instant" }
  /** Every so often, if anything waits: `submit` answers as soon as the transaction is admitted. */
  | { readonly _tag: "Interval"; readonly interval: Duration.DurationInput }
  /** Only when `seal` is called. */
  | { readonly _tag: "Manual" }

export interface SequencerOptions {
  /** Where the chain starts; a log that holds a chain must have started from the same. */
  readonly genesis: Genesis
  /** Default: instant. */
  readonly sealing?: Sealing
  /** OVM gas units of one transaction at most. Give the ExecutionManager the same. */
  readonly maxTransactionGas?: bigint
  /** Wei per gas for the coinbase at least. Default 0. */
  readonly minTipPerGas?: bigint
  /**
   * Bytes of users' transactions in one block. Default: what fits one batch on L1. Never less than
   * one transaction may have.
   */
  readonly maxBlockBytes?: number
  /** Transactions in one block, those of L1's queue included. Default, and most: what one batch takes. */
  readonly maxBlockTransactions?: number
  /** Age of L1's newest known block, in seconds, above which nothing is admitted or sealed. Default 300. */
  readonly maxL1LagSeconds?: number
}

export class Sequencer extends Context.Tag("@ovm/sequencer/Sequencer")<
  Sequencer,
  {
    /** Takes a raw signed transaction and answers its hash, as `eth_sendRawTransaction` does. */
    readonly submit: (raw: Uint8Array) => Effect.Effect<Hash32, AdmissionError | SealError>
    /**
     * Seals what L1's queue holds and what can run now as one block; none if there is nothing. Returns
     * when it is durable.
     */
    readonly seal: Effect.Effect<Option.Option<ChainBlock>, SealError>
    /** The last sealed block. */
    readonly head: Effect.Effect<ChainBlock>
    readonly block: (number: bigint) => Effect.Effect<Option.Option<ChainBlock>>
    readonly blockByHash: (hash: Hash32) => Effect.Effect<Option.Option<ChainBlock>>
    /** A transaction in a block, by the hash that `submit` answered. */
    readonly transaction: (hash: Hash32) => Effect.Effect<Option.Option<ChainTransaction>>
    readonly receipt: (hash: Hash32) => Effect.Effect<Option.Option<Receipt>>
    /** The internal hash by which the ExecutionManager knows the transaction with this original hash. */
    readonly internalHash: (hash: Hash32) => Effect.Effect<Option.Option<Hash32>>
    /** Why a transaction that was admitted later fell out of the mempool, as long as it is remembered. */
    readonly rejection: (
      hash: Hash32
    ) => Effect.Effect<Option.Option<AdmissionError | ExecutionFault>>
    /** The nonce for an account's next transaction, waiting ones counted. */
    readonly nextNonce: (address: Address) => Effect.Effect<bigint, StateError>
    /** A copy of the state behind a block, for questions and calls; changes to it go nowhere. */
    readonly stateAt: (
      number: bigint
    ) => Effect.Effect<State, BlockUnknown | StateRootUnknown | NodeStoreFailed>
    /** The context in which a block sealed now would run: for `eth_call` on the pending block. */
    readonly nextContext: Effect.Effect<BlockContext>
    /**
     * Moves back to a block by appending that it did; answers the blocks above it. Their users'
     * transactions wait again, those that can; of the others `rejection` says why not.
     */
    readonly rollBackTo: (move: RollBack) => Effect.Effect<ReadonlyArray<ChainBlock>, MoveError>
    /**
     * Makes the chain go on behind a block with what the inputs make, as L1 has it. Blocks that are so
     * already stay; the others are rolled back, and their users' transactions wait again.
     */
    readonly adopt: (adoption: Adoption) => Effect.Effect<Adopted, MoveError>
    readonly genesis: Genesis
  }
>() {}

/** Continues the chain in the log, or starts it. */
export const layer = (
  options: SequencerOptions
): Layer.Layer<
  Sequencer,
  StartError,
  EventLog | StateManager | ExecutionManager | Mempool | Ordering | L1Source
> =>
  Layer.scoped(
    Sequencer,
    Effect.gen(function* () {
      const sealing = options.sealing ?? { _tag: "Instant" }
      const sequencer = yield* makeSequencer(options, sealing._tag === "Instant")
      const sealed = sequencer.seal.pipe(
        // What lags catches up by itself, and is tried again.
        Effect.catchTag("L1Lagging", ({ message }) => Effect.logWarning(message)),
        // A block that failed is tried again: its transactions are still there.
        Effect.catchAllCause((cause) => Effect.logError("Could not seal a block", cause))
      )
      if (sealing._tag === "Interval") {
        yield* sealed.pipe(
          Effect.repeat(Schedule.spaced(sealing.interval)),
          Effect.delay(sealing.interval),
          Effect.forkScoped
        )
      }
      if (sealing._tag === "Instant") {
        // Nobody submits what comes from L1.
        yield* (yield* L1Source).changes.pipe(
          Stream.runForEach(() => sealed),
          Effect.tapErrorCause((cause) => Effect.logError("Could not hear of L1", cause)),
          Effect.retry(Schedule.spaced("1 second")),
          Effect.forkScoped
        )
      }
      return Sequencer.of(sequencer)
    })
  )

/** The sequencer's chain, for those who move it as L1 demands. */
export const layerChain: Layer.Layer<Chain, never, Sequencer> = Layer.effect(Chain, Sequencer)
