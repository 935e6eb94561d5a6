/** The shape of a state test file, with its many spellings of a number taken in. */
import * as Primitives from "@ovm/protocol/Primitives"
import { Schema } from "effect"
import { word } from "./WorldState.ts"

const QUANTITY = /^(0x:bigint )?(0x[0-9a-fA-F]*|[0-9]+)$/

/** `0x0a`, `0x`, `10`, and `0x:bigint 0x10..` for what is too big for a field of a transaction. */
const Quantity = Schema.transform(
  Schema.String.pipe(Schema.pattern(QUANTITY)),
  Schema.NonNegativeBigIntFromSelf,
  {
    strict: true,
    decode: (text) => {
      const bare = text.replace("0x:bigint ", "")
      return bare === "0x" ? 0n : BigInt(bare)
    },
    encode: (value) => `0x${value.toString(16)}`
  }
)

const WordQuantity = Quantity.pipe(Schema.filter((value) => value < 1n << 256n))

const Word = Schema.transform(WordQuantity, Primitives.Hash32, {
  strict: true,
  decode: word,
  encode: (hash) => BigInt(hash)
})

/** Hex of any case, with or without its prefix; an empty string is no bytes. */
const lowerHex = <A extends Primitives.Hex>(target: Schema.Schema<A, Primitives.Hex>) =>
  Schema.transform(Schema.String, target, {
    strict: true,
    decode: (text): Primitives.Hex => `0x${text.toLowerCase().replace(/^0x/, "")}`,
    encode: (hex) => hex
  })

const Bytes = lowerHex(Primitives.Hex)
const Address = lowerHex(Primitives.Address)
const Hash = lowerHex(Primitives.Hash32)

const Recipient = Schema.transform(Schema.NullOr(Schema.String), Schema.UndefinedOr(Address), {
  strict: true,
  decode: (text) => (text === null || text === "" || text === "0x" ? undefined : text),
  encode: (address) => address ?? ""
})

const AccessListEntry = Schema.Struct({ address: Address, storageKeys: Schema.Array(Word) })
const AccessList = Schema.Array(AccessListEntry)
export type AccessList = typeof AccessList.Type

const Transaction = Schema.Struct({
  nonce: Quantity,
  gasPrice: Schema.optional(Quantity),
  maxFeePerGas: Schema.optional(Quantity),
  maxPriorityFeePerGas: Schema.optional(Quantity),
  gasLimit: Schema.Array(Quantity),
  to: Schema.optionalWith(Recipient, { default: () => undefined }),
  value: Schema.Array(Quantity),
  data: Schema.Array(Bytes),
  accessLists: Schema.optional(Schema.Array(Schema.NullOr(AccessList))),
  secretKey: Schema.optional(Hash),
  sender: Schema.optional(Address),
  blobVersionedHashes: Schema.optional(Schema.Unknown),
  authorizationList: Schema.optional(Schema.Unknown)
})
export type Transaction = typeof Transaction.Type

const Outcome = Schema.Struct({
  hash: Hash,
  logs: Hash,
  indexes: Schema.Struct({
    data: Schema.NonNegativeInt,
    gas: Schema.NonNegativeInt,
    value: Schema.NonNegativeInt
  }),
  txbytes: Schema.optional(Bytes),
  expectException: Schema.optional(Schema.String)
})
export type Outcome = typeof Outcome.Type

/** A JSON object whose keys are data too, and are checked as such. */
const mapOf = <K, V, VI>(key: Schema.Schema<K, string>, value: Schema.Schema<V, VI>) =>
  Schema.transform(
    Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    Schema.ReadonlyMap({ key, value }),
    // The values are still unknown here: the target schema is what checks them.
    { strict: false, decode: Object.entries, encode: Object.fromEntries }
  )

const Account = Schema.Struct({
  nonce: Quantity,
  balance: WordQuantity,
  code: Bytes,
  storage: mapOf(Word, Word)
})

const Environment = Schema.Struct({
  currentCoinbase: Address,
  currentNumber: Quantity,
  currentTimestamp: Quantity,
  currentGasLimit: Quantity,
  currentBaseFee: Schema.optional(Quantity),
  currentDifficulty: Schema.optional(WordQuantity),
  currentRandom: Schema.optional(WordQuantity),
  currentExcessBlobGas: Schema.optional(Quantity),
  currentChainID: Schema.optional(Quantity)
})

export const StateTest = Schema.Struct({
  config: Schema.optional(Schema.Struct({ chainid: Schema.optional(Quantity) })),
  env: Environment,
  pre: mapOf(Address, Account),
  transaction: Transaction,
  post: Schema.Record({ key: Schema.String, value: Schema.Array(Outcome) })
})
export type StateTest = typeof StateTest.Type

/** A file maps the names of tests to tests; a name with a leading underscore is a comment. */
export const Fixture = mapOf(Schema.String, Schema.Unknown)
