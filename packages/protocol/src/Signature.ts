/** Who sent a transaction: the address whose key made its signature. */
import { Either, Schema } from "effect"
import { bytesToHex, keccak256, numberToBytes } from "viem"
// Native code where a binary fits the machine (about 18 times faster), else the same in JavaScript.
import secp256k1 from "secp256k1"
import type { Address } from "./Primitives.ts"
import { signingHash, type Transaction, type TransactionSignature } from "./Transaction.ts"

/** The order of the curve's group. */
export const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** No key made this signature, or a malleable twin of it. Recover by signing again. */
export class InvalidSignature extends Schema.TaggedError<InvalidSignature>()("InvalidSignature", {
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `invalid sender: expected ${this.expected}, found ${this.found}`
  }
}

/** The address that signed `transaction`. Costs one curve multiplication: call it once. */
export const recoverSender = (transaction: Transaction): Either.Either<Address, InvalidSignature> =>
  recoverAddress(signingHash(transaction), transaction.signature)

/** The address whose key signed the 32 bytes of `hash`, under the rules of EIP-2 (low s only). */
export const recoverAddress = (
  hash: Uint8Array,
  { r, s, yParity }: TransactionSignature
): Either.Either<Address, InvalidSignature> => {
  if (r === 0n || r >= CURVE_ORDER) {
    return invalid("r between 1 and the curve order", `0x${r.toString(16)}`)
  }
  if (s === 0n || s > CURVE_ORDER / 2n) {
    return invalid("s between 1 and half the curve order (EIP-2)", `0x${s.toString(16)}`)
  }
  const signature = new Uint8Array(64)
  signature.set(numberToBytes(r, { size: 32 }))
  signature.set(numberToBytes(s, { size: 32 }), 32)
  let publicKey: Uint8Array
  try {
    publicKey = secp256k1.ecdsaRecover(signature, yParity, hash, false)
  } catch {
    return invalid("a signature of some key", "one that fits no point of the curve")
  }
  return Either.right(bytesToHex(keccak256(publicKey.subarray(1), "bytes").subarray(12)))
}

const invalid = (expected: string, found: string) =>
  Either.left(new InvalidSignature({ expected, found }))
