/**
 * The chain as it is asked for: blocks and transactions by number and hash. A fold of the log, kept
 * in memory; drop it, and reading the log again gives the same.
 */
import type { BlockHeader } from "@ovm/protocol/Block"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import * as Genesis from "@ovm/protocol/Genesis"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import * as Receipt from "@ovm/protocol/Receipt"
import type { ChainRolledBack, ChainStarted, TransactionExecuted } from "@ovm/protocol/RollupEvent"
import * as Transaction from "@ovm/protocol/Transaction"
import { Option } from "effect"
import type { BlockRecord, ChainStep } from "./ChainLog.ts"

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

/** What stood for a transaction in the block, whether or not it could run. */
export interface ChainItem {
  readonly raw: Uint8Array
  /** Why it could not run; undefined if it ran. */
  readonly skipped: string | undefined
}

export interface ChainBlock {
  readonly header: BlockHeader
  readonly hash: Hash32
  readonly context: BlockContext
  /** First queue index that no earlier block has taken. */
  readonly queueStart: bigint
  /** How many of the items, the first ones, come from the queue. */
  readonly queuedCount: number
  /** Everything that was tried in the block, in order. */
  readonly items: ReadonlyArray<ChainItem>
  readonly transactions: ReadonlyArray<ChainTransaction>
}

/** First queue index that neither the block nor an earlier one has taken. */
export const queueEnd = ({ queueStart, queuedCount }: ChainBlock): bigint =>
  queueStart + BigInt(queuedCount)

/** Grows and shrinks with the chain; owned by whoever made it. */
export class ChainIndex {
  readonly #blocks: Array<ChainBlock> = []
  readonly #byHash = new Map<Hash32, ChainBlock>()
  readonly #transactions = new Map<Hash32, ChainTransaction>()
  #eventCount = 1
  #head: ChainBlock

  constructor({ genesis, hash, stateRoot }: ChainStarted) {
    const header = Genesis.header(genesis, stateRoot)
    this.#head = {
      header,
      hash,
      context: Genesis.context(genesis),
      queueStart: 0n,
      queuedCount: 0,
      items: [],
      transactions: []
    }
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
    this.#eventCount += record.items.length + 2
    this.#head = block
    this.#keep(block)
    return block
  }

  /** Takes away the blocks above one and answers them, oldest first; undefined if that one is not there. */
  rollBack({ toHash, toNumber }: ChainRolledBack): ReadonlyArray<ChainBlock> | undefined {
    const head = this.#blocks[Number(toNumber)]
    if (head === undefined || head.hash !== toHash) return undefined
    const dropped = this.#blocks.splice(Number(toNumber) + 1)
    for (const block of dropped) {
      this.#byHash.delete(block.hash)
      for (const { hash } of block.transactions) this.#transactions.delete(hash)
    }
    this.#head = head
    this.#eventCount += 1
    return dropped
  }

  /** Takes one step as the log tells it; false if it can't follow what came before. */
  step(done: ChainStep): boolean {
    if (done._tag === "RolledBack") return this.rollBack(done.event) !== undefined
    if (done.record.opened.parentHash !== this.#head.hash) return false
    this.add(done.record)
    return true
  }

  #keep(block: ChainBlock): void {
    this.#blocks.push(block)
    this.#byHash.set(block.hash, block)
    for (const transaction of block.transactions) {
      this.#transactions.set(transaction.hash, transaction)
    }
  }
}

const blockOf = ({ items, opened, sealed }: BlockRecord): ChainBlock => {
  let cumulativeGasUsed = 0n
  let firstLogIndex = 0
  const transactions: Array<ChainTransaction> = []
  for (const event of items) {
    if (event._tag === "v1.TransactionSkipped") continue
    cumulativeGasUsed += event.gasUsed
    transactions.push({
      ...fromEvent(event, cumulativeGasUsed),
      blockNumber: sealed.header.number,
      blockHash: sealed.hash,
      indexInBlock: transactions.length,
      firstLogIndex
    })
    firstLogIndex += event.logs.length
  }
  const { hash, header } = sealed
  const { context, queuedCount, queueStart } = opened
  return { header, hash, context, queueStart, queuedCount, items: items.map(itemOf), transactions }
}

const itemOf = (event: BlockRecord["items"][number]): ChainItem => ({
  raw: event.raw,
  skipped: event._tag === "v1.TransactionSkipped" ? event.reason : undefined
})

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
