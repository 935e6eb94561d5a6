/** What can go wrong between a value and its bytes. */
import { Schema } from "effect"

/** The value is not one of the schema's. Recover by validating it where it comes from. */
export class ValueUnencodable extends Schema.TaggedError<ValueUnencodable>()("ValueUnencodable", {
  /** Place of the value among those given, 0-based. */
  index: Schema.NonNegativeInt,
  reason: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected value ${this.index} to fit its schema: ${this.reason}`
  }
}

/**
 * The bytes are not an encoding of the schema. Recover by giving the schema a new version, or
 * restore the bytes.
 */
export class BytesUndecodable extends Schema.TaggedError<BytesUndecodable>()("BytesUndecodable", {
  byteCount: Schema.NonNegativeInt,
  reason: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected ${this.byteCount} bytes to be a value of the schema: ${this.reason} If the schema was changed, it needs a new version.`
  }
}

/**
 * The bytes were encoded by another version of the schema. Recover by decoding them with that
 * version's codec.
 */
export class CodecVersionMismatch extends Schema.TaggedError<CodecVersionMismatch>()(
  "CodecVersionMismatch",
  { expected: Schema.NonNegativeInt, found: Schema.NonNegativeInt }
) {
  override get message() {
    return `Expected bytes of codec version ${this.expected}, found version ${this.found}. Decode them with the codec of that version.`
  }
}
