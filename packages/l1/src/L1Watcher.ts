/** Writes into the log what L1 shows: its blocks, what our contracts said in them, and its reorgs. */
import type { ValueUnencodable } from "@ovm/event-log/CodecError"
import type { EventLog } from "@ovm/event-log/EventLog"
import type { AppendError } from "@ovm/event-log/LogError"
import type { Deployment } from "@ovm/protocol/Deployment"
import { Hash32 } from "@ovm/protocol/Primitives"
import { Context, type Duration, Effect, Layer, Schema, type Stream } from "effect"
import { makeWatcher } from "./internal/WatcherLoop.ts"
import type { L1Client } from "./L1Client.ts"
import type { L1ChainMismatch, L1Error } from "./L1Error.ts"
import type { L1Header, L1View, ViewError } from "./L1View.ts"

const Uint = Schema.NonNegativeBigIntFromSelf

/**
 * L1 changed further back than what is kept to undo. Recover by deriving a new log from L1: this one
 * follows a chain that is no more.
 */
export class ReorgTooDeep extends Schema.TaggedError<ReorgTooDeep>()("ReorgTooDeep", {
  headNumber: Uint,
  windowBlocks: Uint
}) {
  override get message() {
    return `Expected a common block with L1 within ${this.windowBlocks} blocks below ${this.headNumber}, found none. Derive a new log from L1.`
  }
}

/** L1 has no such deployment. Recover by giving the deployment's own L1, or its file. */
export class DeploymentNotOnL1 extends Schema.TaggedError<DeploymentNotOnL1>()(
  "DeploymentNotOnL1",
  {
    number: Uint,
    expected: Hash32,
    /** Undefined: there is no such block. */
    found: Schema.UndefinedOr(Hash32)
  }
) {
  override get message() {
    return `Expected L1 block ${this.number}, in which the contracts were deployed, to be ${this.expected}, found ${this.found ?? "no such block"}. Give the deployment's own L1, or another deployment file.`
  }
}

/** L1 changed while it was read, so its answers do not fit together. Recover by reading again. */
export class L1Inconsistent extends Schema.TaggedError<L1Inconsistent>()("L1Inconsistent", {
  number: Uint,
  issue: Schema.String
}) {
  override get message() {
    return `Expected L1's answers about block ${this.number} to agree, but ${this.issue}. Read again.`
  }
}

export type WatchError =
  | L1Error
  | ReorgTooDeep
  | DeploymentNotOnL1
  | L1Inconsistent
  | ViewError
  | AppendError
  | ValueUnencodable

export interface WatcherOptions {
  readonly deployment: Pick<Deployment, "l1ChainId" | "deployedAt" | "contracts">
  /** How often L1 is asked. Default 1 s; "manual": only by `poll`. */
  readonly every?: Duration.DurationInput | "manual"
  /** Blocks that are read and recorded together while catching up. Default 256. */
  readonly pageBlocks?: number
  /** How deep a reorg may be. Default 4,096; at most `L1View.UNDO_DEPTH`. */
  readonly windowBlocks?: bigint
  /** Longest time between attempts while L1 is down. Default 15 s. */
  readonly backOffMax?: Duration.DurationInput
}

export interface WatcherStatus {
  /** Started: not yet in contact. Following: the log had L1's head when last asked. */
  readonly phase: "started" | "catchingUp" | "following" | "failing"
  /** The newest block in the log. */
  readonly head: L1Header | undefined
  /** The newest block that L1 told of. */
  readonly l1HeadNumber: bigint | undefined
  /** When the log last had L1's head, in milliseconds since the Unix epoch; before that: the start. */
  readonly caughtUpAtMs: number
  /** Why the last attempt failed. */
  readonly error: WatchError | undefined
}

export interface Polled {
  readonly head: L1Header
  /** Blocks that were recorded. */
  readonly observed: number
  readonly reorganized: boolean
}

export class L1Watcher extends Context.Tag("@ovm/l1/L1Watcher")<
  L1Watcher,
  {
    /** Brings the log up to L1's head, now. */
    readonly poll: Effect.Effect<Polled, WatchError>
    readonly status: Effect.Effect<WatcherStatus>
    /** The status now, and every further one. */
    readonly statuses: Stream.Stream<WatcherStatus>
    /** Seconds since the log last had L1's head: what tells a sequencer to stop sealing. */
    readonly lagSeconds: Effect.Effect<number>
  }
>() {
  /** Watches as long as its scope lives; L1 being down never ends it. */
  static readonly layer = (
    options: WatcherOptions
  ): Layer.Layer<L1Watcher, L1ChainMismatch, L1Client | EventLog | L1View> =>
    Layer.scoped(
      L1Watcher,
      Effect.suspend(() => makeWatcher(options))
    )
}
