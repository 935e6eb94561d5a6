/**
 * Fills one block with what waits in L1's queue and what the mempool offers, and says of each
 * transaction that did not make it why.
 */
import type { ExecutionFault } from "@ovm/execution-manager/ExecutionError"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { attempt, type State, StateError } from "@ovm/state-manager/State"
import { Effect, Either, Option, Schema } from "effect"
import { fromInvalidReason } from "../Admission.ts"
import type { AdmissionError } from "../AdmissionError.ts"
import * as BlockBuilder from "../BlockBuilder.ts"
import type { PooledTransaction } from "../MempoolState.ts"
import { type Candidates, Ordering } from "../Ordering.ts"

const isStateError = Schema.is(StateError)

export type Rejection = AdmissionError | ExecutionFault

export interface FilledBlock {
  /** None if there is nothing to put in. */
  readonly block: Option.Option<BlockBuilder.SealedBlock>
  /** The state behind the block. */
  readonly state: State
  /** Nonces that the senders of what ran have behind it. */
  readonly nonces: ReadonlyMap<Address, bigint>
  /** Transactions that can't run any more. */
  readonly rejected: ReadonlyMap<Hash32, Rejection>
}

export interface FillOptions {
  readonly parentHash: Hash32
  /** The parent's state; stays as it is. */
  readonly parentState: State
  readonly context: BlockContext
  /** First queue index that no earlier block has taken. */
  readonly queueStart: bigint
  /** Raw entries of the queue, from that index on, that the block must take. */
  readonly queued: ReadonlyArray<Uint8Array>
  readonly candidates: Candidates
  /** Bytes that the candidates' transactions may take together. */
  readonly maxBytes: number
  /** Transactions of the block, queued ones included. */
  readonly maxTransactions: number
}

type Fill = Effect.Effect<FilledBlock, StateError | ExecutionFault, ExecutionManager | Ordering>

export const fillBlock = (options: FillOptions): Fill => fillWithout(options, new Map())

/** A fault leaves the state torn, so the block is begun again without the transaction that caused it. */
const fillWithout = (options: FillOptions, faulted: ReadonlyMap<Hash32, ExecutionFault>): Fill =>
  Effect.gen(function* () {
    const { context, parentHash, parentState, queued, queueStart } = options
    const state = parentState.fork()
    const candidates = without(options.candidates, faulted)
    const order = yield* Ordering
    const ordered = candidates.size === 0 ? [] : yield* order.order({ candidates, context })
    const block = yield* BlockBuilder.open({ parentHash, context, queueStart, state })
    // Nobody can leave out what L1 demands: a fault here ends the attempt.
    for (const raw of queued) yield* block.executeQueued(raw)
    const run = yield* runInOrder(block, ordered, options)
    if (Option.isSome(run.fault)) {
      const { fault, hash } = run.fault.value
      return yield* fillWithout(options, new Map([...faulted, [hash, fault]]))
    }
    const rejected = new Map<Hash32, Rejection>([...faulted, ...run.rejected])
    if (queued.length + run.count === 0) {
      return { block: Option.none(), state: parentState, nonces: new Map(), rejected }
    }
    const sealed = yield* block.seal
    return {
      block: Option.some(sealed),
      state,
      nonces: yield* noncesBehind(sealed, state),
      rejected
    }
  })

/** The nonces that the senders of a block's transactions have in the state behind it. */
export const noncesBehind = (
  block: BlockBuilder.SealedBlock,
  state: State
): Effect.Effect<ReadonlyMap<Address, bigint>, StateError> =>
  attempt(async () => {
    const nonces = new Map<Address, bigint>()
    for (const { result } of block.transactions) {
      if (nonces.has(result.sender)) continue
      nonces.set(result.sender, (await state.getAccount(result.sender))?.nonce ?? 0n)
    }
    return nonces
  })

/** Bytes that a batch spends on a transaction's length. */
const LENGTH_BYTES = 4

interface Run {
  readonly count: number
  readonly rejected: ReadonlyMap<Hash32, AdmissionError>
  readonly fault: Option.Option<{ readonly hash: Hash32; readonly fault: ExecutionFault }>
}

const runInOrder = (
  block: BlockBuilder.OpenBlock,
  ordered: ReadonlyArray<PooledTransaction>,
  { maxBytes, maxTransactions, queued }: FillOptions
) =>
  Effect.gen(function* () {
    const done = new Set<Hash32>()
    let bytesLeft = maxBytes
    const rejected = new Map<Hash32, AdmissionError>()
    // Once a sender's transaction misses the block, its later ones miss their nonce.
    const missed = new Set<Address>()
    for (const pooled of ordered) {
      const { hash, raw, sender } = pooled
      if (missed.has(sender) || done.has(hash)) continue
      const size = raw.length + LENGTH_BYTES
      if (size > bytesLeft || done.size + queued.length >= maxTransactions) {
        missed.add(sender)
        continue
      }
      const outcome = yield* Effect.either(block.execute(raw))
      if (Either.isRight(outcome)) {
        done.add(hash)
        bytesLeft -= size
        continue
      }
      missed.add(sender)
      const error = outcome.left
      switch (error._tag) {
        case "BlockGasExceeded":
          continue
        case "InvalidTransaction":
          // A policy may have put it too early; it stays for a block in which its turn comes.
          if (error.reason._tag !== "NonceTooHigh") {
            rejected.set(hash, fromInvalidReason(error.reason, pooled))
          }
          continue
        case "ExecutionFault": {
          // A store that fails says nothing of the transaction: all of them wait until it works again.
          if (isStateError(error.cause)) return yield* error.cause
          const fault = Option.some({ hash, fault: error })
          const run: Run = { count: done.size, rejected, fault }
          return run
        }
        default:
          return yield* error
      }
    }
    const run: Run = { count: done.size, rejected, fault: Option.none() }
    return run
  })

const without = (candidates: Candidates, hashes: ReadonlyMap<Hash32, unknown>): Candidates => {
  const out = new Map<Address, ReadonlyArray<PooledTransaction>>()
  for (const [sender, queue] of candidates) {
    const at = queue.findIndex(({ hash }) => hashes.has(hash))
    const rest = at < 0 ? queue : queue.slice(0, at)
    if (rest.length > 0) out.set(sender, rest)
  }
  return out
}
