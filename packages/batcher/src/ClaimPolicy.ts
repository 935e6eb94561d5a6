/** What a proposer does next: claim, finalize, or wait and why. Pure. */
import type { Claim } from "@ovm/l1/L1View"
import type { SafeHead } from "./SafeChain.ts"

export interface ProposalPolicy {
  /** L1 blocks on top of a batch before its state is claimed. */
  readonly confirmations: bigint
  /** Seconds between two claims at least. */
  readonly minIntervalSeconds: bigint
}

export const defaultPolicy: ProposalPolicy = { confirmations: 1n, minIntervalSeconds: 0n }

/** L1 as the proposer sees it. */
export interface Situation {
  /** The claims that stand, none defeated, from the genesis claim on. */
  readonly claims: ReadonlyArray<Claim>
  /** Index of the next claim: those that fell count too. */
  readonly nextIndex: bigint
  readonly l1HeadNumber: bigint
  /** Seconds since the Unix epoch, of L1's newest block. */
  readonly l1HeadTimestamp: bigint
  /** What was derived from L1. */
  readonly head: SafeHead
  /** What was derived of the batches that the newest claim covers; undefined if that is not known yet. */
  readonly ownOfLastClaim: SafeHead | undefined
  /** Seconds since the Unix epoch at which the newest claim was made. */
  readonly lastClaimedAt: bigint
}

export type Step =
  | { readonly _tag: "Propose"; readonly index: bigint; readonly head: SafeHead }
  | { readonly _tag: "Finalize"; readonly index: bigint }
  | {
      readonly _tag: "Wait"
      readonly reason: "nothingNew" | "notDerived" | "unconfirmed" | "tooSoon" | "parentIsWrong"
    }

/** Finality first: it costs nothing to those who wait for it. */
export const nextStep = (situation: Situation, policy: ProposalPolicy): Step => {
  const ripe = lastRipe(situation)
  if (ripe !== undefined) return { _tag: "Finalize", index: ripe }
  const last = situation.claims.at(-1)
  const { head, ownOfLastClaim } = situation
  if (last !== undefined && last.index !== 0n) {
    if (ownOfLastClaim === undefined) return { _tag: "Wait", reason: "notDerived" }
    // Whoever builds on a wrong claim falls with it.
    if (!agrees(last, ownOfLastClaim)) return { _tag: "Wait", reason: "parentIsWrong" }
  }
  const covered = last?.batchCount ?? 0n
  const above = last?.blockNumber ?? 0n
  if (head.batchCount <= covered || head.block.number <= above || head.batchHash === undefined) {
    return { _tag: "Wait", reason: "nothingNew" }
  }
  if (head.l1BlockNumber + policy.confirmations > situation.l1HeadNumber) {
    return { _tag: "Wait", reason: "unconfirmed" }
  }
  if (
    last !== undefined &&
    situation.l1HeadTimestamp < situation.lastClaimedAt + policy.minIntervalSeconds
  ) {
    return { _tag: "Wait", reason: "tooSoon" }
  }
  return { _tag: "Propose", index: situation.nextIndex, head }
}

/** Whether a claim says what was derived. */
export const agrees = (claim: Claim, own: SafeHead): boolean =>
  claim.blockHash === own.block.hash &&
  claim.stateRoot === own.block.stateRoot &&
  claim.blockNumber === own.block.number

/** The last of the claims that can be made final now, in order and without a gap. */
const lastRipe = ({ claims, l1HeadTimestamp }: Situation): bigint | undefined => {
  let ripe: bigint | undefined
  for (const claim of claims) {
    if (claim.status === "final" || claim.index === 0n) continue
    if (claim.status !== "undecided" || claim.finalAt > l1HeadTimestamp) break
    ripe = claim.index
  }
  return ripe
}
