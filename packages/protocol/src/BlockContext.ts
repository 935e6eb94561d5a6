/** What a block tells the transactions in it; the sequencer commits to it, L1 re-runs with it. */
import { Schema } from "effect"
import { Address, Hash32 } from "./Primitives.ts"

const Uint = Schema.NonNegativeBigInt

/** The L1 block up to which a block's L1 messages are included. */
export const L1Origin = Schema.Struct({ number: Uint, hash: Hash32 })
export type L1Origin = typeof L1Origin.Type

export const BlockContext = Schema.Struct({
  chainId: Uint,
  number: Uint,
  /** Seconds since the Unix epoch, strictly the value that TIMESTAMP answers. */
  timestamp: Uint,
  /** Gas units that all transactions of the block may use together. */
  gasLimit: Uint,
  /** Wei per gas (EIP-1559). */
  baseFeePerGas: Uint,
  /** Receives the priority fees; COINBASE answers it. */
  coinbase: Address,
  prevRandao: Hash32,
  /** Wei per blob gas (EIP-7516); 1 on a chain without blobs. */
  blobBaseFee: Uint,
  l1Origin: L1Origin,
  /** Version of the transpiler T and of the gas schedule that hold in this block. */
  protocolVersion: Schema.NonNegativeInt
})
export type BlockContext = typeof BlockContext.Type
