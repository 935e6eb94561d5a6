/** The native curve for the ECRECOVER precompile; the package falls back to JavaScript by itself. */
import { unpadBytes } from "@ethereumjs/util"
import secp256k1 from "secp256k1"

const left32 = (bytes: Uint8Array): Uint8Array => {
  const trimmed = unpadBytes(bytes)
  const word = new Uint8Array(32)
  word.set(trimmed, 32 - trimmed.length)
  return word
}

/** Recovers the 64-byte public key. Throws if there is none, as `@ethereumjs/evm` expects. */
export const ecrecover = (
  messageHash: Uint8Array,
  v: bigint,
  r: Uint8Array,
  s: Uint8Array
): Uint8Array => {
  if (v !== 27n && v !== 28n) throw new Error("Expected v to be 27 or 28.")
  const signature = new Uint8Array(64)
  signature.set(left32(r), 0)
  signature.set(left32(s), 32)
  return secp256k1.ecdsaRecover(signature, Number(v - 27n), messageHash, false).slice(1)
}
