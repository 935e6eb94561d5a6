/** Arbitrary signed transactions, and arbitrary damage to them. */
import type { Hex } from "@ovm/protocol/Primitives"
import * as Rlp from "@ovm/protocol/Rlp"
import fc from "fast-check"
import { bytesToHex, hexToBytes, keccak256, numberToHex } from "viem"
import { privateKeyToAccount, sign } from "viem/accounts"

export const ACCOUNT = privateKeyToAccount(
  "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
)
const KEY: Hex = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"

/** The fields of a transaction before the signature, as RLP items, and how to sign them. */
export interface Unsigned {
  readonly type: 0 | 1 | 2
  /** Undefined only for a legacy transaction from before EIP-155. */
  readonly chainId: bigint | undefined
  /** From the nonce on; the chain id of a typed transaction is put in front. */
  readonly fields: ReadonlyArray<Rlp.RlpItem>
}

const uint = Rlp.encodeUint
const NONE = new Uint8Array(0)

export const rawOf = (type: number, items: ReadonlyArray<Rlp.RlpItem>): Hex => {
  const body = bytesToHex(Rlp.encode(items))
  return type === 0 ? body : `${numberToHex(type, { size: 1 })}${body.slice(2)}`
}

/** Signs whatever the fields are, valid or not, and gives all items of the transaction. */
export const signItems = async ({ chainId, fields, type }: Unsigned) => {
  const body = type === 0 ? fields : [uint(chainId ?? 0n), ...fields]
  const signed = type === 0 && chainId !== undefined ? [...body, uint(chainId), NONE, NONE] : body
  const {
    r,
    s,
    yParity = 0
  } = await sign({ hash: keccak256(rawOf(type, signed)), privateKey: KEY })
  const offset = type !== 0 ? 0n : chainId === undefined ? 27n : chainId * 2n + 35n
  return [...body, uint(offset + BigInt(yParity)), uint(BigInt(r)), uint(BigInt(s))]
}

export const signRaw = async (unsigned: Unsigned): Promise<Hex> =>
  rawOf(unsigned.type, await signItems(unsigned))

const bits = (count: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(count) - 1n })
/** Mostly small numbers, and every length of big ones. */
const someUint = (maxBits: number) =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: 300n }),
    fc.integer({ min: 1, max: maxBits }).chain(bits),
    fc.constant(2n ** BigInt(maxBits) - 1n)
  )
const someBytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const someAccessList = fc.array(
  fc.tuple(someBytes(20), fc.array(someBytes(32), { maxLength: 3 })),
  { maxLength: 3 }
)
const someNonce = someUint(64).map((nonce) => (nonce === 2n ** 64n - 1n ? nonce - 1n : nonce))

/** Valid fields of any type. Gas prices stay below 2^190, so that gas times price fits a word. */
export const someUnsigned: fc.Arbitrary<Unsigned> = fc
  .record({
    type: fc.constantFrom(0 as const, 1 as const, 2 as const),
    protectedByChain: fc.boolean(),
    chainId: someUint(40).map((id) => (id === 0n ? 1n : id)),
    nonce: someNonce,
    fees: fc.tuple(someUint(190), someUint(190)),
    gasLimit: someUint(64),
    to: fc.option(someBytes(20), { nil: NONE }),
    value: someUint(256),
    data: fc.oneof(fc.uint8Array({ maxLength: 3 }), fc.uint8Array({ maxLength: 300 })),
    accessList: someAccessList
  })
  .map(
    ({ accessList, chainId, data, fees, gasLimit, nonce, protectedByChain, to, type, value }) => {
      const [tip, cap] = fees[0] < fees[1] ? fees : [fees[1], fees[0]]
      const price = type === 2 ? [uint(tip), uint(cap)] : [uint(cap)]
      const list = type === 0 ? [] : [accessList]
      const fields = [uint(nonce), ...price, uint(gasLimit), to, uint(value), data, ...list]
      return { type, chainId: type === 0 && !protectedByChain ? undefined : chainId, fields }
    }
  )

/** One field replaced by something that is probably not valid there, but is signed all the same. */
export const someMisfit: fc.Arbitrary<Unsigned> = fc
  .tuple(
    someUnsigned,
    fc.nat(),
    fc.oneof(
      fc.uint8Array({ maxLength: 34 }),
      fc
        .tuple(fc.constant(0), fc.uint8Array({ maxLength: 8 }))
        .map(([zero, rest]) => Uint8Array.of(zero, ...rest)),
      fc.array(fc.array(fc.uint8Array({ maxLength: 33 }), { maxLength: 3 }), { maxLength: 2 }),
      fc.array(
        fc.tuple(
          fc.uint8Array({ minLength: 19, maxLength: 21 }),
          fc.array(fc.uint8Array({ minLength: 31, maxLength: 33 }), { maxLength: 2 })
        ),
        { maxLength: 2 }
      )
    )
  )
  .map(([unsigned, at, misfit]) => ({
    ...unsigned,
    fields: unsigned.fields.with(at % unsigned.fields.length, misfit)
  }))

/** One to three edits of the raw bytes. */
export const someDamage = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    /** Near the start lie the prefixes, which deserve most attempts. */
    fromStart: fc.option(fc.nat({ max: 12 }), { nil: undefined }),
    edit: fc.constantFrom("set", "insert", "remove", "increment", "decrement", "truncate"),
    byte: fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0, 1, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xb9, 0xc0, 0xf7, 0xf8, 0xf9, 0xff)
    )
  }),
  { minLength: 1, maxLength: 3 }
)
type Damage = typeof someDamage extends fc.Arbitrary<infer A> ? A : never

export const damaged = (raw: Hex, damage: Damage): Hex => {
  const bytes = [...hexToBytes(raw)]
  for (const { at, byte, edit, fromStart } of damage) {
    const index = fromStart ?? Math.floor(at * bytes.length)
    const old = bytes[index] ?? 0
    if (edit === "set") bytes[index] = byte
    else if (edit === "insert") bytes.splice(index, 0, byte)
    else if (edit === "remove") bytes.splice(index, 1)
    else if (edit === "increment") bytes[index] = (old + 1) % 256
    else if (edit === "decrement") bytes[index] = (old + 255) % 256
    else bytes.length = Math.max(0, index)
  }
  // A set beyond the end leaves holes.
  return bytesToHex(Uint8Array.from(bytes, (value) => value ?? 0))
}
