/** The way from an original jump destination to the new one, for jumps known at run time only. */
import * as Op from "../Opcode.ts"
import type { Assembler } from "./Assembler.ts"
import { DISPATCH, type Plan } from "./Plan.ts"
import { emitMiss } from "./Stubs.ts"
import type { Sweep } from "./Sweep.ts"

const AND = 0x16
const GT = 0x11
const EQ = 0x14
const SHR = 0x1c
const POP = 0x50
const DUP1 = 0x80
const DUP3 = 0x82
const SWAP1 = 0x90

/** Destinations per chunk: a 256-bit word holds eight pairs of 16-bit offsets. */
const CHUNK = 8
const SEARCH = "search"
const HIT = "hit"

/** The JUMPDESTs whose offset shows up as a pushed constant or in the data. */
export const reducedTargets = (options: {
  readonly code: Uint8Array
  readonly sweep: Sweep
  readonly plan: Plan
}): ReadonlyArray<number> => {
  const { code, plan, sweep } = options
  const seen = new Set(plan.constants)
  for (const [start, end] of sweep.dead) {
    for (let at = start; at + 1 < end; at++) seen.add((code[at] ?? 0) * 256 + (code[at + 1] ?? 0))
  }
  return sweep.jumpDests.filter((offset) => seen.has(offset))
}

/** Emits the tree. Stack on entry: the original destination, all 256 bits of which count. */
export const emitDispatch = (
  asm: Assembler,
  targets: ReadonlyArray<number>,
  isReduced: boolean
): void => {
  asm.place(DISPATCH)
  asm.emit([Op.JUMPDEST])
  if (targets.length === 0) {
    emitEnd(asm, isReduced)
    return
  }
  emitTree(asm, targets, 0, Math.ceil(targets.length / CHUNK))
  asm.place(SEARCH)
  asm.emit([Op.JUMPDEST, DUP1, Op.PUSH2, 0xff, 0xff, AND, DUP3, EQ])
  asm.pushLabel(HIT)
  asm.emit([Op.JUMPI, Op.PUSH1, 32, SHR, DUP1])
  asm.pushLabel(SEARCH)
  asm.emit([Op.JUMPI])
  if (isReduced) asm.emit([POP])
  emitEnd(asm, isReduced)
  asm.place(HIT)
  asm.emit([Op.JUMPDEST, Op.PUSH1, 16, SHR, Op.PUSH2, 0xff, 0xff, AND, SWAP1, POP, Op.JUMP])
}

const emitEnd = (asm: Assembler, isReduced: boolean): void =>
  isReduced ? emitMiss(asm) : asm.emit([Op.INVALID])

/** Binary search over the chunks [from, to). */
const emitTree = (
  asm: Assembler,
  targets: ReadonlyArray<number>,
  from: number,
  to: number
): void => {
  if (to - from === 1) {
    asm.push(chunkWord(asm, targets.slice(from * CHUNK, to * CHUNK)))
    asm.pushLabel(SEARCH)
    asm.emit([Op.JUMP])
    return
  }
  const middle = (from + to) >> 1
  const pivot = targets[middle * CHUNK] ?? 0
  const left = `left:${middle}`
  asm.emit([DUP1, Op.PUSH2, pivot >> 8, pivot & 0xff, GT])
  asm.pushLabel(left)
  asm.emit([Op.JUMPI])
  emitTree(asm, targets, middle, to)
  asm.place(left)
  asm.emit([Op.JUMPDEST])
  emitTree(asm, targets, from, middle)
}

/** Lanes of 32 bits, the first target lowest: its old offset in the low half, its new one above. */
const chunkWord = (asm: Assembler, targets: ReadonlyArray<number>): Uint8Array => {
  const word = new Uint8Array(targets.length * 4)
  targets.forEach((target, lane) => {
    const at = word.length - 4 * lane
    const moved = asm.offsetOf(target)
    word.set([moved >> 8, moved & 0xff, target >> 8, target & 0xff], at - 4)
  })
  return word.subarray(word.findIndex((byte) => byte !== 0))
}
