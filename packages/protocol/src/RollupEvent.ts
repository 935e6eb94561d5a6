/**
 * Everything that ever happened on the chain, as past-tense facts. A block is its `BlockOpened`, a
 * `TransactionExecuted` or `TransactionSkipped` for each of its items in order, and its `BlockSealed`,
 * appended together.
 */
import { Schema } from "effect"
import { BlockHeader } from "./Block.ts"
import { BlockContext } from "./BlockContext.ts"
import { Log } from "./Execution.ts"
import { Genesis } from "./Genesis.ts"
import { Address, Hash32 } from "./Primitives.ts"

/** The chain began with these accounts and settings. First event of every log, and only there. */
export class ChainStarted extends Schema.TaggedClass<ChainStarted>()("v1.ChainStarted", {
  genesis: Genesis,
  /** Root of the state that holds exactly the genesis accounts. */
  stateRoot: Hash32,
  /** Hash of block 0's header. */
  hash: Hash32
}) {}

/**
 * A block was opened on top of `parentHash`; its transactions ran in `context`. Its first
 * `queuedCount` items come from L1's queue, from index `queueStart` on.
 */
export class BlockOpened extends Schema.TaggedClass<BlockOpened>()("v1.BlockOpened", {
  parentHash: Hash32,
  context: BlockContext,
  /** First queue index that no earlier block has taken. */
  queueStart: Schema.NonNegativeBigInt,
  queuedCount: Schema.NonNegativeInt
}) {}

/**
 * A transaction ran and moved the state to `stateRoot`. Running `raw` again yields every other
 * field; they are kept so that followers need not run it, and a replay can be compared with them.
 */
export class TransactionExecuted extends Schema.TaggedClass<TransactionExecuted>()(
  "v1.TransactionExecuted",
  {
    /** The signed bytes as the user sent them; their hash is the transaction's hash. */
    raw: Schema.Uint8ArrayFromSelf,
    internalTransactionHash: Hash32,
    sender: Address,
    success: Schema.Boolean,
    /** OVM gas units, intrinsic gas included. There are no refunds. */
    gasUsed: Schema.NonNegativeBigInt,
    /** Wei per gas. */
    effectiveGasPrice: Schema.NonNegativeBigInt,
    contractAddress: Schema.optionalWith(Address, { exact: true }),
    logs: Schema.Array(Log),
    /** The trail of the run: 3 bytes for each operation of the ExecutionManager, opcode and checksum. */
    operations: Schema.Uint8ArrayFromSelf,
    stateRoot: Hash32
  }
) {}

/**
 * What L1 made part of the block could not run, and changed nothing: it is in no trie of the block.
 * Running it again must fail again.
 */
export class TransactionSkipped extends Schema.TaggedClass<TransactionSkipped>()(
  "v1.TransactionSkipped",
  {
    raw: Schema.Uint8ArrayFromSelf,
    /** Why it is invalid, for people. */
    reason: Schema.String
  }
) {}

/** The block is complete: its header commits to all that happened since it was opened. */
export class BlockSealed extends Schema.TaggedClass<BlockSealed>()("v1.BlockSealed", {
  hash: Hash32,
  header: BlockHeader,
  /** Executed ones; those skipped don't count. */
  transactionCount: Schema.NonNegativeInt
}) {}

/** The blocks above `toNumber` are no longer the chain's; the next block follows that one. */
export class ChainRolledBack extends Schema.TaggedClass<ChainRolledBack>()("v1.ChainRolledBack", {
  toNumber: Schema.NonNegativeBigInt,
  toHash: Hash32,
  /** What L1 said instead, for people. */
  reason: Schema.String
}) {}

export const RollupEvent = Schema.Union(
  ChainStarted,
  BlockOpened,
  TransactionExecuted,
  TransactionSkipped,
  BlockSealed,
  ChainRolledBack
)
export type RollupEvent = typeof RollupEvent.Type
