/** Binary forms of the nodes a schema is made of, from single values up to structs and unions. */
import { Option, Schema, SchemaAST as AST } from "effect"
import { type ByteReader, MalformedBytes } from "./ByteReader.ts"
import { type ByteWriter, Unwritable } from "./ByteWriter.ts"
import type { Plan } from "./CodecCompiler.ts"

export const string: Plan = {
  write: (writer, value) => {
    if (typeof value !== "string") throw new Unwritable("a string", value)
    writer.string(value)
  },
  read: (reader) => reader.string()
}

export const never: Plan = {
  write: (_writer, value) => {
    throw new Unwritable("nothing", value)
  },
  read: (reader) => {
    throw new MalformedBytes("nothing", reader.position)
  }
}

/** Whatever JSON can hold, for values that the schema says nothing about. */
export const json: Plan = {
  write: (writer, value) => {
    const text: string | undefined = JSON.stringify(value, onlyJson)
    if (text === undefined) throw new Unwritable("a value that JSON can hold", value)
    writer.string(text)
  },
  read: (reader) => JSON.parse(reader.string())
}

const onlyJson = (_key: string, value: unknown): unknown => {
  // JSON would turn these into null without a word.
  if (typeof value === "number" && !Number.isFinite(value))
    throw new Unwritable("a finite number", value)
  return value
}

/** Beyond this an integer is written as the float it is: its form below doubles it twice. */
const INTEGER_LIMIT = 2 ** 50
const FLOAT_MARK = 1

/** Even numbers hold an integer (twice its zigzag form); the odd mark announces a float. */
export const number: Plan = {
  write: (writer, value) => {
    if (typeof value !== "number") throw new Unwritable("a number", value)
    const isSmall =
      Number.isInteger(value) && Math.abs(value) < INTEGER_LIMIT && !Object.is(value, -0)
    if (isSmall) writer.varint(value < 0 ? -4 * value - 2 : 4 * value)
    else {
      writer.varint(FLOAT_MARK)
      writer.float64(value)
    }
  },
  read: (reader) => {
    const mark = reader.varint()
    if (mark === FLOAT_MARK) return reader.float64()
    return mark % 4 === 0 ? mark / 4 : -(mark + 2) / 4
  }
}

export const boolean: Plan = {
  write: (writer, value) => {
    if (typeof value !== "boolean") throw new Unwritable("a boolean", value)
    writer.byte(value ? 1 : 0)
  },
  read: (reader) => reader.byte() === 1
}

/** Zigzag: even for zero and above, odd below. */
export const bigint: Plan = {
  write: (writer, value) => {
    if (typeof value !== "bigint") throw new Unwritable("a bigint", value)
    writer.bigUint(value < 0n ? -2n * value - 1n : 2n * value)
  },
  read: (reader) => {
    const value = reader.bigUint()
    return value % 2n === 0n ? value / 2n : -(value + 1n) / 2n
  }
}

const naturalBigint: Plan = {
  write: (writer, value) => {
    if (typeof value !== "bigint" || value < 0n)
      throw new Unwritable("a bigint of 0 or more", value)
    writer.bigUint(value)
  },
  read: (reader) => reader.bigUint()
}

/** Hex of a known size. Such fields that stand side by side in a struct are written in one go. */
interface FixedHex extends Plan {
  readonly hexSize: number
}

const fixedHex = (hexSize: number): FixedHex => ({
  hexSize,
  write: (writer, value) => writer.hex(checkHex(value, hexSize)),
  read: (reader) => reader.hex(hexSize)
})

const checkHex = (value: unknown, size: number): string => {
  if (typeof value !== "string" || value.length !== 2 + 2 * size) {
    throw new Unwritable(`${size} bytes as hex`, value)
  }
  return value
}

const anyHex: Plan = {
  write: (writer, value) => {
    if (typeof value !== "string") throw new Unwritable("a hex string", value)
    writer.varint(Math.max(0, value.length - 2) >>> 1)
    writer.hex(value)
  },
  read: (reader) => reader.hex(reader.varint())
}

/** A tighter form that a refinement allows, if there is one. */
export const refined = (ast: AST.Refinement): Plan | undefined => {
  const id = Option.getOrUndefined(AST.getSchemaIdAnnotation(ast))
  const details = id === undefined ? undefined : ast.annotations[id]
  if (typeof details !== "object" || details === null) return undefined
  if (id === Schema.GreaterThanOrEqualToBigIntSchemaId && "min" in details) {
    return typeof details.min === "bigint" && details.min >= 0n ? naturalBigint : undefined
  }
  if (id !== Schema.PatternSchemaId || !("regex" in details)) return undefined
  if (!(details.regex instanceof RegExp) || details.regex.flags !== "") return undefined
  const { source } = details.regex
  if (source === "^0x([0-9a-f]{2})*$" || source === "^0x(?:[0-9a-f]{2})*$") return anyHex
  const digits = Number(/^\^0x\[0-9a-f\]\{(\d+)\}\$$/.exec(source)?.[1])
  return Number.isInteger(digits) && digits % 2 === 0 ? fixedHex(digits / 2) : undefined
}

/** A value that is known beforehand takes no room at all. */
export const constant = (expected: AST.LiteralValue | undefined): Plan => ({
  write: (_writer, value) => {
    if (value !== expected) throw new Unwritable(String(expected), value)
  },
  read: () => expected
})

/** One of a few known values, by its number among them. */
export const oneOf = (values: ReadonlyArray<unknown>): Plan => {
  const indexOf = new Map(values.map((value, index) => [value, index]))
  return {
    write: (writer, value) => {
      const index = indexOf.get(value)
      if (index === undefined) throw new Unwritable(`one of ${values.join(", ")}`, value)
      writer.varint(index)
    },
    read: (reader) => values[known(reader, values.length)]
  }
}

/** The elements one after the other, then the count and the values of the rest. */
export const list = (elements: ReadonlyArray<Plan>, rest: Plan | undefined): Plan => ({
  write: (writer, value) => {
    if (!Array.isArray(value)) throw new Unwritable("an array", value)
    const isLong = value.length > elements.length
    if (value.length < elements.length || (isLong && rest === undefined)) {
      throw new Unwritable(`${elements.length} elements`, `${value.length} of them`)
    }
    for (let index = 0; index < elements.length; index++)
      elements[index]?.write(writer, value[index])
    if (rest === undefined) return
    writer.varint(value.length - elements.length)
    for (let index = elements.length; index < value.length; index++)
      rest.write(writer, value[index])
  },
  read: (reader) => {
    const value: Array<unknown> = []
    for (const element of elements) value.push(element.read(reader))
    if (rest === undefined) return value
    for (let count = reader.varint(); count > 0; count--) value.push(rest.read(reader))
    return value
  }
})

export interface Field {
  readonly name: string
  readonly isOptional: boolean
  readonly plan: Plan
}

/**
 * A bit for each optional field that is there, the fields in order, then the entries that have no
 * field.
 */
export const struct = (
  fields: ReadonlyArray<Field>,
  rest: Plan | undefined,
  create: () => Record<string, unknown> = () => ({})
): Plan => {
  const optional = fields.filter(({ isOptional }) => isOptional)
  const names = new Set(fields.map(({ name }) => name))
  const parts = partsOf(fields)
  return {
    write: (writer, value) => {
      if (!isRecord(value)) throw new Unwritable("an object", value)
      for (let from = 0; from < optional.length; from += 8) {
        writer.byte(presence(optional.slice(from, from + 8), value))
      }
      for (const part of parts) part.write(writer, value)
      if (rest === undefined) return
      const entries = Object.entries(value).filter(([name]) => !names.has(name))
      writer.varint(entries.length)
      for (const [name, entry] of entries) {
        writer.string(name)
        rest.write(writer, entry)
      }
    },
    read: (reader) => {
      const value = create()
      const present: Array<number> = []
      for (let from = 0; from < optional.length; from += 8) present.push(reader.byte())
      for (const part of parts) part.read(reader, value, present)
      if (rest === undefined) return value
      for (let count = reader.varint(); count > 0; count--) {
        const name = reader.string()
        setOwn(value, name, rest.read(reader))
      }
      return value
    }
  }
}

/** One or several fields of a struct. */
interface Part {
  readonly write: (writer: ByteWriter, struct: Record<string, unknown>) => void
  /** `present` holds the bits of the optional fields. */
  readonly read: (
    reader: ByteReader,
    struct: Record<string, unknown>,
    present: ReadonlyArray<number>
  ) => void
}

/** More fields of hex than this are not written together. */
const MAX_HEX_RUN = 16

const partsOf = (fields: ReadonlyArray<Field>): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  let bit = 0
  for (let index = 0; index < fields.length; ) {
    const run = hexRunAt(fields, index)
    const field = fields[index]
    if (run.length > 1) parts.push(hexRun(run))
    else if (field !== undefined)
      parts.push(field.isOptional ? optionalPart(field, bit++) : onePart(field))
    index += Math.max(1, run.length)
  }
  return parts
}

const onePart = ({ name, plan }: Field): Part => ({
  write: (writer, struct) => plan.write(writer, struct[name]),
  read: (reader, struct) => setOwn(struct, name, plan.read(reader))
})

const optionalPart = ({ name, plan }: Field, bit: number): Part => ({
  write: (writer, struct) => {
    if (Object.hasOwn(struct, name)) plan.write(writer, struct[name])
  },
  read: (reader, struct, present) => {
    if ((((present[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1)
      setOwn(struct, name, plan.read(reader))
  }
})

interface HexField {
  readonly name: string
  readonly size: number
}

const hexRunAt = (fields: ReadonlyArray<Field>, from: number): ReadonlyArray<HexField> => {
  const run: Array<HexField> = []
  for (const { isOptional, name, plan } of fields.slice(from, from + MAX_HEX_RUN)) {
    if (isOptional || !isFixedHex(plan)) break
    run.push({ name, size: plan.hexSize })
  }
  return run
}

const isFixedHex = (plan: Plan): plan is FixedHex =>
  "hexSize" in plan && typeof plan.hexSize === "number" && plan.hexSize <= 64

const hexRun = (run: ReadonlyArray<HexField>): Part => {
  const sizes = run.map(({ size }) => size)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  return {
    write: (writer, struct) => {
      let texts = ""
      for (const { name, size } of run) texts += checkHex(struct[name], size)
      writer.hexRun(texts, sizes)
    },
    read: (reader, struct) => {
      const digits = reader.hexDigits(total)
      let from = 0
      for (const { name, size } of run) {
        const end = from + 2 * size
        setOwn(struct, name, `0x${digits.slice(from, end)}`)
        from = end
      }
    }
  }
}

const presence = (fields: ReadonlyArray<Field>, value: object): number =>
  fields.reduce((bits, { name }, index) => bits | (Object.hasOwn(value, name) ? 1 << index : 0), 0)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null

const setOwn = (target: Record<string, unknown>, name: string, value: unknown): void => {
  if (name !== "__proto__") target[name] = value
  // Plain assignment to this one name would set the prototype.
  else
    Object.defineProperty(target, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true
    })
}

/** The number of the member, then its value. */
export const union = (
  members: ReadonlyArray<Plan>,
  memberOf: (value: unknown) => number
): Plan => ({
  write: (writer, value) => {
    const index = memberOf(value)
    writer.varint(index)
    members[index]?.write(writer, value)
  },
  read: (reader) => members[known(reader, members.length)]?.read(reader)
})

const known = (reader: ByteReader, count: number): number => {
  const index = reader.varint()
  if (index >= count) throw new MalformedBytes(`a number below ${count}`, reader.position)
  return index
}
