import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import * as fc from "fast-check"
import {
  type Hex,
  hexToBytes,
  keccak256,
  parseTransaction,
  type TransactionSerializable
} from "viem"
import { privateKeyToAccount } from "viem/accounts"
import * as Rlp from "../src/Rlp.ts"
import { recoverSender } from "../src/Signature.ts"
import * as Transaction from "../src/Transaction.ts"

const uint = (bits: number) => fc.bigUintN(bits)
const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value): Hex => `0x${Buffer.from(value).toString("hex")}`)
const data = fc
  .uint8Array({ maxLength: 100 })
  .map((value): Hex => `0x${Buffer.from(value).toString("hex")}`)
const accessList = fc.array(
  fc.record({ address: hex(20), storageKeys: fc.array(hex(32), { maxLength: 3 }) }),
  { maxLength: 3 }
)

const common = {
  nonce: fc.nat(),
  gas: uint(60),
  to: fc.option(hex(20), { nil: null }),
  value: uint(250),
  data
}
const legacy = fc.record({ ...common, type: fc.constant("legacy" as const), gasPrice: uint(250) })
const transactions: fc.Arbitrary<TransactionSerializable> = fc.oneof(
  legacy,
  fc.record({
    ...common,
    type: fc.constant("legacy" as const),
    gasPrice: uint(250),
    chainId: fc.integer({ min: 1, max: 2 ** 40 })
  }),
  fc.record({
    ...common,
    type: fc.constant("eip2930" as const),
    gasPrice: uint(250),
    chainId: fc.integer({ min: 1, max: 2 ** 40 }),
    accessList
  }),
  fc
    .record({
      ...common,
      type: fc.constant("eip1559" as const),
      maxFeePerGas: uint(250),
      maxPriorityFeePerGas: uint(250),
      chainId: fc.integer({ min: 1, max: 2 ** 40 }),
      accessList
    })
    .filter((tx) => tx.maxPriorityFeePerGas <= tx.maxFeePerGas)
)
const keys = hex(32).filter((key) => BigInt(key) > 0n && BigInt(key) < 2n ** 255n)

const sign = (key: Hex, transaction: TransactionSerializable) =>
  privateKeyToAccount(key).signTransaction(transaction)

const decoded = (raw: Hex | Uint8Array) =>
  Either.getOrThrow(Transaction.decode(typeof raw === "string" ? hexToBytes(raw) : raw))

const error = (raw: Hex | Uint8Array) =>
  Either.match(Transaction.decode(typeof raw === "string" ? hexToBytes(raw) : raw), {
    onLeft: (failure) => failure,
    onRight: () => assert.fail("decoded what should be malformed")
  })

const ACCOUNT = privateKeyToAccount(`0x${"11".repeat(32)}`)
const transfer = () =>
  ACCOUNT.signTransaction({
    type: "eip1559",
    chainId: 1,
    nonce: 5,
    gas: 21_000n,
    to: `0x${"22".repeat(20)}`,
    value: 1n,
    maxFeePerGas: 10n,
    maxPriorityFeePerGas: 2n
  })

/** The raw transaction with one field of its list replaced. */
const withField = (raw: Hex, index: number, value: Rlp.RlpItem): Uint8Array => {
  const bytes = hexToBytes(raw)
  const typed = (bytes[0] ?? 0) < 0x80
  const item = Either.getOrThrow(Rlp.decode(typed ? bytes.subarray(1) : bytes))
  if (item instanceof Uint8Array) return assert.fail("a transaction is a list")
  const payload = Rlp.encode(item.map((field, at) => (at === index ? value : field)))
  return typed ? Uint8Array.of(bytes[0] ?? 0, ...payload) : payload
}

describe("Transaction", () => {
  it("reads what wallets sign: fields, sender, hash, and the same bytes back", async () => {
    await fc.assert(
      fc.asyncProperty(keys, transactions, async (key, unsigned) => {
        const raw = await sign(key, unsigned)
        const transaction = decoded(raw)
        const expected = parseTransaction(raw)
        assert.strictEqual(Number(transaction.nonce), expected.nonce ?? 0)
        assert.strictEqual(transaction.gasLimit, expected.gas ?? 0n)
        assert.strictEqual(transaction.value, expected.value ?? 0n)
        assert.strictEqual(transaction.to, expected.to?.toLowerCase())
        assert.strictEqual(
          Transaction.feeCap(transaction),
          expected.maxFeePerGas ?? expected.gasPrice ?? 0n
        )
        assert.strictEqual(Number(transaction.chainId ?? 0n), unsigned.chainId ?? 0)
        assert.deepStrictEqual(transaction.data, hexToBytes(expected.data ?? "0x"))
        assert.deepStrictEqual(
          Transaction.accessListOf(transaction),
          expected.type === "legacy" ? [] : (unsigned.accessList ?? [])
        )
        assert.deepStrictEqual(Transaction.encode(transaction), hexToBytes(raw))
        assert.strictEqual(Transaction.hash(hexToBytes(raw)), keccak256(raw))
        assert.strictEqual(
          Either.getOrThrow(recoverSender(transaction)),
          privateKeyToAccount(key).address.toLowerCase()
        )
      }),
      { numRuns: 60 }
    )
  }, 30_000)

  it("answers hostile bytes with a typed error, never a throw", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(1, 2, 0xc0, 0xf8),
        (tail, first) => {
          assert.isTrue(Either.isEither(Transaction.decode(Uint8Array.of(first, ...tail))))
          assert.isTrue(Either.isEither(Transaction.decode(tail)))
        }
      ),
      { numRuns: 1_000 }
    )
  })

  it("decodes nothing that a flipped byte left non-canonical", async () => {
    const raw = hexToBytes(await transfer())
    fc.assert(
      fc.property(fc.nat(raw.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Uint8Array.from(raw)
        bytes[at] = (bytes[at] ?? 0) ^ flip
        const outcome = Transaction.decode(bytes)
        if (Either.isRight(outcome))
          assert.deepStrictEqual(Transaction.encode(outcome.right), bytes)
      }),
      { numRuns: 500 }
    )
  })

  it("names the type it does not run", () => {
    for (const type of [0x00, 0x03, 0x04, 0x7d, 0x7f]) {
      const failure = error(Uint8Array.of(type, 0xc0))
      assert.deepStrictEqual(failure, new Transaction.UnsupportedTransactionType({ type }))
    }
    assert.match(error("0x03c0").message, /transaction type not supported.*found 0x03/)
  })

  it("names the field that is wrong", async () => {
    const raw = await transfer()
    const message = (index: number, value: Rlp.RlpItem) =>
      error(withField(raw, index, value)).message
    assert.match(message(0, Uint8Array.of(0, 1)), /chainId to be an integer without leading zeros/)
    assert.match(
      message(1, new Uint8Array(9).fill(1)),
      /nonce to be at most 64 bits, found 72 bits/
    )
    assert.match(message(4, []), /gasLimit to be a byte string, found a list/)
    assert.match(message(5, new Uint8Array(19)), /to to be 20 bytes, found 19 bytes/)
    assert.match(message(8, new Uint8Array(2)), /accessList to be a list/)
    assert.match(message(8, [[new Uint8Array(20)]]), /accessList entry to be 2 fields, found 1/)
    assert.match(
      message(8, [[new Uint8Array(20), [new Uint8Array(31)]]]),
      /storage key to be 32 bytes, found 31/
    )
    assert.match(message(9, Uint8Array.of(2)), /yParity to be 0 or 1, found 2/)
    assert.match(error("0x").message, /at least one byte/)
    assert.match(error("0x80").message, /a type or a list, found 0x80/)
    assert.match(error("0xc0").message, /field count to be 9, found 0/)
  })

  it("refuses a legacy v that names no chain and no parity", async () => {
    const raw = await ACCOUNT.signTransaction({ type: "legacy", gasPrice: 1n, gas: 21_000n })
    assert.match(error(withField(raw, 6, Uint8Array.of(29))).message, /v to be 27, 28 or/)
    assert.match(error(withField(raw, 6, new Uint8Array(0))).message, /found 0/)
    assert.strictEqual(decoded(raw).chainId, undefined)
  })

  it("tells fees apart: what the sender offers and what the coinbase gets", async () => {
    const transaction = decoded(await transfer())
    assert.strictEqual(Transaction.effectiveTip(transaction, 7n), 2n)
    assert.strictEqual(Transaction.effectiveTip(transaction, 9n), 1n)
    assert.strictEqual(Transaction.effectiveTip(transaction, 12n), -2n)
    const legacyTransaction = decoded(
      await ACCOUNT.signTransaction({ type: "legacy", gasPrice: 9n, gas: 21_000n, chainId: 1 })
    )
    assert.strictEqual(Transaction.tipCap(legacyTransaction), 9n)
    assert.strictEqual(Transaction.effectiveTip(legacyTransaction, 4n), 5n)
  })
})
