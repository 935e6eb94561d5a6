/** How an old event reads today: a pure step from one version of an event to the next. */
import { Either, Option, Schema } from "effect"
import * as Codec from "./Codec.ts"
import { taggedMembers } from "./internal/CodecCompiler.ts"

/** A value that names its own persisted type: `_tag` is `v1.SomethingHappened`. */
export interface Tagged {
  readonly _tag: string
}

/**
 * A step from an old event. What it gives is a current event, or an old one that another step takes
 * on.
 */
export interface Upcaster {
  /** The persisted type that this step reads. */
  readonly type: string
  readonly decode: (
    bytes: Uint8Array
  ) => Either.Either<Tagged, Codec.BytesUndecodable | Codec.CodecVersionMismatch>
  /** Takes on what an earlier step gave, if it is this step's old event. */
  readonly step: (old: Tagged) => Option.Option<Tagged>
}

/** Layout of payloads, as `Codec` writes it. The version of an event is in its type. */
export const PAYLOAD_VERSION = 1

/**
 * Keeps events of a past schema readable. Stored events are never edited: this is applied whenever
 * one is read.
 *
 *     Upcaster.make(DepositedV1, (old) => new DepositedV2({ amountWei: old.amount, memo: "" }))
 */
export const make = <Old extends Tagged, I>(
  from: Schema.Schema<Old, I>,
  up: (old: Old) => Tagged
): Upcaster => {
  const [[type] = [undefined], ...others] = taggedMembers(from.ast)
  if (type === undefined || others.length > 0) {
    throw new TypeError(
      `Expected the schema of one event with a literal _tag, found ${String(from)}.`
    )
  }
  const codec = Codec.make(from, { version: PAYLOAD_VERSION })
  const isOld = Schema.is(from)
  return {
    type,
    decode: (bytes) => Either.map(codec.decode(bytes), up),
    step: (old) => (isOld(old) ? Option.some(up(old)) : Option.none())
  }
}
