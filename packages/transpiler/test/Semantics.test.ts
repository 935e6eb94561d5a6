/**
 * The original in a plain EVM against the transpiled code behind its context, for all that needs no
 * manager. The caller has no code, so a refresh of the return data finds none, as in the original.
 */
import fc from "fast-check"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { bytesToBigInt, concatBytes } from "viem"
import { transpile } from "../src/Transpiler.ts"
import { assemble, opcode, type Token } from "./support/Assemble.ts"
import { execute } from "./support/Evm.ts"

const GAS = 50_000n
/** The way through dispatch and stubs costs more, and these tests are not about what it costs. */
const OVM_GAS = GAS * 100n
const CONTEXT = new Uint8Array(96).fill(0xcc)
const CALLDATA = Uint8Array.from({ length: 70 }, (_, index) => index + 1)

const runOriginal = (code: Uint8Array, data: Uint8Array) => execute({ code, data, gas: GAS })

const runTranspiled = (code: Uint8Array, data: Uint8Array) => {
  const transpiled = Either.getOrThrow(transpile({ code, mode: "runtime" })).code
  return execute({ code: transpiled, data: concatBytes([CONTEXT, data]), gas: OVM_GAS })
}

const runBoth = async (code: Uint8Array, data: Uint8Array = CALLDATA) => ({
  original: await runOriginal(code, data),
  ovm: await runTranspiled(code, data)
})

/** Also compares what is left on the stack and in memory, which no caller could see. */
const expectSame = async (code: Uint8Array, data?: Uint8Array) => {
  const { original, ovm } = await runBoth(code, data)
  expect(original.isOutOfGas).toBe(false)
  expect(visible(ovm)).toEqual(visible(original))
  return original
}

const visible = ({
  end,
  memory,
  memoryWords,
  returned,
  stack
}: Awaited<ReturnType<typeof execute>>) => ({ end, memory, memoryWords, returned, stack })

const top = async (...tokens: ReadonlyArray<Token>) => {
  const { end, stack } = await expectSame(assemble(...tokens))
  expect(end).toBe("success")
  return stack.at(-1)
}

const end = async (...tokens: ReadonlyArray<Token>) => (await expectSame(assemble(...tokens))).end

describe("jumps known at translation", () => {
  it("reach their JUMPDEST forward and backward", async () => {
    expect(
      await top(0, ":loop", 1, "ADD", "DUP1", 5, "GT", "@loop", "JUMPI", "@out", "JUMP", 9, ":out")
    ).toBe(5n)
  })
  it("halt at an offset that is no JUMPDEST, inside push data, or past the end", async () => {
    expect(await end(0, "JUMP", ":unused")).toBe("halt")
    expect(await end(4, "JUMP", "0x605b")).toBe("halt")
    expect(await end(4000, "JUMP")).toBe("halt")
    expect(await end(1n << 255n, "JUMP", ":unused")).toBe("halt")
    expect(await end("PC", "JUMP", ":unused")).toBe("halt")
  })
  it("don't look at the destination of a JUMPI that isn't taken", async () => {
    expect(await top(7, 0, 0xffff, "JUMPI")).toBe(7n)
    expect(await top(7, 0, "PC", "JUMPI")).toBe(7n)
    expect(await top(7, 0, 1n << 200n, "JUMPI")).toBe(7n)
  })
  it("halt at the invalid destination of a JUMPI that is taken", async () => {
    expect(await end(1, 0xffff, "JUMPI")).toBe("halt")
    expect(await end(1, "PC", "JUMPI")).toBe("halt")
  })
  it("take any condition but zero", async () => {
    expect(await top(1n << 255n, "@out", "JUMPI", "INVALID", ":out", 3)).toBe(3n)
  })
})

describe("jumps known at run time", () => {
  it("reach a JUMPDEST whose offset is computed", async () => {
    expect(await top("@out", 0, "ADD", "JUMP", "INVALID", ":out", 3)).toBe(3n)
    // No constant names the destination 6.
    expect(await top(3, "DUP1", "ADD", "JUMP", "INVALID", ":out", 3)).toBe(3n)
  })
  it("return to where a function was called from", async () => {
    const call = (back: string): ReadonlyArray<Token> => [`@${back}`, "@double", "JUMP", `:${back}`]
    const double = [":double", "SWAP1", "DUP1", "ADD", "SWAP1", "JUMP"]
    expect(await top(3, ...call("a"), ...call("b"), ...call("c"), "STOP", ...double)).toBe(24n)
  })
  it("halt at anything that is no JUMPDEST, in all 256 bits", async () => {
    const jumpTo = (value: number | bigint) => end(value, 0, "ADD", "JUMP", ":here", "STOP")
    expect(await jumpTo(5)).toBe("success")
    for (const value of [0, 1, 4, 6, 7, 0xffff, 0x10005, 5n + (1n << 64n), 5n + (1n << 255n)]) {
      expect(await jumpTo(value), `${value}`).toBe("halt")
    }
  })
  it("halt where the program has no JUMPDEST at all", async () => {
    expect(await end(3, 0, "ADD", "JUMP", "0x605b")).toBe("halt")
  })
  it("don't look at the destination of a JUMPI that isn't taken", async () => {
    expect(await top(7, 0, 0xffff, "DUP1", "POP", "JUMPI")).toBe(7n)
    expect(await end(1, 0xffff, "DUP1", "POP", "JUMPI")).toBe("halt")
    expect(await top(1, "@out", "DUP1", "POP", "JUMPI", "INVALID", ":out", 9)).toBe(9n)
  })
  it("find each of many JUMPDESTs, and nothing between them", async () => {
    const dests = Array.from({ length: 100 }, (_, index) => ["STOP", `:d${index}`, index])
    const code = assemble(0, "CALLDATALOAD", "DUP1", "POP", "JUMP", ...dests.flat())
    for (let offset = 0; offset < code.length + 4; offset++) {
      const data = new Uint8Array(32)
      data[30] = offset >> 8
      data[31] = offset & 0xff
      await expectSame(code, data)
    }
  })
  it("follow a jump table in data", async () => {
    // Memory gets the table by pushes; its words are built from offsets that only data names.
    const table = ["@a", "@b", "@c"].flatMap(
      (at, index): ReadonlyArray<Token> => [at, index * 32, "MSTORE"]
    )
    const pick = (index: number) =>
      top(...table, index * 32, "MLOAD", "JUMP", ":a", 10, "STOP", ":b", 11, "STOP", ":c", 12)
    expect([await pick(0), await pick(1), await pick(2)]).toEqual([10n, 11n, 12n])
  })
  it("halt with too few items on the stack", async () => {
    for (const tokens of [["JUMP"], ["JUMPI"], [1, "DUP1", "POP", "JUMPI"]] as const) {
      expect(await end(...tokens)).toBe("halt")
    }
  })
})

describe("what the code sees of itself", () => {
  it("PC and CODESIZE are the original's", async () => {
    expect(await top(1, "PC", "ADD", "PC")).toBe(4n)
    expect(await top("CODESIZE", 300, "POP")).toBe(5n)
  })
  it("a PUSH cut off by the end is filled with zeros, and the code stops", async () => {
    expect(await top("0x61ff")).toBe(0xff00n)
    expect(await top("0x7f")).toBe(0n)
    expect(await top("0x630001")).toBe(0x00010000n)
  })
  it("leading zeros of a PUSH don't matter, but its length does", async () => {
    expect(await top("0x6300000001", "PC")).toBe(5n)
  })
  it("running off the end stops", async () => {
    expect(await top(1)).toBe(1n)
    expect(await end(":only")).toBe("success")
  })
  it("unassigned opcodes and INVALID halt", async () => {
    for (const byte of ["0x0c", "0xfe", "0x21", "0xef", "0xf6", "0x4b"]) {
      expect(await end(1, byte), byte).toBe("halt")
    }
  })
})

describe("calldata", () => {
  const offsets = [0, 1, 31, 32, 38, 69, 70, 71, 96, 4096, 0xffff_ffff, 1n << 63n, (1n << 64n) - 1n]
  const huge = [1n << 64n, (1n << 64n) + 1n, 1n << 255n, (1n << 256n) - 96n, (1n << 256n) - 1n]

  it("loads from any constant offset", async () => {
    for (const offset of [...offsets, ...huge]) await top(offset, "CALLDATALOAD")
    expect(await top(1, "CALLDATALOAD")).toBe(bytesToBigInt(CALLDATA.subarray(1, 33)))
  })
  it("loads from any computed offset", async () => {
    for (const offset of [...offsets, ...huge]) await top(5, offset, "DUP1", "POP", "CALLDATALOAD")
    expect(await top(1, "DUP1", "CALLDATALOAD")).toBe(bytesToBigInt(CALLDATA.subarray(1, 33)))
  })
  it("copies from any offset, and only what it is asked for", async () => {
    for (const offset of [...offsets, ...huge]) {
      for (const size of [0, 1, 33, 200]) {
        await expectSame(assemble(size, offset, 3, "CALLDATACOPY", "MSIZE"))
      }
    }
  })
  it("halts at a copy that memory can't hold, unless it is empty", async () => {
    // Out of gas, whatever the supply.
    const { original, ovm } = await runBoth(assemble(1, 0, 1n << 200n, "CALLDATACOPY"))
    expect([original.isOutOfGas, ovm.isOutOfGas]).toEqual([true, true])
    expect(await end(0, 0, 1n << 200n, "CALLDATACOPY")).toBe("success")
  })
  it("has the original's size, also when there is none", async () => {
    expect(await top("CALLDATASIZE")).toBe(70n)
    const { stack } = await expectSame(assemble("CALLDATASIZE"), new Uint8Array(0))
    expect(stack).toEqual([0n])
  })
  it("comes behind the frame's ADDRESS, CALLER and CALLVALUE", async () => {
    for (const [index, name] of ["ADDRESS", "CALLER", "CALLVALUE"].entries()) {
      const context = new Uint8Array(96)
      context[index * 32 + 31] = 0xaa
      const code = Either.getOrThrow(transpile({ code: assemble(name), mode: "runtime" })).code
      const { stack } = await execute({ code, data: context, gas: GAS })
      expect(stack).toEqual([0xaan])
    }
  })
})

describe("return data before any call", () => {
  it("is empty, and costs no memory", async () => {
    expect(await top("RETURNDATASIZE")).toBe(0n)
    expect(await end(0, 0, 0, "RETURNDATACOPY")).toBe("success")
    expect(await end(0, 0, 1n << 90n, "RETURNDATACOPY")).toBe("success")
    for (const [size, offset] of [
      [1, 0],
      [0, 1]
    ] as const) {
      const { original, ovm } = await runBoth(assemble(size, offset, 0, "RETURNDATACOPY"))
      expect([original.end, ovm.end]).toEqual(["halt", "halt"])
    }
  })
  it("returns and reverts with what memory holds", async () => {
    expect((await expectSame(assemble(42, 0, "MSTORE", 40, 5, "RETURN"))).returned).toMatch(
      /2a0{26}$/
    )
    expect((await expectSame(assemble(42, 0, "MSTORE", 2, 30, "REVERT"))).returned).toBe("0x002a")
  })
})

/** Opcodes that need no manager, and neither show gas nor end the frame. */
const PURE = [
  ..."ADD MUL SUB DIV SDIV MOD SMOD ADDMOD MULMOD EXP SIGNEXTEND LT GT SLT SGT EQ ISZERO".split(
    " "
  ),
  ..."AND OR XOR NOT BYTE SHL SHR SAR KECCAK256 CALLDATALOAD CALLDATASIZE CALLDATACOPY".split(" "),
  ..."CODESIZE RETURNDATASIZE RETURNDATACOPY POP MLOAD MSTORE MSTORE8 PC MSIZE MCOPY".split(" "),
  ..."DUP1 DUP2 DUP5 DUP16 SWAP1 SWAP2 SWAP16".split(" ")
]

const constant = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 80 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 5000 }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }) }
)

const BLOCKS = 12
const labelName = fc.integer({ min: 0, max: BLOCKS - 1 }).map((index) => `b${index}`)

const fragment: fc.Arbitrary<ReadonlyArray<Token>> = fc.oneof(
  { weight: 5, arbitrary: constant.map((value) => [value]) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(constant, constant, constant, fc.constantFrom(...PURE))
      .map(([a, b, c, name]) => [a, b, c, name])
  },
  { weight: 2, arbitrary: fc.constantFrom(...PURE).map((name) => [name]) },
  { weight: 1, arbitrary: labelName.map((at) => [`@${at}`]) },
  { weight: 2, arbitrary: fc.tuple(constant, labelName).map(([a, at]) => [a, `@${at}`, "JUMPI"]) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(constant, constant, labelName)
      .map(([a, b, at]) => [a, `@${at}`, b, "POP", "JUMPI"])
  }
)

const ending: fc.Arbitrary<ReadonlyArray<Token>> = fc.oneof(
  labelName.map((at) => [`@${at}`, "JUMP"]),
  fc
    .tuple(labelName, fc.integer({ min: 0, max: 2 }))
    .map(([at, off]) => [`@${at}`, off, "ADD", "JUMP"]),
  fc.tuple(labelName, constant).map(([at, a]) => [a, `@${at}`, "ADD", a, "SWAP1", "SUB", "JUMP"]),
  fc.constantFrom<ReadonlyArray<Token>>(["JUMP"], ["JUMPI"], ["STOP"], []),
  fc.constantFrom<ReadonlyArray<Token>>([40, 3, "RETURN"], [40, 3, "REVERT"], ["0xfe605b5b61"])
)

const program = fc
  .array(fc.tuple(fc.array(fragment, { maxLength: 12 }), ending), {
    minLength: BLOCKS,
    maxLength: BLOCKS
  })
  .map((blocks) =>
    assemble(...blocks.flatMap(([body, last], index) => [`:b${index}`, ...body.flat(), ...last]))
  )

const FREE = new Set([...PURE, "JUMP", "JUMPI", "JUMPDEST", "STOP", "RETURN"].map(opcode))
const rawByte = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...FREE) },
  { weight: 8, arbitrary: fc.integer({ min: 0x5f, max: 0x63 }) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 24 }).filter((byte) => byte !== 0x0c) },
  { weight: 3, arbitrary: fc.constant(0x5b) }
)
const rawProgram = fc
  .array(rawByte, { minLength: 1, maxLength: 80 })
  .map((bytes) => Uint8Array.from(bytes))

describe("any program", () => {
  const agree = async (code: Uint8Array, data: Uint8Array) => {
    const original = await runOriginal(code, data)
    // A program that ran out of its gas may well end with the OVM's larger supply.
    fc.pre(!original.isOutOfGas)
    expect(visible(await runTranspiled(code, data))).toEqual(visible(original))
  }
  const data = fc.uint8Array({ maxLength: 80 })

  it("of jumping blocks does the same", async () => {
    await fc.assert(fc.asyncProperty(program, data, agree), { numRuns: 250 })
  })

  it("of random opcodes does the same", async () => {
    await fc.assert(fc.asyncProperty(rawProgram, data, agree), { numRuns: 400 })
  })
})
