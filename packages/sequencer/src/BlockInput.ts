/** What makes a block, before it runs: everything else follows from it and from the parent. */
import type { L1Origin } from "@ovm/protocol/BlockContext"
import { BigInt as BigIntMath } from "effect"
import type { ChainBlock } from "./ChainIndex.ts"
import { laterOrigin } from "./NextBlock.ts"

export interface BlockInput {
  /** Seconds since the Unix epoch; the parent's if that is later. */
  readonly timestamp: bigint
  /** The parent's if that is later. */
  readonly l1Origin: L1Origin
  /** Raw entries of L1's queue, which come first. */
  readonly queued: ReadonlyArray<Uint8Array>
  /** Raw transactions of users, behind them. */
  readonly transactions: ReadonlyArray<Uint8Array>
}

/** What the block was made of: building it again on its parent gives the same. */
export const of = ({ context, items, queuedCount }: ChainBlock): BlockInput => ({
  timestamp: context.timestamp,
  l1Origin: context.l1Origin,
  queued: items.slice(0, queuedCount).map(({ raw }) => raw),
  transactions: items.slice(queuedCount).map(({ raw }) => raw)
})

/** Whether the block is what this input makes on the block's parent. */
export const makes = (input: BlockInput, block: ChainBlock, parent: ChainBlock): boolean => {
  const made = of(block)
  const before = parent.context
  const timestamp = BigIntMath.max(input.timestamp, before.timestamp)
  const origin = laterOrigin(before.l1Origin, input.l1Origin)
  return (
    made.timestamp === timestamp &&
    made.l1Origin.number === origin.number &&
    made.l1Origin.hash === origin.hash &&
    areEqual(made.queued, input.queued) &&
    areEqual(made.transactions, input.transactions)
  )
}

const areEqual = (left: ReadonlyArray<Uint8Array>, right: ReadonlyArray<Uint8Array>): boolean =>
  left.length === right.length &&
  left.every((bytes, index) => {
    const other = right[index]
    return other !== undefined && Buffer.compare(bytes, other) === 0
  })
