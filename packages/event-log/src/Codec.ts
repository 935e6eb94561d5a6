/**
 * Bytes for the values of a schema, worked out from the schema once, at start-up.
 *
 * The layout follows the fields in order and holds no names, so it is small and quick, and it holds only as long
 * as the schema does. The version in front of it says which schema that was: whoever changes the schema gives it
 * a new number, and keeps the old codec for as long as old bytes exist.
 */
import { Either, Schema } from "effect"
import { ByteReader, MalformedBytes } from "./internal/ByteReader.ts"
import { ByteWriter } from "./internal/ByteWriter.ts"
import { compile } from "./internal/CodecCompiler.ts"

export interface Codec<A> {
  readonly version: number
  readonly encode: (value: A) => Either.Either<Uint8Array, ValueUnencodable>
  readonly decode: (bytes: Uint8Array) => Either.Either<A, BytesUndecodable | CodecVersionMismatch>
  /** Encodes many values into one buffer, of which each result is a view. */
  readonly encodeAll: (
    values: ReadonlyArray<A>
  ) => Either.Either<ReadonlyArray<Uint8Array>, ValueUnencodable>
}

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

/** The bytes are not an encoding of the schema. Recover by giving the schema a new version, or restore the bytes. */
export class BytesUndecodable extends Schema.TaggedError<BytesUndecodable>()("BytesUndecodable", {
  byteCount: Schema.NonNegativeInt,
  reason: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected ${this.byteCount} bytes to be a value of the schema: ${this.reason} If the schema was changed, it needs a new version.`
  }
}

/** The bytes were encoded by another version of the schema. Recover by decoding them with that version's codec. */
export class CodecVersionMismatch extends Schema.TaggedError<CodecVersionMismatch>()(
  "CodecVersionMismatch",
  { expected: Schema.NonNegativeInt, found: Schema.NonNegativeInt }
) {
  override get message() {
    return `Expected bytes of codec version ${this.expected}, found version ${this.found}. Decode them with the codec of that version.`
  }
}

/** Works out the codec of a schema. `version` stands in front of everything it encodes. */
export const make = <A, I>(
  schema: Schema.Schema<A, I>,
  { version }: { readonly version: number }
): Codec<A> => {
  const plan = compile(schema)
  const writer = new ByteWriter()

  const encodeAll: Codec<A>["encodeAll"] = (values) => {
    const ends: Array<number> = []
    writer.truncate(0)
    try {
      for (const value of values) {
        writer.varint(version)
        plan.write(writer, value)
        ends.push(writer.length)
      }
    } catch (cause) {
      return Either.left(
        new ValueUnencodable({ index: ends.length, reason: messageOf(cause), cause })
      )
    }
    const bytes = writer.take()
    return Either.right(ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end)))
  }

  const encode: Codec<A>["encode"] = (value) => {
    writer.truncate(0)
    try {
      writer.varint(version)
      plan.write(writer, value)
      return Either.right(writer.take())
    } catch (cause) {
      return Either.left(new ValueUnencodable({ index: 0, reason: messageOf(cause), cause }))
    }
  }

  const decode: Codec<A>["decode"] = (bytes) => {
    try {
      const reader = new ByteReader(bytes)
      const found = reader.varint()
      if (found !== version)
        return Either.left(new CodecVersionMismatch({ expected: version, found }))
      const value = plan.read(reader)
      if (!reader.atEnd) throw new MalformedBytes("the end of the value", reader.position)
      return Either.right(value)
    } catch (cause) {
      const reason = messageOf(cause)
      return Either.left(new BytesUndecodable({ byteCount: bytes.length, reason, cause }))
    }
  }

  return { version, encode, decode, encodeAll }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
