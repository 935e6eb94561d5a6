/** Where an operation's operands go on their way through the gate, told from the gas schedule. */
import { type Operation, operations } from "@ovm/protocol/generated/GasSchedule"
import * as Op from "../Opcode.ts"

/** Operands are numbered from 1, the topmost. */
type Range = readonly [offset: number, size: number]

export interface Shape {
  /** Operations of one shape share one block. */
  readonly key: string
  /** How many stack items the original opcode takes. */
  readonly operands: number
  /** Operands handed over in transient slots 1, 2, ... */
  readonly words: ReadonlyArray<number>
  readonly input?: Range
  readonly output?: Range
  /** How the stub learns that the run is aborted, and what it must put right afterwards. */
  readonly check: "buffer" | "result" | "copy"
  /** Whether a result stays on the stack. */
  readonly hasResult: boolean
  /** What follows: back to the site, or the frame's end. */
  readonly end: "site" | "stop" | "return"
}

const upTo = (count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => index + 1)

const NO_RESULT: ReadonlySet<string> = new Set(["SSTORE", "TSTORE", "SELFDESTRUCT"])

const shapeOf = ({ args, kind, name, opcode }: Operation): Shape => {
  const base = { check: "buffer", hasResult: false, end: "site" } as const
  switch (kind) {
    case "word": {
      const hasResult = !NO_RESULT.has(name)
      const end = opcode === Op.SELFDESTRUCT ? "stop" : "site"
      const key = `word:${args}:${hasResult}:${end}`
      return { ...base, key, operands: args, words: upTo(args), hasResult, end }
    }
    case "log": {
      const words = upTo(args).map((topic) => topic + 2)
      return { ...base, key: `log:${args}`, operands: args + 2, words, input: [1, 2] }
    }
    case "copy": {
      // The destination stands before the source's offset and the size, which are words.
      const destination = args - 1
      const operands = args + 1
      const words = upTo(operands).filter((operand) => operand !== destination)
      const output = [destination, operands] as const
      return { ...base, key: `copy:${args}`, operands, words, output, check: "copy" }
    }
    case "call": {
      const input = [args + 1, args + 2] as const
      const output = [args + 3, args + 4] as const
      const result = { check: "result", hasResult: true, end: "site" } as const
      return {
        ...result,
        key: `call:${args}`,
        operands: args + 4,
        words: upTo(args),
        input,
        output
      }
    }
    case "create": {
      // CREATE (value, offset, size), CREATE2 (value, offset, size, salt).
      const words = args === 1 ? [1] : [1, 4]
      const result = { check: "result", hasResult: true, end: "site" } as const
      return { ...result, key: `create:${args}`, operands: args + 2, words, input: [2, 3] }
    }
    case "code":
      return { ...base, key: "return", operands: 2, words: [], input: [1, 2], end: "return" }
    case "refresh":
      return { ...base, key: "refresh", operands: 0, words: [] }
  }
}

/** Shape by opcode, of every operation that the gate serves. */
export const shapes: ReadonlyMap<number, Shape> = new Map(
  operations.map((operation) => [operation.opcode, shapeOf(operation)])
)
