/** T: turns EVM bytecode into OVM bytecode, a deterministic and linear function of the bytes. */
import { CODE_BYTES_MAX, INITCODE_BYTES_MAX } from "@ovm/protocol/generated/GasSchedule"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Context, Effect, Either, Layer, Schema } from "effect"
import { keccak256 } from "viem"
import { Assembler } from "./internal/Assembler.ts"
import { emitDispatch, reducedTargets } from "./internal/Dispatch.ts"
import { ABORT, HALT, type Plan, plan } from "./internal/Plan.ts"
import { emitSite, emitStubs, passesGate } from "./internal/Stubs.ts"
import { type Sweep, sweep } from "./internal/Sweep.ts"
import * as Op from "./Opcode.ts"
import * as SourceMap from "./SourceMap.ts"

/** Version of T. Code that was accepted under one version keeps it. */
export const VERSION = 1

/**
 * Init code runs once, by the EVM's own CREATE and without calldata; what it returns is runtime
 * code. The same bytes give different code in each mode.
 */
export const Mode = Schema.Literal("init", "runtime")
export type Mode = typeof Mode.Type

/** Size limits in bytes; they hold for the original and for T's output. */
export const LIMITS: Readonly<Record<Mode, number>> = {
  init: Number(INITCODE_BYTES_MAX),
  runtime: Number(CODE_BYTES_MAX)
}

/** The original is larger than Ethereum allows. Recover by splitting the contract. */
export class CodeTooLarge extends Schema.TaggedError<CodeTooLarge>()("CodeTooLarge", {
  mode: Mode,
  /** Bytes. */
  size: Schema.NonNegativeInt,
  limit: Schema.NonNegativeInt
}) {
  override get message() {
    return `Expected ${this.mode} code of at most ${this.limit} bytes, found ${this.size}. Split the contract.`
  }
}

/**
 * The original fits, its transpiled form does not. Recover by making the contract smaller: fewer
 * storage accesses and calls, or the optimizer set for size.
 */
export class OutputTooLarge extends Schema.TaggedError<OutputTooLarge>()("OutputTooLarge", {
  mode: Mode,
  /** Bytes before transpilation. */
  originalSize: Schema.NonNegativeInt,
  /** Bytes after transpilation. */
  size: Schema.NonNegativeInt,
  limit: Schema.NonNegativeInt
}) {
  override get message() {
    return `Expected transpiled ${this.mode} code of at most ${this.limit} bytes, found ${this.size} (from ${this.originalSize}). Make the contract smaller: optimize for size, or split it.`
  }
}

export type TranspileError = CodeTooLarge | OutputTooLarge

/**
 * Which original JUMPDESTs a computed jump can reach: `full` all of them, `reduced` those whose
 * offset the code or its data names. `none`: no jump is computed.
 */
export type Dispatch = "none" | "full" | "reduced"

export interface Transpilation {
  readonly version: typeof VERSION
  readonly mode: Mode
  readonly code: Uint8Array
  readonly sourceMap: SourceMap.SourceMap
  /** Original opcode to the number of places where something else stands now. */
  readonly replaced: ReadonlyMap<number, number>
  readonly dispatch: Dispatch
  /** Original offsets that a computed jump can reach, ascending. */
  readonly jumpTargets: ReadonlyArray<number>
}

/** T itself: pure and total. Any bytes give code or one of the two errors. */
export const transpile = (options: {
  readonly code: Uint8Array
  readonly mode: Mode
}): Either.Either<Transpilation, TranspileError> => {
  const { code, mode } = options
  const limit = LIMITS[mode]
  if (code.length > limit) {
    return Either.left(new CodeTooLarge({ mode, size: code.length, limit }))
  }
  const swept = sweep(code)
  const planned = plan({ code, mode, sweep: swept })
  const asm = new Assembler()
  const sourceMap = emitBody(asm, planned)
  const table = emitTable({ asm, code, limit, plan: planned, sweep: swept })
  if (asm.length > limit) {
    const sizes = { originalSize: code.length, size: asm.length, limit }
    return Either.left(new OutputTooLarge({ mode, ...sizes }))
  }
  return Either.right({
    version: VERSION,
    mode,
    code: asm.finish(),
    sourceMap,
    replaced: planned.replaced,
    ...table
  })
}

export class Transpiler extends Context.Tag("@ovm/transpiler/Transpiler")<
  Transpiler,
  {
    /**
     * Transpiles, or answers from memory. A caller who knows the keccak256 of `code` saves the
     * hashing by giving it; it must be right.
     */
    readonly transpile: (options: {
      readonly code: Uint8Array
      readonly mode: Mode
      readonly codeHash?: Hash32
    }) => Effect.Effect<Transpilation, TranspileError>
  }
>() {}

/** Remembers the results used last, up to `capacity` of them. */
export const layerWith = (options: { readonly capacity: number }): Layer.Layer<Transpiler> =>
  Layer.sync(Transpiler, () => {
    // A Map iterates in order of insertion, so its first key is the one unused for longest.
    const results = new Map<string, Either.Either<Transpilation, TranspileError>>()

    return Transpiler.of({
      transpile: Effect.fnUntraced(function* ({ code, codeHash, mode }) {
        const key = `${mode}:${codeHash ?? keccak256(code)}`
        const result = results.get(key) ?? transpile({ code, mode })
        results.delete(key)
        results.set(key, result)
        const oldest = results.keys().next()
        if (results.size > options.capacity && oldest.done !== true) results.delete(oldest.value)
        return yield* result
      })
    })
  })

export const layer: Layer.Layer<Transpiler> = layerWith({ capacity: 512 })

const BODY = "body"

/** Stubs first, so that sites reach them with one-byte addresses; then the body and its ends. */
const emitBody = (asm: Assembler, { entries, hasDynamicJump, steps }: Plan) => {
  let offsets: ReadonlyMap<number, number> = new Map()
  if (entries.size > 0 || hasDynamicJump) {
    asm.pushLabel(BODY)
    asm.emit([Op.JUMP])
    offsets = emitStubs(asm, entries)
    asm.place(BODY)
    asm.emit([Op.JUMPDEST])
  }
  const pairs: Array<readonly [number, number]> = []
  let halts = passesGate(entries)
  for (const { at, bytes, entry, target } of steps) {
    pairs.push([at, asm.length])
    if (target === HALT) halts = true
    if (target !== undefined) asm.pushLabel(target)
    // The only JUMPDESTs among the steps are original ones.
    if (bytes[0] === Op.JUMPDEST) asm.place(at)
    asm.emit(bytes)
    if (entry !== undefined) emitSite(asm, entry, offsets.get(entry) ?? 0)
  }
  const sourceMap = SourceMap.make({ pairs, end: asm.length })
  if (halts) {
    asm.place(HALT)
    asm.emit([Op.JUMPDEST, Op.INVALID])
  }
  if (passesGate(entries)) {
    asm.place(ABORT)
    asm.emit([Op.JUMPDEST, Op.STOP])
  }
  return sourceMap
}

/** The dispatch tree: of every JUMPDEST where that is affordable, else of those that are named. */
const emitTable = (options: {
  readonly asm: Assembler
  readonly code: Uint8Array
  readonly limit: number
  readonly plan: Plan
  readonly sweep: Sweep
}): { readonly dispatch: Dispatch; readonly jumpTargets: ReadonlyArray<number> } => {
  const { asm, code, limit, sweep } = options
  if (!options.plan.hasDynamicJump) return { dispatch: "none", jumpTargets: [] }
  const mark = asm.mark()
  const all = sweep.jumpDests
  const end = Math.max(code.length, asm.length)
  emitDispatch(asm, { targets: all, isReduced: false, end })
  // A quarter of a large contract; for a small one it doesn't matter that stubs outweigh it.
  const growth = Math.max(Math.floor(code.length / 4), 1024)
  const affordable = Math.min(limit, code.length + growth)
  if (asm.length <= affordable) return { dispatch: "full", jumpTargets: all }
  const named = reducedTargets(options)
  // Nothing is left out: the complete table stays.
  if (named.length === all.length) return { dispatch: "full", jumpTargets: all }
  asm.rewind(mark)
  emitDispatch(asm, { targets: named, isReduced: true, end })
  return { dispatch: "reduced", jumpTargets: named }
}
