/** The opcodes of the pinned hardfork, Cancun: their names, and how long an instruction is. */

const ranges = (first: number, ...names: ReadonlyArray<string>): ReadonlyArray<[number, string]> =>
  names.map((name, index) => [first + index, name])

const numbered = (prefix: string, from: number, to: number): ReadonlyArray<string> =>
  Array.from({ length: to - from + 1 }, (_, index) => `${prefix}${from + index}`)

/** Names as in the yellow paper and the EIPs after it. A byte that is not a key is unassigned. */
export const OPCODE_NAMES: ReadonlyMap<number, string> = new Map([
  ...ranges(0x00, "STOP", "ADD", "MUL", "SUB", "DIV", "SDIV", "MOD", "SMOD"),
  ...ranges(0x08, "ADDMOD", "MULMOD", "EXP", "SIGNEXTEND"),
  ...ranges(0x10, "LT", "GT", "SLT", "SGT", "EQ", "ISZERO", "AND", "OR"),
  ...ranges(0x18, "XOR", "NOT", "BYTE", "SHL", "SHR", "SAR"),
  ...ranges(0x20, "KECCAK256"),
  ...ranges(0x30, "ADDRESS", "BALANCE", "ORIGIN", "CALLER", "CALLVALUE", "CALLDATALOAD"),
  ...ranges(0x36, "CALLDATASIZE", "CALLDATACOPY", "CODESIZE", "CODECOPY", "GASPRICE"),
  ...ranges(0x3b, "EXTCODESIZE", "EXTCODECOPY", "RETURNDATASIZE", "RETURNDATACOPY", "EXTCODEHASH"),
  ...ranges(0x40, "BLOCKHASH", "COINBASE", "TIMESTAMP", "NUMBER", "PREVRANDAO", "GASLIMIT"),
  ...ranges(0x46, "CHAINID", "SELFBALANCE", "BASEFEE", "BLOBHASH", "BLOBBASEFEE"),
  ...ranges(0x50, "POP", "MLOAD", "MSTORE", "MSTORE8", "SLOAD", "SSTORE", "JUMP", "JUMPI"),
  ...ranges(0x58, "PC", "MSIZE", "GAS", "JUMPDEST", "TLOAD", "TSTORE", "MCOPY"),
  ...ranges(0x5f, ...numbered("PUSH", 0, 32)),
  ...ranges(0x80, ...numbered("DUP", 1, 16)),
  ...ranges(0x90, ...numbered("SWAP", 1, 16)),
  ...ranges(0xa0, ...numbered("LOG", 0, 4)),
  ...ranges(0xf0, "CREATE", "CALL", "CALLCODE", "RETURN", "DELEGATECALL", "CREATE2"),
  ...ranges(0xfa, "STATICCALL"),
  ...ranges(0xfd, "REVERT", "INVALID", "SELFDESTRUCT")
])

/** Name for people: also of a byte that the hardfork leaves unassigned. */
export const opcodeName = (opcode: number): string =>
  OPCODE_NAMES.get(opcode) ?? `unassigned 0x${opcode.toString(16).padStart(2, "0")}`

/** Bytes of the instruction, its immediate included: more than one for PUSH1 to PUSH32 alone. */
export const instructionSize = (opcode: number): number =>
  opcode >= 0x60 && opcode <= 0x7f ? opcode - 0x5e : 1
