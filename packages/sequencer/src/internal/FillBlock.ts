/** Fills one block with what the mempool offers, and says of each transaction that did not make it why. */
import type { ExecutionFault } from "@ovm/execution-manager/ExecutionError"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { type State, StateError } from "@ovm/state-manager/State"
import { Effect, Either, Option, Schema } from "effect"
import { fromInvalidReason } from "../Admission.ts"
import type { AdmissionError } from "../AdmissionError.ts"
import * as BlockBuilder from "../BlockBuilder.ts"
import type { PooledTransaction } from "../MempoolState.ts"
import { type Candidates, Ordering } from "../Ordering.ts"

const isStateError = Schema.is(StateError)

export type Rejection = AdmissionError | ExecutionFault

export interface FilledBlock {
  /** None if no transaction could run. */
  readonly block: Option.Option<BlockBuilder.SealedBlock>
  /** The state behind the block. */
  readonly state: State
  /** Nonces that the block's senders have behind it. */
  readonly nonces: ReadonlyMap<Address, bigint>
  /** Transactions that can't run any more. */
  readonly rejected: ReadonlyMap<Hash32, Rejection>
}

export interface FillOptions {
  readonly parentHash: Hash32
  /** The parent's state; stays as it is. */
  readonly parentState: State
  readonly context: BlockContext
  readonly candidates: Candidates
}

type Fill = Effect.Effect<FilledBlock, StateError, ExecutionManager | Ordering>

export const fillBlock = (options: FillOptions): Fill => fillWithout(options, new Map())

/** A fault leaves the state torn, so the block is begun again without the transaction that caused it. */
const fillWithout = (options: FillOptions, faulted: ReadonlyMap<Hash32, ExecutionFault>): Fill =>
  Effect.gen(function* () {
    const { context, parentHash, parentState } = options
    const state = parentState.fork()
    const candidates = without(options.candidates, faulted)
    const order = yield* Ordering
    const ordered = candidates.size === 0 ? [] : yield* order.order({ candidates, context })
    const block = yield* BlockBuilder.open({ parentHash, context, state })
    const run = yield* runInOrder(block, ordered)
    if (Option.isSome(run.fault)) {
      const { fault, hash } = run.fault.value
      return yield* fillWithout(options, new Map([...faulted, [hash, fault]]))
    }
    const rejected = new Map<Hash32, Rejection>([...faulted, ...run.rejected])
    const { nonces } = run
    if (nonces.size === 0) return { block: Option.none(), state: parentState, nonces, rejected }
    return { block: Option.some(yield* block.seal), state, nonces, rejected }
  })

interface Run {
  readonly nonces: ReadonlyMap<Address, bigint>
  readonly rejected: ReadonlyMap<Hash32, AdmissionError>
  readonly fault: Option.Option<{ readonly hash: Hash32; readonly fault: ExecutionFault }>
}

const runInOrder = (block: BlockBuilder.OpenBlock, ordered: ReadonlyArray<PooledTransaction>) =>
  Effect.gen(function* () {
    const done = new Set<Hash32>()
    const nonces = new Map<Address, bigint>()
    const rejected = new Map<Hash32, AdmissionError>()
    // Once a sender's transaction misses the block, its later ones miss their nonce.
    const missed = new Set<Address>()
    for (const pooled of ordered) {
      const { hash, raw, sender } = pooled
      if (missed.has(sender) || done.has(hash)) continue
      const outcome = yield* Effect.either(block.execute(raw))
      if (Either.isRight(outcome)) {
        done.add(hash)
        nonces.set(sender, pooled.transaction.nonce + 1n)
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
          const run: Run = { nonces, rejected, fault: Option.some({ hash, fault: error }) }
          return run
        }
        default:
          return yield* error
      }
    }
    const run: Run = { nonces, rejected, fault: Option.none() }
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
