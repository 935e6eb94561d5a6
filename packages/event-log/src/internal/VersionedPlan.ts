/** A plan with a version in front of every value. */
import { Either, type Schema } from "effect"
import { BytesUndecodable, CodecVersionMismatch } from "../CodecError.ts"
import { ByteReader, MalformedBytes } from "./ByteReader.ts"
import type { ByteWriter } from "./ByteWriter.ts"
import { compile } from "./CodecCompiler.ts"

export interface VersionedPlan<A> {
  /** Throws where the value does not fit. */
  readonly write: (writer: ByteWriter, value: A) => void
  readonly decode: (bytes: Uint8Array) => Either.Either<A, BytesUndecodable | CodecVersionMismatch>
}

export const versionedPlan = <A, I>(
  schema: Schema.Schema<A, I>,
  version: number
): VersionedPlan<A> => {
  const plan = compile(schema)
  return {
    write: (writer, value) => {
      writer.varint(version)
      plan.write(writer, value)
    },
    decode: (bytes) => {
      try {
        const reader = new ByteReader(bytes)
        const found = reader.varint()
        if (found !== version)
          return Either.left(new CodecVersionMismatch({ expected: version, found }))
        const value = plan.read(reader)
        if (!reader.atEnd) throw new MalformedBytes("the end of the value", reader.position)
        return Either.right(value)
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause)
        return Either.left(new BytesUndecodable({ byteCount: bytes.length, reason, cause }))
      }
    }
  }
}
