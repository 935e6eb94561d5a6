/** Signs a case's transaction, with the gas limit of the fixture or a larger one. */
import type { Hex } from "@ovm/protocol/Primitives"
import { encode, signingHash, type Transaction } from "@ovm/protocol/Transaction"
import { Effect } from "effect"
import { bytesToHex, hexToBytes } from "viem"
import { privateKeyToAddress, sign } from "viem/accounts"
import type { CaseEnvironment, CaseTransaction, StateTestCase } from "./StateTestFixture.ts"
import { withBalance, type WorldState } from "./WorldState.ts"

/** Wei per gas that the sender pays, as GASPRICE answers it. */
export const effectiveGasPrice = (
  { gasPrice, maxFeePerGas, maxPriorityFeePerGas, type }: CaseTransaction,
  { baseFeePerGas }: CaseEnvironment
): bigint => {
  if (type !== 2) return gasPrice
  const wanted = baseFeePerGas + maxPriorityFeePerGas
  return wanted < maxFeePerGas ? wanted : maxFeePerGas
}

/** The same case with more gas, arranged so that only gas itself can tell. */
export interface Resupplied {
  readonly pre: WorldState
  readonly transaction: CaseTransaction
  /** Wei added to the sender so that its balance during execution stays what it was. */
  readonly topUp: bigint
}

/**
 * Raises the gas limit. The sender is given exactly what the larger limit costs it up front, and a
 * fee cap above the effective price comes down to it, or the cap would demand more than that.
 */
export const resupply = (
  { environment, pre, transaction }: StateTestCase,
  gasLimit: bigint
): Resupplied => {
  const price = effectiveGasPrice(transaction, environment)
  const topUp = (gasLimit - transaction.gasLimit) * price
  const tip = price - environment.baseFeePerGas
  return {
    pre: withBalance(pre, senderOf(transaction), topUp),
    transaction: {
      ...transaction,
      gasLimit,
      maxFeePerGas: price,
      maxPriorityFeePerGas: tip < 0n ? 0n : tip,
      raw: undefined
    },
    topUp
  }
}

export const senderOf = (transaction: CaseTransaction) =>
  transaction.sender ?? lowerCase(privateKeyToAddress(transaction.secretKey))

/** The raw signed bytes: the fixture's own where it has them. */
export const signTransaction = (
  transaction: CaseTransaction,
  environment: CaseEnvironment
): Effect.Effect<Hex> => {
  if (transaction.raw !== undefined) return Effect.succeed(transaction.raw)
  const unsigned = unsignedOf(transaction, environment)
  return Effect.promise(async () => {
    const hash = bytesToHex(signingHash(unsigned))
    const { r, s, yParity } = await sign({ hash, privateKey: transaction.secretKey })
    const signature = { r: BigInt(r), s: BigInt(s), yParity: yParity === 1 ? 1 : 0 } as const
    return bytesToHex(encode({ ...unsigned, signature }))
  })
}

const unsignedOf = (fields: CaseTransaction, { chainId }: CaseEnvironment): Transaction => {
  const { accessList, data, gasLimit, gasPrice, nonce, replayProtected, to, value } = fields
  const signature = { r: 0n, s: 0n, yParity: 0 } as const
  const common = { nonce, gasLimit, to, value, data: hexToBytes(data), signature }
  switch (fields.type) {
    case 0:
      return { ...common, type: 0, gasPrice, chainId: replayProtected ? chainId : undefined }
    case 1:
      return { ...common, type: 1, gasPrice, chainId, accessList }
    case 2: {
      const { maxFeePerGas, maxPriorityFeePerGas } = fields
      return { ...common, type: 2, maxFeePerGas, maxPriorityFeePerGas, chainId, accessList }
    }
  }
}

const lowerCase = (address: Hex): Hex => `0x${address.slice(2).toLowerCase()}`
