import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck as fc, Schema } from "effect"
import * as Codec from "../src/Codec.ts"

/** Random hex: Schema's own generator tries random texts until one matches, which is never. */
const hex = (size: { minLength: number; maxLength: number }) => () =>
  fc.uint8Array(size).map((bytes): `0x${string}` => `0x${Buffer.from(bytes).toString("hex")}`)
const Address = Schema.TemplateLiteral("0x", Schema.String).pipe(
  Schema.pattern(/^0x[0-9a-f]{40}$/, { arbitrary: () => hex({ minLength: 20, maxLength: 20 }) })
)
const Hex = Schema.TemplateLiteral("0x", Schema.String).pipe(
  Schema.pattern(/^0x([0-9a-f]{2})*$/, { arbitrary: () => hex({ minLength: 0, maxLength: 200 }) })
)

class Inner extends Schema.Class<Inner>("Inner")({ n: Schema.Int, at: Schema.Date }) {}
class Left extends Schema.TaggedClass<Left>()("v1.Left", { inner: Inner, hex: Hex }) {}
class Right extends Schema.TaggedClass<Right>()("v2.Right", { amount: Schema.NonNegativeBigInt }) {}

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  value: Schema.Number,
  children: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree))
})
const smallTree = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    value: fc.double(),
    children: fc.array(tie("tree"), { maxLength: 2, depthIdentifier: "tree", size: "xsmall" })
  })
})).tree

const roundTrips = <A, I>(
  name: string,
  schema: Schema.Schema<A, I>,
  arbitrary = Arbitrary.make(schema)
) => {
  it(`brings back ${name} as Schema does`, () => {
    const codec = Codec.make(schema, { version: 3 })
    const encode = Schema.encodeSync(schema)
    fc.assert(
      fc.property(arbitrary, (value) => {
        const decoded = Either.getOrThrow(codec.decode(Either.getOrThrow(codec.encode(value))))
        expect(decoded).toStrictEqual(value)
        // The decoded value is as good as the original to Schema itself, classes and refinements
        // included.
        expect(encode(decoded)).toStrictEqual(encode(value))
      }),
      { numRuns: 60 }
    )
  })
}

describe("Codec", () => {
  roundTrips("numbers", Schema.Number)
  roundTrips("integers", Schema.Int)
  roundTrips("bigints", Schema.BigIntFromSelf)
  roundTrips("natural bigints", Schema.NonNegativeBigInt)
  roundTrips("strings", Schema.String, fc.string({ unit: "binary" }))
  roundTrips(
    "odd strings",
    Schema.String,
    fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 300 }),
      fc.uuid(),
      fc.constantFrom("0x", "0x1", "0xAB", "0xab", "\ud800", `0x${"ab".repeat(99)}`)
    )
  )
  roundTrips("fixed hex", Address)
  roundTrips("hex", Hex)
  roundTrips(
    "literals",
    Schema.Struct({ a: Schema.Literal("x"), b: Schema.Literal(1, "two", null, true) })
  )
  roundTrips("enums", Schema.Struct({ colour: Schema.Enums({ Red: "red", Blue: "blue" }) }))
  roundTrips(
    "optional fields",
    Schema.Struct({
      a: Schema.optional(Schema.String),
      b: Schema.optionalWith(Schema.Int, { exact: true }),
      c: Schema.Boolean,
      d: Schema.NullOr(Schema.Int),
      e: Schema.UndefinedOr(Schema.String)
    })
  )
  roundTrips(
    "ten optional fields",
    Schema.Struct(
      Object.fromEntries(
        Array.from(
          { length: 10 },
          (_, i) => [`f${i}`, Schema.optionalWith(Schema.Int, { exact: true })] as const
        )
      )
    )
  )
  roundTrips("tuples and arrays", Schema.Tuple([Schema.Int, Schema.String], Schema.Boolean))
  roundTrips(
    "optional tuple elements",
    Schema.Tuple(Schema.Int, Schema.optionalElement(Schema.String))
  )
  roundTrips(
    "a tuple with an end",
    Schema.Tuple([Schema.String], Schema.Struct({ n: Schema.BigInt }), Schema.Boolean)
  )
  roundTrips("records", Schema.Record({ key: Schema.String, value: Schema.Int }))
  roundTrips(
    "a record with fields",
    Schema.Struct({ a: Schema.Int }, { key: Schema.String, value: Schema.Int })
  )
  roundTrips("unions by tag", Schema.Union(Left, Right, Schema.TaggedStruct("v1.None", {})))
  roundTrips(
    "unions by shape",
    Schema.Union(Schema.String, Schema.Int, Schema.Array(Schema.Int), Inner)
  )
  roundTrips(
    "classes in containers",
    Schema.Struct({
      list: Schema.Array(Inner),
      option: Schema.Option(Schema.Int),
      map: Schema.Map({ key: Schema.String, value: Schema.Int }),
      hashMap: Schema.HashMap({ key: Schema.String, value: Schema.Int }),
      set: Schema.Set(Schema.String),
      chunk: Schema.Chunk(Schema.Int)
    })
  )
  roundTrips(
    "bytes and dates",
    Schema.Struct({ bytes: Schema.Uint8ArrayFromHex, at: Schema.ValidDateFromSelf })
  )
  roundTrips(
    "what is transformed",
    Schema.Struct({
      n: Schema.BigInt,
      d: Schema.optionalWith(Schema.Int, { default: () => 7 }),
      e: Schema.Either({ left: Schema.String, right: Schema.Int })
    })
  )
  roundTrips("recursion", Tree, smallTree)

  roundTrips(
    "what the schema leaves open",
    Schema.Struct({ any: Schema.Unknown }),
    fc
      .record({ any: fc.jsonValue({ noUnicodeString: false }) })
      .filter(({ any }) => !/-0/.test(JSON.stringify(any)) && !Object.is(any, -0))
  )

  it("makes every instance as its class does", () => {
    class Counted extends Schema.Class<Counted>("Counted")({ n: Schema.Int }) {
      readonly seen = new Set<number>()
      get next() {
        return this.n + 1
      }
    }
    for (const schema of [Counted, Inner]) {
      const codec = Codec.make<Counted | Inner, unknown>(Schema.make(schema.ast), { version: 1 })
      for (const n of [1, 2, 3]) {
        const value = schema === Inner ? new Inner({ n, at: new Date(n) }) : new Counted({ n })
        const decoded = Either.getOrThrow(codec.decode(Either.getOrThrow(codec.encode(value))))
        expect(decoded).toStrictEqual(value)
        expect(decoded).toBeInstanceOf(schema)
        if (decoded instanceof Counted)
          expect([decoded.next, decoded.seen.size]).toEqual([n + 1, 0])
      }
    }
  })

  it("refuses at start-up what has no encoded form", () => {
    const symbols = Schema.Struct({ key: Schema.SymbolFromSelf })
    expect(() => Codec.make(symbols, { version: 1 })).toThrow("encoded form of plain data")
  })

  it("stores hex as bytes, tags as nothing and small numbers as one byte", () => {
    const codec = Codec.make(Right, { version: 1 })
    const size = (amount: bigint) => Either.getOrThrow(codec.encode(new Right({ amount }))).length
    // One byte of version each.
    expect([size(0n), size(127n), size(128n), size(10n ** 18n), size(2n ** 256n)]).toEqual([
      2, 2, 3, 10, 35
    ])
    const address = Codec.make(Address, { version: 1 })
    expect(Either.getOrThrow(address.encode(`0x${"ab".repeat(20)}`))).toHaveLength(21)
  })

  it("keeps the layout it has", () => {
    const codec = Codec.make(Schema.Union(Left, Right), { version: 1 })
    const left = new Left({ inner: new Inner({ n: -5, at: new Date(1_000) }), hex: "0xc0ffee" })
    // Fixed for good: a change of these bytes makes every stored event unreadable.
    expect(Buffer.from(Either.getOrThrow(codec.encode(left))).toString("hex")).toBe(
      "010012a01f03c0ffee"
    )
  })

  it("refuses values that do not fit, with a typed error", () => {
    const codec = Codec.make(Schema.Struct({ address: Address, n: Schema.NonNegativeBigInt }), {
      version: 1
    })
    const address = `0x${"ab".repeat(20)}` as const
    for (const bad of [
      { address: `0x${"AB".repeat(20)}` as const, n: 1n },
      { address: "0xab" as const, n: 1n },
      { address: `0x${"zz".repeat(20)}` as const, n: 1n },
      { address, n: -1n }
    ]) {
      const result = codec.encode(bad)
      expect(Either.getOrThrow(Either.flip(result))).toMatchObject({
        _tag: "ValueUnencodable",
        index: 0
      })
    }
  })

  it("refuses bytes of another version and bytes that do not fit", () => {
    const schema = Schema.Struct({ a: Schema.String, b: Schema.Literal("x", "y") })
    const bytes = Either.getOrThrow(
      Codec.make(schema, { version: 1 }).encode({ a: "text", b: "y" })
    )
    const decode = (version: number, given: Uint8Array) =>
      Either.getOrThrow(Either.flip(Codec.make(schema, { version }).decode(given)))
    expect(decode(2, bytes)).toMatchObject({ _tag: "CodecVersionMismatch", expected: 2, found: 1 })
    for (let length = 1; length < bytes.length; length++) {
      expect(decode(1, bytes.subarray(0, length))._tag).toBe("BytesUndecodable")
    }
    expect(decode(1, Buffer.concat([bytes, bytes]))._tag).toBe("BytesUndecodable")
    expect(decode(1, Buffer.from([...bytes.subarray(0, -1), 9]))._tag).toBe("BytesUndecodable")
  })

  it("never throws, whatever the bytes", () => {
    const codec = Codec.make(
      Schema.Struct({
        tree: Tree,
        hex: Hex,
        map: Schema.HashMap({ key: Schema.String, value: Schema.BigIntFromSelf })
      }),
      { version: 0 }
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(Either.isEither(codec.decode(bytes))).toBe(true)
      }),
      { numRuns: 300 }
    )
  })
})
