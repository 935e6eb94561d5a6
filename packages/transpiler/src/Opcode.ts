/** The opcodes of the pinned hardfork (Cancun): names, immediates, and what ends a straight line. */

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

/** The opcode's mnemonic, or undefined if Cancun does not define it. INVALID (0xfe) is defined. */
export const nameOf = (opcode: number): string | undefined => NAMES[opcode]

/** The mnemonic, or the byte itself for an undefined opcode, for people to read. */
export const label = (opcode: number): string =>
  NAMES[opcode] ?? `0x${opcode.toString(16).padStart(2, "0")}`

/** How many bytes after the opcode are its immediate: 1 to 32 for PUSH1 to PUSH32, else 0. */
export const immediateBytes = (opcode: number): number =>
  opcode >= PUSH1 && opcode <= PUSH32 ? opcode - PUSH0 : 0

/** True for PUSH0 to PUSH32. */
export const isPush = (opcode: number): boolean => opcode >= PUSH0 && opcode <= PUSH32

/** True if the byte after this instruction can be reached by a jump only. */
export const isTerminator = (opcode: number): boolean =>
  opcode === STOP ||
  opcode === JUMP ||
  opcode === RETURN ||
  opcode === REVERT ||
  opcode === INVALID ||
  opcode === SELFDESTRUCT ||
  NAMES[opcode] === undefined

const ROWS: ReadonlyArray<readonly [number, string]> = [
  [0x00, "STOP ADD MUL SUB DIV SDIV MOD SMOD ADDMOD MULMOD EXP SIGNEXTEND"],
  [0x10, "LT GT SLT SGT EQ ISZERO AND OR XOR NOT BYTE SHL SHR SAR"],
  [0x20, "KECCAK256"],
  [0x30, "ADDRESS BALANCE ORIGIN CALLER CALLVALUE CALLDATALOAD CALLDATASIZE CALLDATACOPY"],
  [0x38, "CODESIZE CODECOPY GASPRICE EXTCODESIZE EXTCODECOPY RETURNDATASIZE RETURNDATACOPY"],
  [0x3f, "EXTCODEHASH"],
  [0x40, "BLOCKHASH COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT CHAINID SELFBALANCE"],
  [0x48, "BASEFEE BLOBHASH BLOBBASEFEE"],
  [0x50, "POP MLOAD MSTORE MSTORE8 SLOAD SSTORE JUMP JUMPI PC MSIZE GAS JUMPDEST"],
  [0x5c, "TLOAD TSTORE MCOPY PUSH0"],
  [0xa0, "LOG0 LOG1 LOG2 LOG3 LOG4"],
  [0xf0, "CREATE CALL CALLCODE RETURN DELEGATECALL CREATE2"],
  [0xfa, "STATICCALL"],
  [0xfd, "REVERT INVALID SELFDESTRUCT"]
]

const NAMES: ReadonlyArray<string | undefined> = (() => {
  const names = new Array<string | undefined>(256).fill(undefined)
  for (const [first, row] of ROWS) {
    row.split(" ").forEach((name, index) => {
      names[first + index] = name
    })
  }
  for (let n = 1; n <= 32; n++) names[PUSH0 + n] = `PUSH${n}`
  for (let n = 1; n <= 16; n++) {
    names[0x7f + n] = `DUP${n}`
    names[0x8f + n] = `SWAP${n}`
  }
  return names
})()
