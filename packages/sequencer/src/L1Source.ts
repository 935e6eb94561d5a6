/**
 * What the sequencer must know of L1, and nothing of how it is known: which L1 block the next block
 * may name as its origin, what waits in the queue, how far behind L1's news are.
 */
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Context, Effect, Layer, type Option, Schema, Stream } from "effect"

/** An L1 block that is deep enough to build on. */
export interface L1OriginBlock {
  readonly number: bigint
  readonly hash: Hash32
  /** Seconds since the Unix epoch. */
  readonly timestamp: bigint
}

/** An entry of L1's queue: a signed transaction or a deposit. */
export interface QueuedTransaction {
  /** 0-based place in the queue. */
  readonly index: bigint
  readonly raw: Uint8Array
  readonly gasLimit: bigint
  /** The L1 block that enqueued it. */
  readonly l1BlockNumber: bigint
}

/** What is known of L1 could not be read. Recover by repairing its log; sealing goes on by itself then. */
export class L1SourceFailed extends Schema.TaggedError<L1SourceFailed>()("L1SourceFailed", {
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected to read what is known of L1, but it failed: ${String(this.cause)}`
  }
}

/**
 * L1's news are too old to build on: nothing is admitted and nothing sealed. Recover by waiting: as
 * soon as L1 is seen again, everything goes on by itself.
 */
export class L1Lagging extends Schema.TaggedError<L1Lagging>()("L1Lagging", {
  lagSeconds: Schema.Number,
  limitSeconds: Schema.Number
}) {
  override get message() {
    return `Expected news of L1 at most ${this.limitSeconds} s old, found them ${this.lagSeconds} s old. Wait until L1 is seen again, then send this again.`
  }
}

export class L1Source extends Context.Tag("@ovm/sequencer/L1Source")<
  L1Source,
  {
    /** The L1 block up to which a block sealed now takes what L1 has; none as long as there is none. */
    readonly origin: Effect.Effect<Option.Option<L1OriginBlock>, L1SourceFailed>
    /** Queue entries from an index on, in order, that L1 enqueued up to a block; at most `limit`. */
    readonly queue: (options: {
      readonly from: bigint
      readonly upTo: bigint
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<QueuedTransaction>, L1SourceFailed>
    /** Age of the newest L1 block that was seen, in seconds; 0 if nothing of L1 is needed. */
    readonly lagSeconds: Effect.Effect<number, L1SourceFailed>
    /** Emits whenever more of L1 may be there; never ends. */
    readonly changes: Stream.Stream<void, L1SourceFailed>
  }
>() {}

/** A chain without L1: the origin stays where genesis put it, and there is no queue. */
export const layerNone: Layer.Layer<L1Source> = Layer.succeed(L1Source, {
  origin: Effect.succeedNone,
  queue: () => Effect.succeed([]),
  lagSeconds: Effect.succeed(0),
  changes: Stream.never
})

/** The longest prefix of the entries that one block has room for. */
export const fitting = (
  entries: ReadonlyArray<QueuedTransaction>,
  blockGasLimit: bigint
): ReadonlyArray<QueuedTransaction> => {
  let gas = 0n
  const first = entries.findIndex(({ gasLimit }) => {
    gas += gasLimit
    return gas > blockGasLimit
  })
  return first < 0 ? entries : entries.slice(0, first)
}
