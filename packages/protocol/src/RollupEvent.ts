/**
 * Everything that ever happened on the chain, as past-tense facts. A block is its `BlockOpened`, a
 * `TransactionExecuted` for each transaction in order, and its `BlockSealed`, appended together.
 */
import { Schema } from "effect"
import { BlockHeader } from "./Block.ts"
import { BlockContext } from "./BlockContext.ts"
import { Genesis } from "./Genesis.ts"
import { PackedAddress, PackedHash32, PackedLog, PackedUint } from "./internal/Packed.ts"

/** The chain began with these accounts and settings. First event of every log, and only there. */
export class ChainStarted extends Schema.TaggedClass<ChainStarted>()("v1.ChainStarted", {
  genesis: Genesis,
  /** Root of the state that holds exactly the genesis accounts. */
  stateRoot: PackedHash32,
  /** Hash of block 0's header. */
  hash: PackedHash32
}) {}

/** The sequencer opened a block on top of `parentHash`; its transactions ran in `context`. */
export class BlockOpened extends Schema.TaggedClass<BlockOpened>()("v1.BlockOpened", {
  parentHash: PackedHash32,
  context: BlockContext
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
    internalTransactionHash: PackedHash32,
    sender: PackedAddress,
    success: Schema.Boolean,
    /** OVM gas units, intrinsic gas included. There are no refunds. */
    gasUsed: PackedUint,
    /** Wei per gas. */
    effectiveGasPrice: PackedUint,
    contractAddress: Schema.optionalWith(PackedAddress, { exact: true }),
    logs: Schema.Array(PackedLog),
    stateRoot: PackedHash32
  }
) {}

/** The block is complete: its header commits to all that happened since it was opened. */
export class BlockSealed extends Schema.TaggedClass<BlockSealed>()("v1.BlockSealed", {
  hash: PackedHash32,
  header: BlockHeader,
  transactionCount: Schema.NonNegativeInt
}) {}

export const RollupEvent = Schema.Union(ChainStarted, BlockOpened, TransactionExecuted, BlockSealed)
export type RollupEvent = typeof RollupEvent.Type
