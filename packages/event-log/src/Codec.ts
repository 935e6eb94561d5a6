/**
 * Bytes for the values of a schema, worked out from the schema once, at start-up.
 *
 * The layout follows the fields in order and holds no names, so it is small and quick, and it holds
 * only as long as the schema does. The version in front of it says which schema that was: whoever
 * changes the schema gives it a new number, and keeps the old codec for as long as old bytes exist.
 */
import { Either, type Schema } from "effect"
import { BytesUndecodable, CodecVersionMismatch, ValueUnencodable } from "./CodecError.ts"
import { ByteWriter } from "./internal/ByteWriter.ts"
import { versionedPlan } from "./internal/VersionedPlan.ts"

export { BytesUndecodable, CodecVersionMismatch, ValueUnencodable }

export interface Codec<A> {
  readonly version: number
  readonly encode: (value: A) => Either.Either<Uint8Array, ValueUnencodable>
  readonly decode: (bytes: Uint8Array) => Either.Either<A, BytesUndecodable | CodecVersionMismatch>
}

/** Works out the codec of a schema. `version` stands in front of everything it encodes. */
export const make = <A, I>(
  schema: Schema.Schema<A, I>,
  { version }: { readonly version: number }
): Codec<A> => {
  const plan = versionedPlan(schema, version)
  const writer = new ByteWriter()
  return {
    version,
    encode: (value) => {
      writer.clear()
      try {
        plan.write(writer, value)
        return Either.right(writer.take())
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause)
        return Either.left(new ValueUnencodable({ index: 0, reason, cause }))
      }
    },
    decode: plan.decode
  }
}
