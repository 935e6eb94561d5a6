/**
 * Why a transaction was turned away. Messages are worded as Ethereum clients word them, because
 * wallets and tools recognise errors by their text.
 */
import { Address, Hash32 } from "@ovm/protocol/Primitives"
import { MalformedRlp } from "@ovm/protocol/Rlp"
import { MalformedTransaction, UnsupportedTransactionType } from "@ovm/protocol/Transaction"
import { Schema } from "effect"

const Uint = Schema.NonNegativeBigInt

/** Recover by sending fewer bytes of data. */
export class OversizedData extends Schema.TaggedError<OversizedData>()("OversizedData", {
  size: Schema.NonNegativeInt,
  limit: Schema.NonNegativeInt
}) {
  override get message() {
    return `oversized data: transaction size ${this.size}, limit ${this.limit}`
  }
}

/** Signed for another chain. Recover by signing with this chain's id. */
export class WrongChainId extends Schema.TaggedError<WrongChainId>()("WrongChainId", {
  expected: Uint,
  actual: Uint
}) {
  override get message() {
    return `invalid sender: invalid chain id for signer: have ${this.actual} want ${this.expected}`
  }
}

/** No valid signature (EIP-2 included). Recover by signing again. */
export class InvalidSender extends Schema.TaggedError<InvalidSender>()("InvalidSender", {
  reason: Schema.String
}) {
  override get message() {
    return `invalid sender: ${this.reason}`
  }
}

/** The tip is larger than all the sender pays. Recover by raising maxFeePerGas. */
export class TipAboveFeeCap extends Schema.TaggedError<TipAboveFeeCap>()("TipAboveFeeCap", {
  maxPriorityFeePerGas: Uint,
  maxFeePerGas: Uint
}) {
  override get message() {
    return `max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: ${this.maxPriorityFeePerGas}, maxFeePerGas: ${this.maxFeePerGas}`
  }
}

/** Recover by signing with a maxFeePerGas (or gasPrice) of at least the base fee. */
export class FeeCapTooLow extends Schema.TaggedError<FeeCapTooLow>()("FeeCapTooLow", {
  sender: Address,
  maxFeePerGas: Uint,
  baseFeePerGas: Uint
}) {
  override get message() {
    return `max fee per gas less than block base fee: address ${this.sender}, maxFeePerGas: ${this.maxFeePerGas}, baseFee: ${this.baseFeePerGas}`
  }
}

/** Recover by splitting the contract: no chain with EIP-3860 takes this initcode. */
export class InitCodeTooLarge extends Schema.TaggedError<InitCodeTooLarge>()("InitCodeTooLarge", {
  size: Uint,
  limit: Uint
}) {
  override get message() {
    return `max initcode size exceeded: code size ${this.size}, limit ${this.limit}`
  }
}

/** Recover by signing with the lower gas limit. */
export class GasLimitTooHigh extends Schema.TaggedError<GasLimitTooHigh>()("GasLimitTooHigh", {
  gasLimit: Uint,
  blockGasLimit: Uint
}) {
  override get message() {
    return `exceeds block gas limit: tx gas limit ${this.gasLimit}, block gas limit ${this.blockGasLimit}`
  }
}

/** The transaction could not be re-run within one L1 transaction. Recover by lowering its gas. */
export class TransactionGasTooHigh extends Schema.TaggedError<TransactionGasTooHigh>()(
  "TransactionGasTooHigh",
  { gasLimit: Uint, cap: Uint }
) {
  override get message() {
    return `transaction gas limit too high: cap: ${this.cap}, tx: ${this.gasLimit}`
  }
}

/** Recover by signing with at least `required` gas. */
export class IntrinsicGasTooLow extends Schema.TaggedError<IntrinsicGasTooLow>()(
  "IntrinsicGasTooLow",
  { gasLimit: Uint, required: Uint }
) {
  override get message() {
    return `intrinsic gas too low: gas ${this.gasLimit}, minimum needed ${this.required}`
  }
}

/** Recover by offering the minimal tip. */
export class TipTooLow extends Schema.TaggedError<TipTooLow>()("TipTooLow", {
  maxPriorityFeePerGas: Uint,
  required: Uint
}) {
  override get message() {
    return `transaction underpriced: gas tip cap ${this.maxPriorityFeePerGas}, minimum needed ${this.required}`
  }
}

/** A contract can't send transactions (EIP-3607). Recover by using a key that has no code. */
export class SenderNotEOA extends Schema.TaggedError<SenderNotEOA>()("SenderNotEOA", {
  sender: Address
}) {
  override get message() {
    return `sender not an eoa: address ${this.sender}`
  }
}

/** The nonce is used already. Recover by signing with `next`. */
export class NonceTooLow extends Schema.TaggedError<NonceTooLow>()("NonceTooLow", {
  next: Uint,
  nonce: Uint
}) {
  override get message() {
    return `nonce too low: next nonce ${this.next}, tx nonce ${this.nonce}`
  }
}

/** An earlier transaction of the sender is missing. Recover by sending that one first. */
export class NonceTooHigh extends Schema.TaggedError<NonceTooHigh>()("NonceTooHigh", {
  next: Uint,
  nonce: Uint
}) {
  override get message() {
    return `nonce too high: next nonce ${this.next}, tx nonce ${this.nonce}`
  }
}

/** The nonce could not be raised any more (EIP-2681). Recover by using another account. */
export class NonceMax extends Schema.TaggedError<NonceMax>()("NonceMax", { nonce: Uint }) {
  override get message() {
    return `nonce has max value: tx nonce ${this.nonce}`
  }
}

/** Recover by funding the account, or by lowering value, gas or fee. */
export class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()(
  "InsufficientFunds",
  {
    balance: Uint,
    /** What the sender's other pooled transactions may cost. */
    queued: Uint,
    cost: Uint
  }
) {
  override get message() {
    const overshot = this.queued + this.cost - this.balance
    const queued = this.queued === 0n ? "" : `queued cost ${this.queued}, `
    return `insufficient funds for gas * price + value: balance ${this.balance}, ${queued}tx cost ${this.cost}, overshot ${overshot}`
  }
}

/** This very transaction waits or ran already. Nothing to recover: its hash stays valid. */
export class AlreadyKnown extends Schema.TaggedError<AlreadyKnown>()("AlreadyKnown", {
  hash: Hash32
}) {
  override get message() {
    return `already known: ${this.hash}`
  }
}

/** Recover by raising both fees by the bump, to at least `requiredFeeCap` and `requiredTip`. */
export class ReplacementUnderpriced extends Schema.TaggedError<ReplacementUnderpriced>()(
  "ReplacementUnderpriced",
  { nonce: Uint, requiredFeeCap: Uint, requiredTip: Uint }
) {
  override get message() {
    return `replacement transaction underpriced: tx nonce ${this.nonce}, minimum needed: maxFeePerGas ${this.requiredFeeCap}, maxPriorityFeePerGas ${this.requiredTip}`
  }
}

/** Recover by waiting until some of the sender's transactions are in a block. */
export class AccountLimitExceeded extends Schema.TaggedError<AccountLimitExceeded>()(
  "AccountLimitExceeded",
  { sender: Address, limit: Schema.NonNegativeInt }
) {
  override get message() {
    return `account limit exceeded: pooled ${this.limit} txs of ${this.sender}`
  }
}

/** The pool is full of transactions that pay more. Recover by paying more, or by waiting. */
export class PoolFull extends Schema.TaggedError<PoolFull>()("PoolFull", {
  limit: Schema.NonNegativeInt
}) {
  override get message() {
    return `transaction underpriced: txpool is full, limit ${this.limit}`
  }
}

export const AdmissionError = Schema.Union(
  OversizedData,
  MalformedRlp,
  MalformedTransaction,
  UnsupportedTransactionType,
  WrongChainId,
  InvalidSender,
  TipAboveFeeCap,
  FeeCapTooLow,
  InitCodeTooLarge,
  GasLimitTooHigh,
  TransactionGasTooHigh,
  IntrinsicGasTooLow,
  TipTooLow,
  SenderNotEOA,
  NonceTooLow,
  NonceTooHigh,
  NonceMax,
  InsufficientFunds,
  AlreadyKnown,
  ReplacementUnderpriced,
  AccountLimitExceeded,
  PoolFull
)
export type AdmissionError = typeof AdmissionError.Type
