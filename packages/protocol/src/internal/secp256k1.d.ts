/** The package ships no types; these are the entries that the protocol uses. */
interface Secp256k1 {
  /** The 65-byte public key. Throws if `signature` (r and s, 64 bytes) fits no key. */
  ecdsaRecover(
    signature: Uint8Array,
    recoveryId: number,
    message32: Uint8Array,
    compressed: false
  ): Uint8Array
}

declare module "secp256k1" {
  const secp256k1: Secp256k1
  export default secp256k1
}

declare module "secp256k1/elliptic.js" {
  const secp256k1: Secp256k1
  export default secp256k1
}
