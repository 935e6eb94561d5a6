/** A growable buffer that every binary form of this package is written into. */

/** How a string is stored: hex and UUIDs shrink to their bytes, anything else keeps its text. */
export const StringKind = { utf8: 0, hex: 1, uuid: 2, utf16: 3 } as const

const HEX = /^0x(?:[0-9a-f]{2})*$/
const DIGITS = /^[0-9a-f]*$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const LONE_SURROGATE = /\p{Surrogate}/u
/** Below this many characters a loop in JavaScript beats a call into the engine. */
const SHORT = 80
const TWO_POW_32 = 0x1_0000_0000

/** Value of each hexadecimal digit by its character code. */
const NO_DIGIT = 0xff
const NIBBLE = new Uint8Array(128).fill(NO_DIGIT)
for (let digit = 0; digit < 16; digit++) NIBBLE[digit.toString(16).charCodeAt(0)] = digit

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

  /** Forgets everything written after the first `length` bytes. */
  truncate(length: number): void {
    this.#length = length
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

  /** A non-negative bigint of any size: the length in bytes, then the bytes, highest first. */
  bigUint(value: bigint): void {
    if (value <= 0x7fn) {
      // Zero to 127 are their own byte; a length is told from them by its high bit.
      this.byte(Number(value))
      return
    }
    if (value <= 0xffff_ffff_ffffn) {
      const small = Number(value)
      let size = 1
      for (let limit = 0x100; small >= limit; limit *= 0x100) size++
      this.#reserve(7)
      this.#buffer[this.#length++] = 0x80 | size
      this.#buffer.writeUIntBE(small, this.#length, size)
      this.#length += size
      return
    }
    const digits = value.toString(16)
    const size = (digits.length + 1) >>> 1
    if (size < 0x7f) this.byte(0x80 | size)
    else {
      this.byte(0xff)
      this.varint(size)
    }
    this.#hexDigits(digits.length % 2 === 0 ? digits : `0${digits}`, 0)
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  /** The digits of `0x…` as bytes, without a length: the reader must know it. */
  hex(text: string): void {
    if (text.length % 2 === 1 || !text.startsWith("0x"))
      throw new Unwritable("0x and pairs of digits", text)
    this.#hexDigits(text, 2)
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
    if (size > SHORT) {
      if (!(from === 2 ? HEX : DIGITS).test(text))
        throw new Unwritable("lower-case hex digits", text)
      this.#length += this.#buffer.write(from === 0 ? text : text.slice(from), this.#length, "hex")
      return
    }
    const buffer = this.#buffer
    let at = this.#length
    for (let index = from; index < text.length; index += 2) {
      const high = NIBBLE[text.charCodeAt(index)] ?? NO_DIGIT
      const low = NIBBLE[text.charCodeAt(index + 1)] ?? NO_DIGIT
      if ((high | low) > 0xf) throw new Unwritable("lower-case hex digits", text)
      buffer[at++] = (high << 4) | low
    }
    this.#length = at
  }

  #reserve(size: number): void {
    const needed = this.#length + size
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    grown.set(this.view())
    this.#buffer = grown
  }
}
