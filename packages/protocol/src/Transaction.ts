/**
 * Signed transactions as they travel: raw bytes in, typed fields out, and back without loss.
 * Legacy (before and after EIP-155), EIP-2930 and EIP-1559.
 */
import { BigInt as BigIntMath, Either, Schema } from "effect"
import { hexToBytes, keccak256 } from "viem"
import {
  attempt,
  bytesOf,
  exactly,
  fixedBytes,
  listOf,
  malformed,
  MalformedTransaction,
  recipient,
  uint
} from "./internal/TransactionFields.ts"
import type { Address, Hash32 } from "./Primitives.ts"
import * as Rlp from "./Rlp.ts"

export interface AccessListEntry {
  readonly address: Address
  readonly storageKeys: ReadonlyArray<Hash32>
}
export type AccessList = ReadonlyArray<AccessListEntry>

export interface TransactionSignature {
  readonly r: bigint
  readonly s: bigint
  /** Whether the y coordinate of the signature's point is odd. */
  readonly yParity: 0 | 1
}

interface TransactionFields {
  readonly nonce: bigint
  readonly gasLimit: bigint
  /** Undefined for a transaction that creates a contract. */
  readonly to: Address | undefined
  /** Wei moved from the sender to `to` or to the new contract. */
  readonly value: bigint
  readonly data: Uint8Array
  readonly signature: TransactionSignature
}

export interface LegacyTransaction extends TransactionFields {
  readonly type: 0
  /** Undefined for a signature made before EIP-155, which holds on every chain. */
  readonly chainId: bigint | undefined
  /** Wei per gas. */
  readonly gasPrice: bigint
}

export interface AccessListTransaction extends TransactionFields {
  readonly type: 1
  readonly chainId: bigint
  /** Wei per gas. */
  readonly gasPrice: bigint
  readonly accessList: AccessList
}

export interface FeeMarketTransaction extends TransactionFields {
  readonly type: 2
  readonly chainId: bigint
  /** Wei per gas, base fee and tip together, that the sender pays at most. */
  readonly maxFeePerGas: bigint
  /** Wei per gas above the base fee that the sender gives at most. */
  readonly maxPriorityFeePerGas: bigint
  readonly accessList: AccessList
}

export type Transaction = LegacyTransaction | AccessListTransaction | FeeMarketTransaction

export { MalformedTransaction }

/** The type byte names no type that runs here. Recover by signing a transaction of type 0, 1 or 2. */
export class UnsupportedTransactionType extends Schema.TaggedError<UnsupportedTransactionType>()(
  "UnsupportedTransactionType",
  { type: Schema.Int }
) {
  override get message() {
    const found = `0x${this.type.toString(16).padStart(2, "0")}`
    return `transaction type not supported: expected 0x00, 0x01 or 0x02, found ${found}`
  }
}

export type DecodeError = Rlp.MalformedRlp | MalformedTransaction | UnsupportedTransactionType

/** Reads one raw signed transaction. `encode` of the outcome gives the same bytes again. */
export const decode = (raw: Uint8Array): Either.Either<Transaction, DecodeError> => {
  const prefix = raw[0]
  if (prefix === undefined) {
    return Either.left(malformed("raw bytes", "at least one byte", "none"))
  }
  if (prefix >= 0xc0) return Either.flatMap(Rlp.decode(raw), (item) => attempt(item, readLegacy))
  if (prefix >= 0x80) {
    return Either.left(malformed("first byte", "a type or a list", `0x${prefix.toString(16)}`))
  }
  if (prefix !== 1 && prefix !== 2) {
    return Either.left(new UnsupportedTransactionType({ type: prefix }))
  }
  return Either.flatMap(Rlp.decode(raw.subarray(1)), (item) =>
    attempt<Transaction>(item, prefix === 1 ? readAccessListTransaction : readFeeMarket)
  )
}

/** The raw signed bytes, as `eth_sendRawTransaction` takes them. */
export const encode = (transaction: Transaction): Uint8Array =>
  envelope(transaction, [...unsignedFields(transaction), ...signatureFields(transaction)])

/** What the sender signed. */
export const signingHash = (transaction: Transaction): Uint8Array => {
  const fields = unsignedFields(transaction)
  const protectedByChain = transaction.type === 0 && transaction.chainId !== undefined
  const tail = protectedByChain
    ? [Rlp.encodeUint(transaction.chainId ?? 0n), new Uint8Array(0), new Uint8Array(0)]
    : []
  return keccak256(envelope(transaction, [...fields, ...tail]), "bytes")
}

/** The hash by which Ethereum clients know a transaction. */
export const hash = (raw: Uint8Array): Hash32 => keccak256(raw)

/** Wei per gas that the sender pays at most. */
export const feeCap = (transaction: Transaction): bigint =>
  transaction.type === 2 ? transaction.maxFeePerGas : transaction.gasPrice

/** Wei per gas that the sender gives to the coinbase at most. */
export const tipCap = (transaction: Transaction): bigint =>
  transaction.type === 2 ? transaction.maxPriorityFeePerGas : transaction.gasPrice

/** Wei per gas that goes to the coinbase; negative if the fee cap does not reach the base fee. */
export const effectiveTip = (transaction: Transaction, baseFeePerGas: bigint): bigint =>
  BigIntMath.min(feeCap(transaction) - baseFeePerGas, tipCap(transaction))

export const accessListOf = (transaction: Transaction): AccessList =>
  transaction.type === 0 ? [] : transaction.accessList

const readLegacy = (fields: ReadonlyArray<Rlp.RlpItem>): LegacyTransaction => {
  const [nonce, gasPrice, gasLimit, to, value, data, v, r, s] = exactly(fields, 9)
  const { chainId, yParity } = readV(uint("v", v, 256))
  return {
    type: 0,
    chainId,
    nonce: uint("nonce", nonce, 64),
    gasPrice: uint("gasPrice", gasPrice, 256),
    gasLimit: uint("gasLimit", gasLimit, 64),
    to: recipient(to),
    value: uint("value", value, 256),
    data: bytesOf("data", data),
    signature: { r: uint("r", r, 256), s: uint("s", s, 256), yParity }
  }
}

const readAccessListTransaction = (fields: ReadonlyArray<Rlp.RlpItem>): AccessListTransaction => {
  const [chainId, nonce, gasPrice, gasLimit, to, value, data, accessList, parity, r, s] = exactly(
    fields,
    11
  )
  return {
    type: 1,
    chainId: uint("chainId", chainId, 256),
    nonce: uint("nonce", nonce, 64),
    gasPrice: uint("gasPrice", gasPrice, 256),
    gasLimit: uint("gasLimit", gasLimit, 64),
    to: recipient(to),
    value: uint("value", value, 256),
    data: bytesOf("data", data),
    accessList: readAccessList(accessList),
    signature: readSignature(parity, r, s)
  }
}

const readFeeMarket = (fields: ReadonlyArray<Rlp.RlpItem>): FeeMarketTransaction => {
  const [chainId, nonce, tip, cap, gasLimit, to, value, data, accessList, parity, r, s] = exactly(
    fields,
    12
  )
  return {
    type: 2,
    chainId: uint("chainId", chainId, 256),
    nonce: uint("nonce", nonce, 64),
    maxPriorityFeePerGas: uint("maxPriorityFeePerGas", tip, 256),
    maxFeePerGas: uint("maxFeePerGas", cap, 256),
    gasLimit: uint("gasLimit", gasLimit, 64),
    to: recipient(to),
    value: uint("value", value, 256),
    data: bytesOf("data", data),
    accessList: readAccessList(accessList),
    signature: readSignature(parity, r, s)
  }
}

const readAccessList = (item: Rlp.RlpItem | undefined): AccessList =>
  listOf("accessList", item).map((entry) => {
    const pair = listOf("accessList entry", entry)
    if (pair.length !== 2) throw malformed("accessList entry", "2 fields", `${pair.length} fields`)
    return {
      address: fixedBytes("accessList address", pair[0], 20),
      storageKeys: listOf("accessList storageKeys", pair[1]).map((key) =>
        fixedBytes("accessList storage key", key, 32)
      )
    }
  })

const readSignature = (
  parity: Rlp.RlpItem | undefined,
  r: Rlp.RlpItem | undefined,
  s: Rlp.RlpItem | undefined
): TransactionSignature => {
  const yParity = uint("yParity", parity, 256)
  if (yParity > 1n) throw malformed("yParity", "0 or 1", `${yParity}`)
  return { r: uint("r", r, 256), s: uint("s", s, 256), yParity: yParity === 0n ? 0 : 1 }
}

const readV = (v: bigint): { chainId: bigint | undefined; yParity: 0 | 1 } => {
  if (v === 27n || v === 28n) return { chainId: undefined, yParity: v === 27n ? 0 : 1 }
  if (v < 35n) throw malformed("v", "27, 28 or chainId * 2 + 35 + yParity", `${v}`)
  return { chainId: (v - 35n) / 2n, yParity: (v - 35n) % 2n === 0n ? 0 : 1 }
}

const envelope = (transaction: Transaction, fields: ReadonlyArray<Rlp.RlpItem>): Uint8Array => {
  const payload = Rlp.encode(fields)
  if (transaction.type === 0) return payload
  const out = new Uint8Array(payload.length + 1)
  out[0] = transaction.type
  out.set(payload, 1)
  return out
}

const unsignedFields = (transaction: Transaction): ReadonlyArray<Rlp.RlpItem> => {
  const { data, gasLimit, nonce, to, value } = transaction
  const target = to === undefined ? new Uint8Array(0) : hexToBytes(to)
  const common = [Rlp.encodeUint(gasLimit), target, Rlp.encodeUint(value), data]
  switch (transaction.type) {
    case 0:
      return [Rlp.encodeUint(nonce), Rlp.encodeUint(transaction.gasPrice), ...common]
    case 1:
      return [
        Rlp.encodeUint(transaction.chainId),
        Rlp.encodeUint(nonce),
        Rlp.encodeUint(transaction.gasPrice),
        ...common,
        accessListItem(transaction.accessList)
      ]
    case 2:
      return [
        Rlp.encodeUint(transaction.chainId),
        Rlp.encodeUint(nonce),
        Rlp.encodeUint(transaction.maxPriorityFeePerGas),
        Rlp.encodeUint(transaction.maxFeePerGas),
        ...common,
        accessListItem(transaction.accessList)
      ]
  }
}

const accessListItem = (accessList: AccessList): Rlp.RlpItem =>
  accessList.map(({ address, storageKeys }) => [
    hexToBytes(address),
    storageKeys.map((key) => hexToBytes(key))
  ])

const signatureFields = (transaction: Transaction): ReadonlyArray<Rlp.RlpItem> => {
  const { r, s, yParity } = transaction.signature
  return [BigInt(yParity) + vOffset(transaction), r, s].map(Rlp.encodeUint)
}

const vOffset = (transaction: Transaction): bigint => {
  if (transaction.type !== 0) return 0n
  return transaction.chainId === undefined ? 27n : transaction.chainId * 2n + 35n
}
