/** How one field of a transaction is read from its RLP list: strictly, or not at all. */
import { Either, Schema } from "effect"
import { bytesToBigInt, bytesToHex } from "viem"
import type { Address } from "../Primitives.ts"
import type * as Rlp from "../Rlp.ts"

/** A field is not what its transaction type allows. Recover by signing and encoding again. */
export class MalformedTransaction extends Schema.TaggedError<MalformedTransaction>()(
  "MalformedTransaction",
  { field: Schema.String, expected: Schema.String, found: Schema.String }
) {
  override get message() {
    return `malformed transaction: expected ${this.field} to be ${this.expected}, found ${this.found}`
  }
}

export const malformed = (field: string, expected: string, found: string) =>
  new MalformedTransaction({ field, expected, found })

// Readers below throw MalformedTransaction and are called through `attempt` alone: a transaction
// has a dozen fields, and a chain of Eithers would hide them.
export const attempt = <A>(
  item: Rlp.RlpItem,
  read: (fields: ReadonlyArray<Rlp.RlpItem>) => A
): Either.Either<A, MalformedTransaction> =>
  Either.try({
    try: () => read(listOf("transaction", item)),
    catch: (cause) => {
      if (cause instanceof MalformedTransaction) return cause
      throw cause
    }
  })

export const exactly = (
  fields: ReadonlyArray<Rlp.RlpItem>,
  count: number
): ReadonlyArray<Rlp.RlpItem> => {
  if (fields.length !== count) throw malformed("field count", `${count}`, `${fields.length}`)
  return fields
}

export const listOf = (
  field: string,
  item: Rlp.RlpItem | undefined
): ReadonlyArray<Rlp.RlpItem> => {
  if (item === undefined || item instanceof Uint8Array) {
    throw malformed(field, "a list", "a byte string")
  }
  return item
}

export const bytesOf = (field: string, item: Rlp.RlpItem | undefined): Uint8Array => {
  if (!(item instanceof Uint8Array)) throw malformed(field, "a byte string", "a list")
  return item
}

export const fixedBytes = (field: string, item: Rlp.RlpItem | undefined, size: number) => {
  const bytes = bytesOf(field, item)
  if (bytes.length !== size) throw malformed(field, `${size} bytes`, `${bytes.length} bytes`)
  return bytesToHex(bytes)
}

export const uint = (field: string, item: Rlp.RlpItem | undefined, bits: number): bigint => {
  const bytes = bytesOf(field, item)
  if (bytes.length > bits / 8) {
    throw malformed(field, `at most ${bits} bits`, `${bytes.length * 8} bits`)
  }
  if (bytes.length === 0) return 0n
  if (bytes[0] === 0) throw malformed(field, "an integer without leading zeros", bytesToHex(bytes))
  return bytesToBigInt(bytes)
}

/** Undefined for a creation. */
export const recipient = (item: Rlp.RlpItem | undefined): Address | undefined =>
  bytesOf("to", item).length === 0 ? undefined : fixedBytes("to", item, 20)
