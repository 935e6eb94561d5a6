/**
 * The gate in front of anything executable: an allowlist over a linear sweep, so that code which passes
 * can neither see nor touch what lies outside its frame, but by asking the ExecutionManager.
 */
import { instructionSize, OPCODE_NAMES, opcodeName } from "@ovm/protocol/Opcode"
import { Context, Effect, Layer, Schema } from "effect"

/** An instruction that must not run natively. Recover by transpiling the code: its output passes. */
export class UnsafeBytecode extends Schema.TaggedError<UnsafeBytecode>()("UnsafeBytecode", {
  /** Bytes from the start of the code to the instruction. */
  offset: Schema.NonNegativeInt,
  opcode: Schema.Int.pipe(Schema.between(0, 255)),
  name: Schema.String,
  why: Schema.String
}) {
  override get message() {
    const found = `${this.name} (0x${this.opcode.toString(16).padStart(2, "0")})`
    return `Expected safe OVM bytecode, found ${found} at offset ${this.offset}: ${this.why}.`
  }
}

export class SafetyChecker extends Context.Tag("@ovm/safety-checker/SafetyChecker")<
  SafetyChecker,
  {
    /** Succeeds if every instruction is allowed, reachable or not; else names the first that isn't. */
    readonly check: (code: Uint8Array) => Effect.Effect<void, UnsafeBytecode>
  }
>() {}

/** Checks in TypeScript, with the verdicts of SafetyChecker.sol. */
export const layer: Layer.Layer<SafetyChecker> = Layer.succeed(SafetyChecker, {
  check: Effect.fn("SafetyChecker.check")(function* (code) {
    const unsafe = firstUnsafe(code)
    if (unsafe !== undefined) return yield* unsafe
  })
})

/** The first instruction that isn't allowed where it stands, or undefined if the code is safe. */
export const firstUnsafe = (code: Uint8Array): UnsafeBytecode | undefined => {
  let offset = 0
  while (offset < code.length) {
    const gateSize = gateSizeAt(code, offset)
    if (gateSize > 0) {
      offset += gateSize
      continue
    }
    const opcode = code[offset] ?? 0
    if (ALLOWED[opcode] !== 1) {
      const name = opcodeName(opcode)
      return new UnsafeBytecode({ offset, opcode, name, why: whyForbidden(opcode) })
    }
    // A PUSH cut off by the end of the code is as safe as one that isn't.
    offset += instructionSize(opcode)
  }
  return undefined
}

/** Largest key of the contract's own transient storage under which the gate passes a word. */
const MAX_GATE_KEY = 9

const CALLER = 0x33
const GAS = 0x5a
const TLOAD = 0x5c
const TSTORE = 0x5d
const PUSH0 = 0x5f
const PUSH1 = 0x60
const DELEGATECALL = 0xf4
const STATICCALL = 0xfa
const IDENTITY = 4

type GateByte = number | "key"

/**
 * All that transpiled code may do natively with the outside, instruction by instruction. Only a JUMPDEST
 * can be jumped to and none of these holds one, so each runs as a whole.
 */
const GATES: ReadonlyArray<ReadonlyArray<GateByte>> = [
  // Asks the manager: in every contract's frame the EVM's CALLER is the manager.
  [CALLER, GAS, DELEGATECALL],
  // Passes words to the manager and back, in transient storage that the contract itself never sees.
  [PUSH0, TLOAD],
  [PUSH0, TSTORE],
  [PUSH1, "key", TSTORE],
  // The identity of nothing: leaves an empty return-data buffer.
  [PUSH0, PUSH0, PUSH0, PUSH0, PUSH1, IDENTITY, GAS, STATICCALL]
]

/** By their first byte, so that most instructions need no comparison. */
const GATES_BY_OPCODE: ReadonlyArray<ReadonlyArray<ReadonlyArray<GateByte>>> = Array.from(
  { length: 256 },
  (_, opcode) => GATES.filter(([first]) => first === opcode)
)

const gateSizeAt = (code: Uint8Array, offset: number): number => {
  for (const gate of GATES_BY_OPCODE[code[offset] ?? 0] ?? []) {
    if (gate.every((expected, index) => matches(code[offset + index], expected))) return gate.length
  }
  return 0
}

const matches = (byte: number | undefined, expected: GateByte): boolean =>
  expected === "key" ? byte !== undefined && byte <= MAX_GATE_KEY : byte === expected

const range = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** What reaches nothing but the frame itself, and so may stand anywhere. */
const ALLOWED_OPCODES: ReadonlySet<number> = new Set([
  ...range(0x00, 0x0b), // STOP, arithmetic
  ...range(0x10, 0x1d), // comparison, bitwise
  0x20, // KECCAK256
  ...range(0x35, 0x37), // CALLDATALOAD, CALLDATASIZE, CALLDATACOPY
  ...range(0x3d, 0x3e), // RETURNDATASIZE, RETURNDATACOPY
  ...range(0x50, 0x53), // POP, MLOAD, MSTORE, MSTORE8
  ...range(0x56, 0x5b), // JUMP, JUMPI, PC, MSIZE, GAS, JUMPDEST
  0x5e, // MCOPY
  ...range(PUSH0, 0x9f), // PUSH, DUP, SWAP
  0xf3, // RETURN
  ...range(0xfd, 0xfe) // REVERT, INVALID
])

const ALLOWED = Uint8Array.from(range(0, 255), (opcode) => (ALLOWED_OPCODES.has(opcode) ? 1 : 0))

const whyForbidden = (opcode: number): string => {
  if (!OPCODE_NAMES.has(opcode)) return "no opcode of the pinned hardfork"
  if (opcode === CALLER) return "allowed only as the start of CALLER GAS DELEGATECALL"
  if (opcode === DELEGATECALL) return "allowed only as the end of CALLER GAS DELEGATECALL"
  if (opcode === TLOAD) return "allowed only right after PUSH0"
  if (opcode === TSTORE)
    return `allowed only right after PUSH0 or a PUSH1 of at most ${MAX_GATE_KEY}`
  if (opcode === STATICCALL)
    return "allowed only to empty the return data: PUSH0 four times, PUSH1 4, GAS, STATICCALL"
  return "reaches outside the frame without the ExecutionManager"
}
