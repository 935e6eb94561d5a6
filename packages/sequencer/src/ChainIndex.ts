/**
 * The chain as it is asked for: blocks and transactions by number and hash. A fold of the log, kept
 * in memory; drop it, and reading the log again gives the same.
 */
import type { BlockHeader } from "@ovm/protocol/Block"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import * as Genesis from "@ovm/protocol/Genesis"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import * as Receipt from "@ovm/protocol/Receipt"
import type { ChainStarted, TransactionExecuted } from "@ovm/protocol/RollupEvent"
import * as Transaction from "@ovm/protocol/Transaction"
import { Option } from "effect"
import type { BlockRecord } from "./ChainLog.ts"

export interface ChainTransaction {
  /** The hash that the user knows. */
  readonly hash: Hash32
  /** Hash of the wrapped transaction that entered the ExecutionManager. */
  readonly internalHash: Hash32
  readonly raw: Uint8Array
  readonly sender: Address
  readonly blockNumber: bigint
  readonly blockHash: Hash32
  /** 0-based place in the block. */
  readonly indexInBlock: number
  readonly receipt: Receipt.Receipt
  /** OVM gas units. */
  readonly gasUsed: bigint
  /** Wei per gas. */
  readonly effectiveGasPrice: bigint
  readonly contractAddress: Option.Option<Address>
  /** 0-based place of its first log among all logs of the block. */
  readonly firstLogIndex: number
  /** Root of the state right after it. */
  readonly stateRoot: Hash32
}

export interface ChainBlock {
  readonly header: BlockHeader
  readonly hash: Hash32
  readonly context: BlockContext
  readonly transactions: ReadonlyArray<ChainTransaction>
}

/** Grows with the chain; owned by whoever made it. */
export class ChainIndex {
  readonly #blocks: Array<ChainBlock> = []
  readonly #byHash = new Map<Hash32, ChainBlock>()
  readonly #transactions = new Map<Hash32, ChainTransaction>()
  #eventCount = 1
  #head: ChainBlock

  constructor({ genesis, hash, stateRoot }: ChainStarted) {
    const header = Genesis.header(genesis, stateRoot)
    this.#head = { header, hash, context: Genesis.context(genesis), transactions: [] }
    this.#keep(this.#head)
  }

  get head(): ChainBlock {
    return this.#head
  }

  /** Events of the chain's stream so far: the version that the next append expects. */
  get eventCount(): number {
    return this.#eventCount
  }

  block(number: bigint): Option.Option<ChainBlock> {
    return Option.fromNullable(this.#blocks[Number(number)])
  }

  blockByHash(hash: Hash32): Option.Option<ChainBlock> {
    return Option.fromNullable(this.#byHash.get(hash))
  }

  transaction(hash: Hash32): Option.Option<ChainTransaction> {
    return Option.fromNullable(this.#transactions.get(hash))
  }

  /** Puts the next block behind the head. */
  add(record: BlockRecord): ChainBlock {
    const block = blockOf(record)
    this.#eventCount += record.transactions.length + 2
    this.#head = block
    this.#keep(block)
    return block
  }

  #keep(block: ChainBlock): void {
    this.#blocks.push(block)
    this.#byHash.set(block.hash, block)
    for (const transaction of block.transactions) {
      this.#transactions.set(transaction.hash, transaction)
    }
  }
}

const blockOf = ({ opened, sealed, transactions }: BlockRecord): ChainBlock => {
  let cumulativeGasUsed = 0n
  let firstLogIndex = 0
  const indexed = transactions.map((event, indexInBlock) => {
    cumulativeGasUsed += event.gasUsed
    const transaction: ChainTransaction = {
      ...fromEvent(event, cumulativeGasUsed),
      blockNumber: sealed.header.number,
      blockHash: sealed.hash,
      indexInBlock,
      firstLogIndex
    }
    firstLogIndex += event.logs.length
    return transaction
  })
  const { hash, header } = sealed
  return { header, hash, context: opened.context, transactions: indexed }
}

const fromEvent = (event: TransactionExecuted, cumulativeGasUsed: bigint) => ({
  hash: Transaction.hash(event.raw),
  internalHash: event.internalTransactionHash,
  raw: event.raw,
  sender: event.sender,
  gasUsed: event.gasUsed,
  effectiveGasPrice: event.effectiveGasPrice,
  contractAddress: Option.fromNullable(event.contractAddress),
  stateRoot: event.stateRoot,
  receipt: Receipt.make({
    type: Receipt.typeOf(event.raw),
    success: event.success,
    cumulativeGasUsed,
    logs: event.logs
  })
})
