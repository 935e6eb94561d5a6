/** What running one transaction yields, in the words of an Ethereum receipt. */
import { Schema } from "effect"
import { Address, Hash32, Hex } from "./Primitives.ts"

export const Log = Schema.Struct({
  /** The OVM address of the contract that logged. */
  address: Address,
  topics: Schema.Array(Hash32),
  data: Hex
})
export type Log = typeof Log.Type

export const TransactionResult = Schema.Struct({
  transactionHash: Hash32,
  /** Hash of the wrapped transaction that entered the ExecutionManager. */
  internalTransactionHash: Hash32,
  sender: Address,
  success: Schema.Boolean,
  /** OVM gas units, intrinsic gas included. */
  gasUsed: Schema.NonNegativeBigInt,
  /** Wei per gas that the sender paid. */
  effectiveGasPrice: Schema.NonNegativeBigInt,
  /** What the outermost frame returned, or its revert data. */
  returnData: Hex,
  /** Address of the contract that a creation transaction made, if it succeeded. */
  contractAddress: Schema.optionalWith(Address, { exact: true }),
  logs: Schema.Array(Log),
  /** The trail: 3 bytes for each operation of the manager, its opcode and a checksum. */
  operations: Hex
})
export type TransactionResult = typeof TransactionResult.Type
