/** What passes the gate for each replaced opcode, and what the stub leaves behind. */
import { operations } from "@ovm/protocol/generated/GasSchedule"
import { Either } from "effect"
import { describe, expect, it } from "vitest"
import { type Mode, transpile } from "../src/Transpiler.ts"
import { assemble, opcode, type Token } from "./support/Assemble.ts"
import { execute } from "./support/Evm.ts"
import { type Answer, gate, passages } from "./support/Gate.ts"

interface Case {
  /** Topmost first. */
  readonly operands: ReadonlyArray<bigint>
  /** Slots 1, 2, ... */
  readonly slots: ReadonlyArray<bigint>
  readonly input?: readonly [offset: number, size: number]
  readonly output?: readonly [offset: number, size: number]
  readonly hasResult: boolean
}

const word = (operands: number, hasResult = true): Case => {
  const values = [0xd1n << 240n, 0xd2n, 0xd3n].slice(0, operands)
  return { operands: values, slots: values, hasResult }
}
const T = [0xe1n, 0xe2n << 200n, 0xe3n, 0xe4n] as const
const IN = [3, 40] as const
const OUT = [70, 50] as const
const [inOffset, inSize, outOffset, outSize] = [3n, 40n, 70n, 50n]
const input = { input: IN }
const output = { output: OUT }
const range = [inOffset, inSize]
const ranges = [inOffset, inSize, outOffset, outSize]

const CASES: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    "ORIGIN GASPRICE COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT CHAINID SELFBALANCE BASEFEE BLOBBASEFEE"
      .split(" ")
      .map((name) => [name, word(0)])
  ),
  ...Object.fromEntries(
    "BALANCE EXTCODESIZE EXTCODEHASH BLOCKHASH BLOBHASH SLOAD TLOAD"
      .split(" ")
      .map((name) => [name, word(1)])
  ),
  SSTORE: word(2, false),
  TSTORE: word(2, false),
  LOG0: { operands: range, slots: [], ...input, hasResult: false },
  LOG1: { operands: [...range, T[0]], slots: T.slice(0, 1), ...input, hasResult: false },
  LOG2: {
    operands: [...range, ...T.slice(0, 2)],
    slots: T.slice(0, 2),
    ...input,
    hasResult: false
  },
  LOG3: {
    operands: [...range, ...T.slice(0, 3)],
    slots: T.slice(0, 3),
    ...input,
    hasResult: false
  },
  LOG4: { operands: [...range, ...T], slots: T, ...input, hasResult: false },
  CODECOPY: {
    operands: [outOffset, 9n, outSize],
    slots: [9n, outSize],
    ...output,
    hasResult: false
  },
  EXTCODECOPY: {
    operands: [T[1], outOffset, 9n, outSize],
    slots: [T[1], 9n, outSize],
    ...output,
    hasResult: false
  },
  CREATE: { operands: [T[0], ...range], slots: [T[0]], ...input, hasResult: true },
  CREATE2: { operands: [T[0], ...range, T[3]], slots: [T[0], T[3]], ...input, hasResult: true },
  CALL: {
    operands: [...T.slice(0, 3), ...ranges],
    slots: T.slice(0, 3),
    ...input,
    ...output,
    hasResult: true
  },
  CALLCODE: {
    operands: [...T.slice(0, 3), ...ranges],
    slots: T.slice(0, 3),
    ...input,
    ...output,
    hasResult: true
  },
  DELEGATECALL: {
    operands: [...T.slice(0, 2), ...ranges],
    slots: T.slice(0, 2),
    ...input,
    ...output,
    hasResult: true
  },
  STATICCALL: {
    operands: [...T.slice(0, 2), ...ranges],
    slots: T.slice(0, 2),
    ...input,
    ...output,
    hasResult: true
  }
}

const RESULT = 0x1234n
const GAS = 5_000_000n
const BELOW = [0xa1n, 0xa2n]
/** 64 bytes of memory before the operation. */
const FILL: ReadonlyArray<Token> = [0, "NOT", 0, "MSTORE", 0x77, 32, "MSTORE"]
const FILLED = `${"ff".repeat(32)}${"00".repeat(31)}77`

const operationOf = (name: string) => {
  const found = operations.find((operation) => operation.name === name)
  if (found === undefined) throw new Error(`no operation ${name}`)
  return found
}

/** What the manager would answer: copies end with 0 in slot 0. */
const answerTo = (name: string): Answer => {
  const { kind } = operationOf(name)
  if (kind === "copy") return { result: 0n, replyBytes: 32 }
  return { result: RESULT, replyBytes: kind === "call" || kind === "create" ? 32 : 0 }
}

/** Behind a STOP, so that it never runs, but drives the entries past the first 256 bytes. */
const CROWD = assemble("STOP", ":crowd", ...Object.keys(CASES), "RETURNDATASIZE")

const run = async (options: {
  readonly tokens: ReadonlyArray<Token>
  readonly answers: Readonly<Record<number, Answer>>
  readonly mode?: Mode
  readonly isCrowded?: boolean
}) => {
  const alone = assemble(...options.tokens)
  const code = options.isCrowded === true ? Uint8Array.from([...alone, ...CROWD]) : alone
  const { code: transpiled } = Either.getOrThrow(
    transpile({ code, mode: options.mode ?? "runtime" })
  )
  const outcome = await execute({
    code: transpiled,
    data: new Uint8Array(0),
    gas: GAS,
    callerCode: gate(options.answers)
  })
  return { outcome, passed: passages(outcome) }
}

const siteOf = (name: string): ReadonlyArray<Token> => [
  ...BELOW,
  ...FILL,
  ...[...(CASES[name]?.operands ?? [])].reverse(),
  name
]

const names = Object.keys(CASES)

it("has a case for every operation of the schedule but those with stubs of their own", () => {
  const special = ["ADDRESS", "CALLER", "CALLVALUE", "RETURNDATA", "JUMP", "RETURN", "SELFDESTRUCT"]
  expect([...names, ...special].sort()).toEqual(operations.map(({ name }) => name).sort())
})

describe.each([
  ["within the first 256 bytes", false],
  ["behind them", true]
])("an entry %s", (_, isCrowded) => {
  it.each(names)("hands over %s and cleans up", async (name) => {
    const { input: from, output: to, hasResult, slots } = CASES[name] ?? word(0)
    const answer = answerTo(name)
    const answers = { [opcode(name)]: answer }
    const { outcome, passed } = await run({ tokens: siteOf(name), answers, isCrowded })

    expect(outcome.end).toBe("success")
    const memory = FILLED + "00".repeat(64)
    const handed = from === undefined ? "" : memory.slice(from[0] * 2, (from[0] + from[1]) * 2)
    expect(passed).toEqual([
      {
        opcode: opcode(name),
        slots: [...slots, 0n, 0n, 0n, 0n].slice(0, 4),
        input: `0x${handed}`
      }
    ])
    expect(outcome.stack).toEqual(hasResult ? [...BELOW, answer.result] : BELOW)
    const ends = [
      64,
      ...[from, to].flatMap((range) => (range === undefined ? [] : [range[0] + range[1]]))
    ]
    expect(outcome.memoryWords).toBe(BigInt(Math.ceil(Math.max(...ends) / 32)))
    if (to !== undefined) {
      const written = outcome.memory.slice(2 + to[0] * 2, 2 + (to[0] + to[1]) * 2)
      expect(written).toBe("ee".repeat(32) + "00".repeat(to[1] - 32))
    }
  })
})

describe("the frame ends", () => {
  it.each(names)("halted if the gate fails (%s)", async (name) => {
    const { outcome } = await run({ tokens: siteOf(name), answers: {} })
    expect(outcome.end).toBe("halt")
  })

  it.each(names)("at once and quietly if the run is aborted (%s)", async (name) => {
    const { kind } = operationOf(name)
    const aborted: Record<string, Answer> = {
      copy: { result: 1n, replyBytes: 0 },
      call: { result: 1n << 255n, replyBytes: 0 },
      create: { result: 1n << 255n, replyBytes: 0 }
    }
    const answer = aborted[kind] ?? { result: 0n, replyBytes: 32 }
    const tokens = [...siteOf(name), "INVALID"]
    const { outcome, passed } = await run({ tokens, answers: { [opcode(name)]: answer } })
    expect([outcome.end, outcome.returned, passed.length]).toEqual(["success", "0x", 1])
  })

  it.each(names)("halted with too few operands (%s)", async (name) => {
    const { operands } = CASES[name] ?? word(0)
    if (operands.length === 0) return expect(siteOf(name)).toEqual([...BELOW, ...FILL, name])
    const tokens = [...operands.slice(1).reverse(), name]
    const { outcome, passed } = await run({ tokens, answers: { [opcode(name)]: answerTo(name) } })
    expect([outcome.end, passed]).toEqual(["halt", []])
  })

  it("with SELFDESTRUCT", async () => {
    const answers = { [opcode("SELFDESTRUCT")]: { result: 0n, replyBytes: 0 } }
    const { outcome, passed } = await run({ tokens: [7, "SELFDESTRUCT", "0xfe"], answers })
    expect([outcome.end, outcome.returned]).toEqual(["success", "0x"])
    expect(passed).toMatchObject([{ opcode: 0xff, slots: [7n, 0n, 0n, 0n] }])
  })
})

describe("return data", () => {
  const answers = {
    [opcode("CALL")]: { result: 1n, replyBytes: 32 },
    [opcode("SLOAD")]: { result: RESULT, replyBytes: 0 },
    [opcode("CODECOPY")]: { result: 0n, replyBytes: 32 },
    [opcode("RETURNDATASIZE")]: { result: 0n, replyBytes: 32 }
  }
  const call: ReadonlyArray<Token> = [0, 0, 0, 0, 0, 0, 0, "CALL", "POP"]
  const opcodesPassed = (passed: ReadonlyArray<{ readonly opcode: number }>) =>
    passed.map((passage) => passage.opcode)

  it("of the last call is at hand without asking", async () => {
    const { outcome, passed } = await run({ tokens: [...call, "RETURNDATASIZE"], answers })
    expect(outcome.stack).toEqual([32n])
    expect(opcodesPassed(passed)).toEqual([0xf1])
  })
  it.each([
    ["SLOAD", [1, "SLOAD", "POP"]],
    ["CODECOPY", [0, 0, 0, "CODECOPY"]]
  ] as const)("is asked for again after %s, once", async (name, between) => {
    const tokens = [...call, ...between, "RETURNDATASIZE", "RETURNDATASIZE"]
    const { outcome, passed } = await run({ tokens, answers })
    expect(outcome.stack).toEqual([32n, 32n])
    expect(opcodesPassed(passed)).toEqual([0xf1, opcode(name), 0x3d])
  })
  it.each([false, true])("is copied, asked for again if need be", async (isCrowded) => {
    const tokens = [0xa1, ...call, 1, "SLOAD", "POP", 8, 3, 5, "RETURNDATACOPY", 2, "SLOAD"]
    const { outcome, passed } = await run({ tokens, answers, isCrowded })
    expect(outcome.stack).toEqual([0xa1n, RESULT])
    expect(outcome.memory).toBe(`0x${"00".repeat(5)}${"ee".repeat(8)}${"00".repeat(19)}`)
    expect(opcodesPassed(passed)).toEqual([0xf1, 0x54, 0x3d, 0x54])
  })
  it("is nothing before the first call of the straight line, and nobody is asked", async () => {
    const opening: ReadonlyArray<Token> = ["RETURNDATASIZE", 1, "SLOAD", "POP", "RETURNDATASIZE"]
    const { outcome, passed } = await run({ tokens: opening, answers })
    expect(outcome.stack).toEqual([0n, 0n])
    expect(opcodesPassed(passed)).toEqual([0x54])
    // A loop could come back to it with return data, so behind a JUMPDEST it is asked for.
    const behind = await run({ tokens: ["JUMPDEST", ...opening], answers })
    expect(opcodesPassed(behind.passed)).toEqual([0x3d, 0x54, 0x3d])
  })
  it("ends the frame quietly if the run is aborted while asking", async () => {
    const aborted = { [opcode("RETURNDATASIZE")]: { result: 1n << 255n, replyBytes: 1 } }
    for (const tokens of [
      ["JUMPDEST", "RETURNDATASIZE", "0xfe"],
      [0, 0, 0, "RETURNDATACOPY", "0xfe"]
    ]) {
      const { outcome } = await run({ tokens, answers: aborted })
      expect([outcome.end, outcome.returned]).toEqual(["success", "0x"])
    }
  })
  it("halts the frame if asking fails", async () => {
    for (const tokens of [
      ["JUMPDEST", "RETURNDATASIZE"],
      [0, 0, 0, "RETURNDATACOPY"]
    ]) {
      expect((await run({ tokens, answers: {} })).outcome.end).toBe("halt")
    }
  })
})

describe("init code", () => {
  it("deposits what it returns, then returns it", async () => {
    const answers = { [opcode("RETURN")]: { result: 0n, replyBytes: 0 } }
    const tokens = [...FILL, 40, 3, "RETURN"]
    const { outcome, passed } = await run({ tokens, answers, mode: "init" })
    const returned = `0x${FILLED.slice(6, 86)}`
    expect([outcome.end, outcome.returned]).toEqual(["success", returned])
    expect(passed).toEqual([{ opcode: 0xf3, slots: [0n, 0n, 0n, 0n], input: returned }])
  })
  it("asks the gate for its context, and has no calldata", async () => {
    const names = ["ADDRESS", "CALLER", "CALLVALUE"]
    const answers = Object.fromEntries(
      names.map((name) => [opcode(name), { result: BigInt(opcode(name)), replyBytes: 0 }])
    )
    const tokens = [...names, "CALLDATASIZE", 0, "CALLDATALOAD"]
    const { outcome, passed } = await run({ tokens, answers, mode: "init" })
    expect(outcome.stack).toEqual([0x30n, 0x33n, 0x34n, 0n, 0n])
    expect(passed.map((passage) => passage.opcode)).toEqual([0x30, 0x33, 0x34])
  })
})

describe("a reduced dispatch table", () => {
  /** So many JUMPDESTs that a table of all would outgrow the contract. */
  const many = new Array<Token>(2000).fill("JUMPDEST")
  const program = (destination: ReadonlyArray<Token>): ReadonlyArray<Token> => [
    ...[0xa1, ...destination, "JUMP", ...many],
    ...[":named", 7, "STOP", 0xd0, 0, "POP", "POP"]
  ]
  const answers = { [opcode("JUMP")]: { result: 0n, replyBytes: 0 } }

  it("reaches what a constant names", async () => {
    const tokens = program(["@named", 0, "ADD"])
    const result = Either.getOrThrow(transpile({ code: assemble(...tokens), mode: "runtime" }))
    expect(result.dispatch).toBe("reduced")
    const { outcome, passed } = await run({ tokens, answers })
    expect([outcome.stack, passed]).toEqual([[0xa1n, 7n], []])
  })
  it("tells the manager of a destination it does not have, and halts", async () => {
    for (const destination of [500n, 1n << 255n]) {
      const tokens = program(["@named", "POP", destination - 1n, 1, "ADD"])
      const { outcome, passed } = await run({ tokens, answers })
      expect(outcome.end).toBe("halt")
      const slots = [destination, 0n, 0n, 0n]
      expect(passed).toEqual([{ opcode: opcode("JUMP"), slots, input: "0x" }])
    }
  })
  it("can be empty", async () => {
    const tokens = [1n << 40n, (1n << 40n) + 500n, "SUB", "JUMP", ...many]
    const result = Either.getOrThrow(transpile({ code: assemble(...tokens), mode: "runtime" }))
    expect([result.dispatch, result.jumpTargets]).toEqual(["reduced", []])
    const { outcome, passed } = await run({ tokens, answers })
    expect(outcome.end).toBe("halt")
    expect(passed).toMatchObject([{ opcode: opcode("JUMP"), slots: [500n, 0n, 0n, 0n] }])
  })
})
