/** Binary forms of the types that Effect declares: bytes, dates, options, maps and sets. */
import { Chunk, HashMap, HashSet, Option, SchemaAST as AST } from "effect"
import { MalformedBytes } from "./ByteReader.ts"
import { Unwritable } from "./ByteWriter.ts"
import type { Plan } from "./CodecCompiler.ts"
import * as Leaf from "./CodecLeaves.ts"

/** The plan of a declared type, if its type constructor is one of those known here. */
export const container = (
  ast: AST.Declaration,
  planOf: (parameter: AST.AST) => Plan
): Plan | undefined => {
  const constructor = Option.getOrUndefined(AST.getTypeConstructorAnnotation(ast))
  const [first, second] = ast.typeParameters
  switch (constructor?._tag) {
    case "Uint8Array":
      return bytes
    case "Date":
      return date
    case "effect/Option":
      return first === undefined ? undefined : option(planOf(first))
    case "effect/Chunk":
      return first === undefined ? undefined : collection(planOf(first), Chunk.fromIterable)
    case "ReadonlySet":
      return first === undefined
        ? undefined
        : collection(planOf(first), (values) => new Set(values))
    case "effect/HashSet":
      return first === undefined ? undefined : collection(planOf(first), HashSet.fromIterable)
    case "ReadonlyMap":
    case "effect/HashMap": {
      if (first === undefined || second === undefined) return undefined
      const entry = Leaf.list([planOf(first), planOf(second)], undefined)
      const isMap = constructor._tag === "ReadonlyMap"
      return collection(entry, (entries) => {
        const pairs = Array.from(entries, asPair)
        return isMap ? new Map(pairs) : HashMap.fromIterable(pairs)
      })
    }
    default:
      return undefined
  }
}

const bytes: Plan = {
  write: (writer, value) => {
    if (!(value instanceof Uint8Array)) throw new Unwritable("a Uint8Array", value)
    writer.varint(value.length)
    writer.bytes(value)
  },
  // Copied: a view would keep the whole segment in memory, and a Buffer is not what was written.
  read: (reader) => Uint8Array.from(reader.bytes(reader.varint()))
}

const date: Plan = {
  write: (writer, value) => {
    if (!(value instanceof Date)) throw new Unwritable("a Date", value)
    Leaf.number.write(writer, value.getTime())
  },
  read: (reader) => {
    const time = Leaf.number.read(reader)
    return new Date(typeof time === "number" ? time : Number.NaN)
  }
}

const option = (value: Plan): Plan => ({
  write: (writer, given) => {
    if (!Option.isOption(given)) throw new Unwritable("an Option", given)
    writer.byte(Option.isSome(given) ? 1 : 0)
    if (Option.isSome(given)) value.write(writer, given.value)
  },
  read: (reader) => (reader.byte() === 1 ? Option.some(value.read(reader)) : Option.none())
})

const collection = (element: Plan, make: (values: Iterable<unknown>) => unknown): Plan => ({
  write: (writer, value) => {
    const values = Array.from(asIterable(value))
    writer.varint(values.length)
    for (const one of values) element.write(writer, one)
  },
  read: (reader) => {
    const values: Array<unknown> = []
    for (let count = reader.varint(); count > 0; count--) values.push(element.read(reader))
    return make(values)
  }
})

const asIterable = (value: unknown): Iterable<unknown> => {
  if (typeof value === "object" && value !== null && isIterable(value)) return value
  throw new Unwritable("a collection", value)
}

const isIterable = (value: object): value is Iterable<unknown> => Symbol.iterator in value

const asPair = (entry: unknown): readonly [unknown, unknown] => {
  if (Array.isArray(entry) && entry.length === 2) return [entry[0], entry[1]]
  throw new MalformedBytes("a key and a value", 0)
}
