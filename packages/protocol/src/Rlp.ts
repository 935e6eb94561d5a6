/**
 * Recursive Length Prefix, strictly canonical: two byte strings never decode to one item, so a
 * hash of the bytes is a hash of the item, in TypeScript and in Solidity alike.
 */
import { Either, Schema } from "effect"
import { hexToBytes } from "viem"

export type RlpItem = Uint8Array | ReadonlyArray<RlpItem>

/**
 * Nothing in the protocol nests deeper (a transaction's access list reaches four), and a bound
 * keeps hostile bytes from exhausting the stack.
 */
export const MAX_DEPTH = 16

/** The bytes are no canonical RLP. Recover by encoding the item again, with shortest lengths. */
export class MalformedRlp extends Schema.TaggedError<MalformedRlp>()("MalformedRlp", {
  /** 0-based index of the byte at which the fault was seen. */
  offset: Schema.NonNegativeInt,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `rlp: expected ${this.expected} at byte ${this.offset}, found ${this.found}`
  }
}

/** Reads one item, which must fill `bytes` exactly. Byte strings are views into `bytes`. */
export const decode = (bytes: Uint8Array): Either.Either<RlpItem, MalformedRlp> => {
  const header = readHeader(bytes, 0, bytes.length)
  if (header instanceof MalformedRlp) return Either.left(header)
  if (header.end !== bytes.length) {
    const extra = bytes.length - header.end
    return Either.left(malformed(header.end, "the end of input", `${extra} trailing bytes`))
  }
  const item = readItem(bytes, header, 1)
  return item instanceof MalformedRlp ? Either.left(item) : Either.right(item)
}

export const encode = (item: RlpItem): Uint8Array => {
  const out = new Uint8Array(encodedLength(item))
  write(out, 0, item)
  return out
}

/** An unsigned integer as RLP wants it: big endian, no leading zeros, zero is empty. */
export const encodeUint = (value: bigint): Uint8Array => {
  if (value === 0n) return new Uint8Array(0)
  const digits = value.toString(16)
  return hexToBytes(`0x${digits.length % 2 === 0 ? "" : "0"}${digits}`)
}

interface Header {
  readonly isList: boolean
  /** Where the payload starts and ends. */
  readonly start: number
  readonly end: number
}

const malformed = (offset: number, expected: string, found: string) =>
  new MalformedRlp({ offset, expected, found })

const readHeader = (bytes: Uint8Array, offset: number, limit: number): Header | MalformedRlp => {
  const prefix = bytes[offset]
  if (prefix === undefined || offset >= limit) {
    return malformed(offset, "an item", "the end of input")
  }
  if (prefix < 0x80) return { isList: false, start: offset, end: offset + 1 }
  const isList = prefix >= 0xc0
  const short = prefix - (isList ? 0xc0 : 0x80)
  if (short > 55) return readLongHeader(bytes, offset, limit, isList, short - 55)
  const start = offset + 1
  const end = start + short
  if (end > limit) return malformed(offset, `${short} bytes of payload`, `${limit - start}`)
  if (!isList && short === 1 && (bytes[start] ?? 0) < 0x80) {
    return malformed(offset, "a byte below 0x80 as itself", "a byte string of length one")
  }
  return { isList, start, end }
}

const readLongHeader = (
  bytes: Uint8Array,
  offset: number,
  limit: number,
  isList: boolean,
  lengthSize: number
): Header | MalformedRlp => {
  const start = offset + 1 + lengthSize
  if (start > limit) return malformed(offset, `a length of ${lengthSize} bytes`, "the end of input")
  if (bytes[offset + 1] === 0) {
    return malformed(offset + 1, "a length without leading zeros", "a leading zero")
  }
  // Lengths above 2^53 lose precision here, but still exceed any limit.
  let length = 0
  for (let index = offset + 1; index < start; index++) length = length * 256 + (bytes[index] ?? 0)
  if (length <= 55) return malformed(offset, "the short form for up to 55 bytes", "the long form")
  if (length > limit - start) {
    return malformed(offset, `${length} bytes of payload`, `${limit - start}`)
  }
  return { isList, start, end: start + length }
}

const readItem = (bytes: Uint8Array, header: Header, depth: number): RlpItem | MalformedRlp => {
  if (!header.isList) return bytes.subarray(header.start, header.end)
  if (depth > MAX_DEPTH) {
    return malformed(header.start, `at most ${MAX_DEPTH} levels of lists`, "a deeper list")
  }
  const items: Array<RlpItem> = []
  let offset = header.start
  while (offset < header.end) {
    const child = readHeader(bytes, offset, header.end)
    if (child instanceof MalformedRlp) return child
    const item = readItem(bytes, child, depth + 1)
    if (item instanceof MalformedRlp) return item
    items.push(item)
    offset = child.end
  }
  return items
}

const isBytes = (item: RlpItem): item is Uint8Array => item instanceof Uint8Array

const payloadLength = (item: RlpItem): number =>
  isBytes(item) ? item.length : item.reduce((sum, child) => sum + encodedLength(child), 0)

const encodedLength = (item: RlpItem): number => {
  const length = payloadLength(item)
  if (isBytes(item) && length === 1 && (item[0] ?? 0) < 0x80) return 1
  return 1 + (length > 55 ? byteCount(length) : 0) + length
}

const byteCount = (value: number): number =>
  value < 256 ? 1 : 1 + byteCount(Math.floor(value / 256))

const write = (out: Uint8Array, offset: number, item: RlpItem): number => {
  const length = payloadLength(item)
  if (isBytes(item) && length === 1 && (item[0] ?? 0) < 0x80) {
    out.set(item, offset)
    return offset + 1
  }
  let at = writeHeader(out, offset, isBytes(item) ? 0x80 : 0xc0, length)
  if (isBytes(item)) {
    out.set(item, at)
    return at + length
  }
  for (const child of item) at = write(out, at, child)
  return at
}

const writeHeader = (out: Uint8Array, offset: number, base: number, length: number): number => {
  if (length <= 55) {
    out[offset] = base + length
    return offset + 1
  }
  const size = byteCount(length)
  out[offset] = base + 55 + size
  for (let index = size, rest = length; index > 0; index--, rest = Math.floor(rest / 256)) {
    out[offset + index] = rest % 256
  }
  return offset + 1 + size
}
