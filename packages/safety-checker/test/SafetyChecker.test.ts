import { expect, it } from "@effect/vitest"
import { OPCODE_NAMES } from "@ovm/protocol/Opcode"
import { Effect } from "effect"
import { hexToBytes } from "viem"
import { describe } from "vitest"
import { firstUnsafe, layer, SafetyChecker, UnsafeBytecode } from "../src/SafetyChecker.ts"

const verdict = (hex: string) => firstUnsafe(hexToBytes(`0x${hex}`))

const FORBIDDEN = [
  ...["ADDRESS", "BALANCE", "ORIGIN", "CALLER", "CALLVALUE", "CODESIZE", "CODECOPY", "GASPRICE"],
  ...["EXTCODESIZE", "EXTCODECOPY", "EXTCODEHASH", "BLOCKHASH", "COINBASE", "TIMESTAMP", "NUMBER"],
  ...["PREVRANDAO", "GASLIMIT", "CHAINID", "SELFBALANCE", "BASEFEE", "BLOBHASH", "BLOBBASEFEE"],
  ...["SLOAD", "SSTORE", "TLOAD", "TSTORE", "LOG0", "LOG1", "LOG2", "LOG3", "LOG4", "CREATE"],
  ...["CALL", "CALLCODE", "DELEGATECALL", "CREATE2", "STATICCALL", "SELFDESTRUCT"]
]

describe("firstUnsafe", () => {
  it("forbids every opcode that reaches outside the frame, and every unassigned byte", () => {
    for (let opcode = 0; opcode < 256; opcode++) {
      const name = OPCODE_NAMES.get(opcode)
      const forbidden = name === undefined || FORBIDDEN.includes(name)
      // Not after a PUSH0, which would open a gate.
      const unsafe = firstUnsafe(Uint8Array.of(0x5b, opcode))
      expect(unsafe?.offset, name).toBe(forbidden ? 1 : undefined)
      if (forbidden) expect(unsafe).toMatchObject({ opcode, name: name ?? expect.any(String) })
    }
  })

  it.each([
    ["", "no code"],
    ["335af4", "the gate"],
    ["5b335af4335af400", "two gates"],
    ["5f5c", "PUSH0 TLOAD"],
    ["5f5d", "PUSH0 TSTORE"],
    ["60005d", "PUSH1 0 TSTORE"],
    ["60095d", "PUSH1 9 TSTORE"],
    ["5f5f5f5f60045afa", "emptying the return data"],
    ["5f5f5f5f5f5f60045afa", "the same after other PUSH0s"],
    ["6054", "a forbidden byte as data"],
    ["7f54", "a PUSH cut off by the end"],
    ["60335a", "CALLER as data"],
    ["fe5b00", "INVALID"]
  ])("accepts %s: %s", (hex) => {
    expect(verdict(hex)).toBeUndefined()
  })

  it.each([
    ["33", 0, "CALLER alone"],
    ["335a", 0, "a gate cut off by the end"],
    ["335bf4", 0, "another instruction in the gate"],
    ["33335af4", 0, "CALLER before the gate"],
    ["5af4", 1, "DELEGATECALL without CALLER"],
    ["335af4f4", 3, "a second DELEGATECALL"],
    ["335afa", 0, "STATICCALL in place of DELEGATECALL"],
    ["60335af4", 3, "CALLER as data, then DELEGATECALL"],
    ["600a5d", 2, "a key that is too large"],
    ["61000a5d", 3, "a PUSH2 key"],
    ["6100005d", 3, "a PUSH2 key of zero"],
    ["60005c", 2, "PUSH1 TLOAD"],
    ["5d", 0, "TSTORE first"],
    ["605f5d", 2, "PUSH0 as data, then TSTORE"],
    ["605f5c", 2, "PUSH0 as data, then TLOAD"],
    ["5f5b5d", 2, "a JUMPDEST inside the sequence"],
    ["5f5d5d", 2, "one key for two stores"],
    ["5f5f5f60045afa", 6, "three PUSH0s"],
    ["605f5f5f5f60045afa", 8, "the first PUSH0 is data"],
    ["5f5f5f5f60055afa", 7, "another precompile"],
    ["5f5f5f5f60046103e8fa", 9, "another gas"],
    ["5f5f5f5f60045afafa", 8, "a second STATICCALL"],
    ["fe54", 1, "unreachable code"],
    ["0c", 0, "an unassigned byte"]
  ])("refuses %s at %i: %s", (hex, offset) => {
    expect(verdict(hex)?.offset).toBe(offset)
  })

  it("names opcode and offset in its message", () => {
    expect(verdict("5b54")?.message).toBe(
      "Expected safe OVM bytecode, found SLOAD (0x54) at offset 1: reaches outside the frame without the ExecutionManager."
    )
  })
})

describe("SafetyChecker", () => {
  it.effect("fails typed on unsafe code, succeeds on safe code", () =>
    Effect.gen(function* () {
      const checker = yield* SafetyChecker
      yield* checker.check(hexToBytes("0x335af4"))
      const unsafe = yield* Effect.flip(checker.check(hexToBytes("0xff")))
      expect(unsafe).toBeInstanceOf(UnsafeBytecode)
    }).pipe(Effect.provide(layer))
  )
})
