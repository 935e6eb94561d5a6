/**
 * The chain as L1 data alone gives it: what the batcher need not post again, and all that the proposer may
 * claim. Derivation provides it.
 */
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Context, type Effect, type Option } from "effect"

/** An L2 block that follows from L1. */
export interface SafeBlock {
  readonly number: bigint
  readonly hash: Hash32
  readonly stateRoot: Hash32
  /** Seconds since the Unix epoch. */
  readonly timestamp: bigint
  /** L1 origin. */
  readonly l1OriginNumber: bigint
}

/** Where L2 stands after so many batches. */
export interface SafeHead {
  /** Batches that were derived. */
  readonly batchCount: bigint
  /** Hash of the last of them; undefined before the first. */
  readonly batchHash: Hash32 | undefined
  /** L1 block that holds it; the deployment's before the first. */
  readonly l1BlockNumber: bigint
  /** The last block of these batches; genesis before the first. */
  readonly block: SafeBlock
  /** First queue index that no batch has taken. */
  readonly queueTaken: bigint
}

export class SafeChain extends Context.Tag("@ovm/batcher/SafeChain")<
  SafeChain,
  {
    /** After all batches that L1 has, as far as they were derived. */
    readonly head: Effect.Effect<SafeHead>
    /** After the first `batchCount` batches; none if that was not derived, or is no more. */
    readonly after: (batchCount: bigint) => Effect.Effect<Option.Option<SafeHead>>
    /** Completes with the head as soon as it is so. */
    readonly until: (is: (head: SafeHead) => boolean) => Effect.Effect<SafeHead>
  }
>() {}
