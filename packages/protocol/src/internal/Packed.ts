/** Words of the protocol as events store them: bytes instead of hex, half the size. */
import { Schema } from "effect"
import { bytesToHex, hexToBytes } from "viem"
import { Log } from "../Execution.ts"
import { Address, Hash32, Hex } from "../Primitives.ts"

export const PackedHex = Schema.transform(Schema.Uint8ArrayFromSelf, Hex, {
  strict: true,
  decode: (bytes) => bytesToHex(bytes),
  encode: (hex) => hexToBytes(hex)
})

export const PackedHash32 = Schema.compose(PackedHex, Hash32)
export const PackedAddress = Schema.compose(PackedHex, Address)

/** A log; `Log` itself on the decoded side. */
export const PackedLog = Schema.Struct({
  address: PackedAddress,
  topics: Schema.Array(PackedHash32),
  data: PackedHex
}).pipe(Schema.compose(Schema.typeSchema(Log)))

/** A number whose size on disk follows its value. */
export const PackedUint = Schema.NonNegativeBigIntFromSelf
