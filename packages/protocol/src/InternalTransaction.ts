/**
 * The wrapped transaction that enters the ExecutionManager. Users know the original hash; this one
 * names the same transaction as the ExecutionManager saw it: in one block, at one index.
 */
import { hexToBytes, keccak256 } from "viem"
import type { Address, Hash32 } from "./Primitives.ts"
import * as Rlp from "./Rlp.ts"

/** EIP-2718 type byte of internal transactions; users cannot submit this type. */
export const INTERNAL_TRANSACTION_TYPE = 0x7d

export interface InternalTransaction {
  readonly chainId: bigint
  readonly blockNumber: bigint
  /** 0-based place in the block. */
  readonly indexInBlock: bigint
  /** The ExecutionManager that is called. */
  readonly executionManager: Address
  /** Gas units supplied to the call. */
  readonly gas: bigint
  /** ABI-encoded call of `executeTransaction`. */
  readonly calldata: Uint8Array
}

/** keccak256(0x7d || rlp([chainId, blockNumber, indexInBlock, executionManager, gas, calldata])) */
export const internalTransactionHash = (transaction: InternalTransaction): Hash32 => {
  const payload = Rlp.encode([
    Rlp.encodeUint(transaction.chainId),
    Rlp.encodeUint(transaction.blockNumber),
    Rlp.encodeUint(transaction.indexInBlock),
    hexToBytes(transaction.executionManager),
    Rlp.encodeUint(transaction.gas),
    transaction.calldata
  ])
  const bytes = new Uint8Array(payload.length + 1)
  bytes[0] = INTERNAL_TRANSACTION_TYPE
  bytes.set(payload, 1)
  return keccak256(bytes)
}
