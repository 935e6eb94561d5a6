import { Either, FastCheck as fc } from "effect"
import { readFileSync } from "node:fs"
import { beforeAll, describe, expect, it } from "vitest"
import * as BatchCodec from "../src/BatchCodec.ts"
import * as BatchLimits from "../src/BatchLimits.ts"
import { fallbackBlocks } from "../src/BatchRules.ts"
import {
  blockOf,
  entryOf,
  L2_BLOCK_GAS_LIMIT,
  makeVerifier,
  noise,
  reasonOf,
  recordOf,
  type Verifier,
  someBatch
} from "./support/Batches.ts"

let verifier: Verifier

beforeAll(async () => {
  verifier = await makeVerifier()
})

const encoded = (blocks: ReadonlyArray<BatchCodec.BatchBlock>): Uint8Array => {
  const payload = BatchCodec.encode(blocks)
  if (payload === undefined) throw new Error("The blocks don't fit one batch.")
  return payload
}

describe("the contract and the rules", () => {
  it("judge any batch alike", async () => {
    const seen = new Set<number>()
    await fc.assert(
      fc.asyncProperty(someBatch, async ({ blocks, entries }) => {
        const payload = encoded(blocks)
        const record = recordOf(blocks, entries)
        const reason = reasonOf(record, entries, payload)
        seen.add(reason)
        expect(await verifier.check(record, entries, payload)).toMatchObject({ reason })
      }),
      { numRuns: 150, seed: 1 }
    )
    // Or the test would show little.
    expect([...seen].sort()).toEqual(expect.arrayContaining([0, 5, 6, 8]))
  })

  it("judge a promise alike that is wrong in one number", async () => {
    const someLie = fc.constantFrom("root", "blocks", "transactions", "queueEnd", "l1Timestamp")
    await fc.assert(
      fc.asyncProperty(someBatch, someLie, async ({ blocks, entries }, lie) => {
        const honest = recordOf(blocks, entries)
        const taken = lie === "queueEnd" ? entries.concat(entryOf(1)) : entries
        const record = {
          ...honest,
          root: lie === "root" ? (`0x${"11".repeat(32)}` as const) : honest.root,
          blocks: honest.blocks + (lie === "blocks" ? 1 : 0),
          transactions: honest.transactions + (lie === "transactions" ? 1 : 0),
          queueEnd: 5n + BigInt(taken.length),
          l1Timestamp: lie === "l1Timestamp" ? 400n : honest.l1Timestamp
        }
        const payload = encoded(blocks)
        const reason = reasonOf(record, taken, payload)
        expect(await verifier.check(record, taken, payload)).toMatchObject({ reason })
      }),
      { numRuns: 80, seed: 2 }
    )
  })

  it("take queued gas up to the block's limit alike, and not one unit more", async () => {
    for (const [excess, reason] of [
      [0n, 0],
      [1n, 7]
    ] as const) {
      const entries = [
        entryOf(1, 14_000_000n),
        entryOf(2, L2_BLOCK_GAS_LIMIT - 14_000_000n + excess)
      ]
      const blocks = [blockOf([], { queuedCount: 2 })]
      const record = recordOf(blocks, entries)
      expect(reasonOf(record, entries, encoded(blocks))).toBe(reason)
      expect(await verifier.check(record, entries, encoded(blocks))).toMatchObject({ reason })
    }
  })

  it("judge damaged, cut and random payloads alike, compressed or stored", async () => {
    const someEdits = fc.array(fc.tuple(fc.nat(4_000), fc.nat(255)), { maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(
        someBatch,
        fc.boolean(),
        someEdits,
        fc.option(fc.nat(4_000), { nil: undefined, freq: 3 }),
        async ({ blocks, entries }, stored, edits, cut) => {
          const plain = BatchCodec.encodePlaintext(blocks)
          const payload = stored ? Uint8Array.of(0, ...plain) : encoded(blocks).slice()
          for (const [at, byte] of edits) payload[at % payload.length] = byte
          const end = cut === undefined ? payload.length : cut % payload.length
          const damaged = payload.slice(0, end)
          const record = recordOf(blocks, entries)
          const reason = reasonOf(record, entries, damaged)
          expect(await verifier.check(record, entries, damaged)).toMatchObject({ reason })
        }
      ),
      { numRuns: 400, seed: 3 }
    )
  })

  it("judge noise behind the compressed tag alike, and blocks that it makes", async () => {
    const blocks = [blockOf([noise(1, 4)])]
    const record = recordOf(blocks, [])
    await fc.assert(
      fc.asyncProperty(
        // Small tokens and distances, so that sequences go on for a while.
        fc.array(fc.oneof(fc.nat(5), fc.nat(40), fc.nat(255)), { maxLength: 60 }),
        async (bytes) => {
          const payload = Uint8Array.of(1, ...bytes)
          const reason = reasonOf(record, [], payload)
          expect(await verifier.check(record, [], payload)).toMatchObject({ reason })
        }
      ),
      { numRuns: 400, seed: 4 }
    )
  })

  it("take the same of a plaintext, when the tree shows all of it", async () => {
    // The root commits to every byte: a decoder that made other bytes would say so.
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { minLength: 10, maxLength: 3_000 }), async (bytes) => {
        const blocks = [
          blockOf([Uint8Array.of(2, ...bytes)]),
          blockOf([Uint8Array.of(2, ...bytes)])
        ]
        const payload = encoded(blocks)
        expect(payload[0]).toBe(1)
        expect(await verifier.check(recordOf(blocks, []), [], payload)).toMatchObject({ reason: 0 })
      }),
      { numRuns: 40, seed: 5 }
    )
  })

  it("pack a fallback's entries alike", async () => {
    const someEntries = fc.array(fc.tuple(fc.nat(99), fc.bigInt(21_000n, 40_000_000n)), {
      maxLength: 24
    })
    await fc.assert(
      fc.asyncProperty(someEntries, async (drafts) => {
        const entries = drafts.map(([seed, gas]) => entryOf(seed, gas))
        const record = recordOf([], entries)
        const expected = fallbackBlocks(record, entries, L2_BLOCK_GAS_LIMIT)
        const { counts, root } = await verifier.fallback(record, entries)
        expect({ root, counts }).toEqual({
          root: expected.root,
          counts: [expected.blocks.length, entries.length]
        })
      }),
      { numRuns: 60, seed: 6 }
    )
  })
})

describe("the contract", () => {
  it("has the limits of the rules", () => {
    const source = readFileSync(
      new URL("../../../contracts/src/chain/BatchDecoder.sol", import.meta.url),
      "utf8"
    )
    const limits = [...source.matchAll(/internal constant (MAX_\w+) = ([\d_]+);/g)]
    const found = Object.fromEntries(
      limits.map(([, name, value]) => [name, Number(value?.replaceAll("_", ""))])
    )
    expect(found).toEqual({ ...BatchLimits })
  })

  it("takes all entries of the record's range, and no others", async () => {
    const blocks = [blockOf([noise(1, 4)])]
    const record = recordOf(blocks, [])
    expect(await verifier.check(record, [entryOf(1)], encoded(blocks))).toBe("reverted")
  })

  it("never judges for want of gas", async () => {
    const blocks = Array.from({ length: 20 }, (_, seed) => blockOf([noise(seed, 120)]))
    const payload = encoded(blocks)
    const record = recordOf(blocks, [])
    const judged = await verifier.check(record, [], payload)
    if (judged === "reverted") throw new Error("A right batch reverted.")
    for (let share = 0n; share < 40n; share++) {
      const verdict = await verifier.check(record, [], payload, (judged.gas * share) / 40n)
      expect(verdict).toBe("reverted")
    }
    expect(await verifier.check(record, [], payload, judged.gas)).toMatchObject({ reason: 0 })
  })
})

describe("an outsider's sequences", () => {
  const decoded = (...bytes: ReadonlyArray<number>) =>
    Either.map(BatchCodec.decodeEnvelope(Uint8Array.of(1, ...bytes)), (plaintext) => [...plaintext])

  it.each([
    ["literals alone", [0x30, 7, 8, 9], [7, 8, 9]],
    ["a new distance", [0x31, 7, 8, 9, 0, 2], [7, 8, 9, 7, 8, 9]],
    ["a repeated distance", [0x21, 7, 8, 9], undefined],
    ["the last distance again", [0x20, 7, 8, 0, 1, 0x04], [7, 8, 7, 8, 7, 8]],
    ["a match longer than its distance", [0x20, 7, 8, 0, 0], undefined],
    ["a distance before the start", [0x20, 7, 8, 0, 2], undefined],
    ["a match that is cut off", [0x20, 7, 8, 1], undefined],
    ["a match that is announced and missing", [0x21, 7, 8], undefined],
    ["literals that are missing", [0x30, 7, 8], undefined]
  ])("%s", async (_, bytes, expected) => {
    const result = decoded(...bytes)
    expect(Either.isRight(result) ? result.right : undefined).toEqual(expected)
    const record = recordOf([], [])
    const payload = Uint8Array.of(1, ...bytes)
    const reason = reasonOf(record, [], payload)
    expect(await verifier.check(record, [], payload)).toMatchObject({ reason })
  })
})
