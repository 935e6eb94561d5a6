/**
 * The code that sites jump to: it hands operands to the gate without touching memory, checks what
 * came back, and returns behind the site.
 */
import * as Op from "../Opcode.ts"
import type { Assembler } from "./Assembler.ts"
import { ABORT, DISPATCH, HALT } from "./Plan.ts"
import { type Shape, shapes } from "./Shape.ts"

const ADD = 0x01
const MUL = 0x02
const ISZERO = 0x15
const SHR = 0x1c
const POP = 0x50
const GAS = 0x5a
const TLOAD = 0x5c
const TSTORE = 0x5d
const DUP1 = 0x80
const SWAP1 = 0x90
const DELEGATECALL = 0xf4
const STATICCALL = 0xfa

/** From the site's PC to the JUMPDEST behind it. */
const BACK_TO_SITE = [Op.PUSH1, 4, ADD, Op.JUMP]
const CALL_GATE = [Op.CALLER, GAS, DELEGATECALL]
const NO_RANGES = [Op.PUSH0, Op.PUSH0, Op.PUSH0, Op.PUSH0]
/** A call of the identity precompile with nothing: it empties the return-data buffer. */
const EMPTY_BUFFER = [...NO_RANGES, Op.PUSH1, 4, GAS, STATICCALL, POP]
/** Moves a calldata offset behind the context, unless it is past any calldata anyway. */
const SHIFT_OFFSET = [DUP1, Op.PUSH1, 64, SHR, ISZERO, Op.PUSH1, 0x60, MUL, ADD]

/** Entries that don't lead to the gate, in the order in which they stand behind those that do. */
const OWN_STUBS: ReadonlyArray<number> = [
  Op.CALLDATALOAD,
  Op.CALLDATACOPY,
  Op.JUMPI,
  Op.RETURNDATASIZE,
  Op.RETURNDATACOPY
]

const swap = (n: number) => SWAP1 + n - 1
const dup = (n: number) => DUP1 + n - 1
const pops = (n: number) => new Array<number>(n).fill(POP)

/** Emits an entry for each opcode, and the blocks behind them. Answers where the entries are. */
export const emitStubs = (
  asm: Assembler,
  opcodes: ReadonlySet<number>
): ReadonlyMap<number, number> => {
  const offsets = new Map<number, number>()
  const classes = new Map<string, Shape>()
  const gated = [...opcodes].filter((opcode) => !OWN_STUBS.includes(opcode)).sort((a, b) => a - b)
  for (const opcode of gated) {
    const shape = shapes.get(opcode)
    if (shape === undefined) continue
    classes.set(shape.key, shape)
    offsets.set(opcode, asm.length)
    emitEntry(asm)
    asm.emit([Op.PUSH1, opcode])
    asm.pushLabel(shape.key)
    asm.emit([Op.JUMP])
  }
  for (const opcode of OWN_STUBS) {
    if (!opcodes.has(opcode)) continue
    offsets.set(opcode, asm.length)
    emitEntry(asm)
    emitOwnStub(asm, opcode)
  }
  for (const shape of classes.values()) emitClass(asm, shape)
  return offsets
}

/** True if the stubs of these opcodes pass the gate, and so can halt the frame or unwind it. */
export const passesGate = (opcodes: ReadonlySet<number>): boolean =>
  [...opcodes].some((opcode) => !OWN_STUBS.includes(opcode)) ||
  opcodes.has(Op.RETURNDATASIZE) ||
  opcodes.has(Op.RETURNDATACOPY)

/** The place in the body that stands for one replaced opcode. */
export const emitSite = (asm: Assembler, opcode: number, entry: number): void => {
  if (entry < 256) asm.emit([Op.PC, Op.PUSH1, entry, Op.JUMP])
  else asm.emit([Op.PC, Op.PUSH2, entry >> 8, entry & 0xff, Op.JUMP])
  if (shapes.get(opcode)?.end !== undefined && shapes.get(opcode)?.end !== "site") return
  asm.emit([Op.JUMPDEST])
}

/** Sites of an entry that needs two bytes are one byte longer; their entry makes up for it. */
const emitEntry = (asm: Assembler): void =>
  asm.emit(asm.length < 256 ? [Op.JUMPDEST] : [Op.JUMPDEST, Op.PUSH1, 1, ADD])

/** Stack: operands, the site's PC, the opcode on top. */
const emitClass = (asm: Assembler, shape: Shape): void => {
  asm.place(shape.key)
  asm.emit([Op.JUMPDEST, Op.PUSH0, TSTORE])
  shape.words.forEach((operand, index) => {
    asm.emit([dup(operand + 1), Op.PUSH1, index + 1, TSTORE])
  })
  const { input, output } = shape
  const ranges = [output?.[1], output?.[0], input?.[1], input?.[0]]
  ranges.forEach((operand, pushed) => {
    asm.emit([operand === undefined ? Op.PUSH0 : dup(operand + 1 + pushed)])
  })
  asm.emit([...CALL_GATE, ISZERO])
  emitJumpIf(asm, HALT)
  emitCheck(asm, shape)
  emitTidy(asm, shape)
}

const emitCheck = (asm: Assembler, { check, hasResult }: Shape): void => {
  switch (check) {
    case "buffer":
      asm.emit([Op.RETURNDATASIZE])
      emitJumpIf(asm, ABORT)
      if (hasResult) asm.emit([Op.PUSH0, TLOAD])
      return
    case "result":
      // A result is a flag or an address; what has more bits is no result.
      asm.emit([Op.PUSH0, TLOAD, DUP1, Op.PUSH1, 0xa0, SHR])
      emitJumpIf(asm, ABORT)
      return
    case "copy":
      asm.emit([Op.PUSH0, TLOAD])
      emitJumpIf(asm, ABORT)
      asm.emit(EMPTY_BUFFER)
      return
  }
}

/** Stack: operands, the site's PC, and the result if there is one. */
const emitTidy = (asm: Assembler, { end, hasResult, operands }: Shape): void => {
  if (end === "site") {
    asm.emit(hasResult ? dropUnderResult(operands) : dropUnderPc(operands))
    asm.emit(BACK_TO_SITE)
  } else {
    asm.emit(end === "stop" ? [Op.STOP] : [POP, Op.RETURN])
  }
}

/** From [operands, PC] to [PC]. */
const dropUnderPc = (operands: number): ReadonlyArray<number> =>
  operands === 0 ? [] : [swap(operands), ...pops(operands)]

/** From [operands, PC, result] to [result, PC]. */
const dropUnderResult = (operands: number): ReadonlyArray<number> => {
  if (operands === 0) return [SWAP1]
  const rest = operands - 1
  return [swap(operands + 1), POP, ...(rest === 0 ? [] : [swap(rest), ...pops(rest)])]
}

/** Stack: operands, the site's PC on top. */
const emitOwnStub = (asm: Assembler, opcode: number): void => {
  switch (opcode) {
    case Op.CALLDATALOAD:
      asm.emit([SWAP1, ...SHIFT_OFFSET, Op.CALLDATALOAD, SWAP1, ...BACK_TO_SITE])
      break
    case Op.CALLDATACOPY:
      asm.emit([swap(3), swap(2), ...SHIFT_OFFSET, SWAP1, Op.CALLDATACOPY, ...BACK_TO_SITE])
      break
    case Op.JUMPI:
      asm.emit([swap(2)])
      emitJumpIf(asm, "take")
      asm.emit([POP, ...BACK_TO_SITE])
      asm.place("take")
      asm.emit([Op.JUMPDEST, SWAP1, POP])
      asm.pushLabel(DISPATCH)
      asm.emit([Op.JUMP])
      break
    case Op.RETURNDATASIZE:
      emitRefresh(asm, "size")
      asm.emit([Op.RETURNDATASIZE, SWAP1, ...BACK_TO_SITE])
      break
    case Op.RETURNDATACOPY:
      emitRefresh(asm, "copy")
      asm.emit([swap(3), swap(2), SWAP1, Op.RETURNDATACOPY, ...BACK_TO_SITE])
      break
  }
}

/**
 * A buffer that is not empty holds the last call's return data. An empty one may have been emptied
 * by another operation since: then the gate fills it again.
 */
const emitRefresh = (asm: Assembler, name: string): void => {
  asm.emit([Op.RETURNDATASIZE])
  emitJumpIf(asm, `fresh:${name}`)
  asm.emit([Op.PUSH1, Op.RETURNDATASIZE, Op.PUSH0, TSTORE, ...NO_RANGES, ...CALL_GATE, ISZERO])
  emitJumpIf(asm, HALT)
  // Return data fills the buffer, so an aborted run shows in the result alone.
  asm.emit([Op.PUSH0, TLOAD, Op.PUSH1, 0xa0, SHR])
  emitJumpIf(asm, ABORT)
  asm.place(`fresh:${name}`)
  asm.emit([Op.JUMPDEST])
}

const emitJumpIf = (asm: Assembler, label: string): void => {
  asm.pushLabel(label)
  asm.emit([Op.JUMPI])
}

/** Stack: an original destination that the table does not have. Tells the manager, then halts. */
export const emitMiss = (asm: Assembler): void => {
  asm.emit([Op.PUSH1, 1, TSTORE, Op.PUSH1, Op.JUMP, Op.PUSH0, TSTORE])
  asm.emit([...NO_RANGES, ...CALL_GATE, Op.INVALID])
}
