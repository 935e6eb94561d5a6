/**
 * Sends L1 transactions, each once, whatever crashes: an intent is durable before anything is signed,
 * and what was signed before it leaves. Fees, stuck nonces, reorgs and outages are its business.
 */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { LoadError, SendError } from "@ovm/event-log/Machine"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { Context, type Duration, Effect, Layer, type Option, Schema, type Stream } from "effect"
import { makeTransactionManager } from "./internal/TransactionLoop.ts"
import type { L1Client } from "./L1Client.ts"
import type { L1Error, L1SignerMissing } from "./L1Error.ts"
import {
  type CommandRefused,
  L1Transactions,
  type Outcome,
  type Pending,
  type RequestConflict
} from "./TransactionRules.ts"

/** What L1 asks for now is more than we pay. Recover by waiting, which is done, or by raising the cap. */
export class FeeCapReached extends Schema.TaggedError<FeeCapReached>()("FeeCapReached", {
  id: Schema.String,
  neededWei: Schema.BigIntFromSelf,
  capWei: Schema.BigIntFromSelf
}) {
  override get message() {
    return `Expected L1 to take "${this.id}" for at most ${this.capWei} wei per gas, but it takes ${this.neededWei} now. It is sent when fees fall; or raise the cap.`
  }
}

export interface ManagerOptions {
  /** Blocks, its own included, after which an outcome is told. Default 1. */
  readonly confirmations?: number
  /**
   * Blocks after which an inclusion is taken to be for ever. Until then a reorg sends again. Default
   * 64.
   */
  readonly finalityBlocks?: number
  /** How often L1 is looked at. Default 1 s; "manual": only by `poll`. */
  readonly every?: Duration.DurationInput | "manual"
  /** How long the next transaction in line may wait before its fees are raised. Default 60 s. */
  readonly resubmitAfter?: Duration.DurationInput
  /** Most that is ever paid per gas. Default 500 gwei. */
  readonly maxFeePerGasWei?: bigint
  /** Least tip. Default 0.001 gwei; more if the node says so. */
  readonly minPriorityFeeWei?: bigint
  /** Transactions of one account that may be on their way at once. Default 16. */
  readonly maxInFlight?: number
  /** Longest time between attempts while L1 is down. Default 15 s. */
  readonly backOffMax?: Duration.DurationInput
}

export interface L1Request {
  /** The caller's own, such as "batch/12": asked for again under it, nothing is sent again. */
  readonly id: string
  readonly to: Address
  readonly data: Hex
  /** Wei. Default 0. */
  readonly value?: bigint
  /** Gas limit. With it, it can be sent before those ahead of it are on L1. Default: estimated. */
  readonly gas?: bigint
  /** Default: the client's first account. */
  readonly from?: Address
}

/** Where a request stands. */
export interface TransactionStatus {
  readonly id: string
  /** Undefined once it is final and forgotten. */
  readonly pending: Pending | undefined
  readonly outcome: Outcome | undefined
  /** Why nothing is sent for it at the moment. */
  readonly waitingFor: FeeCapReached | L1Error | undefined
}

/** How a request ended, and where the log says so. */
export interface OutcomeTold {
  readonly id: string
  readonly outcome: Outcome
  readonly position: number
}

export type RequestError =
  | SendError
  | LoadError
  | CommandRefused
  | RequestConflict
  | L1SignerMissing
export type PollError = L1Error | RequestError

export class TransactionManager extends Context.Tag("@ovm/l1/TransactionManager")<
  TransactionManager,
  {
    /**
     * Makes the request durable, and waits for its outcome. Interrupting it ends the waiting only;
     * after a restart ask again under the same id.
     */
    readonly request: (request: L1Request) => Effect.Effect<Outcome, RequestError>
    /** Makes the request durable, and waits for nothing else. */
    readonly submit: (request: L1Request) => Effect.Effect<void, RequestError>
    /** None: nothing was ever asked for under this id. */
    readonly status: (id: string) => Effect.Effect<Option.Option<TransactionStatus>, LoadError>
    /**
     * Outcomes told after a position of the log, then every further one. A reorg may have one told
     * again.
     */
    readonly outcomes: (options?: {
      readonly after?: number
    }) => Stream.Stream<OutcomeTold, LoadError>
    /** Looks at L1 and does what is to be done, now. */
    readonly poll: Effect.Effect<void, PollError>
  }
>() {
  /** Needs the keys of all senders in the L1 client. One manager for a log; goes on where it stopped. */
  static readonly layer = (
    options: ManagerOptions = {}
  ): Layer.Layer<TransactionManager, LoadError, L1Client | EventLog> =>
    Layer.scoped(
      TransactionManager,
      Effect.suspend(() => makeTransactionManager(options))
    ).pipe(Layer.provide(L1Transactions.layer))
}
