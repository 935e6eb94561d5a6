/** The way from an original jump destination to the new one, for jumps known at run time only. */
import * as Op from "../Opcode.ts"
import { type Assembler, minimalBytes } from "./Assembler.ts"
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
  options: {
    readonly targets: ReadonlyArray<number>
    readonly isReduced: boolean
    /** Above every original and every new offset of a target. */
    readonly end: number
  }
): void => {
  const { end, isReduced, targets } = options
  asm.place(DISPATCH)
  asm.emit([Op.JUMPDEST])
  // A lane holds an old and a new offset; a word holds as many lanes as fit.
  const bits = 32 - Math.clz32(end)
  const chunks = chunksOf(targets, Math.floor(256 / (2 * bits)))
  if (chunks.length > 0) {
    emitTree(asm, { chunks, bits, from: 0, to: chunks.length })
    emitSearch(asm, bits)
    // The word that was searched is still there: all zeros.
    if (isReduced) asm.emit([POP])
  }
  if (isReduced) emitMiss(asm)
  else asm.emit([Op.INVALID])
  if (chunks.length > 0) emitHit(asm, bits)
}

/** Stack: the destination, the word shifted so that the matching lane is lowest. */
const emitHit = (asm: Assembler, bits: number): void => {
  asm.place(HIT)
  asm.emit([Op.JUMPDEST, Op.PUSH1, bits, SHR])
  asm.push(minimalBytes(2 ** bits - 1))
  asm.emit([AND, SWAP1, POP, Op.JUMP])
}

/** Stack: the destination, a word of lanes. Looks at the lowest lane until it matches. */
const emitSearch = (asm: Assembler, bits: number): void => {
  const mask = minimalBytes(2 ** bits - 1)
  asm.place(SEARCH)
  asm.emit([Op.JUMPDEST, DUP1])
  asm.push(mask)
  asm.emit([AND, DUP3, EQ])
  asm.pushLabel(HIT)
  asm.emit([Op.JUMPI, Op.PUSH1, 2 * bits, SHR, DUP1])
  asm.pushLabel(SEARCH)
  asm.emit([Op.JUMPI])
}

interface Tree {
  readonly chunks: ReadonlyArray<ReadonlyArray<number>>
  readonly bits: number
  readonly from: number
  readonly to: number
}

/** Binary search over the chunks [from, to). The leftmost leaf falls through to the search. */
const emitTree = (asm: Assembler, { bits, chunks, from, to }: Tree): void => {
  if (to - from === 1) {
    asm.push(chunkWord(asm, chunks[from] ?? [], bits))
    if (from === 0) return
    asm.pushLabel(SEARCH)
    asm.emit([Op.JUMP])
    return
  }
  const middle = (from + to) >> 1
  const left = `left:${middle}`
  asm.emit([DUP1])
  asm.push(minimalBytes(chunks[middle]?.[0] ?? 0))
  asm.emit([GT])
  asm.pushLabel(left)
  asm.emit([Op.JUMPI])
  emitTree(asm, { bits, chunks, from: middle, to })
  asm.place(left)
  asm.emit([Op.JUMPDEST])
  emitTree(asm, { bits, chunks, from, to: middle })
}

const chunksOf = (
  targets: ReadonlyArray<number>,
  size: number
): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: Math.ceil(targets.length / size) }, (_, index) =>
    targets.slice(index * size, (index + 1) * size)
  )

/** The first target in the lowest lane: its old offset in the low half, its new one above. */
const chunkWord = (
  asm: Assembler,
  targets: ReadonlyArray<number>,
  bits: number
): ReadonlyArray<number> => {
  const width = BigInt(bits)
  const word = targets.reduceRight(
    (lanes, target) =>
      (((lanes << width) | BigInt(asm.offsetOf(target))) << width) | BigInt(target),
    0n
  )
  return minimalBytes(word)
}
