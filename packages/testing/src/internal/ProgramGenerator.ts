/** Random programs that mean something: balanced stacks, real calls, and the odd bit of nonsense. */
import type { Address } from "@ovm/protocol/Primitives"
import { assemble, type Instruction, OP, type Program } from "./Assembly.ts"
import type { SeededRandom } from "./SeededRandom.ts"

export interface GeneratorOptions {
  readonly random: SeededRandom
  /** Contracts that may be called freely: calls to them can't come back round. */
  readonly callees: ReadonlyArray<Address>
  /** Every contract, the caller's own too: called back from the outermost frame alone. */
  readonly everyone: ReadonlyArray<Address>
  /** Accounts without code, to pay and to look at. */
  readonly bystanders: ReadonlyArray<Address>
  /** How deep initcode within initcode may still go. */
  readonly nesting: number
  /** Roughly how many statements. */
  readonly size: number
}

/** Writes one program; each statement leaves the stack as it found it, but for deliberate nonsense. */
export const generateProgram = (options: GeneratorOptions): Program => new Writer(options).program()

const NULLARY = [
  OP.ADDRESS,
  OP.ORIGIN,
  OP.CALLER,
  OP.CALLVALUE,
  OP.CALLDATASIZE,
  OP.CODESIZE,
  OP.GASPRICE,
  OP.COINBASE,
  OP.TIMESTAMP,
  OP.NUMBER,
  OP.PREVRANDAO,
  OP.GASLIMIT,
  OP.CHAINID,
  OP.BASEFEE,
  OP.BLOBBASEFEE,
  OP.MSIZE,
  OP.MSIZE,
  OP.RETURNDATASIZE,
  OP.RETURNDATASIZE,
  OP.PC
] as const
const BINARY = [
  OP.ADD,
  OP.MUL,
  OP.SUB,
  OP.DIV,
  OP.SDIV,
  OP.MOD,
  OP.SMOD,
  OP.EXP,
  OP.SIGNEXTEND,
  OP.LT,
  OP.GT,
  OP.SLT,
  OP.SGT,
  OP.EQ,
  OP.AND,
  OP.OR,
  OP.XOR,
  OP.BYTE,
  OP.SHL,
  OP.SHR,
  OP.SAR
] as const
const LOGS = [OP.LOG0, OP.LOG1, OP.LOG2, OP.LOG3, OP.LOG4] as const
const CALLS = [OP.CALL, OP.CALL, OP.CALLCODE, OP.DELEGATECALL, OP.STATICCALL] as const
const PRECOMPILE_COUNT = 10
const WIDEST = (1n << 256n) - 1n

class Writer {
  private readonly random: SeededRandom
  private readonly options: GeneratorOptions
  private readonly instructions: Array<Instruction> = []
  private readonly data: Array<Uint8Array> = []
  private labels = 0

  constructor(options: GeneratorOptions) {
    this.random = options.random
    this.options = options
  }

  program(): Program {
    const { random } = this
    for (let left = 1 + random.below(this.options.size); left > 0; left--) this.statement(2)
    this.ending()
    if (random.chance(30)) this.data.push(random.bytes(random.below(40)))
    return { instructions: this.instructions, data: this.data }
  }

  private op(...opcodes: ReadonlyArray<number>): void {
    for (const opcode of opcodes) this.instructions.push({ _tag: "Op", opcode })
  }

  private push(value: bigint): void {
    const width = Math.ceil(value.toString(16).length / 2)
    const shortest = value === 0n && this.random.chance(70) ? 0 : width
    this.instructions.push({ _tag: "Push", value, width: shortest })
  }

  private small(end: number): void {
    this.push(BigInt(this.random.below(end)))
  }

  private label(): number {
    return this.labels++
  }

  private place(label: number): void {
    this.instructions.push({ _tag: "Label", label })
  }

  private pushLabel(label: number, minus = 0): void {
    this.instructions.push({ _tag: "PushLabel", label, minus })
  }

  private statement(depth: number): void {
    const { random } = this
    const write = random.weighted<() => void>(
      [
        [14, () => this.store()],
        [4, () => this.transientStore()],
        [8, () => this.memory()],
        [6, () => this.log()],
        [12, () => this.call()],
        [2, () => this.callBack()],
        [4, () => this.create()],
        [6, () => this.copy()],
        [4, () => this.returnData()],
        [depth > 0 ? 5 : 0, () => this.branch(depth)],
        [depth > 0 ? 3 : 0, () => this.loop(depth)],
        [4, () => this.dynamicJump()],
        // These end most programs: long ones must get through now and then.
        [random.chance(30) ? 1 : 0, () => this.hostileMemory()],
        [random.chance(30) ? 1 : 0, () => this.nonsense()]
      ],
      () => this.store()
    )
    write()
  }

  /** Leaves one word on the stack. */
  private expression(depth: number): void {
    const { random } = this
    const write = random.weighted<() => void>(
      [
        [5, () => this.constant()],
        [6, () => this.op(random.pick(NULLARY))],
        [3, () => this.unary(depth, () => this.small(5), OP.SLOAD)],
        [2, () => this.unary(depth, () => this.small(4), OP.TLOAD)],
        [3, () => this.unary(0, () => this.small(200), OP.MLOAD)],
        [2, () => this.unary(depth, () => this.small(80), OP.CALLDATALOAD)],
        [1, () => this.op(OP.SELFBALANCE)],
        [2, () => this.unary(depth, () => this.address(), OP.BALANCE)],
        [2, () => this.unary(depth, () => this.address(), OP.EXTCODESIZE)],
        [2, () => this.unary(depth, () => this.address(), OP.EXTCODEHASH)],
        [1, () => this.unary(depth, () => this.small(3), OP.BLOCKHASH)],
        [1, () => this.unary(depth, () => this.small(3), OP.BLOBHASH)],
        [2, () => this.hash()],
        [depth > 0 ? 2 : 0, () => this.unary(0, () => this.expression(depth - 1), OP.ISZERO)],
        [depth > 0 ? 1 : 0, () => this.unary(0, () => this.expression(depth - 1), OP.NOT)],
        [depth > 0 ? 1 : 0, () => this.wide(depth)],
        [depth > 0 ? 6 : 0, () => this.binary(depth)]
      ],
      () => this.constant()
    )
    write()
  }

  /** Mostly the operand that makes sense, at times any word at all. */
  private unary(depth: number, operand: () => void, opcode: number): void {
    if (depth > 0 && this.random.chance(8)) this.expression(depth - 1)
    else operand()
    this.op(opcode)
  }

  private binary(depth: number): void {
    this.expression(depth - 1)
    this.expression(depth - 1)
    this.op(this.random.pick(BINARY))
  }

  private wide(depth: number): void {
    this.expression(depth - 1)
    this.constant()
    this.constant()
    this.op(this.random.pick([OP.ADDMOD, OP.MULMOD]))
  }

  private constant(): void {
    const { random } = this
    this.push(
      random.weighted<bigint>(
        [
          [8, BigInt(random.below(8))],
          [4, BigInt(random.below(256))],
          [2, BigInt(random.uint32())],
          [2, WIDEST - BigInt(random.below(3))],
          [1, 1n << BigInt(random.below(256))],
          // A JUMPDEST inside push data is none.
          [1, 0x5b5b5b5bn]
        ],
        0n
      )
    )
  }

  private address(): void {
    const { random } = this
    const { bystanders, callees } = this.options
    const known = [...callees, ...bystanders].map(BigInt)
    const choice = random.below(known.length + 3)
    if (choice === known.length) this.op(OP.ADDRESS)
    else if (choice === known.length + 1) this.op(OP.CALLER)
    else this.push(known[choice] ?? BigInt(1 + random.below(PRECOMPILE_COUNT)))
  }

  private store(): void {
    this.expression(2)
    this.small(5)
    this.op(OP.SSTORE)
  }

  private transientStore(): void {
    this.expression(2)
    this.small(4)
    this.op(OP.TSTORE)
  }

  private memory(): void {
    const { random } = this
    if (random.chance(20)) {
      this.small(100)
      this.small(100)
      this.small(200)
      this.op(OP.MCOPY)
      return
    }
    this.expression(2)
    this.small(200)
    this.op(random.chance(30) ? OP.MSTORE8 : OP.MSTORE)
  }

  /** Leaves [offset, size] of a piece of memory, offset on top. */
  private slice(): void {
    this.small(100)
    this.small(150)
  }

  private hash(): void {
    this.slice()
    this.op(OP.KECCAK256)
  }

  private log(): void {
    const topics = this.random.below(5)
    for (let left = topics; left > 0; left--) this.expression(1)
    this.slice()
    this.op(LOGS[topics] ?? OP.LOG0)
  }

  private copy(): void {
    const { random } = this
    const opcode = random.pick([OP.CALLDATACOPY, OP.CODECOPY, OP.EXTCODECOPY])
    this.small(100)
    if (random.chance(10)) this.constant()
    else this.small(120)
    this.small(150)
    if (opcode === OP.EXTCODECOPY) this.address()
    this.op(opcode)
  }

  private returnData(): void {
    // All there is, which is always in bounds; or a guess, which need not be.
    if (this.random.chance(85)) {
      this.op(OP.RETURNDATASIZE)
      this.push(0n)
    } else {
      this.small(40)
      this.small(40)
    }
    this.small(150)
    this.op(OP.RETURNDATACOPY)
  }

  private call(): void {
    const { random } = this
    const opcode = random.pick(CALLS)
    this.slice()
    this.slice()
    if (opcode === OP.CALL || opcode === OP.CALLCODE) {
      this.push(
        random.weighted<bigint>(
          [
            [6, 0n],
            [3, BigInt(random.below(9))],
            [1, WIDEST]
          ],
          0n
        )
      )
    }
    this.target()
    // A callee that halts burns what it is handed: half the calls keep enough to go on afterwards.
    if (random.chance(50)) this.push(400_000n)
    else this.op(OP.GAS)
    this.op(opcode)
    this.keepResult()
  }

  /** Comes back round, once: only the frame that the sender called does it, and never by delegation. */
  private callBack(): void {
    const { random } = this
    const { everyone } = this.options
    const after = this.label()
    this.op(OP.CALLER, OP.ORIGIN, OP.XOR)
    this.pushLabel(after)
    this.op(OP.JUMPI)
    const opcode = random.pick([OP.CALL, OP.CALLCODE, OP.STATICCALL])
    this.slice()
    this.slice()
    if (opcode !== OP.STATICCALL) this.small(3)
    this.push(BigInt(everyone[random.below(everyone.length || 1)] ?? 0))
    this.op(OP.GAS, opcode)
    this.keepResult()
    this.place(after)
  }

  private target(): void {
    const { random } = this
    const { bystanders, callees } = this.options
    const target = random.weighted<bigint>(
      [
        [callees.length > 0 ? 8 : 0, BigInt(callees[random.below(callees.length || 1)] ?? 0)],
        [2, BigInt(bystanders[random.below(bystanders.length || 1)] ?? 0)],
        [2, BigInt(1 + random.below(PRECOMPILE_COUNT))]
      ],
      0n
    )
    // Dirty bits above an address must be ignored.
    this.push(random.chance(3) ? target + (0xffn << 200n) : target)
  }

  private keepResult(): void {
    if (this.random.chance(20)) {
      this.op(OP.POP)
      return
    }
    this.small(5)
    this.op(OP.SSTORE)
  }

  private create(): void {
    const { random } = this
    const { nesting } = this.options
    if (nesting === 0) {
      this.store()
      return
    }
    const init = generateProgram({ ...this.options, nesting: nesting - 1, size: 4 })
    const blob = assemble(init)
    const index = this.data.push(blob) - 1
    this.push(BigInt(blob.length))
    this.instructions.push({ _tag: "PushData", index })
    this.push(0n)
    this.op(OP.CODECOPY)
    const salted = random.chance(50)
    if (salted) this.small(2)
    this.push(BigInt(blob.length))
    this.push(0n)
    this.push(random.chance(25) ? BigInt(random.below(5)) : 0n)
    this.op(salted ? OP.CREATE2 : OP.CREATE)
    if (random.chance(40)) this.callResult()
    else this.keepResult()
  }

  /** Calls the address on the stack. */
  private callResult(): void {
    for (let left = 4; left > 0; left--) this.push(0n)
    this.push(0n)
    this.op(0x85, OP.GAS, OP.CALL, OP.POP)
    this.op(OP.POP)
  }

  private branch(depth: number): void {
    const after = this.label()
    this.expression(1)
    this.pushLabel(after)
    this.op(OP.JUMPI)
    this.statement(depth - 1)
    this.place(after)
  }

  /** Counts down on the stack. */
  private loop(depth: number): void {
    const head = this.label()
    this.push(BigInt(1 + this.random.below(3)))
    this.place(head)
    this.statement(depth - 1)
    this.push(1n)
    this.op(OP.SWAP1, OP.SUB, OP.DUP1)
    this.pushLabel(head)
    this.op(OP.JUMPI)
    this.op(OP.POP)
  }

  /** A target that is computed, or kept in memory: no translator can know it. */
  private dynamicJump(): void {
    const { random } = this
    const landing = this.label()
    const minus = random.below(3)
    this.pushLabel(landing, minus)
    if (random.chance(50)) {
      this.push(BigInt(minus))
      this.op(OP.ADD)
    } else {
      this.push(BigInt(minus))
      this.op(OP.ADD)
      this.push(0x180n)
      this.op(OP.MSTORE)
      this.push(0x180n)
      this.op(OP.MLOAD)
    }
    this.op(OP.JUMP)
    if (random.chance(50)) this.instructions.push({ _tag: "Raw", byte: random.below(256) })
    this.place(landing)
  }

  private hostileMemory(): void {
    const { random } = this
    this.push(random.chance(50) ? WIDEST : 1n << BigInt(30 + random.below(40)))
    this.op(random.pick([OP.MLOAD, OP.SLOAD, OP.CALLDATALOAD]), OP.POP)
  }

  private nonsense(): void {
    const { random } = this
    const write = random.pick<() => void>([
      () => this.op(OP.POP),
      () => this.instructions.push({ _tag: "Raw", byte: random.below(256) }),
      () => {
        this.small(300)
        this.op(OP.JUMP)
      },
      () => this.op(OP.DUP2, OP.SWAP2)
    ])
    write()
  }

  private ending(): void {
    const { random } = this
    const write = random.weighted<() => void>(
      [
        [5, () => this.op(OP.STOP)],
        [5, () => this.leave(OP.RETURN)],
        [2, () => this.leave(OP.REVERT)],
        [1, () => this.op(OP.INVALID)],
        [2, () => this.selfDestruct()],
        [1, () => {}]
      ],
      () => this.op(OP.STOP)
    )
    write()
  }

  private leave(opcode: number): void {
    this.slice()
    this.op(opcode)
  }

  private selfDestruct(): void {
    this.address()
    this.op(OP.SELFDESTRUCT)
  }
}
