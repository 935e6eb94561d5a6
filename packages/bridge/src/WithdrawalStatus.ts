/** One call that tells how far a withdrawal is, how long every wait takes, and what to do next. */
import type { L1Contracts } from "@ovm/protocol/Deployment"
import { Hash32 } from "@ovm/protocol/Primitives"
import { Effect, Option, Schema } from "effect"
import type { PublicClient } from "viem"
import { readL1 } from "./internal/L1Facts.ts"
import type { ChainUnreachable } from "./internal/Reading.ts"
import type { Withdrawal } from "./Withdrawal.ts"

const Uint = Schema.NonNegativeBigInt
/** Seconds from L1's newest block on. */
const Seconds = Uint

/** Where a withdrawal is. `nextStep` is for people; programs look at the tag. */
export const WithdrawalStatus = Schema.Union(
  /** L2 knows no such withdrawal, nor a transaction of this hash that sent one. */
  Schema.TaggedStruct("Unknown", { hash: Hash32, nextStep: Schema.String }),
  /** On L2, and not yet in a batch on L1. */
  Schema.TaggedStruct("InL2Block", {
    withdrawalHash: Hash32,
    l2BlockNumber: Uint,
    /** At least: the challenge period starts when a claim covers the block. */
    secondsLeftMin: Seconds,
    nextStep: Schema.String
  }),
  /** Its block is in a batch on L1; no claim that stands covers it. */
  Schema.TaggedStruct("Batched", {
    withdrawalHash: Hash32,
    l2BlockNumber: Uint,
    secondsLeftMin: Seconds,
    nextStep: Schema.String
  }),
  /** A claim covers it, and its clock runs. */
  Schema.TaggedStruct("Claimed", {
    withdrawalHash: Hash32,
    claimIndex: Uint,
    /** Seconds since the Unix epoch. */
    finalAt: Uint,
    secondsLeft: Seconds,
    nextStep: Schema.String
  }),
  /** The claim, or one that it builds on, is disputed: the clock stands. */
  Schema.TaggedStruct("Disputed", {
    withdrawalHash: Hash32,
    claimIndex: Uint,
    nextStep: Schema.String
  }),
  /** Everything is ready, but the guardian stopped the bridge for a while. */
  Schema.TaggedStruct("Paused", {
    withdrawalHash: Hash32,
    claimIndex: Uint,
    /** Seconds since the Unix epoch. */
    until: Uint,
    secondsLeft: Seconds,
    nextStep: Schema.String
  }),
  Schema.TaggedStruct("ReadyToFinalize", {
    withdrawalHash: Hash32,
    claimIndex: Uint,
    /** The L2 block to ask `eth_getProof` at. */
    proofBlockNumber: Uint,
    nextStep: Schema.String
  }),
  /** Done: L1 called the target, and it succeeded. */
  Schema.TaggedStruct("Finalized", {
    withdrawalHash: Hash32,
    /** Wei. */
    value: Uint,
    nextStep: Schema.String
  }),
  /** Done: L1 called the target, and it reverted. The value stays in the bridge. */
  Schema.TaggedStruct("Failed", {
    withdrawalHash: Hash32,
    /** Wei. */
    value: Uint,
    nextStep: Schema.String
  })
)
export type WithdrawalStatus = typeof WithdrawalStatus.Type

/** A withdrawal as L2 knows it. */
export interface SentWithdrawal {
  readonly withdrawal: Withdrawal
  readonly withdrawalHash: Hash32
  readonly l2BlockNumber: bigint
}

/** What must be known of L2: a node's own chain, or any node's RPC (`L2Source`). */
export interface L2Source<E> {
  /** The withdrawal of this hash, or the one that the transaction of this hash sent. */
  readonly find: (hash: Hash32) => Effect.Effect<Option.Option<SentWithdrawal>, E>
  /** The last L2 block that the batches on L1 hold. */
  readonly lastBatchedBlock: Effect.Effect<bigint, E>
}

/** Claims become final in order, so an earlier one can be in the way. */
export type Obstacle =
  | { readonly _tag: "None" }
  | { readonly _tag: "Disputed" }
  /** A clock that runs: until when, in seconds since the Unix epoch. */
  | { readonly _tag: "Clock"; readonly finalAt: bigint }
  /** More claims than one call looks at wait to be made final. */
  | { readonly _tag: "TooManyClaims" }

/** What L1 knows of a withdrawal, all as of one block. */
export interface L1Facts {
  /** Seconds since the Unix epoch, of that block. */
  readonly now: bigint
  readonly challengePeriodSeconds: bigint
  /** When the running or last pause, of the bridge or of the claims, ends or ended. */
  readonly pausedUntil: bigint
  /** How it ended, if it did. */
  readonly finalized: Option.Option<{ readonly success: boolean }>
  /** The first claim that stands and covers the withdrawal's block. */
  readonly claim: Option.Option<{
    readonly index: bigint
    readonly blockNumber: bigint
    readonly disputed: boolean
    /** What keeps the bridge from relying on it now, but for a pause: it, or one that it builds on. */
    readonly obstacle: Obstacle
    readonly finalAt: bigint
  }>
}

/**
 * How far the withdrawal is that has this hash, or that the L2 transaction of this hash sent.
 * Reads both chains; sends nothing.
 */
export const withdrawalStatus = Effect.fn("withdrawalStatus")(function* <E>(options: {
  readonly hash: Hash32
  readonly l1: PublicClient
  readonly contracts: Pick<L1Contracts, "bridge" | "stateCommitmentChain">
  readonly l2: L2Source<E>
}) {
  const found = yield* options.l2.find(options.hash)
  if (Option.isNone(found)) return unknown(options.hash)
  const sent = found.value
  const l1: L1Facts = yield* readL1(options.l1, options.contracts, sent)
  const batched = yield* options.l2.lastBatchedBlock
  return decide({ sent, l1, lastBatchedBlock: batched })
})

/** The rule alone. */
export const decide = (facts: {
  readonly sent: SentWithdrawal
  readonly l1: L1Facts
  readonly lastBatchedBlock: bigint
}): WithdrawalStatus => {
  const { l1, sent } = facts
  const { l2BlockNumber, withdrawal, withdrawalHash } = sent
  if (Option.isSome(l1.finalized)) return ended(sent, l1.finalized.value.success)
  if (Option.isNone(l1.claim)) {
    const isBatched = facts.lastBatchedBlock >= l2BlockNumber
    return {
      _tag: isBatched ? "Batched" : "InL2Block",
      withdrawalHash,
      l2BlockNumber,
      secondsLeftMin: l1.challengePeriodSeconds,
      nextStep: isBatched
        ? "Wait for the proposer to claim the state of this block."
        : "Wait for the batcher to post this block to L1."
    }
  }
  const claim = l1.claim.value
  const common = { withdrawalHash, claimIndex: claim.index }
  if (claim.disputed)
    return disputed(common, "Wait for the dispute to be decided; its clock stands.")
  if (claim.obstacle._tag === "Disputed") {
    return disputed(common, "Wait for the dispute of an earlier claim to be decided.")
  }
  const earlier = claim.obstacle._tag === "Clock" ? claim.obstacle.finalAt : 0n
  const finalAt = earlier > claim.finalAt ? earlier : claim.finalAt
  if (finalAt > l1.now) {
    const secondsLeft = finalAt - l1.now
    const nextStep = `Wait ${secondsLeft} seconds for the challenge period to end.`
    return { _tag: "Claimed", ...common, finalAt, secondsLeft, nextStep }
  }
  if (l1.pausedUntil > l1.now) {
    const secondsLeft = l1.pausedUntil - l1.now
    const nextStep = `Wait ${secondsLeft} seconds for the guardian's pause to end.`
    return { _tag: "Paused", ...common, until: l1.pausedUntil, secondsLeft, nextStep }
  }
  if (claim.obstacle._tag === "TooManyClaims") {
    const nextStep = "Call finalizeUpTo of the StateCommitmentChain for earlier claims, in steps."
    return { _tag: "Claimed", ...common, finalAt, secondsLeft: 0n, nextStep }
  }
  return {
    _tag: "ReadyToFinalize",
    ...common,
    proofBlockNumber: claim.blockNumber,
    nextStep: `Call finalizeWithdrawal with a proof at L2 block ${claim.blockNumber}, and at least ${withdrawal.gasLimit} gas beyond the proof's.`
  }
}

export type { ChainUnreachable }

const unknown = (hash: Hash32): WithdrawalStatus => ({
  _tag: "Unknown",
  hash,
  nextStep:
    "Check the hash: of a withdrawal, or of an L2 transaction that was executed and sent one."
})

const ended = (
  { withdrawal, withdrawalHash }: SentWithdrawal,
  success: boolean
): WithdrawalStatus => ({
  _tag: success ? "Finalized" : "Failed",
  withdrawalHash,
  value: withdrawal.value,
  nextStep: success
    ? "Nothing: it is done."
    : "Nothing for the bridge. If it carried a message, call relayMessage of the L1 messenger."
})

const disputed = (
  common: { readonly withdrawalHash: Hash32; readonly claimIndex: bigint },
  nextStep: string
): WithdrawalStatus => ({ _tag: "Disputed", ...common, nextStep })
