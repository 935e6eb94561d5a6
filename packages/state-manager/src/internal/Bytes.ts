/** Hex, hashes and the RLP values of the two tries: the conversions between words and bytes. */
import { RLP } from "@ethereumjs/rlp"
import { keccak_256 } from "@noble/hashes/sha3.js"
import type { Hash32, Hex } from "@ovm/protocol/Primitives"
import { ZERO_HASH } from "@ovm/protocol/Primitives"
import type { Account } from "../State.ts"
import { StateCorrupted } from "../State.ts"

const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

export const bytesToHex = (bytes: Uint8Array): Hex => {
  let hex: Hex = "0x"
  for (const byte of bytes) hex += HEX_OF_BYTE[byte]
  return hex
}

const nibbleOf = (charCode: number): number =>
  charCode < 58 ? charCode - 48 : (charCode | 32) - 87

export const hexToBytes = (hex: Hex): Uint8Array => {
  const bytes = new Uint8Array((hex.length - 2) / 2)
  for (let i = 0; i < bytes.length; i++) {
    const at = 2 + 2 * i
    bytes[i] = (nibbleOf(hex.charCodeAt(at)) << 4) | nibbleOf(hex.charCodeAt(at + 1))
  }
  return bytes
}

export const keccakBytes = (bytes: Uint8Array): Uint8Array => keccak_256(bytes)
export const keccak = (bytes: Uint8Array): Hash32 => bytesToHex(keccak_256(bytes))

/** The fewest bytes that hold `value`: none for zero. */
const quantity = (value: bigint): Uint8Array => {
  if (value === 0n) return new Uint8Array()
  const digits = value.toString(16)
  return hexToBytes(`0x${digits.length % 2 === 0 ? digits : `0${digits}`}`)
}

const bytesToBigInt = (bytes: Uint8Array): bigint =>
  bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes))

/** A four-field account as the trie holds it. */
export interface StoredAccount extends Account {
  readonly storageRoot: Hash32
}

export const encodeAccount = (account: StoredAccount): Uint8Array =>
  RLP.encode([
    quantity(account.nonce),
    quantity(account.balance),
    hexToBytes(account.storageRoot),
    hexToBytes(account.codeHash)
  ])

export const decodeAccount = (encoded: Uint8Array): StoredAccount => {
  const fields = decodeRlp(encoded)
  if (Array.isArray(fields) && fields.length === 4) {
    const [nonce, balance, storageRoot, codeHash] = fields
    if (
      nonce instanceof Uint8Array &&
      balance instanceof Uint8Array &&
      storageRoot instanceof Uint8Array &&
      codeHash instanceof Uint8Array &&
      storageRoot.length === 32 &&
      codeHash.length === 32
    ) {
      return {
        nonce: bytesToBigInt(nonce),
        balance: bytesToBigInt(balance),
        storageRoot: bytesToHex(storageRoot),
        codeHash: bytesToHex(codeHash)
      }
    }
  }
  throw malformed(encoded, "no account of four fields")
}

/** A slot's value for the trie, which holds no zero words. */
export const encodeWord = (word: Hash32): Uint8Array | undefined => {
  if (word === ZERO_HASH) return undefined
  const bytes = hexToBytes(word)
  let start = 0
  while (bytes[start] === 0) start++
  return RLP.encode(bytes.subarray(start))
}

export const decodeWord = (encoded: Uint8Array | undefined): Hash32 => {
  if (encoded === undefined) return ZERO_HASH
  const bytes = decodeRlp(encoded)
  if (bytes instanceof Uint8Array && bytes.length <= 32) {
    return `0x${bytesToHex(bytes).slice(2).padStart(64, "0")}`
  }
  throw malformed(encoded, "no word of at most 32 bytes")
}

const decodeRlp = (encoded: Uint8Array) => {
  try {
    return RLP.decode(encoded)
  } catch {
    throw malformed(encoded, "no RLP")
  }
}

const malformed = (encoded: Uint8Array, reason: string) => {
  const hash = keccak(encoded)
  return new StateCorrupted({ expected: hash, actual: hash, reason: `it is ${reason}` })
}
