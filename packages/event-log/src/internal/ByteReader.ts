/** Reads what a ByteWriter wrote, and refuses anything that runs past its end. */
import { StringKind } from "./ByteWriter.ts"

/**
 * The bytes are not what a ByteWriter makes. Caught where bytes become values; never leaves the
 * package.
 */
export class MalformedBytes extends Error {
  constructor(expected: string, at: number) {
    super(`Expected ${expected} at byte ${at}.`)
  }
}

const SHORT = 40

export class ByteReader {
  readonly #buffer: Buffer
  #at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.#buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = at
  }

  get position(): number {
    return this.#at
  }

  get atEnd(): boolean {
    return this.#at === this.#buffer.length
  }

  byte(): number {
    const value = this.#buffer[this.#at]
    if (value === undefined) throw new MalformedBytes("one more byte", this.#at)
    this.#at++
    return value
  }

  uint16(): number {
    const low = this.byte()
    return low | (this.byte() << 8)
  }

  float64(): number {
    return this.#buffer.readDoubleLE(this.#advance(8))
  }

  varint(): number {
    const start = this.#at
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
      scale *= 128
    }
    if (!Number.isSafeInteger(value)) throw new MalformedBytes("a safe integer", start)
    return value
  }

  bigUint(): bigint {
    const first = this.byte()
    if (first < 0x80) return BigInt(first)
    const size = first === 0xff ? this.varint() : first & 0x7f
    if (size <= 6) {
      if (size === 0) throw new MalformedBytes("an integer", this.#at)
      return BigInt(this.#buffer.readUIntBE(this.#advance(size), size))
    }
    return BigInt(`0x${this.hexDigits(size)}`)
  }

  /** A view of the next `size` bytes, not a copy. */
  bytes(size: number): Buffer {
    const start = this.#advance(size)
    return this.#buffer.subarray(start, start + size)
  }

  hex(size: number): `0x${string}` {
    return `0x${this.hexDigits(size)}`
  }

  /** The digits of the next `size` bytes, without 0x. */
  hexDigits(size: number): string {
    const start = this.#advance(size)
    return this.#buffer.toString("hex", start, start + size)
  }

  string(): string {
    const head = this.varint()
    const size = Math.floor(head / 4)
    switch (head % 4) {
      case StringKind.hex:
        return `0x${this.hexDigits(size)}`
      case StringKind.uuid: {
        const digits = this.hexDigits(size)
        return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
      }
      case StringKind.utf16: {
        const start = this.#advance(size)
        return this.#buffer.toString("utf16le", start, start + size)
      }
      default:
        return this.#text(size)
    }
  }

  #text(size: number): string {
    const start = this.#advance(size)
    if (size > SHORT) return this.#buffer.toString("utf8", start, start + size)
    let text = ""
    for (let at = start; at < start + size; at++) {
      const code = this.#buffer[at] ?? 0
      if (code > 0x7f) return this.#buffer.toString("utf8", start, start + size)
      text += String.fromCharCode(code)
    }
    return text
  }

  #advance(size: number): number {
    const start = this.#at
    if (start + size > this.#buffer.length) throw new MalformedBytes(`${size} more bytes`, start)
    this.#at = start + size
    return start
  }
}
