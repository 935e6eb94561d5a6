import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as fc from "fast-check"
import secp256k1 from "secp256k1"
import pure from "secp256k1/elliptic.js"
import { keccak256, numberToBytes, recoverAddress as viemRecoverAddress } from "viem"
import { sign } from "viem/accounts"
import { CURVE_ORDER, recoverAddress } from "../src/Signature.ts"

const KEY = `0x${"42".repeat(32)}` as const
const word = fc.uint8Array({ minLength: 32, maxLength: 32 })

const failure = (r: bigint, s: bigint) =>
  Either.match(recoverAddress(new Uint8Array(32).fill(1), { r, s, yParity: 0 }), {
    onLeft: (error) => error.message,
    onRight: () => "recovered"
  })

const recoverWith = (
  implementation: typeof secp256k1,
  hash: Uint8Array,
  r: bigint,
  s: bigint,
  parity: number
) => {
  const signature = Uint8Array.of(
    ...numberToBytes(r, { size: 32 }),
    ...numberToBytes(s, { size: 32 })
  )
  try {
    return implementation.ecdsaRecover(signature, parity, hash, false)
  } catch {
    return undefined
  }
}

describe("Signature", () => {
  it("recovers the signer, as viem does", async () => {
    await fc.assert(
      fc.asyncProperty(word, async (bytes) => {
        const hash = keccak256(bytes)
        const signature = await sign({ hash, privateKey: KEY })
        const parts = {
          r: BigInt(signature.r),
          s: BigInt(signature.s),
          yParity: signature.yParity === 1 ? (1 as const) : (0 as const)
        }
        const sender = recoverAddress(keccak256(bytes, "bytes"), parts)
        assert.strictEqual(
          Either.getOrThrow(sender),
          (await viemRecoverAddress({ hash, signature })).toLowerCase()
        )
      }),
      { numRuns: 15 }
    )
  })

  it("refuses a high s (EIP-2) and values outside the group", () => {
    const half = CURVE_ORDER / 2n
    assert.match(failure(1n, half + 1n), /invalid sender: expected s between 1 and half/)
    assert.match(failure(1n, 0n), /expected s between 1/)
    assert.match(failure(0n, 1n), /expected r between 1/)
    assert.match(failure(CURVE_ORDER, 1n), /expected r between 1/)
  })

  it("refuses an r that is on no point of the curve", () => {
    // x = 5 has no y with y^2 = x^3 + 7.
    assert.match(failure(5n, 1n), /fits no point of the curve/)
  })

  it("answers the same in native code and in JavaScript, for any input", () => {
    const bound = fc.bigInt({ min: 1n, max: CURVE_ORDER - 1n })
    fc.assert(
      fc.property(word, bound, bound, fc.constantFrom(0, 1), (hash, r, s, parity) => {
        assert.deepStrictEqual(
          recoverWith(secp256k1, hash, r, s, parity),
          recoverWith(pure, hash, r, s, parity)
        )
      }),
      { numRuns: 60 }
    )
  })

  it("answers the same where the recovered point would be infinity", () => {
    // s * R = z * G with R = G (r = G.x) and s = z leaves nothing to recover.
    const gx = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n
    const hash = numberToBytes(7n, { size: 32 })
    assert.isUndefined(recoverWith(secp256k1, hash, gx, 7n, 0))
    assert.isUndefined(recoverWith(pure, hash, gx, 7n, 0))
    assert.isTrue(Either.isLeft(recoverAddress(hash, { r: gx, s: 7n, yParity: 0 })))
  })
})
