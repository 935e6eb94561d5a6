/**
 * Hex digits into bytes, four digits at a time.
 *
 * Copying the characters of a string into a buffer at once and working on them as 32-bit words is
 * several times quicker than asking the string for one character after the other, and this is what
 * encoding spends its time on.
 */

/** Digits that fit in one go. */
export const DIGITS_ROOM = 4_096
const digits = Buffer.alloc(DIGITS_ROOM)
const words = new DataView(digits.buffer, digits.byteOffset, digits.byteLength)

/** Copies a text in; `false` if it holds anything but ASCII characters, or too many of them. */
export const loadDigits = (text: string): boolean => {
  if (text.length > DIGITS_ROOM || Buffer.byteLength(text) !== text.length) return false
  digits.write(text, 0, "latin1")
  return true
}

/** Whether the text copied in has `0x` at this place. */
export const isPrefixAt = (from: number): boolean => digits[from] === 48 && digits[from + 1] === 120

/**
 * Writes the bytes of `size` pairs of digits to `target`; `false` if one is no lower-case hex
 * digit.
 */
export const decodeDigits = (from: number, size: number, target: DataView, at: number): boolean => {
  let wrong = 0
  let to = at
  let next = from
  for (const end = from + 4 * (size >>> 1); next < end; next += 4, to += 2) {
    const word = words.getUint32(next, true)
    // Each byte of `nibbles` is a digit's value: of a letter, whose bit 6 is set, its low bits and
    // 9.
    const letters = (word >>> 6) & 0x01010101
    const nibbles = (word & 0x0f0f0f0f) + (letters << 3) + letters
    // Back from the values to the digits: what does not come back as it was is no digit.
    const above9 = ((nibbles + 0x06060606) >>> 4) & 0x01010101
    wrong |= (nibbles & 0xf0f0f0f0) | (word ^ (nibbles + 0x30303030 + above9 * 0x27))
    const pairs = ((nibbles << 4) & 0x00f000f0) | ((nibbles >>> 8) & 0x000f000f)
    target.setUint16(to, pairs | (pairs >>> 8), true)
  }
  if (size % 2 === 0) return wrong === 0
  const last = Number.parseInt(digits.toString("latin1", next, next + 2), 16)
  const isPair =
    last >= 0 && digits.toString("latin1", next, next + 2) === last.toString(16).padStart(2, "0")
  target.setUint8(to, isPair ? last : 0)
  return wrong === 0 && isPair
}
