/** Block headers in Ethereum's own shape (Cancun), so that any client's code can check them. */
import { Either, Schema } from "effect"
import { bytesToBigInt, bytesToHex, hexToBytes, keccak256 } from "viem"
import type { BlockContext } from "./BlockContext.ts"
import { BLOOM_BYTES, Bloom } from "./Bloom.ts"
import { Address, Hash32, Hex } from "./Primitives.ts"
import * as Rlp from "./Rlp.ts"

/** Root of a trie without entries: keccak256(rlp("")). */
export const EMPTY_TRIE_ROOT: Hash32 =
  "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
/** Hash of an empty list of uncles: keccak256(rlp([])). */
export const EMPTY_OMMERS_HASH: Hash32 =
  "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"

/**
 * What varies between blocks. The rest of an Ethereum header is the same in each: no ommers, no
 * difficulty, no nonce, no withdrawals, no blobs.
 */
export const BlockHeader = Schema.Struct({
  parentHash: Hash32,
  /** The coinbase: receives the priority fees. */
  beneficiary: Address,
  stateRoot: Hash32,
  transactionsRoot: Hash32,
  receiptsRoot: Hash32,
  logsBloom: Bloom,
  number: Schema.NonNegativeBigInt,
  /** Gas units that the block's transactions may use together. */
  gasLimit: Schema.NonNegativeBigInt,
  gasUsed: Schema.NonNegativeBigInt,
  /** Seconds since the Unix epoch. */
  timestamp: Schema.NonNegativeBigInt,
  /** At most 32 bytes. */
  extraData: Hex,
  /** Stands in the header's mixHash field. */
  prevRandao: Hash32,
  /** Wei per gas (EIP-1559). */
  baseFeePerGas: Schema.NonNegativeBigInt,
  /** Hash of the L1 origin, the block whose messages are included, in EIP-4788's field. */
  parentBeaconBlockRoot: Hash32
})
export type BlockHeader = typeof BlockHeader.Type

/** The bytes are no header of this chain. Recover by encoding it again with `encodeHeader`. */
export class MalformedHeader extends Schema.TaggedError<MalformedHeader>()("MalformedHeader", {
  field: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `malformed header: expected ${this.field} to be ${this.expected}, found ${this.found}`
  }
}

/** What a block's transactions made of it; with the context and the parent, the whole header. */
export interface BlockOutcome {
  readonly stateRoot: Hash32
  readonly transactionsRoot: Hash32
  readonly receiptsRoot: Hash32
  readonly logsBloom: Bloom
  readonly gasUsed: bigint
}

export const makeHeader = (options: {
  readonly parentHash: Hash32
  readonly context: BlockContext
  readonly outcome: BlockOutcome
}): BlockHeader => ({
  parentHash: options.parentHash,
  beneficiary: options.context.coinbase,
  ...options.outcome,
  number: options.context.number,
  gasLimit: options.context.gasLimit,
  timestamp: options.context.timestamp,
  extraData: "0x",
  prevRandao: options.context.prevRandao,
  baseFeePerGas: options.context.baseFeePerGas,
  parentBeaconBlockRoot: options.context.l1Origin.hash
})

export const encodeHeader = (header: BlockHeader): Uint8Array =>
  Rlp.encode([
    hexToBytes(header.parentHash),
    hexToBytes(EMPTY_OMMERS_HASH),
    hexToBytes(header.beneficiary),
    hexToBytes(header.stateRoot),
    hexToBytes(header.transactionsRoot),
    hexToBytes(header.receiptsRoot),
    hexToBytes(header.logsBloom),
    NOTHING,
    Rlp.encodeUint(header.number),
    Rlp.encodeUint(header.gasLimit),
    Rlp.encodeUint(header.gasUsed),
    Rlp.encodeUint(header.timestamp),
    hexToBytes(header.extraData),
    hexToBytes(header.prevRandao),
    ZERO_NONCE,
    Rlp.encodeUint(header.baseFeePerGas),
    hexToBytes(EMPTY_TRIE_ROOT),
    NOTHING,
    NOTHING,
    hexToBytes(header.parentBeaconBlockRoot)
  ])

/** The hash by which the next block, and everyone, knows this one. */
export const headerHash = (header: BlockHeader): Hash32 => keccak256(encodeHeader(header))

export const decodeHeader = (
  bytes: Uint8Array
): Either.Either<BlockHeader, Rlp.MalformedRlp | MalformedHeader> =>
  Either.flatMap(Rlp.decode(bytes), (item) => {
    if (item instanceof Uint8Array || item.length !== FIELDS.length) {
      const found = item instanceof Uint8Array ? "a byte string" : `${item.length} fields`
      return malformed("header", `a list of ${FIELDS.length} fields`, found)
    }
    const field = (name: FieldName) => readField(name, item[FIELDS.indexOf(name)])
    return Either.gen(function* () {
      for (const [name, value] of CONSTANTS) {
        const found = bytesToHex(yield* field(name))
        if (found !== value) return yield* malformed(name, value, found)
      }
      return {
        parentHash: bytesToHex(yield* field("parentHash")),
        beneficiary: bytesToHex(yield* field("beneficiary")),
        stateRoot: bytesToHex(yield* field("stateRoot")),
        transactionsRoot: bytesToHex(yield* field("transactionsRoot")),
        receiptsRoot: bytesToHex(yield* field("receiptsRoot")),
        logsBloom: bytesToHex(yield* field("logsBloom")),
        number: toUint(yield* field("number")),
        gasLimit: toUint(yield* field("gasLimit")),
        gasUsed: toUint(yield* field("gasUsed")),
        timestamp: toUint(yield* field("timestamp")),
        extraData: bytesToHex(yield* field("extraData")),
        prevRandao: bytesToHex(yield* field("mixHash")),
        baseFeePerGas: toUint(yield* field("baseFeePerGas")),
        parentBeaconBlockRoot: bytesToHex(yield* field("parentBeaconBlockRoot"))
      }
    })
  })

const NOTHING = new Uint8Array(0)
const ZERO_NONCE = new Uint8Array(8)

/** Ethereum's order of the header's fields. */
const FIELDS = [
  "parentHash",
  "ommersHash",
  "beneficiary",
  "stateRoot",
  "transactionsRoot",
  "receiptsRoot",
  "logsBloom",
  "difficulty",
  "number",
  "gasLimit",
  "gasUsed",
  "timestamp",
  "extraData",
  "mixHash",
  "nonce",
  "baseFeePerGas",
  "withdrawalsRoot",
  "blobGasUsed",
  "excessBlobGas",
  "parentBeaconBlockRoot"
] as const
type FieldName = (typeof FIELDS)[number]

const CONSTANTS: ReadonlyArray<readonly [FieldName, Hex]> = [
  ["ommersHash", EMPTY_OMMERS_HASH],
  ["difficulty", "0x"],
  ["nonce", "0x0000000000000000"],
  ["withdrawalsRoot", EMPTY_TRIE_ROOT],
  ["blobGasUsed", "0x"],
  ["excessBlobGas", "0x"]
]

/** Byte size of the fields that have one; the others are integers, or extraData. */
const SIZES: Partial<Record<FieldName, number>> = {
  parentHash: 32,
  ommersHash: 32,
  beneficiary: 20,
  stateRoot: 32,
  transactionsRoot: 32,
  receiptsRoot: 32,
  logsBloom: BLOOM_BYTES,
  mixHash: 32,
  nonce: 8,
  withdrawalsRoot: 32,
  parentBeaconBlockRoot: 32
}

const readField = (
  name: FieldName,
  item: Rlp.RlpItem | undefined
): Either.Either<Uint8Array, MalformedHeader> => {
  if (!(item instanceof Uint8Array)) return malformed(name, "a byte string", "a list")
  const size = SIZES[name]
  if (size !== undefined && item.length !== size) {
    return malformed(name, `${size} bytes`, `${item.length} bytes`)
  }
  if (size === undefined && item.length > 32) {
    return malformed(name, "at most 32 bytes", `${item.length} bytes`)
  }
  if (size === undefined && name !== "extraData" && item[0] === 0) {
    return malformed(name, "an integer without leading zeros", bytesToHex(item))
  }
  return Either.right(item)
}

const malformed = (field: string, expected: string, found: string) =>
  Either.left(new MalformedHeader({ field, expected, found }))

const toUint = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : bytesToBigInt(bytes))
