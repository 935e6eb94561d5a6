/** Signature recovery by itself: the native package, the JavaScript it falls back to, and @noble/curves. */
import { secp256k1 as noble } from "@noble/curves/secp256k1.js"
import native from "secp256k1"
import pure from "secp256k1/elliptic.js"
import { bytesToHex, hexToBytes, keccak256 } from "viem"
import { privateKeyToAccount, sign } from "viem/accounts"
import { median, nowMs } from "./Sampling.ts"

export interface Recovery {
  readonly nativeUs: number
  readonly pureUs: number
  readonly nobleUs: number
  /** The three agreed on every key. */
  readonly agreed: boolean
}

interface Sample {
  readonly hash: Uint8Array
  readonly signature: Uint8Array
  readonly recovery: number
  readonly publicKey: string
}

const PRIVATE_KEY = `0x${"a1".repeat(32)}` as const

const makeSample = async (index: number): Promise<Sample> => {
  const hash = keccak256(Uint8Array.of(index), "bytes")
  const { r, s, yParity } = await sign({ hash: bytesToHex(hash), privateKey: PRIVATE_KEY })
  return {
    hash,
    signature: hexToBytes(`0x${r.slice(2).padStart(64, "0")}${s.slice(2).padStart(64, "0")}`),
    recovery: yParity ?? 0,
    publicKey: privateKeyToAccount(PRIVATE_KEY).publicKey
  }
}

type Recover = (sample: Sample) => Uint8Array

const recoverers = {
  native: ({ hash, recovery, signature }) => native.ecdsaRecover(signature, recovery, hash, false),
  pure: ({ hash, recovery, signature }) => pure.ecdsaRecover(signature, recovery, hash, false),
  noble: ({ hash, recovery, signature }) =>
    noble.Signature.fromBytes(signature, "compact")
      .addRecoveryBit(recovery)
      .recoverPublicKey(hash)
      .toBytes(false)
} satisfies Record<string, Recover>

/** In turn, sample by sample. */
export const measureRecovery = async (rounds: number): Promise<Recovery> => {
  const samples = await Promise.all(Array.from({ length: 32 }, (_, index) => makeSample(index)))
  const timesUs = { native: [] as number[], pure: [] as number[], noble: [] as number[] }
  let agreed = true
  for (let round = 0; round < rounds; round++) {
    for (const sample of samples) {
      for (const name of ["native", "pure", "noble"] as const) {
        const started = nowMs()
        const publicKey = recoverers[name](sample)
        const elapsedUs = (nowMs() - started) * 1_000
        if (round > 0) timesUs[name].push(elapsedUs)
        agreed &&= bytesToHex(publicKey) === sample.publicKey
      }
    }
  }
  return {
    nativeUs: median(timesUs.native),
    pureUs: median(timesUs.pure),
    nobleUs: median(timesUs.noble),
    agreed
  }
}
