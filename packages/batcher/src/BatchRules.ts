/**
 * When a batch is valid, and what counts in its place when it isn't. Pure, and the same on L1 (BatchVerifier.sol):
 * a node follows these rules, whoever breaks them is proven wrong by them.
 */
import type { BatchRecord } from "@ovm/protocol/BatchRecord"
import { MAX_DRIFT_SECONDS } from "@ovm/protocol/Deployment"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Either, Schema } from "effect"
import { keccak256 } from "viem"
import { type BatchBlock, countTransactions, decode, type MalformedPayload } from "./BatchCodec.ts"
import * as BatchTree from "./BatchTree.ts"

/** What the rules need of a queue entry (`QueueEntry` of IInbox.sol). */
export interface QueueEntry {
  /** keccak-256 of the raw bytes. */
  readonly transactionHash: Hash32
  /** L1 block in which it was enqueued. */
  readonly blockNumber: bigint
  /** OVM gas units. */
  readonly gasLimit: bigint
}

/** What the rules need of a batch's record: the batcher's promises, and where L1 has the batch. */
export type BatchFacts = Pick<
  BatchRecord,
  "root" | "blocks" | "transactions" | "queueStart" | "queueEnd" | "l1BlockNumber" | "l1Timestamp"
>

/** What a rule was broken by. Its place in the list is the number that BatchVerifier.sol answers. */
export const Rule = Schema.Literal(
  "Payload",
  "Blocks",
  "Transactions",
  "Queued",
  "UserTransaction",
  "QueuedBeforeOrigin",
  "QueuedGas",
  "LastOrigin",
  "LastTimestamp",
  "Root"
)
export type Rule = typeof Rule.Type

/** The payload isn't what the record promises. Treat it as a forced batch (`fallbackBlocks`), and prove it wrong on L1. */
export class BrokenRule extends Schema.TaggedError<BrokenRule>()("BrokenRule", {
  rule: Rule,
  /** 0-based block of the batch that breaks it; none for a rule about the whole batch. */
  blockIndex: Schema.optional(Schema.NonNegativeInt),
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    const where = this.blockIndex === undefined ? "" : ` in block ${this.blockIndex}`
    return `Batch breaks rule ${this.rule}${where}: expected ${this.expected}, found ${this.found}. Treat it as a forced batch.`
  }
}

/** Why a batch is not valid. */
export type InvalidBatch = MalformedPayload | BrokenRule

/** The number that BatchVerifier.sol answers for it. */
export const reasonNumber = (reason: InvalidBatch): number =>
  reason._tag === "MalformedPayload" ? 1 : Rule.literals.indexOf(reason.rule) + 1

/** Type byte of a deposit transaction, which only the Inbox makes. */
const DEPOSIT_TYPE = 0x7e

/** One block of a batch: valid as it was posted, or made in place of one that isn't. */
export interface CheckedBatch {
  readonly blocks: ReadonlyArray<BatchBlock>
  /** One for each transaction, in order. */
  readonly leaves: ReadonlyArray<Hash32>
  readonly root: Hash32
}

/**
 * The blocks of a valid batch, or the first rule that it breaks. `entries` are the queue's
 * `[queueStart, queueEnd)`, all of them. The caller knows that the payload has the record's hash.
 */
export const check = (options: {
  readonly record: BatchFacts
  readonly payload: Uint8Array
  readonly entries: ReadonlyArray<QueueEntry>
  readonly l2BlockGasLimit: bigint
}): Either.Either<CheckedBatch, InvalidBatch> => {
  const { entries, l2BlockGasLimit, payload, record } = options
  return Either.flatMap(decode(payload), (blocks) => {
    const broken =
      checkTotals(blocks, record, entries.length) ??
      checkBlocks(blocks, entries, l2BlockGasLimit) ??
      checkLast(blocks.at(-1), record)
    if (broken !== undefined) return Either.left(broken)
    const leaves = leavesOf(blocks, entries)
    const root = BatchTree.root(leaves)
    return root === record.root
      ? Either.right({ blocks, leaves, root })
      : Either.left(new BrokenRule({ rule: "Root", expected: root, found: record.root }))
  })
}

const checkTotals = (
  blocks: ReadonlyArray<BatchBlock>,
  record: BatchFacts,
  entries: number
): BrokenRule | undefined => {
  const totals: ReadonlyArray<readonly [Rule, number, number]> = [
    ["Blocks", record.blocks, blocks.length],
    ["Transactions", record.transactions, countTransactions(blocks)],
    ["Queued", entries, blocks.reduce((sum, { queuedCount }) => sum + queuedCount, 0)]
  ]
  for (const [rule, expected, found] of totals) {
    if (expected !== found) {
      return new BrokenRule({ rule, expected: `${expected}`, found: `${found}` })
    }
  }
  return undefined
}

const checkBlocks = (
  blocks: ReadonlyArray<BatchBlock>,
  entries: ReadonlyArray<QueueEntry>,
  l2BlockGasLimit: bigint
): BrokenRule | undefined => {
  let taken = 0
  for (const [blockIndex, block] of blocks.entries()) {
    const own = entries.slice(taken, taken + block.queuedCount)
    taken += block.queuedCount
    const broken =
      checkQueued(blockIndex, block, own, l2BlockGasLimit) ?? checkUsers(blockIndex, block)
    if (broken !== undefined) return broken
  }
  return undefined
}

const checkQueued = (
  blockIndex: number,
  block: BatchBlock,
  entries: ReadonlyArray<QueueEntry>,
  l2BlockGasLimit: bigint
): BrokenRule | undefined => {
  let gas = 0n
  for (const { blockNumber, gasLimit } of entries) {
    gas += gasLimit
    if (blockNumber <= block.l1OriginNumber) continue
    return new BrokenRule({
      rule: "QueuedBeforeOrigin",
      blockIndex,
      expected: `an L1 origin of at least ${blockNumber}`,
      found: `${block.l1OriginNumber}`
    })
  }
  if (gas <= l2BlockGasLimit) return undefined
  const expected = `at most ${l2BlockGasLimit} gas of queued transactions`
  return new BrokenRule({ rule: "QueuedGas", blockIndex, expected, found: `${gas}` })
}

const checkUsers = (blockIndex: number, { transactions }: BatchBlock): BrokenRule | undefined => {
  const bad = transactions.find((raw) => raw.length === 0 || raw[0] === DEPOSIT_TYPE)
  if (bad === undefined) return undefined
  const expected = "a user transaction that is not empty and no deposit"
  const found = bad.length === 0 ? "an empty one" : "type 0x7e"
  return new BrokenRule({ rule: "UserTransaction", blockIndex, expected, found })
}

const checkLast = (last: BatchBlock | undefined, record: BatchFacts): BrokenRule | undefined => {
  if (last === undefined) return undefined
  if (last.l1OriginNumber >= record.l1BlockNumber) {
    const expected = `an L1 origin before ${record.l1BlockNumber}`
    return new BrokenRule({ rule: "LastOrigin", expected, found: `${last.l1OriginNumber}` })
  }
  const latest = record.l1Timestamp + MAX_DRIFT_SECONDS
  if (last.timestamp <= latest) return undefined
  const expected = `a timestamp of at most ${latest}`
  return new BrokenRule({ rule: "LastTimestamp", expected, found: `${last.timestamp}` })
}

/** The leaves of a batch's blocks, where `entries` are the queue entries that it takes. */
export const leavesOf = (
  blocks: ReadonlyArray<BatchBlock>,
  entries: ReadonlyArray<Pick<QueueEntry, "transactionHash">>
): ReadonlyArray<Hash32> => {
  let taken = 0
  return blocks.flatMap((block, blockIndex) => {
    const queued = entries.slice(taken, taken + block.queuedCount)
    taken += block.queuedCount
    const hashes = [
      ...queued.map(({ transactionHash }) => transactionHash),
      ...block.transactions.map((raw) => keccak256(raw))
    ]
    return hashes.map((transactionHash, indexInBlock) =>
      BatchTree.hashLeaf({
        blockIndex,
        blockTransactions: hashes.length,
        timestamp: block.timestamp,
        l1OriginNumber: block.l1OriginNumber,
        indexInBlock,
        queued: indexInBlock < queued.length,
        transactionHash
      })
    )
  })
}

/** What a forced batch holds, and an invalid one: its entries, as many to a block as their gas limits allow. */
export const fallbackBlocks = (
  record: Pick<BatchRecord, "l1BlockNumber" | "l1Timestamp">,
  entries: ReadonlyArray<QueueEntry>,
  l2BlockGasLimit: bigint
): CheckedBatch => {
  const counts: Array<number> = []
  let count = 0
  let gas = 0n
  for (const { gasLimit } of entries) {
    if (count > 0 && gas + gasLimit > l2BlockGasLimit) {
      counts.push(count)
      count = 0
      gas = 0n
    }
    count++
    gas += gasLimit
  }
  if (count > 0) counts.push(count)
  const blocks = counts.map((queuedCount) => ({
    timestamp: record.l1Timestamp,
    l1OriginNumber: record.l1BlockNumber - 1n,
    queuedCount,
    transactions: []
  }))
  const leaves = leavesOf(blocks, entries)
  return { blocks, leaves, root: BatchTree.root(leaves) }
}
