/** What a verifier found, as past-tense facts. */
import * as EventTypes from "@ovm/event-log/EventTypes"
import { Hash32 } from "@ovm/protocol/Primitives"
import { Schema } from "effect"

/** The stream of the log that holds them. */
export const VERIFIER_STREAM = "verifier"

/** Where L2 stands, as somebody says. */
export const Standing = Schema.Struct({
  blockNumber: Schema.NonNegativeBigInt,
  blockHash: Hash32,
  stateRoot: Hash32
})
export type Standing = typeof Standing.Type

/** The first block that is not what L1 makes of it; and in it the first item, if it is not just the header. */
export const FirstWrong = Schema.Struct({
  blockNumber: Schema.NonNegativeBigInt,
  transaction: Schema.optionalWith(
    Schema.Struct({
      /** 0-based place among the block's items. */
      index: Schema.NonNegativeInt,
      hash: Hash32
    }),
    { exact: true }
  ),
  /** Which fact differs, `stateRoot` for one. */
  what: Schema.String,
  /** As derived. */
  expected: Schema.String,
  /** As the sequencer recorded it. */
  found: Schema.String
})
export type FirstWrong = typeof FirstWrong.Type

/** A claim on L1 is not what L1's own batches make. */
export class RootMismatch extends Schema.TaggedClass<RootMismatch>()("v1.RootMismatch", {
  claimIndex: Schema.NonNegativeBigInt,
  /** The L1 block that holds the claim. */
  l1BlockNumber: Schema.NonNegativeBigInt,
  /** The first block that this claim covers, and none before it; the wrong one is from here on, or earlier claims were wrong too. */
  firstBlock: Schema.NonNegativeBigInt,
  /** As derived. */
  expected: Standing,
  /** As claimed. */
  found: Standing,
  /** Known if the sequencer's own log could be asked; L1 has no roots of single transactions. */
  firstWrong: Schema.optionalWith(FirstWrong, { exact: true })
}) {}

export const VerifierEvent = Schema.Union(RootMismatch)
export type VerifierEvent = typeof VerifierEvent.Type

export const verifierEventTypes = EventTypes.make({ schema: VerifierEvent })
