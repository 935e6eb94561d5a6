/** A key that signs for this chain and follows what became of its transactions. */
import type { ExecutionFault } from "@ovm/execution-manager/ExecutionError"
import { type CallResult, ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import type { AdmissionError } from "@ovm/sequencer/AdmissionError"
import type { ChainTransaction } from "@ovm/sequencer/ChainIndex"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { Effect, Option, Schema } from "effect"
import { hexToBytes } from "viem"
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"

/** Gas limit of a transaction that names none: what a single transaction may have. */
export const GAS_LIMIT = 14_000_000n

export interface Request {
  /** Left out: a creation. */
  readonly to?: Address
  /** Wei. */
  readonly value?: bigint
  readonly data?: Hex
  /** OVM gas units. */
  readonly gas?: bigint
}

/** The transaction is in a block, but it reverted. `returnData` says why, if the contract did. */
export class TransactionFailed extends Schema.TaggedError<TransactionFailed>()(
  "TransactionFailed",
  {
    hash: Schema.String,
    blockNumber: Schema.NonNegativeBigInt,
    gasUsed: Schema.NonNegativeBigInt
  }
) {
  override get message() {
    return `Expected transaction ${this.hash} to succeed, but in block ${this.blockNumber} it failed after ${this.gasUsed} gas. Trace it to see where.`
  }
}

/** The sequencer took the transaction, but it is in no block; `reason` is what it said. */
export class TransactionNotIncluded extends Schema.TaggedError<TransactionNotIncluded>()(
  "TransactionNotIncluded",
  { hash: Schema.String, reason: Schema.String }
) {
  override get message() {
    return `Expected transaction ${this.hash} in a block, but it is in none: ${this.reason}. Seal a block, or send a corrected transaction.`
  }
}

export interface Wallet {
  readonly address: Address
  readonly account: PrivateKeyAccount
}

export const make = (privateKey: Hash32): Wallet => {
  const account = privateKeyToAccount(privateKey)
  return { account, address: `0x${account.address.slice(2).toLowerCase()}` }
}

/** Signs with the next nonce. */
export const sign = Effect.fn("Wallet.sign")(function* (wallet: Wallet, request: Request) {
  const sequencer = yield* Sequencer
  const nonce = yield* sequencer.nextNonce(wallet.address)
  const { baseFeePerGas, chainId } = yield* sequencer.nextContext
  const signed = yield* Effect.promise(() =>
    wallet.account.signTransaction({
      type: "eip1559",
      chainId: Number(chainId),
      nonce: Number(nonce),
      gas: request.gas ?? GAS_LIMIT,
      maxFeePerGas: baseFeePerGas * 2n + PRIORITY_FEE,
      maxPriorityFeePerGas: PRIORITY_FEE,
      value: request.value ?? 0n,
      ...(request.to === undefined ? {} : { to: request.to }),
      ...(request.data === undefined ? {} : { data: request.data })
    })
  )
  return hexToBytes(signed)
})

/** Wei per gas for the coinbase. */
const PRIORITY_FEE = 1_000_000n

/** Sends a signed transaction to a sequencer that seals at once, and answers it as included. */
export const send = Effect.fn("Wallet.send")(function* (wallet: Wallet, request: Request) {
  const sequencer = yield* Sequencer
  const hash = yield* sequencer.submit(yield* sign(wallet, request))
  const included = yield* sequencer.transaction(hash)
  if (Option.isNone(included)) {
    const rejection: Option.Option<AdmissionError | ExecutionFault> =
      yield* sequencer.rejection(hash)
    return yield* new TransactionNotIncluded({
      hash,
      reason: Option.match(rejection, {
        onNone: () => "it still waits",
        onSome: ({ message }) => message
      })
    })
  }
  const transaction: ChainTransaction = included.value
  const { blockNumber, gasUsed, receipt } = transaction
  if (receipt.status === 0) return yield* new TransactionFailed({ hash, blockNumber, gasUsed })
  return transaction
})

/** Asks a contract on the state behind a block, the last one if none is named; nothing is changed. */
export const call = Effect.fn("Wallet.call")(function* (options: {
  readonly from: Address
  readonly to: Address
  readonly data: Hex
  readonly blockNumber?: bigint
}) {
  const sequencer = yield* Sequencer
  const manager = yield* ExecutionManager
  const number = options.blockNumber ?? (yield* sequencer.head).header.number
  const result: CallResult = yield* manager.executeCall({
    state: yield* sequencer.stateAt(number),
    context: yield* sequencer.nextContext,
    from: options.from,
    to: options.to,
    value: 0n,
    gas: GAS_LIMIT,
    gasPrice: 0n,
    data: hexToBytes(options.data)
  })
  return result
})
