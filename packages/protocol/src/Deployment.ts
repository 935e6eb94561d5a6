/** One rollup on one L1: where its contracts are, what they were made with, and where L2 starts. */
import { Schema } from "effect"
import { Genesis } from "./Genesis.ts"
import { Address, Hash32 } from "./Primitives.ts"

/** L1 addresses. */
export const L1Contracts = Schema.Struct({
  inbox: Address,
  stateCommitmentChain: Address,
  bridge: Address,
  messenger: Address,
  transactionDecoder: Address,
  batchVerifier: Address
})
export type L1Contracts = typeof L1Contracts.Type

/** What was chosen when the contracts were deployed. */
export const RollupParameters = Schema.Struct({
  /** Who may append batches. */
  batcher: Address,
  /** Who may pause, for a bounded time, and nothing else. */
  guardian: Address,
  /** Who may dispute claims; the zero address: nobody yet. */
  disputeGame: Address,
  /** Seconds. */
  challengePeriodSeconds: Schema.NonNegativeInt,
  /** Seconds that a queue entry may wait before anyone may force it. */
  forceInclusionWindowSeconds: Schema.NonNegativeInt,
  /** Wei that answers for a claim. */
  claimBondWei: Schema.NonNegativeBigInt,
  /** Wei that answers for the batches. */
  batcherBondWei: Schema.NonNegativeBigInt
})
export type RollupParameters = typeof RollupParameters.Type

export const Deployment = Schema.Struct({
  l1ChainId: Schema.NonNegativeBigInt,
  /** First L1 block that can hold anything of ours. */
  deployedAt: Schema.Struct({ number: Schema.NonNegativeBigInt, hash: Hash32 }),
  contracts: L1Contracts,
  parameters: RollupParameters,
  genesis: Genesis,
  /** Hash of L2 block 0, which claim 0 holds. */
  genesisHash: Hash32
})
export type Deployment = typeof Deployment.Type

/** The deployment as one file of JSON. */
export const DeploymentJson = Schema.parseJson(Deployment)

/** How far an L2 block's time may run ahead of the L1 block that holds its batch, in seconds. */
export const MAX_DRIFT_SECONDS = 600n
/** OVM gas units of one transaction at most (EIP-7825 on L1). */
export const MAX_TRANSACTION_GAS = 14_000_000n
/** Entries that one forced batch may take. */
export const MAX_FORCED_ENTRIES = 64
/** Transactions of one batch at most: users' and queued ones, those that can't run included. */
export const MAX_BATCH_TRANSACTIONS = 1_536
/** Queue entries that one batch may take. */
export const MAX_QUEUED_PER_BATCH = 512
/** OVM gas units per unit of L1 gas that enqueueing burns. */
export const ENQUEUE_GAS_DIVISOR = 32n
