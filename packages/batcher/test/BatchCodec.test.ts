import { Either, FastCheck as fc } from "effect"
import { bytesToHex, keccak256 } from "viem"
import { describe, expect, it } from "vitest"
import GasSchedule from "../../protocol/schedule.json" with { type: "json" }
import * as BatchCodec from "../src/BatchCodec.ts"
import { compress, decompress } from "../src/Compression.ts"
import { blockOf, noise, someBatch } from "./support/Batches.ts"

const {
  MAX_BATCH_TRANSACTIONS,
  MAX_PAYLOAD_BYTES,
  MAX_PLAINTEXT_BYTES,
  MAX_SEQUENCES,
  MalformedPayload
} = BatchCodec

const wrongness = (payload: Uint8Array) => {
  const result = BatchCodec.decode(payload)
  if (Either.isRight(result)) throw new Error("The payload decodes.")
  expect(result.left).toBeInstanceOf(MalformedPayload)
  return { offset: result.left.offset, expected: result.left.expected }
}

describe("a payload", () => {
  it("gives the blocks back that went in", () => {
    fc.assert(
      fc.property(someBatch, ({ blocks }) => {
        const payload = BatchCodec.encode(blocks)
        expect(payload && BatchCodec.decode(payload)).toEqual(Either.right(blocks))
      }),
      { numRuns: 200, seed: 1 }
    )
  })

  it("is any bytes: it decodes, or says where it doesn't", () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1), fc.uint8Array({ maxLength: 200 }), (tag, bytes) => {
        const result = BatchCodec.decode(Uint8Array.of(tag, ...bytes))
        if (Either.isLeft(result)) expect(result.left.message).toContain("at byte")
      }),
      { numRuns: 500, seed: 2 }
    )
  })

  it("keeps its format: these bytes are on L1", () => {
    const blocks = [
      blockOf([Uint8Array.of(2, 1, 2, 3), Uint8Array.of(2, 1, 2, 3, 4)]),
      blockOf([], { timestamp: 1_300n, l1OriginNumber: 95n, queuedCount: 2 })
    ]
    const stored = BatchCodec.encode(blocks) ?? new Uint8Array()
    expect(bytesToHex(stored)).toBe("0x00e8075f00020402010203050201020304ac02000200")
    const alike = [
      blockOf(Array.from({ length: 3 }, () => Uint8Array.from({ length: 40 }, (_, i) => i)))
    ]
    const compressed = BatchCodec.encode(alike) ?? new Uint8Array()
    expect(bytesToHex(compressed)).toBe(
      "0x01f322e8075f000328000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526270028240724"
    )
  })

  it("is stored where compression would not help", () => {
    expect(BatchCodec.encode([blockOf([noise(1, 500)])])?.[0]).toBe(0)
  })

  it.each([
    ["nothing", [], 0, "0x00 (stored) or 0x01 (compressed)"],
    ["an unknown tag", [2, 1], 0, "0x00 (stored) or 0x01 (compressed)"],
    ["a block of nothing", [0, 5, 5, 0, 0], 0, "a block with a transaction"],
    ["a block cut in its head", [0, 5, 5], 2, "a whole number"],
    ["a transaction cut short", [0, 5, 5, 0, 1, 3, 1, 2], 4, "a transaction of 3 bytes"],
    ["a number in 9 bytes", [0, ...Array(8).fill(128), 1], 0, "a number of at most 8 bytes"],
    ["a number spelled too long", [0, 0x85, 0, 5, 0, 1], 0, "the shortest spelling"],
    ["trailing bytes", [0, 5, 5, 1, 0, 7], 5, "a whole number"]
  ])("is refused: %s", (_, bytes, offset, expected) => {
    expect(wrongness(Uint8Array.from(bytes))).toEqual({ offset, expected })
  })
})

describe("the limits", () => {
  it("leave room for the largest transaction, incompressible, and a deployment's overhead", () => {
    const raw = noise(1, GasSchedule.constants.TRANSACTION_BYTES_MAX[0] as number)
    const block = blockOf([raw], { timestamp: 2n ** 40n, l1OriginNumber: 2n ** 40n })
    const payload = BatchCodec.encode([block])
    expect(payload?.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES)
    // An L1 node takes transactions of 131,072 bytes: selector, record, offset, length, padding, signature.
    expect(MAX_PAYLOAD_BYTES + 4 + 11 * 32 + 3 * 32 + 300).toBeLessThanOrEqual(131_072)
  })

  it("allow a payload of exactly MAX_PAYLOAD_BYTES", () => {
    const overhead = (BatchCodec.encode([blockOf([noise(1, 100_000)])])?.length ?? 0) - 100_000
    const fits = [blockOf([noise(1, MAX_PAYLOAD_BYTES - overhead)])]
    expect(BatchCodec.encode(fits)?.length).toBe(MAX_PAYLOAD_BYTES)
    expect(BatchCodec.encode([blockOf([noise(1, MAX_PAYLOAD_BYTES - overhead + 1)])])).toBe(
      undefined
    )
    const larger = new Uint8Array(MAX_PAYLOAD_BYTES + 1)
    expect(wrongness(larger)).toEqual({ offset: 0, expected: `at most ${MAX_PAYLOAD_BYTES} bytes` })
  })

  it("allow MAX_BATCH_TRANSACTIONS leaves, queued ones included", () => {
    const raws = Array.from({ length: MAX_BATCH_TRANSACTIONS - 3 }, () => Uint8Array.of(1))
    const payload = BatchCodec.encode([blockOf(raws, { queuedCount: 3 })])
    expect(payload && Either.isRight(BatchCodec.decode(payload))).toBe(true)
    const more = [blockOf(raws, { queuedCount: 4 })]
    expect(BatchCodec.encode(more)).toBe(undefined)
    expect(wrongness(Uint8Array.of(0, ...BatchCodec.encodePlaintext(more)))).toEqual({
      offset: 0,
      expected: `at most ${MAX_BATCH_TRANSACTIONS} transactions`
    })
  })

  it("allow MAX_PLAINTEXT_BYTES, compressed", () => {
    const zeros = (length: number) => compress(new Uint8Array(length))
    const exact = zeros(MAX_PLAINTEXT_BYTES) ?? new Uint8Array()
    expect(Either.map(decompress(exact), ({ length }) => length)).toEqual(
      Either.right(MAX_PLAINTEXT_BYTES)
    )
    expect(zeros(MAX_PLAINTEXT_BYTES + 1)).toBe(undefined)
    const more = decompress(Uint8Array.of(...exact, 0x10, 0))
    expect(Either.isLeft(more) && more.left.expected).toBe(
      `at most ${MAX_PLAINTEXT_BYTES} bytes of plaintext`
    )
  })

  it("allow MAX_SEQUENCES", () => {
    const sequences = (count: number) =>
      Uint8Array.of(0x20, 7, 8, 0, 1, ...Array.from({ length: count - 1 }, () => 4))
    expect(Either.map(decompress(sequences(MAX_SEQUENCES)), ({ length }) => length)).toEqual(
      Either.right(2 + 2 * MAX_SEQUENCES)
    )
    const more = decompress(sequences(MAX_SEQUENCES + 1))
    expect(Either.isLeft(more) && more.left.expected).toBe(`at most ${MAX_SEQUENCES} sequences`)
  })
})

describe("compression", () => {
  const somePieces = fc
    .array(
      fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        fc.tuple(fc.nat(3), fc.nat(700)).map(([seed, length]) => noise(seed, length)),
        fc.nat(3_000).map((length) => new Uint8Array(length))
      ),
      { maxLength: 30 }
    )
    .map((pieces) => Uint8Array.from(pieces.flatMap((piece) => [...piece])))

  it("is undone exactly", () => {
    fc.assert(
      fc.property(somePieces, (bytes) => {
        expect(Either.map(decompress(compress(bytes) ?? new Uint8Array()), bytesToHex)).toEqual(
          Either.right(bytesToHex(bytes))
        )
      }),
      { numRuns: 150, seed: 3 }
    )
  })

  it("reaches back over the whole plaintext", () => {
    const once = noise(5, 400)
    const bytes = Uint8Array.from([...once, ...noise(6, 120_000), ...once])
    expect(compress(bytes)?.length).toBeLessThan(120_000 + 400 + 20)
  })

  it("gives the same bytes everywhere", () => {
    const bytes = Uint8Array.from([...noise(1, 500), ...noise(2, 90), ...noise(1, 300)])
    expect(keccak256(compress(bytes) ?? new Uint8Array())).toBe(
      "0xa18edc5c91bb3f056eb2b00b5727f8ff423e4449c866e2f27e4e7bb4a45b9d77"
    )
  })
})
