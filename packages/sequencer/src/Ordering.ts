/** The policy of who goes first. Replace this layer to change it; nothing else needs to know. */
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Address } from "@ovm/protocol/Primitives"
import { effectiveTip } from "@ovm/protocol/Transaction"
import { Context, Effect, Layer } from "effect"
import type { PooledTransaction } from "./MempoolState.ts"

/** What could run in the next block: by sender, each in nonce order. */
export type Candidates = ReadonlyMap<Address, ReadonlyArray<PooledTransaction>>

export class Ordering extends Context.Tag("@ovm/sequencer/Ordering")<
  Ordering,
  {
    /**
     * The candidates in the order in which the block shall try them. One that comes before an
     * earlier nonce of its sender will not fit the state and misses this block; one left out waits.
     */
    readonly order: (options: {
      readonly candidates: Candidates
      readonly context: BlockContext
    }) => Effect.Effect<ReadonlyArray<PooledTransaction>>
  }
>() {}

/** The highest tip first, the earlier arrival where tips are equal; each sender in nonce order. */
export const layerByFee: Layer.Layer<Ordering> = Layer.succeed(Ordering, {
  order: ({ candidates, context }) =>
    Effect.sync(() =>
      merge(candidates, (left, right) => {
        const leftTip = effectiveTip(left.transaction, context.baseFeePerGas)
        const rightTip = effectiveTip(right.transaction, context.baseFeePerGas)
        return leftTip === rightTip ? left.arrival < right.arrival : leftTip > rightTip
      })
    )
})

/** First come, first served; each sender in nonce order. */
export const layerByArrival: Layer.Layer<Ordering> = Layer.succeed(Ordering, {
  order: ({ candidates }) =>
    Effect.sync(() => merge(candidates, (left, right) => left.arrival < right.arrival))
})

/** Joins the senders' queues: of their first transactions, always the one that `isBefore` others. */
export const merge = (
  candidates: Candidates,
  isBefore: (left: PooledTransaction, right: PooledTransaction) => boolean
): ReadonlyArray<PooledTransaction> => {
  const heap: Array<Cursor> = []
  const precedes = (left: Cursor, right: Cursor) => isBefore(left.first, right.first)
  for (const queue of candidates.values()) {
    const first = queue[0]
    if (first !== undefined) push(heap, { queue, index: 0, first }, precedes)
  }
  const out: Array<PooledTransaction> = []
  for (let top = pop(heap, precedes); top !== undefined; top = pop(heap, precedes)) {
    out.push(top.first)
    const next = top.queue[top.index + 1]
    if (next !== undefined) {
      push(heap, { queue: top.queue, index: top.index + 1, first: next }, precedes)
    }
  }
  return out
}

interface Cursor {
  readonly queue: ReadonlyArray<PooledTransaction>
  readonly index: number
  readonly first: PooledTransaction
}
type Precedes = (left: Cursor, right: Cursor) => boolean

const swap = (heap: Array<Cursor>, left: number, right: number): void => {
  const a = heap[left]
  const b = heap[right]
  if (a === undefined || b === undefined) return
  heap[left] = b
  heap[right] = a
}

const wins = (heap: ReadonlyArray<Cursor>, left: number, right: number, precedes: Precedes) => {
  const a = heap[left]
  const b = heap[right]
  return a !== undefined && b !== undefined && precedes(a, b)
}

const push = (heap: Array<Cursor>, cursor: Cursor, precedes: Precedes): void => {
  heap.push(cursor)
  let at = heap.length - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!wins(heap, at, parent, precedes)) return
    swap(heap, at, parent)
    at = parent
  }
}

const pop = (heap: Array<Cursor>, precedes: Precedes): Cursor | undefined => {
  swap(heap, 0, heap.length - 1)
  const top = heap.pop()
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const child = wins(heap, left + 1, left, precedes) ? left + 1 : left
    if (!wins(heap, child, at, precedes)) return top
    swap(heap, at, child)
    at = child
  }
}
