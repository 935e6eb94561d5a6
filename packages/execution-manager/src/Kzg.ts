/**
 * Verifies one KZG opening (EIP-4844), all that the point evaluation precompile at 0x0a asks for.
 * Verification needs a single point of the ceremony's output, so no trusted setup is carried along.
 */
import type { KZG } from "@ethereumjs/util"
import { bls12_381 } from "@noble/curves/bls12-381.js"

const { G1, G2, fields } = bls12_381

/** [tau]G2: the second point of the KZG ceremony's monomial G2 powers, the same on every chain. */
const TAU_G2 = G2.Point.fromHex(
  "b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d" +
    "2914e5870cb452d2afaaab24f3499f72185cbfee53492714734429b7b38608e2" +
    "3926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2"
)

/** Whether the polynomial behind `commitment` has the value `y` at `z`. Throws on malformed input. */
export const verifyOpening = (options: {
  readonly commitment: string
  readonly z: string
  readonly y: string
  readonly proof: string
}): boolean => {
  const commitment = pointOf(options.commitment)
  const proof = pointOf(options.proof)
  const z = scalarOf(options.z)
  const y = scalarOf(options.y)
  // e(C - [y], G2) * e(-proof, [tau - z]G2) is one exactly if the opening is right.
  const pairs = [
    { g1: commitment.subtract(G1.Point.BASE.multiplyUnsafe(y)), g2: G2.Point.BASE },
    { g1: proof.negate(), g2: TAU_G2.subtract(G2.Point.BASE.multiplyUnsafe(z)) }
  ].filter(({ g1, g2 }) => !g1.is0() && !g2.is0())
  return fields.Fp12.eql(bls12_381.pairingBatch(pairs), fields.Fp12.ONE)
}

const bare = (hex: string): string => hex.replace(/^0x/, "")

const pointOf = (hex: string) => {
  const point = G1.Point.fromHex(bare(hex))
  point.assertValidity()
  return point
}

const scalarOf = (hex: string): bigint => {
  const value = BigInt(`0x${bare(hex)}`)
  if (value < fields.Fr.ORDER) return value
  throw new Error(`C_KZG_BADARGS: expected a scalar below the group order, found ${hex}`)
}

const unneeded = (): never => {
  throw new Error("expected point evaluation only, found a request that needs the trusted setup")
}

/** The shape in which `@ethereumjs/common` takes it as `customCrypto.kzg`. */
export const kzg: KZG = {
  verifyProof: (commitment, z, y, proof) => verifyOpening({ commitment, z, y, proof }),
  blobToKzgCommitment: unneeded,
  computeBlobProof: unneeded,
  verifyBlobProofBatch: unneeded,
  computeCells: unneeded,
  computeCellsAndProofs: unneeded,
  recoverCellsAndProofs: unneeded,
  verifyCellKzgProofBatch: unneeded
}
