/** Decides for every live instruction what stands in its place, before any address is known. */
import { operations } from "@ovm/protocol/generated/GasSchedule"
import * as Op from "../Opcode.ts"
import type { Mode } from "../Transpiler.ts"
import { type Label, minimalBytes } from "./Assembler.ts"
import { asOffset, pushedBytes, type Sweep } from "./Sweep.ts"

/** What is emitted for one original instruction: a PUSH2 of `target`, then `bytes`, then a site. */
export interface Step {
  /** Offset of the original instruction. */
  readonly at: number
  readonly bytes: ArrayLike<number>
  readonly target?: Label
  /** Opcode whose stub is entered here. */
  readonly entry?: number
}

export interface Plan {
  readonly steps: ReadonlyArray<Step>
  /** Opcodes that need an entry. */
  readonly entries: ReadonlySet<number>
  /** Original opcode to number of places where something else stands now. */
  readonly replaced: ReadonlyMap<number, number>
  /** True if a jump's destination is known at run time only. */
  readonly hasDynamicJump: boolean
  /** Constants of up to two bytes that live code pushes for something else than a direct jump. */
  readonly constants: ReadonlySet<number>
}

/** Labels of the blocks that T adds. */
export const HALT = "halt"
export const ABORT = "abort"
export const DISPATCH = "dispatch"

/** Bytes of ADDRESS, CALLER, CALLVALUE in front of a runtime frame's calldata. */
const CONTEXT = 0x60
const OFFSET_LIMIT = 1n << 64n

const CONTEXT_WORDS: ReadonlyMap<number, ReadonlyArray<number>> = new Map([
  [Op.ADDRESS, [Op.PUSH0, Op.CALLDATALOAD]],
  [Op.CALLER, [Op.PUSH1, 0x20, Op.CALLDATALOAD]],
  [Op.CALLVALUE, [Op.PUSH1, 0x40, Op.CALLDATALOAD]],
  [Op.CALLDATASIZE, [Op.PUSH1, CONTEXT, Op.CALLDATASIZE, Op.SUB]]
])

/** Opcodes of the table that are no sites of their own: JUMP is there for the miss of a dispatch. */
const GATED: ReadonlySet<number> = new Set(
  operations.map(({ opcode }) => opcode).filter((opcode) => opcode !== Op.JUMP)
)

/** Calls and creations: what they return can be asked for afterwards. */
const FILLS_RETURN_DATA: ReadonlySet<number> = new Set(
  operations.filter(({ kind }) => kind === "call" || kind === "create").map(({ opcode }) => opcode)
)

export const plan = (options: {
  readonly code: Uint8Array
  readonly mode: Mode
  readonly sweep: Sweep
}): Plan => new Planner(options).run()

class Planner {
  private readonly steps: Array<Step> = []
  private readonly entries = new Set<number>()
  private readonly replaced = new Map<number, number>()
  private readonly constants = new Set<number>()
  private readonly jumpDests: ReadonlySet<number>
  private hasDynamicJump = false
  /** True in the straight line from the frame's start up to the first call: nothing was returned yet. */
  private isBeforeCalls = true

  private readonly code: Uint8Array
  private readonly mode: Mode
  private readonly swept: Sweep

  constructor(options: {
    readonly code: Uint8Array
    readonly mode: Mode
    readonly sweep: Sweep
  }) {
    this.code = options.code
    this.mode = options.mode
    this.swept = options.sweep
    this.jumpDests = new Set(options.sweep.jumpDests)
  }

  run(): Plan {
    const { live } = this.swept
    let index = 0
    while (index < live.length) index += this.instruction(live[index] ?? 0, live[index + 1])
    const last = live.at(-1)
    if (last !== undefined && !Op.isTerminator(this.code[last] ?? 0)) {
      this.steps.push({ at: this.code.length, bytes: [Op.STOP] })
    }
    const { constants, entries, hasDynamicJump, replaced, steps } = this
    return { steps, entries, replaced, hasDynamicJump, constants }
  }

  /** Plans the instruction at `at`, with the next one if both go together; answers how many. */
  private instruction(at: number, next: number | undefined): 1 | 2 {
    const opcode = this.code[at] ?? 0
    if (Op.isPush(opcode)) return this.push(at, next)
    if (opcode === Op.PC) {
      this.count(opcode)
      if (this.isJump(next)) return this.staticJump({ at, jump: next, target: undefined })
      this.steps.push({ at, bytes: pushOf(at) })
      return 1
    }
    this.single(at, opcode)
    return 1
  }

  private push(at: number, next: number | undefined): 1 | 2 {
    const value = pushedBytes(this.code, at)
    const offset = asOffset(value)
    if (this.isJump(next)) {
      const target = offset !== undefined && this.jumpDests.has(offset) ? offset : undefined
      return this.staticJump({ at, jump: next, target })
    }
    if (offset !== undefined) this.constants.add(offset)
    const loads = next !== undefined && this.code[next] === Op.CALLDATALOAD
    if (!loads || this.mode === "init") {
      this.steps.push({ at, bytes: [Op.PUSH0 + value.length, ...value] })
      return 1
    }
    this.count(Op.CALLDATALOAD)
    const from = value.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
    if (from < OFFSET_LIMIT) {
      this.steps.push({ at, bytes: pushOf(from + BigInt(CONTEXT)) })
      this.steps.push({ at: next, bytes: [Op.CALLDATALOAD] })
    } else {
      // No calldata is that long.
      this.steps.push({ at, bytes: [Op.PUSH0] })
    }
    return 2
  }

  private isJump(at: number | undefined): at is number {
    if (at === undefined) return false
    const opcode = this.code[at]
    return opcode === Op.JUMP || opcode === Op.JUMPI
  }

  private staticJump(options: {
    readonly at: number
    readonly jump: number
    /** Undefined if the destination is no JUMPDEST. */
    readonly target: number | undefined
  }): 2 {
    const { at, jump, target } = options
    const opcode = this.code[jump] ?? 0
    if (target === undefined && opcode === Op.JUMP) {
      this.steps.push({ at: jump, bytes: [Op.INVALID] })
      return 2
    }
    this.steps.push({ at, target: target ?? HALT, bytes: [] })
    this.steps.push({ at: jump, bytes: [opcode] })
    return 2
  }

  private single(at: number, opcode: number): void {
    if (Op.isUnassigned(opcode)) {
      this.count(opcode)
      this.steps.push({ at, bytes: [Op.INVALID] })
      return
    }
    if (opcode === Op.JUMP) {
      this.count(opcode)
      this.hasDynamicJump = true
      this.steps.push({ at, target: DISPATCH, bytes: [Op.JUMP] })
      return
    }
    if (opcode === Op.JUMPI) this.hasDynamicJump = true
    if (opcode === Op.JUMPDEST || FILLS_RETURN_DATA.has(opcode)) this.isBeforeCalls = false
    const bytes = this.constant(opcode)
    if (bytes !== undefined) {
      this.count(opcode)
      this.steps.push({ at, bytes })
    } else if (this.needsStub(opcode)) {
      this.count(opcode)
      this.entries.add(opcode)
      this.steps.push({ at, bytes: [], entry: opcode })
    } else {
      this.steps.push({ at, bytes: [opcode] })
    }
  }

  /** What needs no stub, as T or the frame's calldata knows the answer. */
  private constant(opcode: number): ReadonlyArray<number> | undefined {
    if (opcode === Op.CODESIZE) return pushOf(this.code.length)
    // Hand-written code, EIP-1167's above all, uses it as a zero that costs 2 gas.
    if (opcode === Op.RETURNDATASIZE && this.isBeforeCalls) return [Op.PUSH0]
    return this.mode === "runtime" ? CONTEXT_WORDS.get(opcode) : undefined
  }

  private needsStub(opcode: number): boolean {
    switch (opcode) {
      case Op.RETURN:
        return this.mode === "init"
      case Op.CALLDATALOAD:
      case Op.CALLDATACOPY:
        return this.mode === "runtime"
      case Op.JUMPI:
      case Op.RETURNDATACOPY:
        return true
      default:
        return GATED.has(opcode)
    }
  }

  private count(opcode: number): void {
    this.replaced.set(opcode, (this.replaced.get(opcode) ?? 0) + 1)
  }
}

const pushOf = (value: number | bigint): ReadonlyArray<number> => {
  const bytes = minimalBytes(value)
  return [Op.PUSH0 + bytes.length, ...bytes]
}
