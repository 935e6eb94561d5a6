/** What a transaction left behind, in the consensus form that a block's receipts root commits to. */
import { Either, Schema } from "effect"
import { bytesToBigInt, bytesToHex, hexToBytes } from "viem"
import * as Bloom from "./Bloom.ts"
import { Log } from "./Execution.ts"
import * as Rlp from "./Rlp.ts"

/** Legacy, EIP-2930, EIP-1559, or a deposit (0x7e). */
export const TransactionType = Schema.Literal(0, 1, 2, 0x7e)
export type TransactionType = typeof TransactionType.Type

export const Receipt = Schema.Struct({
  type: TransactionType,
  /** 1 if the outermost frame succeeded, 0 if it reverted or ran out of gas. */
  status: Schema.Literal(0, 1),
  /** OVM gas units used in the block up to and with this transaction. */
  cumulativeGasUsed: Schema.NonNegativeBigInt,
  logsBloom: Bloom.Bloom,
  logs: Schema.Array(Log)
})
export type Receipt = typeof Receipt.Type

/** The bytes are no consensus receipt. Recover by encoding it again with `encode`. */
export class MalformedReceipt extends Schema.TaggedError<MalformedReceipt>()("MalformedReceipt", {
  field: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `malformed receipt: expected ${this.field} to be ${this.expected}, found ${this.found}`
  }
}

/** The type of a raw transaction or receipt: its first byte, or legacy if that starts a list. */
export const typeOf = (raw: Uint8Array): TransactionType => {
  const first = raw[0]
  return first === 1 || first === 2 || first === 0x7e ? first : 0
}

export const make = (options: {
  readonly type: TransactionType
  readonly success: boolean
  readonly cumulativeGasUsed: bigint
  readonly logs: ReadonlyArray<Log>
}): Receipt => ({
  type: options.type,
  status: options.success ? 1 : 0,
  cumulativeGasUsed: options.cumulativeGasUsed,
  logsBloom: Bloom.ofLogs(options.logs),
  logs: options.logs
})

/** The bytes that stand in the receipts trie. */
export const encode = (receipt: Receipt): Uint8Array => {
  const payload = Rlp.encode([
    Rlp.encodeUint(BigInt(receipt.status)),
    Rlp.encodeUint(receipt.cumulativeGasUsed),
    hexToBytes(receipt.logsBloom),
    encodeLogs(receipt.logs)
  ])
  if (receipt.type === 0) return payload
  const out = new Uint8Array(payload.length + 1)
  out[0] = receipt.type
  out.set(payload, 1)
  return out
}

export const encodeLogs = (logs: ReadonlyArray<Log>): Rlp.RlpItem =>
  logs.map(({ address, data, topics }) => [
    hexToBytes(address),
    topics.map((topic) => hexToBytes(topic)),
    hexToBytes(data)
  ])

export const decode = (
  bytes: Uint8Array
): Either.Either<Receipt, Rlp.MalformedRlp | MalformedReceipt> => {
  const type = typeOf(bytes)
  return Either.flatMap(Rlp.decode(type === 0 ? bytes : bytes.subarray(1)), (item) =>
    Either.gen(function* () {
      const [status, gas, bloom, logs] = yield* list("receipt", item, 4)
      const statusBytes = yield* byteString("status", status)
      const success = statusBytes.length === 1 && statusBytes[0] === 1
      if (!success && statusBytes.length !== 0) {
        return yield* malformed("status", "0 or 1", bytesToHex(statusBytes))
      }
      return {
        type,
        status: success ? 1 : 0,
        cumulativeGasUsed: yield* uint("cumulativeGasUsed", gas),
        logsBloom: bytesToHex(yield* byteString("logsBloom", bloom, Bloom.BLOOM_BYTES)),
        logs: yield* Either.all((yield* list("logs", logs)).map(decodeLog))
      }
    })
  )
}

const decodeLog = (item: Rlp.RlpItem): Either.Either<Log, MalformedReceipt> =>
  Either.gen(function* () {
    const [address, topics, data] = yield* list("log", item, 3)
    const words = (yield* list("topics", topics)).map((topic) => byteString("topic", topic, 32))
    return {
      address: bytesToHex(yield* byteString("log address", address, 20)),
      topics: (yield* Either.all(words)).map((word) => bytesToHex(word)),
      data: bytesToHex(yield* byteString("log data", data))
    }
  })

const malformed = (field: string, expected: string, found: string) =>
  Either.left(new MalformedReceipt({ field, expected, found }))

const list = (
  field: string,
  item: Rlp.RlpItem | undefined,
  size?: number
): Either.Either<ReadonlyArray<Rlp.RlpItem>, MalformedReceipt> => {
  if (item === undefined || item instanceof Uint8Array) {
    return malformed(field, "a list", "a byte string")
  }
  return size === undefined || item.length === size
    ? Either.right(item)
    : malformed(field, `${size} fields`, `${item.length} fields`)
}

const byteString = (
  field: string,
  item: Rlp.RlpItem | undefined,
  size?: number
): Either.Either<Uint8Array, MalformedReceipt> => {
  if (!(item instanceof Uint8Array)) return malformed(field, "a byte string", "a list")
  return size === undefined || item.length === size
    ? Either.right(item)
    : malformed(field, `${size} bytes`, `${item.length} bytes`)
}

const uint = (
  field: string,
  item: Rlp.RlpItem | undefined
): Either.Either<bigint, MalformedReceipt> =>
  Either.flatMap(byteString(field, item), (bytes) => {
    if (bytes.length > 32 || bytes[0] === 0) {
      return malformed(field, "an integer without leading zeros", bytesToHex(bytes))
    }
    return Either.right(bytes.length === 0 ? 0n : bytesToBigInt(bytes))
  })
