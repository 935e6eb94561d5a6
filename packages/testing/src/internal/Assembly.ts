/** Programs as lists of instructions with labels, so that one can be taken out and the jumps still land. */
import { bytesToHex, numberToBytes } from "viem"
import type { Hex } from "@ovm/protocol/Primitives"

export type Instruction =
  | { readonly _tag: "Op"; readonly opcode: number }
  | { readonly _tag: "Push"; readonly value: bigint; readonly width: number }
  /** A JUMPDEST that has a name. */
  | { readonly _tag: "Label"; readonly label: number }
  /** Pushes the label's offset less `minus`. */
  | { readonly _tag: "PushLabel"; readonly label: number; readonly minus: number }
  /** Pushes where the `index`-th blob of data begins. */
  | { readonly _tag: "PushData"; readonly index: number }
  /** A byte as it is, whatever it means. */
  | { readonly _tag: "Raw"; readonly byte: number }

export interface Program {
  readonly instructions: ReadonlyArray<Instruction>
  /** Bytes behind the code, such as initcode to be copied. */
  readonly data: ReadonlyArray<Uint8Array>
}

const JUMPDEST = 0x5b
const PUSH0 = 0x5f
const PUSH2 = 0x61

/** The bytes of the program. A label that was taken out is offset 0, which is no JUMPDEST as a rule. */
export const assemble = ({ data, instructions }: Program): Uint8Array => {
  const labels = new Map<number, number>()
  let size = 0
  for (const instruction of instructions) {
    if (instruction._tag === "Label") labels.set(instruction.label, size)
    size += sizeOf(instruction)
  }
  const starts: Array<number> = []
  for (const blob of data) {
    starts.push(size)
    size += blob.length
  }
  const code = new Uint8Array(size)
  let offset = 0
  for (const instruction of instructions) {
    code.set(bytesOf(instruction, labels, starts), offset)
    offset += sizeOf(instruction)
  }
  data.forEach((blob, index) => {
    code.set(blob, starts[index] ?? 0)
  })
  return code
}

const sizeOf = (instruction: Instruction): number => {
  if (instruction._tag === "Push") return 1 + instruction.width
  return instruction._tag === "PushLabel" || instruction._tag === "PushData" ? 3 : 1
}

const bytesOf = (
  instruction: Instruction,
  labels: ReadonlyMap<number, number>,
  starts: ReadonlyArray<number>
): ReadonlyArray<number> => {
  switch (instruction._tag) {
    case "Op":
      return [instruction.opcode]
    case "Raw":
      return [instruction.byte]
    case "Label":
      return [JUMPDEST]
    case "Push": {
      const { value, width } = instruction
      return [PUSH0 + width, ...(width === 0 ? [] : numberToBytes(value, { size: width }))]
    }
    case "PushLabel":
      return push2((labels.get(instruction.label) ?? 0) - instruction.minus)
    case "PushData":
      return push2(starts[instruction.index] ?? 0)
  }
}

const push2 = (value: number): ReadonlyArray<number> => {
  const bounded = Math.max(value, 0)
  return [PUSH2, (bounded >> 8) & 0xff, bounded & 0xff]
}

/** One line per instruction, to read a failing program by. */
export const listing = ({ data, instructions }: Program): string =>
  [
    ...instructions.map(lineOf),
    ...data.map((blob, index) => `data ${index}: ${bytesToHex(blob)}`)
  ].join("\n")

const lineOf = (instruction: Instruction): string => {
  switch (instruction._tag) {
    case "Op":
      return nameOf(instruction.opcode)
    case "Raw":
      return `RAW 0x${instruction.byte.toString(16)}`
    case "Label":
      return `label ${instruction.label}:`
    case "Push":
      return `PUSH${instruction.width} 0x${instruction.value.toString(16)}`
    case "PushLabel": {
      const less = instruction.minus === 0 ? "" : ` - ${instruction.minus}`
      return `PUSH2 label ${instruction.label}${less}`
    }
    case "PushData":
      return `PUSH2 data ${instruction.index}`
  }
}

const nameOf = (opcode: number): string =>
  Object.entries(OP).find(([, value]) => value === opcode)?.[0] ?? `0x${opcode.toString(16)}`

export const hexOf = (program: Program): Hex => bytesToHex(assemble(program))

/** Opcodes by name, as far as programs are built from them. */
export const OP = {
  STOP: 0x00,
  ADD: 0x01,
  MUL: 0x02,
  SUB: 0x03,
  DIV: 0x04,
  SDIV: 0x05,
  MOD: 0x06,
  SMOD: 0x07,
  ADDMOD: 0x08,
  MULMOD: 0x09,
  EXP: 0x0a,
  SIGNEXTEND: 0x0b,
  LT: 0x10,
  GT: 0x11,
  SLT: 0x12,
  SGT: 0x13,
  EQ: 0x14,
  ISZERO: 0x15,
  AND: 0x16,
  OR: 0x17,
  XOR: 0x18,
  NOT: 0x19,
  BYTE: 0x1a,
  SHL: 0x1b,
  SHR: 0x1c,
  SAR: 0x1d,
  KECCAK256: 0x20,
  ADDRESS: 0x30,
  BALANCE: 0x31,
  ORIGIN: 0x32,
  CALLER: 0x33,
  CALLVALUE: 0x34,
  CALLDATALOAD: 0x35,
  CALLDATASIZE: 0x36,
  CALLDATACOPY: 0x37,
  CODESIZE: 0x38,
  CODECOPY: 0x39,
  GASPRICE: 0x3a,
  EXTCODESIZE: 0x3b,
  EXTCODECOPY: 0x3c,
  RETURNDATASIZE: 0x3d,
  RETURNDATACOPY: 0x3e,
  EXTCODEHASH: 0x3f,
  BLOCKHASH: 0x40,
  COINBASE: 0x41,
  TIMESTAMP: 0x42,
  NUMBER: 0x43,
  PREVRANDAO: 0x44,
  GASLIMIT: 0x45,
  CHAINID: 0x46,
  SELFBALANCE: 0x47,
  BASEFEE: 0x48,
  BLOBHASH: 0x49,
  BLOBBASEFEE: 0x4a,
  POP: 0x50,
  MLOAD: 0x51,
  MSTORE: 0x52,
  MSTORE8: 0x53,
  SLOAD: 0x54,
  SSTORE: 0x55,
  JUMP: 0x56,
  JUMPI: 0x57,
  PC: 0x58,
  MSIZE: 0x59,
  GAS: 0x5a,
  JUMPDEST: 0x5b,
  TLOAD: 0x5c,
  TSTORE: 0x5d,
  MCOPY: 0x5e,
  DUP1: 0x80,
  DUP2: 0x81,
  SWAP1: 0x90,
  SWAP2: 0x91,
  LOG0: 0xa0,
  LOG1: 0xa1,
  LOG2: 0xa2,
  LOG3: 0xa3,
  LOG4: 0xa4,
  CREATE: 0xf0,
  CALL: 0xf1,
  CALLCODE: 0xf2,
  RETURN: 0xf3,
  DELEGATECALL: 0xf4,
  CREATE2: 0xf5,
  STATICCALL: 0xfa,
  REVERT: 0xfd,
  INVALID: 0xfe,
  SELFDESTRUCT: 0xff
} as const
