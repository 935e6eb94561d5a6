/** The sequencer's bounds, and those that L1 sets it: how old its news may be, what a block may take. */
import {
  MAX_BATCH_TRANSACTIONS,
  MAX_QUEUED_PER_BATCH,
  MAX_TRANSACTION_GAS
} from "@ovm/protocol/Deployment"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import { Effect } from "effect"
import { fitting, L1Lagging, type L1Source } from "../L1Source.ts"
import type { SequencerOptions } from "../Sequencer.ts"

/** Raw bytes of a block's transactions, with what a batch adds to each, that fit one batch uncompressed. */
const MAX_BLOCK_BYTES = Number(GasSchedule.TRANSACTION_BYTES_MAX) + 1_024
const MAX_L1_LAG_SECONDS = 300

export interface Limits {
  readonly maxTransactionGas: bigint
  readonly minTipPerGas: bigint
  readonly maxBlockBytes: number
  readonly maxBlockTransactions: number
  readonly maxL1LagSeconds: number
}

export const limitsOf = (options: SequencerOptions): Limits => ({
  maxTransactionGas: options.maxTransactionGas ?? MAX_TRANSACTION_GAS,
  minTipPerGas: options.minTipPerGas ?? 0n,
  // A transaction that was admitted must fit some block.
  maxBlockBytes: Math.max(
    options.maxBlockBytes ?? MAX_BLOCK_BYTES,
    Number(GasSchedule.TRANSACTION_BYTES_MAX) + 8
  ),
  // A block that fits no batch would never get to L1, nor would any after it.
  maxBlockTransactions: Math.min(
    options.maxBlockTransactions ?? MAX_BATCH_TRANSACTIONS,
    MAX_BATCH_TRANSACTIONS
  ),
  maxL1LagSeconds: options.maxL1LagSeconds ?? MAX_L1_LAG_SECONDS
})

/** Fails while L1's news are too old to build on. */
export const requireFresh = (source: typeof L1Source.Service, { maxL1LagSeconds }: Limits) =>
  Effect.flatMap(source.lagSeconds, (lagSeconds) =>
    lagSeconds > maxL1LagSeconds
      ? new L1Lagging({ lagSeconds, limitSeconds: maxL1LagSeconds })
      : Effect.void
  )

/** The raw queue entries that the next block must take: all that wait and fit. */
export const waitingQueue = (
  source: typeof L1Source.Service,
  options: { readonly from: bigint; readonly upTo: bigint; readonly blockGasLimit: bigint }
) =>
  Effect.map(
    source.queue({ from: options.from, upTo: options.upTo, limit: MAX_QUEUED_PER_BATCH }),
    (entries) => fitting(entries, options.blockGasLimit).map(({ raw }) => raw)
  )
