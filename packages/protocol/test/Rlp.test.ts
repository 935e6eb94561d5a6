import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as fc from "fast-check"
import { hexToBytes, toRlp } from "viem"
import * as Rlp from "../src/Rlp.ts"

const { item } = fc.letrec<{ item: Rlp.RlpItem }>((tie) => ({
  item: fc.oneof(
    { depthSize: "small", maxDepth: 5 },
    fc.uint8Array({ maxLength: 80 }),
    fc.array(tie("item"), { maxLength: 4 })
  )
}))

type Nested = Uint8Array | Array<Nested>
const mutable = (value: Rlp.RlpItem): Nested =>
  value instanceof Uint8Array ? value : value.map(mutable)

const fault = (hex: `0x${string}`) =>
  Either.match(Rlp.decode(hexToBytes(hex)), {
    onLeft: (error) => error.message,
    onRight: () => "decoded"
  })

describe("Rlp", () => {
  it("encodes as viem does and decodes its own encoding", () => {
    fc.assert(
      fc.property(item, (value) => {
        const bytes = Rlp.encode(value)
        assert.deepStrictEqual(bytes, toRlp(mutable(value), "bytes"))
        assert.deepStrictEqual(Rlp.decode(bytes), Either.right(value))
      }),
      { numRuns: 200 }
    )
  })

  it("accepts no bytes but those it would write", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
        const decoded = Rlp.decode(bytes)
        if (Either.isRight(decoded)) assert.deepStrictEqual(Rlp.encode(decoded.right), bytes)
      }),
      { numRuns: 2_000 }
    )
  })

  it("writes lengths of two bytes and more", () => {
    const long = new Uint8Array(70_000).fill(7)
    assert.deepStrictEqual(Rlp.encode([long]), toRlp([long], "bytes"))
    assert.deepStrictEqual(Rlp.decode(Rlp.encode([long])), Either.right([long]))
  })

  it("names the byte at which non-canonical input goes wrong", () => {
    assert.match(fault("0x"), /expected an item at byte 0, found the end of input/)
    assert.match(fault("0x8100"), /a byte below 0x80 as itself at byte 0/)
    assert.match(fault("0xb800"), /without leading zeros at byte 1/)
    assert.match(fault("0xb83700"), /short form for up to 55 bytes/)
    assert.match(fault("0xc28101"), /a byte below 0x80 as itself at byte 1/)
    assert.match(fault("0xc1"), /1 bytes of payload at byte 0, found 0/)
    assert.match(fault("0xc0c0"), /the end of input at byte 1, found 1 trailing bytes/)
    assert.match(fault("0xc1b8"), /a length of 1 bytes at byte 1/)
    assert.match(fault("0xbfffffffffffffffff"), /bytes of payload/)
  })

  it("refuses hostile nesting instead of exhausting the stack", () => {
    let nested: Rlp.RlpItem = []
    for (let depth = 1; depth < Rlp.MAX_DEPTH; depth++) nested = [nested]
    assert.isTrue(Either.isRight(Rlp.decode(Rlp.encode(nested))))
    assert.isTrue(Either.isLeft(Rlp.decode(Rlp.encode([nested]))))
    const deep = new Uint8Array(100_000).fill(0xc1)
    deep[deep.length - 1] = 0xc0
    assert.isTrue(Either.isLeft(Rlp.decode(deep)))
  })

  it("encodes integers without leading zeros, and zero as nothing", () => {
    assert.deepStrictEqual(Rlp.encodeUint(0n), new Uint8Array(0))
    assert.deepStrictEqual(Rlp.encodeUint(255n), Uint8Array.of(255))
    assert.deepStrictEqual(Rlp.encodeUint(256n), Uint8Array.of(1, 0))
  })
})
