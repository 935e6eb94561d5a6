/** Bytecode as people read it: one instruction a line, and old beside new. */
import { instructionSize, opcodeName } from "@ovm/protocol/Opcode"
import { bytesToHex } from "viem"
import { sweep } from "./internal/Sweep.ts"
import type { Transpilation } from "./Transpiler.ts"

export interface Instruction {
  readonly offset: number
  readonly opcode: number
  readonly name: string
  /** Bytes after the opcode; fewer than the opcode says if the code ends before. */
  readonly immediate: Uint8Array
}

/** The linear sweep over all bytes, data included. */
export const disassemble = (code: Uint8Array): ReadonlyArray<Instruction> => {
  const instructions: Array<Instruction> = []
  let offset = 0
  while (offset < code.length) {
    const opcode = code[offset] ?? 0
    const next = offset + instructionSize(opcode)
    const immediate = code.subarray(offset + 1, next)
    instructions.push({ offset, opcode, name: opcodeName(opcode), immediate })
    offset = next
  }
  return instructions
}

/** For example `0012 PUSH2 0x01a4`. */
export const format = ({ immediate, name, offset }: Instruction): string =>
  `${hexOffset(offset)} ${name}${immediate.length > 0 ? ` ${bytesToHex(immediate)}` : ""}`

/**
 * The original on the left, what stands for it on the right. `|` marks what is not the same
 * instruction any more; a PUSH that only became shorter or points to a moved JUMPDEST is marked too.
 */
export const sideBySide = (options: {
  readonly original: Uint8Array
  readonly transpilation: Transpilation
}): ReadonlyArray<string> => {
  const { original, transpilation } = options
  const { live, dead } = sweep(original)
  const groups = groupByOrigin(transpilation)
  const lines = (groups.get(undefined)?.before ?? []).map((line) => row("", line))
  const rows: Array<readonly [offset: number, lines: ReadonlyArray<string>]> = [
    ...dead.map(([start, end]) => [start, [row(deadLabel(start, end), "")]] as const),
    ...live.map((offset) => {
      const old = format(instructionAt(original, offset))
      return [offset, pair(old, groups.get(offset)?.before ?? [])] as const
    })
  ]
  rows.sort(([a], [b]) => a - b)
  for (const [, group] of rows) lines.push(...group)
  // What stands for the end of the code, if the original ran off it.
  lines.push(...pair("", groups.get(original.length)?.before ?? []))
  lines.push(...(groups.get(undefined)?.after ?? []).map((line) => row("", line)))
  return lines
}

interface Group {
  readonly before: Array<string>
  /** Of the instructions that stand for none: those behind the body. */
  readonly after: Array<string>
}

const groupByOrigin = ({ code, sourceMap }: Transpilation) => {
  const groups = new Map<number | undefined, Group>()
  const body = sourceMap.pairs[0]?.[1] ?? 0
  for (const instruction of disassemble(code)) {
    const origin = sourceMap.newToOld(instruction.offset)
    const group = groups.get(origin) ?? { before: [], after: [] }
    groups.set(origin, group)
    const isBehind = origin === undefined && instruction.offset > body
    ;(isBehind ? group.after : group.before).push(format(instruction))
  }
  return groups
}

const instructionAt = (code: Uint8Array, offset: number): Instruction => {
  const opcode = code[offset] ?? 0
  const immediate = code.subarray(offset + 1, offset + instructionSize(opcode))
  return { offset, opcode, name: opcodeName(opcode), immediate }
}

const pair = (old: string, replacement: ReadonlyArray<string>): ReadonlyArray<string> =>
  replacement.length === 0
    ? [row(old, "")]
    : replacement.map((line, index) => row(index === 0 ? old : "", line))

const row = (left: string, right: string): string => {
  const isSame = left.slice(OFFSET_WIDTH) === right.slice(OFFSET_WIDTH)
  const shown = left.length > LEFT_WIDTH ? `${left.slice(0, LEFT_WIDTH - 3)}...` : left
  return `${shown.padEnd(LEFT_WIDTH)} ${isSame ? " " : "|"} ${right}`.trimEnd()
}

const deadLabel = (start: number, end: number): string =>
  `${hexOffset(start)} ${end - start} dead ${end - start === 1 ? "byte" : "bytes"}`

const hexOffset = (offset: number): string => offset.toString(16).padStart(OFFSET_WIDTH, "0")

const OFFSET_WIDTH = 4
/** Fits a PUSH20 with an address. */
const LEFT_WIDTH = 54
