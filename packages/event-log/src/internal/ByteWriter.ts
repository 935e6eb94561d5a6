/** A growable buffer that every binary form of this package is written into. */

import { checkOf, viewOf } from "./Check.ts"
import { DIGITS_ROOM, decodeDigits, isPrefixAt, loadDigits } from "./Hex.ts"

/** How a string is stored: hex and UUIDs shrink to their bytes, anything else keeps its text. */
export const StringKind = { utf8: 0, hex: 1, uuid: 2, utf16: 3 } as const

const HEX = /^0x(?:[0-9a-f]{2})*$/
const DIGITS = /^[0-9a-f]*$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const LONE_SURROGATE = /\p{Surrogate}/u
/** Below this many characters a loop in JavaScript beats a call into the engine. */
const SHORT = 80
const TWO_POW_32 = 0x1_0000_0000
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn

const HEX_EXPECTED = "0x and pairs of lower-case hex digits"

/** A value has no binary form. Caught where values become bytes; never leaves the package. */
export class Unwritable extends Error {
  constructor(expected: string, found: unknown) {
    super(`Expected ${expected}, found ${describe(found)}.`)
  }
}

const describe = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

export class ByteWriter {
  #buffer = Buffer.allocUnsafeSlow(1024)
  #view = viewOf(this.#buffer)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The bytes from `start` on. A view: it is good only until the writer is written to or reset. */
  view(start = 0): Buffer {
    return this.#buffer.subarray(start, this.#length)
  }

  /** Hands the written bytes over to the caller, copied to their exact size, and starts afresh. */
  take(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#length)
    bytes.set(this.view())
    this.#length = 0
    return bytes
  }

  /** The check value of the bytes from `start` on. */
  check(start: number): number {
    return checkOf(this.#view, start, this.#length)
  }

  /** Forgets everything written. */
  clear(): void {
    this.#length = 0
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = value
  }

  uint16(value: number): void {
    this.#reserve(2)
    this.#buffer[this.#length++] = value
    this.#buffer[this.#length++] = value >>> 8
  }

  float64(value: number): void {
    this.#reserve(8)
    this.#buffer.writeDoubleLE(value, this.#length)
    this.#length += 8
  }

  /** A non-negative safe integer, seven bits a byte, lowest first. */
  varint(value: number): void {
    this.#reserve(8)
    let rest = value
    // Bit operations work on 32 bits only, so what is above them is divided away first.
    while (rest >= TWO_POW_32) {
      this.#buffer[this.#length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    rest >>>= 0
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#length++] = rest
  }

  /**
   * A non-negative bigint of any size: up to 127 its own byte, else its length, then its bytes,
   * highest first.
   */
  bigUint(value: bigint): void {
    if (value <= MAX_UINT64) {
      this.#uint64(value)
      return
    }
    const digits = value.toString(16)
    const size = (digits.length + 1) >>> 1
    this.byte(size < 0x7f ? 0x80 | size : 0xff)
    if (size >= 0x7f) this.varint(size)
    this.#hexDigits(digits.length % 2 === 0 ? digits : `0${digits}`, 0)
  }

  #uint64(value: bigint): void {
    this.#reserve(9)
    const view = this.#view
    const at = this.#length
    // Written whole, then moved up over its leading zeros: quicker than any arithmetic on bigints.
    view.setBigUint64(at, value)
    const high = view.getUint32(at)
    const low = view.getUint32(at + 4)
    if (high === 0 && low < 0x80) {
      this.#buffer[at] = low
      this.#length++
      return
    }
    const size = high === 0 ? 4 - (Math.clz32(low) >>> 3) : 8 - (Math.clz32(high) >>> 3)
    const buffer = this.#buffer
    if (size === 8) view.setBigUint64(at + 1, value)
    else for (let to = 1; to <= size; to++) buffer[at + to] = buffer[at + 8 - size + to - 1] ?? 0
    buffer[at] = 0x80 | size
    this.#length += 1 + size
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  /** The digits of `0x…` as bytes, without a length: the reader must know it. */
  hex(text: string): void {
    if (text.length % 2 === 1 || !text.startsWith("0x")) throw new Unwritable(HEX_EXPECTED, text)
    this.#hexDigits(text, 2)
  }

  /**
   * Several texts `0x…` that follow each other, of these sizes in bytes: one copy for all of them.
   */
  hexRun(texts: string, sizes: ReadonlyArray<number>): void {
    this.#reserve(texts.length >>> 1)
    let isHex = loadDigits(texts)
    let at = this.#length
    let from = 0
    for (const size of sizes) {
      isHex = isHex && isPrefixAt(from) && decodeDigits(from + 2, size, this.#view, at)
      from += 2 + 2 * size
      at += size
    }
    if (!isHex) throw new Unwritable(HEX_EXPECTED, texts)
    this.#length = at
  }

  /** Any string; hex strings and UUIDs take half of their text's room. */
  string(text: string): void {
    const length = text.length
    if (length >= 2 && text.charCodeAt(1) === 120 && HEX.test(text)) {
      this.varint((length - 2) * 2 + StringKind.hex)
      this.#hexDigits(text, 2)
    } else if (length === 36 && UUID.test(text)) {
      this.varint((16 << 2) | StringKind.uuid)
      this.#hexDigits(text.replaceAll("-", ""), 0)
    } else this.#text(text)
  }

  #text(text: string): void {
    const start = this.#length
    if (text.length < SHORT) {
      this.#reserve(text.length + 2)
      this.varint((text.length << 2) | StringKind.utf8)
      if (this.#ascii(text)) return
      this.#length = start
    }
    if (LONE_SURROGATE.test(text)) {
      // UTF-8 has no form for half a surrogate pair; UTF-16 keeps it.
      this.varint(text.length * 8 + StringKind.utf16)
      this.#reserve(text.length * 2)
      this.#length += this.#buffer.write(text, this.#length, "utf16le")
      return
    }
    const size = Buffer.byteLength(text)
    this.varint(size * 4 + StringKind.utf8)
    this.#reserve(size)
    this.#length += this.#buffer.write(text, this.#length, "utf8")
  }

  #ascii(text: string): boolean {
    const buffer = this.#buffer
    let at = this.#length
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) return false
      buffer[at++] = code
    }
    this.#length = at
    return true
  }

  #hexDigits(text: string, from: number): void {
    const size = (text.length - from) >>> 1
    this.#reserve(size)
    if (text.length > DIGITS_ROOM) {
      if (!(from === 2 ? HEX : DIGITS).test(text)) throw new Unwritable(HEX_EXPECTED, text)
      this.#buffer.write(from === 0 ? text : text.slice(from), this.#length, "hex")
    } else if (!loadDigits(text) || !decodeDigits(from, size, this.#view, this.#length)) {
      throw new Unwritable(HEX_EXPECTED, text)
    }
    this.#length += size
  }

  #reserve(size: number): void {
    if (this.#length + size > this.#buffer.length) this.#grow(size)
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#length + size, this.#buffer.length * 2))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
    this.#view = viewOf(grown)
  }
}
