/** Admitted transactions with chosen nonces and fees, as the mempool sees them. */
import type { Address } from "@ovm/protocol/Primitives"
import { numberToHex } from "viem"
import type { AdmittedTransaction, PooledTransaction } from "../src/MempoolState.ts"

export const senderOf = (index: number): Address => numberToHex(index + 1, { size: 20 })

let made = 0

/** A fee market transaction; every call makes another hash. */
export const admitted = (options: {
  readonly sender: Address
  readonly nonce: number
  readonly tip: number
  readonly feeCap?: number
  readonly size?: number
}): AdmittedTransaction => ({
  hash: numberToHex(++made, { size: 32 }),
  raw: new Uint8Array(options.size ?? 100),
  sender: options.sender,
  transaction: {
    type: 2,
    chainId: 420n,
    nonce: BigInt(options.nonce),
    gasLimit: 21_000n,
    to: undefined,
    value: 1n,
    data: new Uint8Array(0),
    accessList: [],
    maxFeePerGas: BigInt(options.feeCap ?? 1_000_000),
    maxPriorityFeePerGas: BigInt(options.tip),
    signature: { r: 1n, s: 1n, yParity: 0 }
  }
})

export const pooled = (
  arrival: number,
  options: Parameters<typeof admitted>[0]
): PooledTransaction => ({ ...admitted(options), arrival, worth: BigInt(options.tip) })
