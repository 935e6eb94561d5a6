import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as fc from "fast-check"
import { encodeAbiParameters, keccak256, parseAbiParameters } from "viem"
import * as DepositTransaction from "../src/DepositTransaction.ts"
import { intrinsicGas } from "../src/IntrinsicGas.ts"
import * as Rlp from "../src/Rlp.ts"
import * as Transaction from "../src/Transaction.ts"
import { someDeposit } from "./arbitraries.ts"

const FROM = `0x${"aa".repeat(20)}` as const
const deposit: DepositTransaction.DepositTransaction = {
  type: DepositTransaction.TYPE,
  sourceHash: `0x${"11".repeat(32)}`,
  from: FROM,
  to: `0x${"bb".repeat(20)}`,
  mint: 5n,
  value: 3n,
  gasLimit: 100_000n,
  data: Uint8Array.of(1, 2, 3)
}

const fields = (): ReadonlyArray<Rlp.RlpItem> => {
  const item = Either.getOrThrow(Rlp.decode(DepositTransaction.encode(deposit).subarray(1)))
  return item instanceof Uint8Array ? assert.fail("a deposit is a list") : item
}
const rawOf = (items: Rlp.RlpItem) => Uint8Array.of(DepositTransaction.TYPE, ...Rlp.encode(items))

const error = (raw: Uint8Array) =>
  Either.match(DepositTransaction.decode(raw), {
    onLeft: (failure) => failure,
    onRight: () => assert.fail("decoded what should be malformed")
  })

describe("DepositTransaction", () => {
  it("decodes what it encodes, and gives the same bytes again", () => {
    fc.assert(
      fc.property(someDeposit, (value) => {
        const raw = DepositTransaction.encode(value)
        assert.isTrue(DepositTransaction.isDeposit(raw))
        const decoded = Either.getOrThrow(DepositTransaction.decode(raw))
        assert.deepStrictEqual(decoded, value)
        assert.deepStrictEqual(DepositTransaction.encode(decoded), raw)
        assert.strictEqual(DepositTransaction.hash(value), keccak256(raw))
        assert.strictEqual(Transaction.hash(raw), keccak256(raw))
      }),
      { numRuns: 200 }
    )
  })

  it("has the bytes that the Inbox makes", () => {
    const hex = Buffer.from(DepositTransaction.encode(deposit)).toString("hex")
    assert.strictEqual(
      hex,
      `7ef855a0${"11".repeat(32)}94${"aa".repeat(20)}94${"bb".repeat(20)}0503830186a083010203`
    )
  })

  it("is no transaction that a user may send", () => {
    const refusal = Transaction.decode(DepositTransaction.encode(deposit))
    assert.deepStrictEqual(
      refusal,
      Either.left(new Transaction.UnsupportedTransactionType({ type: 0x7e }))
    )
  })

  it("decodes nothing that damage left non-canonical", () => {
    fc.assert(
      fc.property(someDeposit, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, flip) => {
        const raw = DepositTransaction.encode(value)
        const index = at % raw.length
        const bytes = raw.with(index, (raw[index] ?? 0) ^ flip)
        const outcome = DepositTransaction.decode(bytes)
        if (Either.isRight(outcome)) {
          assert.deepStrictEqual(DepositTransaction.encode(outcome.right), bytes)
        }
      }),
      { numRuns: 1_000 }
    )
  })

  it("answers hostile bytes with a typed error, never a throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        assert.isTrue(
          Either.isEither(
            DepositTransaction.decode(Uint8Array.of(DepositTransaction.TYPE, ...tail))
          )
        )
        assert.isTrue(Either.isEither(DepositTransaction.decode(tail)))
      }),
      { numRuns: 500 }
    )
  })

  it.each<[string, number, Rlp.RlpItem, RegExp]>([
    ["a short source hash", 0, new Uint8Array(31), /sourceHash to be 32 bytes, found 31/],
    ["a list as source hash", 0, [], /sourceHash to be a byte string, found a list/],
    ["a short sender", 1, new Uint8Array(19), /from to be 20 bytes, found 19/],
    ["no sender", 1, new Uint8Array(0), /from to be 20 bytes, found 0/],
    ["a long recipient", 2, new Uint8Array(21), /to to be 20 bytes, found 21/],
    ["a leading zero", 3, Uint8Array.of(0, 1), /mint to be an integer without leading zeros/],
    ["a mint of 33 bytes", 3, new Uint8Array(33).fill(1), /mint to be at most 256 bits/],
    ["a zero byte for zero", 4, Uint8Array.of(0), /value to be an integer without leading zeros/],
    ["too large a gas limit", 5, new Uint8Array(9).fill(1), /gasLimit to be at most 64 bits/],
    ["a list as data", 6, [], /data to be a byte string, found a list/]
  ])("refuses %s", (_, index, item, message) => {
    assert.match(error(rawOf(fields().with(index, item))).message, message)
  })

  it("refuses what is no list of seven fields, or something more", () => {
    assert.match(error(rawOf(fields().slice(1))).message, /field count to be 7, found 6/)
    assert.match(error(rawOf([...fields(), new Uint8Array(0)])).message, /to be 7, found 8/)
    assert.match(error(rawOf(new Uint8Array(3))).message, /transaction to be a list/)
    assert.match(
      error(Uint8Array.of(...DepositTransaction.encode(deposit), 0)).message,
      /the end of input.*1 trailing bytes/
    )
    assert.match(error(Uint8Array.of(0x7e)).message, /expected an item at byte 0/)
    assert.match(error(new Uint8Array(0)).message, /first byte to be 0x7e.*found none/)
    assert.match(error(Uint8Array.of(2, 0xc0)).message, /first byte to be 0x7e.*found 0x02/)
  })

  it("has a source hash of its own for each place of a queue", () => {
    const origin = { l1ChainId: 31_337n, inbox: FROM, queueIndex: 7n }
    assert.strictEqual(
      DepositTransaction.sourceHash(origin),
      keccak256(
        encodeAbiParameters(parseAbiParameters("uint256, address, uint256"), [31_337n, FROM, 7n])
      )
    )
    const others = [
      { l1ChainId: 1n },
      { inbox: `0x${"ab".repeat(20)}` as const },
      { queueIndex: 8n }
    ]
    const hashes = [{}, ...others].map((change) =>
      DepositTransaction.sourceHash({ ...origin, ...change })
    )
    assert.strictEqual(new Set(hashes).size, 4)
  })

  it("costs what a signed transaction of the same data costs", () => {
    assert.strictEqual(intrinsicGas(deposit), 21_048n)
    const creation = { ...deposit, to: undefined }
    assert.isAbove(Number(intrinsicGas(creation)), 53_000)
  })
})
