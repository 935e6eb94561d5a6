/** What derivation did, as past-tense facts: which L2 blocks which batch made, and what L1 took back. */
import * as EventTypes from "@ovm/event-log/EventTypes"
import { Hash32 } from "@ovm/protocol/Primitives"
import { Schema } from "effect"
import { Verdict } from "./Rules.ts"

/** The stream of the log that holds them. */
export const DERIVATION_STREAM = "derivation"

/** A batch of L1 made these blocks of the chain. */
export class BatchDerived extends Schema.TaggedClass<BatchDerived>()("v1.BatchDerived", {
  index: Schema.NonNegativeBigInt,
  /** What `Inbox.batchHash` answers: it covers everything that the blocks follow from. */
  batchHash: Hash32,
  /** The L1 block that holds the batch. */
  l1BlockNumber: Schema.NonNegativeBigInt,
  verdict: Verdict,
  /** Which rule an invalid batch breaks, for people. */
  reason: Schema.optionalWith(Schema.String, { exact: true }),
  /** L2 number of its first block; meaningless if it has none. */
  firstBlock: Schema.NonNegativeBigInt,
  blockCount: Schema.NonNegativeInt,
  /** The chain's last block after it. */
  lastBlock: Schema.NonNegativeBigInt,
  lastHash: Hash32,
  /** First queue index that it and the batches before leave. */
  queueEnd: Schema.NonNegativeBigInt
}) {}

/** The batches from `batchCount` on are no longer L1's: what they made is derived no more. */
export class DerivationRolledBack extends Schema.TaggedClass<DerivationRolledBack>()(
  "v1.DerivationRolledBack",
  { batchCount: Schema.NonNegativeBigInt, reason: Schema.String }
) {}

export const DerivationEvent = Schema.Union(BatchDerived, DerivationRolledBack)
export type DerivationEvent = typeof DerivationEvent.Type

export const derivationEventTypes = EventTypes.make({ schema: DerivationEvent })
