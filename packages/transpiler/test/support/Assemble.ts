/** A small assembler for tests: mnemonics, pushes, labels. */
import { OPCODE_NAMES } from "@ovm/protocol/Opcode"
import { hexToBytes } from "viem"

/**
 * - a mnemonic: that opcode
 * - a number or bigint: the shortest PUSH of it
 * - `:name`: a JUMPDEST under that name; `@name`: a PUSH2 of its offset
 * - `0x...`: these very bytes
 */
export type Token = string | number | bigint

export const assemble = (...tokens: ReadonlyArray<Token>): Uint8Array => {
  const bytes: Array<number> = []
  const labels = new Map<string, number>()
  const fixups: Array<readonly [number, string]> = []
  for (const token of tokens) {
    if (typeof token !== "string") {
      const immediate = big(token)
      bytes.push(0x5f + immediate.length, ...immediate)
    } else if (token.startsWith(":")) {
      labels.set(token.slice(1), bytes.length)
      bytes.push(0x5b)
    } else if (token.startsWith("@")) {
      fixups.push([bytes.length + 1, token.slice(1)])
      bytes.push(0x61, 0, 0)
    } else if (token.startsWith("0x")) {
      bytes.push(...hexToBytes(`0x${token.slice(2)}`))
    } else {
      bytes.push(opcode(token))
    }
  }
  for (const [at, name] of fixups) {
    const offset = labels.get(name)
    if (offset === undefined) throw new Error(`no label ${name}`)
    bytes.splice(at, 2, offset >> 8, offset & 0xff)
  }
  return Uint8Array.from(bytes)
}

export const opcode = (name: string): number => {
  const found = OPCODES.get(name)
  if (found === undefined) throw new Error(`no opcode ${name}`)
  return found
}

const OPCODES = new Map([...OPCODE_NAMES].map(([code, name]) => [name, code]))

const big = (value: number | bigint): ReadonlyArray<number> => {
  const bytes: Array<number> = []
  for (let rest = BigInt(value); rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn))
  return bytes
}
