/** What a node saw on L1, as past-tense facts: its blocks, what our contracts said in them, reorgs. */
import { Schema } from "effect"
import { BatchRecord } from "./BatchRecord.ts"
import { Address, Hash32 } from "./Primitives.ts"

const Uint = Schema.NonNegativeBigInt

/** Something that one of our contracts said in an L1 block. */
export const L1ContractEvent = Schema.Union(
  Schema.TaggedStruct("TransactionEnqueued", {
    queueIndex: Uint,
    from: Address,
    gasLimit: Uint,
    raw: Schema.Uint8ArrayFromSelf
  }),
  Schema.TaggedStruct("BatchAppended", {
    record: BatchRecord,
    /** The posted bytes; empty for a forced batch. */
    payload: Schema.Uint8ArrayFromSelf,
    l1TransactionHash: Hash32
  }),
  Schema.TaggedStruct("BatchVoided", { index: Uint, root: Hash32 }),
  Schema.TaggedStruct("ClaimProposed", {
    index: Uint,
    proposer: Address,
    blockNumber: Uint,
    blockHash: Hash32,
    stateRoot: Hash32,
    batchCount: Uint,
    batchHash: Hash32,
    /** Seconds since the Unix epoch. */
    finalAt: Uint
  }),
  Schema.TaggedStruct("ClaimDisputed", { index: Uint }),
  Schema.TaggedStruct("ClaimResumed", { index: Uint, finalAt: Uint }),
  Schema.TaggedStruct("ClaimDefeated", { index: Uint }),
  Schema.TaggedStruct("ClaimFinalized", { index: Uint }),
  Schema.TaggedStruct("ETHDeposited", {
    from: Address,
    to: Address,
    amount: Uint,
    queueIndex: Uint
  }),
  Schema.TaggedStruct("WithdrawalFinalized", {
    withdrawalHash: Hash32,
    success: Schema.Boolean,
    value: Uint
  })
)
export type L1ContractEvent = typeof L1ContractEvent.Type

/** An L1 block and, in order, what our contracts said in it. */
export const L1Block = Schema.Struct({
  number: Uint,
  hash: Hash32,
  parentHash: Hash32,
  /** Seconds since the Unix epoch. */
  timestamp: Uint,
  events: Schema.Array(L1ContractEvent)
})
export type L1Block = typeof L1Block.Type

/** L1 grew by these blocks, oldest first; the first one's parent was the head so far. */
export class L1BlocksObserved extends Schema.TaggedClass<L1BlocksObserved>()(
  "v1.L1BlocksObserved",
  { blocks: Schema.NonEmptyArray(L1Block) }
) {}

/** The blocks above `commonNumber` are no longer L1's; what followed from them is undone. */
export class L1Reorganized extends Schema.TaggedClass<L1Reorganized>()("v1.L1Reorganized", {
  /** The last block that is still L1's. */
  commonNumber: Uint,
  commonHash: Hash32,
  /** The head that was. */
  oldHeadNumber: Uint,
  oldHeadHash: Hash32
}) {}

/** How far L1 itself promises not to change. */
export class L1HeadsAdvanced extends Schema.TaggedClass<L1HeadsAdvanced>()("v1.L1HeadsAdvanced", {
  safeNumber: Uint,
  finalizedNumber: Uint
}) {}

export const L1Event = Schema.Union(L1BlocksObserved, L1Reorganized, L1HeadsAdvanced)
export type L1Event = typeof L1Event.Type
