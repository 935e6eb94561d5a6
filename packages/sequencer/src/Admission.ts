/**
 * Who may wait in the mempool: every check that needs no execution, cheapest first. The
 * ExecutionManager checks again when it runs a transaction; what it decides is what counts.
 */
import type { InvalidReason } from "@ovm/execution-manager/ExecutionError"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import { intrinsicGas } from "@ovm/protocol/IntrinsicGas"
import { recoverSender } from "@ovm/protocol/Signature"
import * as Transaction from "@ovm/protocol/Transaction"
import { Either } from "effect"
import * as AdmissionError from "./AdmissionError.ts"
import {
  type AdmittedTransaction,
  type MempoolState,
  maximalCost,
  queuedCost
} from "./MempoolState.ts"

/** What holds for every transaction of the next block. */
export interface AdmissionRules {
  readonly chainId: bigint
  /** Gas units of one block. */
  readonly blockGasLimit: bigint
  /** Gas units of one transaction, so that L1 can re-run it (EIP-7825). */
  readonly maxTransactionGas: bigint
  /** Wei per gas in the next block. */
  readonly baseFeePerGas: bigint
  /** Wei per gas for the coinbase, below which a transaction is not worth a place. */
  readonly minTipPerGas: bigint
}

export interface SenderAccount {
  readonly nonce: bigint
  /** Wei. */
  readonly balance: bigint
  readonly hasCode: boolean
}

const MAX_NONCE = 2n ** 64n - 1n

/** Reads raw bytes and checks all that needs no state; recovering the sender is the last step. */
export const checkBytes = (
  raw: Uint8Array,
  rules: AdmissionRules
): Either.Either<AdmittedTransaction, AdmissionError.AdmissionError> =>
  Either.gen(function* () {
    const limit = Number(GasSchedule.TRANSACTION_BYTES_MAX)
    if (raw.length > limit) {
      return yield* Either.left(new AdmissionError.OversizedData({ size: raw.length, limit }))
    }
    const transaction = yield* Transaction.decode(raw)
    yield* checkChain(transaction, rules)
    yield* checkGas(transaction, rules)
    yield* checkFees(transaction, rules)
    if (transaction.nonce === MAX_NONCE) {
      return yield* Either.left(new AdmissionError.NonceMax({ nonce: transaction.nonce }))
    }
    const sender = yield* Either.mapLeft(
      recoverSender(transaction),
      ({ expected, found }) =>
        new AdmissionError.InvalidSender({ reason: `expected ${expected}, found ${found}` })
    )
    const baseFeePerGas = rules.baseFeePerGas
    const maxFeePerGas = Transaction.feeCap(transaction)
    if (maxFeePerGas < baseFeePerGas) {
      return yield* Either.left(
        new AdmissionError.FeeCapTooLow({ sender, maxFeePerGas, baseFeePerGas })
      )
    }
    return { hash: Transaction.hash(raw), raw, sender, transaction }
  })

/** Checks a transaction against its sender's account and against what of the sender waits already. */
export const checkAccount = (
  { sender, transaction }: AdmittedTransaction,
  account: SenderAccount,
  pool: MempoolState
): Either.Either<void, AdmissionError.AdmissionError> => {
  if (account.hasCode) return Either.left(new AdmissionError.SenderNotEOA({ sender }))
  if (transaction.nonce < account.nonce) {
    return Either.left(
      new AdmissionError.NonceTooLow({ next: account.nonce, nonce: transaction.nonce })
    )
  }
  const cost = maximalCost(transaction)
  const queued = queuedCost(pool, sender, transaction.nonce)
  return cost + queued > account.balance
    ? Either.left(new AdmissionError.InsufficientFunds({ balance: account.balance, queued, cost }))
    : Either.right(undefined)
}

/** The ExecutionManager's reason in the words of admission: a user sees one wording for one fault. */
export const fromInvalidReason = (
  reason: InvalidReason,
  admitted: AdmittedTransaction
): AdmissionError.AdmissionError => {
  switch (reason._tag) {
    case "NonceTooLow":
      return new AdmissionError.NonceTooLow({ next: reason.expected, nonce: reason.actual })
    case "NonceTooHigh":
      return new AdmissionError.NonceTooHigh({ next: reason.expected, nonce: reason.actual })
    case "InsufficientFunds":
      return new AdmissionError.InsufficientFunds({
        balance: reason.available,
        queued: 0n,
        cost: maximalCost(admitted.transaction)
      })
    case "SenderNotEOA":
      return new AdmissionError.SenderNotEOA(reason)
    case "FeeCapTooLow":
      return new AdmissionError.FeeCapTooLow({ ...reason, sender: admitted.sender })
    case "GasLimitTooHigh":
      return new AdmissionError.TransactionGasTooHigh({
        gasLimit: reason.gasLimit,
        cap: reason.limit
      })
    case "IntrinsicGasTooLow":
      return new AdmissionError.IntrinsicGasTooLow(reason)
    case "InitCodeTooLarge":
      return new AdmissionError.InitCodeTooLarge(reason)
    case "TransactionTooLarge":
      return new AdmissionError.OversizedData({
        size: Number(reason.size),
        limit: Number(reason.limit)
      })
    case "WrongChainId":
      return new AdmissionError.WrongChainId(reason)
    case "Malformed":
      return new Transaction.MalformedTransaction({
        field: "raw bytes",
        expected: "a signed transaction",
        found: reason.error
      })
  }
}

const checkChain = (
  { chainId }: Transaction.Transaction,
  rules: AdmissionRules
): Either.Either<void, AdmissionError.WrongChainId> =>
  // A signature made before EIP-155 names no chain and holds on all.
  chainId === undefined || chainId === rules.chainId
    ? Either.right(undefined)
    : Either.left(new AdmissionError.WrongChainId({ expected: rules.chainId, actual: chainId }))

const checkGas = (
  transaction: Transaction.Transaction,
  { blockGasLimit, maxTransactionGas }: AdmissionRules
): Either.Either<
  void,
  | AdmissionError.InitCodeTooLarge
  | AdmissionError.GasLimitTooHigh
  | AdmissionError.TransactionGasTooHigh
  | AdmissionError.IntrinsicGasTooLow
> => {
  const { data, gasLimit, to } = transaction
  const limit = GasSchedule.INITCODE_BYTES_MAX
  const size = BigInt(data.length)
  if (to === undefined && size > limit) {
    return Either.left(new AdmissionError.InitCodeTooLarge({ size, limit }))
  }
  if (gasLimit > blockGasLimit) {
    return Either.left(new AdmissionError.GasLimitTooHigh({ gasLimit, blockGasLimit }))
  }
  if (gasLimit > maxTransactionGas) {
    return Either.left(
      new AdmissionError.TransactionGasTooHigh({ gasLimit, cap: maxTransactionGas })
    )
  }
  const required = intrinsicGas(transaction)
  return gasLimit < required
    ? Either.left(new AdmissionError.IntrinsicGasTooLow({ gasLimit, required }))
    : Either.right(undefined)
}

const checkFees = (
  transaction: Transaction.Transaction,
  { minTipPerGas }: AdmissionRules
): Either.Either<void, AdmissionError.TipAboveFeeCap | AdmissionError.TipTooLow> => {
  const maxFeePerGas = Transaction.feeCap(transaction)
  const maxPriorityFeePerGas = Transaction.tipCap(transaction)
  if (maxPriorityFeePerGas > maxFeePerGas) {
    return Either.left(new AdmissionError.TipAboveFeeCap({ maxPriorityFeePerGas, maxFeePerGas }))
  }
  return maxPriorityFeePerGas < minTipPerGas
    ? Either.left(new AdmissionError.TipTooLow({ maxPriorityFeePerGas, required: minTipPerGas }))
    : Either.right(undefined)
}
