/** What L1 knows of a batch, in the words of IInbox.sol. */
import { Schema } from "effect"
import { encodeAbiParameters, keccak256, parseAbiParameters } from "viem"
import { Address, Hash32 } from "./Primitives.ts"

const Uint = Schema.NonNegativeBigInt

/** Everything L1 keeps the hash of when a batch is appended. */
export const BatchRecord = Schema.Struct({
  /** 0-based place among all batches. */
  index: Uint,
  /** Merkle root of the leaves, as the batcher claims it; L1's own for a forced batch. */
  root: Hash32,
  /** keccak-256 of the payload; zero for a forced batch, which has none. */
  payloadHash: Hash32,
  blocks: Schema.NonNegativeInt,
  /** Leaves: user transactions and queued ones. */
  transactions: Schema.NonNegativeInt,
  /** First queue index that the batch takes. */
  queueStart: Uint,
  /** First queue index that the batch leaves out. */
  queueEnd: Uint,
  l1BlockNumber: Uint,
  /** Seconds since the Unix epoch. */
  l1Timestamp: Uint,
  l1ParentHash: Hash32,
  submitter: Address
})
export type BatchRecord = typeof BatchRecord.Type

/** keccak256(abi.encode(record)): what `Inbox.batchHash` answers. */
export const hash = (record: BatchRecord): Hash32 =>
  keccak256(
    encodeAbiParameters(
      parseAbiParameters(
        "uint256, bytes32, bytes32, uint32, uint32, uint64, uint64, uint64, uint64, bytes32, address"
      ),
      [
        record.index,
        record.root,
        record.payloadHash,
        record.blocks,
        record.transactions,
        record.queueStart,
        record.queueEnd,
        record.l1BlockNumber,
        record.l1Timestamp,
        record.l1ParentHash,
        record.submitter
      ]
    )
  )
