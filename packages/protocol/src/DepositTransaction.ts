/**
 * What L1 tells L2 to run: type 0x7e, without signature, nonce or fees. Its bytes are worth nothing
 * unless the Inbox made them, so `Transaction.decode`, which reads what users send, refuses them.
 */
import { Either } from "effect"
import { concatBytes, encodeAbiParameters, hexToBytes, keccak256, parseAbiParameters } from "viem"
import {
  attempt,
  bytesOf,
  exactly,
  fixedBytes,
  malformed,
  type MalformedTransaction,
  recipient,
  uint
} from "./internal/TransactionFields.ts"
import type { Address, Hash32 } from "./Primitives.ts"
import * as Rlp from "./Rlp.ts"

/** The first byte of the raw form (EIP-2718). */
export const TYPE = 0x7e

export interface DepositTransaction {
  readonly type: typeof TYPE
  /** Where on L1 it comes from; makes each deposit's hash its own. */
  readonly sourceHash: Hash32
  /** Who deposited: the address on L1, or its alias if it is a contract's. */
  readonly from: Address
  /** Undefined for a deposit that creates a contract. */
  readonly to: Address | undefined
  /** Wei that the reserve gives to `from` before anything runs; they stay even if the run fails. */
  readonly mint: bigint
  /** Wei moved from `from` to `to` or to the new contract. */
  readonly value: bigint
  readonly gasLimit: bigint
  readonly data: Uint8Array
}

export type DecodeError = Rlp.MalformedRlp | MalformedTransaction

/** Whether raw bytes call themselves a deposit. */
export const isDeposit = (raw: Uint8Array): boolean => raw[0] === TYPE

/** Reads one raw deposit. `encode` of the outcome gives the same bytes again. */
export const decode = (raw: Uint8Array): Either.Either<DepositTransaction, DecodeError> => {
  if (!isDeposit(raw)) {
    const found = raw[0] === undefined ? "none" : `0x${raw[0].toString(16).padStart(2, "0")}`
    return Either.left(malformed("first byte", "0x7e, the type of deposits", found))
  }
  return Either.flatMap(Rlp.decode(raw.subarray(1)), (item) => attempt(item, read))
}

/** The raw bytes, as the Inbox makes them. */
export const encode = (deposit: DepositTransaction): Uint8Array =>
  concatBytes([
    Uint8Array.of(TYPE),
    Rlp.encode([
      hexToBytes(deposit.sourceHash),
      hexToBytes(deposit.from),
      deposit.to === undefined ? new Uint8Array(0) : hexToBytes(deposit.to),
      Rlp.encodeUint(deposit.mint),
      Rlp.encodeUint(deposit.value),
      Rlp.encodeUint(deposit.gasLimit),
      deposit.data
    ])
  ])

/** The hash by which clients know the deposit. */
export const hash = (deposit: DepositTransaction): Hash32 => keccak256(encode(deposit))

/** keccak256(abi.encode(l1ChainId, inbox, queueIndex)): no two queue entries share it. */
export const sourceHash = (origin: {
  readonly l1ChainId: bigint
  readonly inbox: Address
  /** 0-based place in the Inbox's queue. */
  readonly queueIndex: bigint
}): Hash32 =>
  keccak256(
    encodeAbiParameters(parseAbiParameters("uint256, address, uint256"), [
      origin.l1ChainId,
      origin.inbox,
      origin.queueIndex
    ])
  )

const read = (fields: ReadonlyArray<Rlp.RlpItem>): DepositTransaction => {
  const [source, from, to, mint, value, gasLimit, data] = exactly(fields, 7)
  return {
    type: TYPE,
    sourceHash: fixedBytes("sourceHash", source, 32),
    from: fixedBytes("from", from, 20),
    to: recipient(to),
    mint: uint("mint", mint, 256),
    value: uint("value", value, 256),
    gasLimit: uint("gasLimit", gasLimit, 64),
    data: bytesOf("data", data)
  }
}
