/** A batch's payload: L2 blocks as bytes, compressed where that helps, and back. L1 reads the same (BatchDecoder.sol). */
import { Either } from "effect"
import { MAX_BATCH_TRANSACTIONS, MAX_PAYLOAD_BYTES, MAX_PLAINTEXT_BYTES } from "./BatchLimits.ts"
import { compress, decompress, MalformedPayload } from "./Compression.ts"

export * from "./BatchLimits.ts"
export { MalformedPayload } from "./Compression.ts"

/** A block as a batch tells it: what can't be derived from its place. */
export interface BatchBlock {
  /** Seconds since the Unix epoch. */
  readonly timestamp: bigint
  readonly l1OriginNumber: bigint
  /** How many queue entries come first. They aren't in the payload: L1 has them. */
  readonly queuedCount: number
  /** The raw user transactions, behind the queued ones. */
  readonly transactions: ReadonlyArray<Uint8Array>
}

const STORED = 0
const COMPRESSED = 1
/** LEB128 of at most 8 bytes: 56 bits. */
const VARINT_BYTES_MAX = 8

const pushVarint = (out: Array<number>, value: bigint) => {
  let rest = value
  while (rest >= 128n) {
    out.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  out.push(Number(rest))
}

/** The bytes before compression. Blocks' times and origins must not run backwards. */
export const encodePlaintext = (blocks: ReadonlyArray<BatchBlock>): Uint8Array => {
  const parts: Array<Uint8Array> = []
  let timestamp = 0n
  let origin = 0n
  for (const block of blocks) {
    const head: Array<number> = []
    pushVarint(head, block.timestamp - timestamp)
    pushVarint(head, block.l1OriginNumber - origin)
    pushVarint(head, BigInt(block.queuedCount))
    pushVarint(head, BigInt(block.transactions.length))
    parts.push(Uint8Array.from(head))
    timestamp = block.timestamp
    origin = block.l1OriginNumber
    for (const raw of block.transactions) {
      const length: Array<number> = []
      pushVarint(length, BigInt(raw.length))
      parts.push(Uint8Array.from(length), raw)
    }
  }
  const plaintext = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    plaintext.set(part, at)
    at += part.length
  }
  return plaintext
}

const tagged = (tag: number, body: Uint8Array): Uint8Array => {
  const payload = new Uint8Array(body.length + 1)
  payload[0] = tag
  payload.set(body, 1)
  return payload
}

/** The leaves of the blocks: user transactions and queued ones. */
export const countTransactions = (blocks: ReadonlyArray<BatchBlock>): number =>
  blocks.reduce((sum, block) => sum + block.queuedCount + block.transactions.length, 0)

/** The payload, compressed or stored, whichever is smaller; undefined if the blocks don't fit one batch. */
export const encode = (blocks: ReadonlyArray<BatchBlock>): Uint8Array | undefined => {
  if (countTransactions(blocks) > MAX_BATCH_TRANSACTIONS) return undefined
  const plaintext = encodePlaintext(blocks)
  if (plaintext.length > MAX_PLAINTEXT_BYTES) return undefined
  const compressed = compress(plaintext)
  const smaller = compressed !== undefined && compressed.length < plaintext.length
  const payload = smaller ? tagged(COMPRESSED, compressed) : tagged(STORED, plaintext)
  return payload.length > MAX_PAYLOAD_BYTES ? undefined : payload
}

/** The blocks of a payload, within the limits. Strict: what is right in one place is right everywhere. */
export const decode = (
  payload: Uint8Array
): Either.Either<ReadonlyArray<BatchBlock>, MalformedPayload> =>
  Either.flatMap(decodeEnvelope(payload), decodePlaintext)

/** The bytes before compression. */
export const decodeEnvelope = (
  payload: Uint8Array
): Either.Either<Uint8Array, MalformedPayload> => {
  const malformed = (expected: string, found: string) =>
    Either.left(new MalformedPayload({ offset: 0, expected, found }))
  if (payload.length > MAX_PAYLOAD_BYTES) {
    return malformed(`at most ${MAX_PAYLOAD_BYTES} bytes`, `${payload.length}`)
  }
  if (payload[0] === STORED) return Either.right(payload.slice(1))
  if (payload[0] === COMPRESSED) return decompress(payload, 1)
  return malformed("0x00 (stored) or 0x01 (compressed)", `${payload[0] ?? "nothing"}`)
}

/** Reads blocks one after another until the end. Offsets in errors count plaintext. */
export const decodePlaintext = (
  plaintext: Uint8Array
): Either.Either<ReadonlyArray<BatchBlock>, MalformedPayload> => {
  const reader = { bytes: plaintext, at: 0 }
  const blocks: Array<BatchBlock> = []
  let timestamp = 0n
  let origin = 0n
  let leaves = 0n
  while (reader.at < plaintext.length) {
    const offset = reader.at
    const head = readVarints(reader, 4)
    if (Either.isLeft(head)) return Either.left(head.left)
    const [timestampDelta = 0n, originDelta = 0n, queued = 0n, users = 0n] = head.right
    leaves += queued + users
    if (queued + users === 0n) return malformedAt(offset, "a block with a transaction", "none")
    if (leaves > MAX_BATCH_TRANSACTIONS) {
      const limit = `at most ${MAX_BATCH_TRANSACTIONS} transactions`
      return malformedAt(offset, limit, `${leaves}`)
    }
    const transactions = readTransactions(reader, Number(users))
    if (Either.isLeft(transactions)) return Either.left(transactions.left)
    timestamp += timestampDelta
    origin += originDelta
    blocks.push({
      timestamp,
      l1OriginNumber: origin,
      queuedCount: Number(queued),
      transactions: transactions.right
    })
  }
  return Either.right(blocks)
}

interface Reader {
  readonly bytes: Uint8Array
  at: number
}

const malformedAt = (offset: number, expected: string, found: string) =>
  Either.left(new MalformedPayload({ offset, expected, found }))

const readTransactions = (
  reader: Reader,
  count: number
): Either.Either<ReadonlyArray<Uint8Array>, MalformedPayload> => {
  const transactions: Array<Uint8Array> = []
  for (let index = 0; index < count; index++) {
    const offset = reader.at
    const length = readVarint(reader)
    if (Either.isLeft(length)) return Either.left(length.left)
    const left = reader.bytes.length - reader.at
    if (length.right > left) {
      return malformedAt(offset, `a transaction of ${length.right} bytes`, `${left} bytes`)
    }
    const end = reader.at + Number(length.right)
    transactions.push(reader.bytes.slice(reader.at, end))
    reader.at = end
  }
  return Either.right(transactions)
}

const readVarints = (
  reader: Reader,
  count: number
): Either.Either<ReadonlyArray<bigint>, MalformedPayload> => {
  const values: Array<bigint> = []
  for (let index = 0; index < count; index++) {
    const value = readVarint(reader)
    if (Either.isLeft(value)) return Either.left(value.left)
    values.push(value.right)
  }
  return Either.right(values)
}

const readVarint = (reader: Reader): Either.Either<bigint, MalformedPayload> => {
  const offset = reader.at
  let value = 0n
  for (let index = 0; index < VARINT_BYTES_MAX; index++) {
    const byte = reader.bytes[reader.at]
    if (byte === undefined) return malformedAt(offset, "a whole number", "the end of the payload")
    reader.at++
    value |= BigInt(byte & 127) << BigInt(7 * index)
    if (byte >= 128) continue
    // One number, one spelling.
    if (byte === 0 && index > 0) return malformedAt(offset, "the shortest spelling", "a longer one")
    return Either.right(value)
  }
  return malformedAt(offset, `a number of at most ${VARINT_BYTES_MAX} bytes`, "a longer one")
}
