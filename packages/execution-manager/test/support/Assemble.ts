/** Assembly for tests, written as one text. */
import { OPCODE_NAMES } from "@ovm/protocol/Opcode"
import { bytesToHex, hexToBytes } from "viem"

const OPCODES: ReadonlyMap<string, number> = new Map(
  [...OPCODE_NAMES].map(([opcode, name]) => [name, opcode])
)
const JUMPDEST = 0x5b
const PUSH0 = 0x5f
const PUSH2 = 0x61

const pushOf = (value: bigint): ReadonlyArray<number> => {
  const digits = value.toString(16)
  const bytes = value === 0n ? [] : [...hexToBytes(`0x${digits}`)]
  return [PUSH0 + bytes.length, ...bytes]
}

/**
 * Words, separated by space: a mnemonic; a number, decimal or 0x..., is the shortest PUSH of it;
 * `:name` a JUMPDEST; `@name` a PUSH2 of its offset (of the program's end, if it is nowhere); `#...`
 * these very bytes.
 */
export const asm = (source: string): Uint8Array => {
  const code: Array<number> = []
  const labels = new Map<string, number>()
  const references: Array<readonly [offset: number, name: string]> = []
  for (const word of source.split(/\s+/).filter((each) => each !== "")) {
    const rest = word.slice(1)
    if (word.startsWith(":")) {
      labels.set(rest, code.length)
      code.push(JUMPDEST)
    } else if (word.startsWith("@")) {
      references.push([code.length + 1, rest])
      code.push(PUSH2, 0, 0)
    } else if (word.startsWith("#")) {
      code.push(...hexToBytes(`0x${rest}`))
    } else if (/^\d/.test(word)) {
      code.push(...pushOf(BigInt(word)))
    } else {
      const opcode = OPCODES.get(word)
      if (opcode === undefined) throw new Error(`Expected a mnemonic, found ${word}.`)
      code.push(opcode)
    }
  }
  for (const [offset, name] of references) {
    const target = labels.get(name) ?? code.length
    code.splice(offset, 2, target >> 8, target & 0xff)
  }
  return Uint8Array.from(code)
}

/** Repeats a piece of source. */
export const times = (count: number, source: string): string => `${source} `.repeat(count)

/** Leaves `bytes` in memory from `offset` on (and zeros up to a full word behind them); skips words of zeros. */
export const memory = (bytes: Uint8Array, offset = 0): string => {
  const words: Array<string> = []
  for (let at = 0; at < bytes.length; at += 32) {
    const word = new Uint8Array(32)
    word.set(bytes.subarray(at, at + 32))
    if (word.some((byte) => byte !== 0)) words.push(`${bytesToHex(word)} ${offset + at} MSTORE`)
  }
  return words.join(" ")
}

/** Initcode that does what stands `before`, then deposits `code`. */
export const deploying = (code: Uint8Array, before = ""): Uint8Array =>
  Uint8Array.from([
    ...asm(`${before} ${code.length} @end 0 CODECOPY ${code.length} 0 RETURN`),
    ...code
  ])
