/** The opcodes that T knows by name, and what ends a straight line of code. */
import { OPCODE_NAMES } from "@ovm/protocol/Opcode"

export const STOP = 0x00
export const SUB = 0x03
export const ADDRESS = 0x30
export const CALLER = 0x33
export const CALLVALUE = 0x34
export const CALLDATALOAD = 0x35
export const CALLDATASIZE = 0x36
export const CALLDATACOPY = 0x37
export const CODESIZE = 0x38
export const RETURNDATASIZE = 0x3d
export const RETURNDATACOPY = 0x3e
export const JUMP = 0x56
export const JUMPI = 0x57
export const PC = 0x58
export const JUMPDEST = 0x5b
export const PUSH0 = 0x5f
export const PUSH1 = 0x60
export const PUSH2 = 0x61
export const PUSH32 = 0x7f
export const RETURN = 0xf3
export const REVERT = 0xfd
export const INVALID = 0xfe
export const SELFDESTRUCT = 0xff

/** How many bytes after the opcode are its immediate: 1 to 32 for PUSH1 to PUSH32, else 0. */
export const immediateBytes = (opcode: number): number =>
  opcode >= PUSH1 && opcode <= PUSH32 ? opcode - PUSH0 : 0

/** True for PUSH0 to PUSH32. */
export const isPush = (opcode: number): boolean => opcode >= PUSH0 && opcode <= PUSH32

/** True if the pinned hardfork leaves the byte unassigned: running it halts the frame. */
export const isUnassigned = (opcode: number): boolean => !OPCODE_NAMES.has(opcode)

/** True if the byte after this instruction can be reached by a jump only. */
export const isTerminator = (opcode: number): boolean =>
  opcode === STOP ||
  opcode === JUMP ||
  opcode === RETURN ||
  opcode === REVERT ||
  opcode === INVALID ||
  opcode === SELFDESTRUCT ||
  isUnassigned(opcode)
