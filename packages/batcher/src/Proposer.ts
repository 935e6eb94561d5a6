/**
 * Stage 7 too: claims on L1 what was derived from L1, with a bond, and makes ripe claims final. It never claims what a
 * sequencer told it.
 */
import { StateCommitmentChain } from "@ovm/contracts"
import type { L1Error } from "@ovm/l1/L1Error"
import { L1View, type View, type ViewError } from "@ovm/l1/L1View"
import type { Deployment } from "@ovm/protocol/Deployment"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Context, type Duration, Effect, HashMap, Layer, Option, Schedule, Schema } from "effect"
import { encodeFunctionData, type Hex } from "viem"
import * as ClaimPolicy from "./ClaimPolicy.ts"
import { L1Outbox, type SendingFailed } from "./L1Outbox.ts"
import { SafeChain, type SafeHead } from "./SafeChain.ts"

/** L1 did not take it. Recover by waiting: the next step is decided anew on what L1 has then. */
export class ClaimRejected extends Schema.TaggedError<ClaimRejected>()("ClaimRejected", {
  what: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Expected L1 to accept ${this.what}, but it answered: ${this.reason}. It is decided anew on what L1 has.`
  }
}

export type ProposerError = L1Error | ViewError | SendingFailed | ClaimRejected

/** What a step did. */
export type Done =
  | {
      readonly _tag: "Proposed"
      readonly index: bigint
      readonly head: SafeHead
      readonly l1TransactionHash: Hash32
    }
  | { readonly _tag: "Finalized"; readonly index: bigint }
  | Extract<ClaimPolicy.Step, { readonly _tag: "Wait" }>

export class Proposer extends Context.Tag("@ovm/batcher/Proposer")<
  Proposer,
  {
    /** Does what is due: makes claims final, or claims what was derived; and waits until L1 shows it. */
    readonly step: Effect.Effect<Done, ProposerError>
  }
>() {}

export interface ProposerOptions {
  readonly deployment: Deployment
  readonly policy?: Partial<ClaimPolicy.ProposalPolicy>
  /** How often it is looked what is due; left out, only `step` does anything. */
  readonly every?: Duration.DurationInput
}

type Requirements = SafeChain | L1View | L1Outbox

/** Needs a key with enough ETH for the bonds in the L1 client; any account may propose. */
export const layer = (options: ProposerOptions): Layer.Layer<Proposer, never, Requirements> =>
  Layer.scoped(
    Proposer,
    Effect.gen(function* () {
      const requirements = yield* Effect.context<Requirements>()
      const alone = (yield* Effect.makeSemaphore(1)).withPermits(1)
      const policy = { ...ClaimPolicy.defaultPolicy, ...options.policy }
      const step = takeStep(options.deployment, policy).pipe(Effect.provide(requirements), alone)
      if (options.every !== undefined) {
        yield* step.pipe(
          Effect.catchAll((error) => Effect.logWarning(`proposer: ${error.message}`)),
          Effect.repeat(Schedule.spaced(options.every)),
          Effect.forkScoped
        )
      }
      return Proposer.of({ step })
    })
  )

const takeStep = Effect.fn("Proposer.step")(function* (
  deployment: Deployment,
  policy: ClaimPolicy.ProposalPolicy
) {
  const view = yield* (yield* L1View).view
  const situation = yield* situationOf(view)
  if (situation === undefined) return NOTHING_DERIVED
  const step = ClaimPolicy.nextStep(situation, policy)
  switch (step._tag) {
    case "Wait":
      return step satisfies Done
    case "Finalize":
      return yield* finalize(deployment, step.index)
    case "Propose":
      return yield* propose(deployment, step)
  }
})

const NOTHING_DERIVED: Done = { _tag: "Wait", reason: "notDerived" }

/** Undefined before L1 was seen. */
const situationOf = (view: View) =>
  Effect.gen(function* () {
    if (view.head === undefined) return undefined
    const safe = yield* SafeChain
    const claims = [...HashMap.values(view.claims)]
      .filter(({ status }) => status !== "defeated")
      .sort((a, b) => (a.index < b.index ? -1 : 1))
    const last = claims.at(-1)
    const own = last === undefined ? Option.none() : yield* safe.after(last.batchCount)
    const claimedIn = last === undefined ? Option.none() : yield* headerOf(last.l1BlockNumber)
    const situation: ClaimPolicy.Situation = {
      claims,
      nextIndex: view.claimCount,
      l1HeadNumber: view.head.number,
      l1HeadTimestamp: view.head.timestamp,
      head: yield* safe.head,
      ownOfLastClaim: Option.getOrUndefined(own),
      lastClaimedAt: Option.match(claimedIn, {
        onNone: () => 0n,
        onSome: (header) => header.timestamp
      })
    }
    return situation
  })

const headerOf = (number: bigint) => Effect.flatMap(L1View, (view) => view.blockByNumber(number))

const propose = (
  { contracts, parameters }: Deployment,
  { head, index }: Extract<ClaimPolicy.Step, { readonly _tag: "Propose" }>
) =>
  Effect.gen(function* () {
    const { batchCount, batchHash, block } = head
    if (batchHash === undefined) return NOTHING_DERIVED
    const what = `claim ${index}`
    const { blockNumber, transactionHash } = yield* carryOut({
      // The same claim has the same name, also after a crash; on another L1 history it is another claim.
      id: `claim/${index}/${block.hash}/${batchHash}`,
      what,
      to: contracts.stateCommitmentChain,
      valueWei: parameters.claimBondWei,
      data: encodeFunctionData({
        abi: StateCommitmentChain.abi,
        functionName: "propose",
        args: [
          index,
          {
            blockNumber: block.number,
            blockHash: block.hash,
            stateRoot: block.stateRoot,
            batchCount,
            batchHash
          }
        ]
      })
    })
    yield* untilSeen(what, blockNumber, (view) => view.claimCount > index)
    return { _tag: "Proposed", index, head, l1TransactionHash: transactionHash } satisfies Done
  })

const finalize = ({ contracts }: Deployment, index: bigint) =>
  Effect.gen(function* () {
    const what = `that claim ${index} is final`
    const { blockNumber } = yield* carryOut({
      id: `finalize/${index}`,
      what,
      to: contracts.stateCommitmentChain,
      valueWei: 0n,
      data: encodeFunctionData({
        abi: StateCommitmentChain.abi,
        functionName: "finalizeUpTo",
        args: [index]
      })
    })
    yield* untilSeen(
      what,
      blockNumber,
      ({ claims }) => Option.getOrUndefined(HashMap.get(claims, index))?.status !== "undecided"
    )
    return { _tag: "Finalized", index } satisfies Done
  })

const carryOut = (options: {
  readonly id: string
  readonly what: string
  readonly to: Deployment["contracts"]["inbox"]
  readonly valueWei: bigint
  readonly data: Hex
}) =>
  Effect.gen(function* () {
    const { what, ...intent } = options
    const outcome = yield* (yield* L1Outbox).carryOut(intent)
    if (outcome._tag === "Included") return outcome
    return yield* new ClaimRejected({ what, reason: outcome.reason })
  })

/** Waits until what was included is seen. Fails if a reorg took it out again, which may be for ever. */
const untilSeen = (what: string, l1BlockNumber: bigint, isThere: (view: View) => boolean) =>
  Effect.gen(function* () {
    const l1 = yield* L1View
    const view = yield* l1.until(
      (now) => isThere(now) || (now.head !== undefined && now.head.number >= l1BlockNumber)
    )
    if (isThere(view)) return
    return yield* new ClaimRejected({ what, reason: "a reorg took it out again" })
  })
