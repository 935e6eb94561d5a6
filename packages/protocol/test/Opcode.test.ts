import { describe, expect, it } from "vitest"
import { instructionSize, OPCODE_NAMES, opcodeName } from "../src/Opcode.ts"

describe("Opcode", () => {
  it("knows the 149 opcodes of Cancun, each by one name", () => {
    expect(OPCODE_NAMES.size).toBe(149)
    expect(new Set(OPCODE_NAMES.values()).size).toBe(149)
  })

  it.each([
    [0x0b, "SIGNEXTEND"],
    [0x1d, "SAR"],
    [0x33, "CALLER"],
    [0x3f, "EXTCODEHASH"],
    [0x4a, "BLOBBASEFEE"],
    [0x57, "JUMPI"],
    [0x5c, "TLOAD"],
    [0x5e, "MCOPY"],
    [0x5f, "PUSH0"],
    [0x7f, "PUSH32"],
    [0x8f, "DUP16"],
    [0x9f, "SWAP16"],
    [0xa4, "LOG4"],
    [0xf5, "CREATE2"],
    [0xff, "SELFDESTRUCT"],
    [0x1e, "unassigned 0x1e"],
    [0x0c, "unassigned 0x0c"]
  ])("calls byte %i %s", (opcode, name) => {
    expect(opcodeName(opcode)).toBe(name)
  })

  it("counts the immediate of a PUSH", () => {
    expect([0x5f, 0x60, 0x7f, 0x80].map(instructionSize)).toEqual([1, 2, 33, 1])
  })
})
