import { layer as testLayer, it as effectIt } from "@effect/vitest"
import { firstUnsafe } from "@ovm/safety-checker/SafetyChecker"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { keccak256 } from "viem"
import { describe, expect, it, vi } from "vitest"
import { disassemble, format } from "../src/Disassembly.ts"
import { Assembler } from "../src/internal/Assembler.ts"
import * as Module from "../src/Transpiler.ts"
import { bytecode } from "./support/Artifacts.ts"
import { assemble } from "./support/Assemble.ts"

const { CodeTooLarge, layer, layerWith, LIMITS, OutputTooLarge, transpile, Transpiler } = Module
const MODES = ["runtime", "init"] as const

const anyMode = fc.constantFrom(...MODES)
/** Uniform bytes, and bytes of which the interesting ones are frequent. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 600 }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom(0x5b, 0x56, 0x57, 0x61, 0x60, 0x35, 0x54, 0xf1, 0x3d, 0xf3, 0x58, 0x00),
        fc.integer({ min: 0, max: 255 })
      ),
      { maxLength: 600 }
    )
    .map((bytes) => Uint8Array.from(bytes))
)
/** A short pattern repeated up to any size, limits exceeded too. */
const anyLarge = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 50_000 }))
  .map(([pattern, size]) =>
    Uint8Array.from({ length: size }, (_, at) => pattern[at % pattern.length] ?? 0)
  )

const expectTotal = (code: Uint8Array, mode: Module.Mode) => {
  const result = transpile({ code, mode })
  if (Either.isLeft(result)) {
    const { limit, size } = result.left
    expect(limit).toBe(LIMITS[mode])
    expect(size).toBeGreaterThan(limit)
    return
  }
  expect(result.right.code.length).toBeLessThanOrEqual(LIMITS[mode])
  expect(firstUnsafe(result.right.code)).toBeUndefined()
}

describe("any bytes", () => {
  it("give safe code or a typed error", () => {
    fc.assert(fc.property(anyBytes, anyMode, expectTotal), { numRuns: 1500 })
  })
  it("of any size give safe code or a typed error", () => {
    fc.assert(fc.property(anyLarge, anyMode, expectTotal), { numRuns: 60 })
  })
  it("give the same code every time, wherever they lie in memory", () => {
    const property = fc.property(anyBytes, anyMode, (code, mode) => {
      const first = Either.getOrThrow(transpile({ code, mode }))
      const shifted = new Uint8Array(code.length + 7)
      shifted.set(code, 5)
      const second = Either.getOrThrow(
        transpile({ code: shifted.subarray(5, 5 + code.length), mode })
      )
      expect(second.code).toEqual(first.code)
      expect(second.sourceMap.pairs).toEqual(first.sourceMap.pairs)
    })
    fc.assert(property, { numRuns: 200 })
  })
  it("are left as they were", () => {
    const code = bytecode("v2-periphery", "WETH9", "runtime")
    const hash = keccak256(code)
    transpile({ code, mode: "runtime" })
    expect(keccak256(code)).toBe(hash)
  })
})

/** Bytes read from the input and bytes written to the output, rewritten ones included. */
const work = (code: Uint8Array, mode: Module.Mode): number => {
  let read = 0
  let written = 0
  const counted = new Proxy(code, {
    get: (target, key) => {
      if (typeof key === "string" && /^\d+$/.test(key)) read++
      const value = Reflect.get(target, key)
      return typeof value === "function" ? value.bind(target) : value
    }
  })
  const emit = vi.spyOn(Assembler.prototype, "emit")
  transpile({ code: counted, mode })
  for (const [bytes] of emit.mock.calls) written += bytes.length
  emit.mockRestore()
  return read + written
}

describe("the work", () => {
  const fill =
    (...pattern: ReadonlyArray<number>) =>
    (size: number) =>
      Uint8Array.from({ length: size }, (_, at) => pattern[at % pattern.length] ?? 0)

  it.each([
    ["dead bytes", fill(0x00)],
    ["JUMPDESTs and computed jumps", fill(0x5b, 0x56)],
    ["JUMPDESTs, data, and computed jumps", fill(0x5b, 0x56, 0x01, 0x00)],
    ["pushes without their end", fill(0x7f)],
    ["pushes of jump destinations", fill(0x60, 0x5b, 0x5b, 0x57)],
    ["sites", fill(0x54)],
    [
      "jumps to one place",
      (size: number) => Uint8Array.from([0x5b, ...fill(0x5f, 0x56, 0x5b)(size)])
    ]
  ])("grows no faster than the code: %s", (_, make) => {
    for (const mode of MODES) {
      const [half, whole] = [work(make(12_000), mode), work(make(24_000), mode)]
      expect(half).toBeGreaterThan(12_000)
      expect(whole / half).toBeLessThan(2.1)
      expect(whole).toBeLessThan(24_000 * 30)
    }
  })
})

describe("limits", () => {
  it("refuses an original above Ethereum's limit", () => {
    const error = Either.flip(transpile({ code: new Uint8Array(24_577), mode: "runtime" }))
    const limit = 24_576
    expect(error).toEqual(Either.right(new CodeTooLarge({ mode: "runtime", size: 24_577, limit })))
    expect(Either.isRight(transpile({ code: new Uint8Array(24_577), mode: "init" }))).toBe(true)
    expect(Either.isLeft(transpile({ code: new Uint8Array(49_153), mode: "init" }))).toBe(true)
  })
  it("refuses an output above it, and says how large it would be", () => {
    const code = new Uint8Array(24_576).fill(0x54)
    const error = Either.getOrThrow(Either.flip(transpile({ code, mode: "runtime" })))
    // 24,576 sites of 5 bytes, a STOP, and the stub.
    expect(error).toBeInstanceOf(OutputTooLarge)
    expect(error).toMatchObject({ originalSize: 24_576, limit: 24_576 })
    expect(error.size).toBeGreaterThan(24_576 * 5)
    expect(error.size).toBeLessThan(24_576 * 5 + 100)
    expect(error.message).toContain("at most 24576 bytes")
  })
  it("takes what fills the limit exactly", () => {
    const code = new Uint8Array(24_576).fill(0x5b)
    code[24_575] = 0x00
    expect(Either.getOrThrow(transpile({ code, mode: "runtime" })).code).toEqual(code)
  })
})

describe("the output", () => {
  it("leaves code that sees nothing outside its frame as it is", () => {
    const code = assemble(1, 2, "ADD", 0, "MSTORE", 32, 0, "RETURN")
    expect(Either.getOrThrow(transpile({ code, mode: "runtime" })).code).toEqual(code)
    expect(Either.getOrThrow(transpile({ code: new Uint8Array(0), mode: "init" })).code).toEqual(
      new Uint8Array(0)
    )
  })
  it("holds nothing for dead bytes", () => {
    const code = assemble(0, 0, "RETURN", "0xa26469706673582212205ff0f1f2f3f4")
    const result = Either.getOrThrow(transpile({ code, mode: "runtime" }))
    expect(result.code).toEqual(assemble(0, 0, "RETURN"))
    expect(result.replaced.size).toBe(0)
  })
  it("tells what was replaced, and how computed jumps find their way", () => {
    const code = assemble("CALLER", "SLOAD", "SLOAD", 0, "CALLDATALOAD", "JUMP", ":a", "0x0c")
    const { dispatch, jumpTargets, replaced, version } = Either.getOrThrow(
      transpile({ code, mode: "runtime" })
    )
    expect(Object.fromEntries(replaced)).toEqual({ 12: 1, 51: 1, 53: 1, 84: 2, 86: 1 })
    expect({ dispatch, jumpTargets, version }).toEqual({
      dispatch: "full",
      jumpTargets: [6],
      version: 1
    })
  })
  it("is, for one small program, exactly this", () => {
    const code = assemble(
      1,
      "SLOAD",
      "@end",
      "JUMPI",
      "PC",
      "DUP1",
      "JUMP",
      ":end",
      "CALLER",
      "0x610000"
    )
    const result = Either.getOrThrow(transpile({ code, mode: "runtime" }))
    expect(disassemble(result.code).map(format)).toMatchInlineSnapshot(`
      [
        "0000 PUSH2 0x002b",
        "0003 JUMP",
        "0004 JUMPDEST",
        "0005 PUSH1 0x54",
        "0007 PUSH2 0x000b",
        "000a JUMP",
        "000b JUMPDEST",
        "000c PUSH0",
        "000d TSTORE",
        "000e DUP2",
        "000f PUSH1 0x01",
        "0011 TSTORE",
        "0012 PUSH0",
        "0013 PUSH0",
        "0014 PUSH0",
        "0015 PUSH0",
        "0016 CALLER",
        "0017 GAS",
        "0018 DELEGATECALL",
        "0019 ISZERO",
        "001a PUSH2 0x0044",
        "001d JUMPI",
        "001e RETURNDATASIZE",
        "001f PUSH2 0x0046",
        "0022 JUMPI",
        "0023 PUSH0",
        "0024 TLOAD",
        "0025 SWAP2",
        "0026 POP",
        "0027 PUSH1 0x04",
        "0029 ADD",
        "002a JUMP",
        "002b JUMPDEST",
        "002c PUSH1 0x01",
        "002e PC",
        "002f PUSH1 0x04",
        "0031 JUMP",
        "0032 JUMPDEST",
        "0033 PUSH2 0x003e",
        "0036 JUMPI",
        "0037 PUSH1 0x07",
        "0039 DUP1",
        "003a PUSH2 0x0048",
        "003d JUMP",
        "003e JUMPDEST",
        "003f PUSH1 0x20",
        "0041 CALLDATALOAD",
        "0042 PUSH0",
        "0043 STOP",
        "0044 JUMPDEST",
        "0045 INVALID",
        "0046 JUMPDEST",
        "0047 STOP",
        "0048 JUMPDEST",
        "0049 PUSH2 0x1f0a",
        "004c JUMPDEST",
        "004d DUP1",
        "004e PUSH1 0x7f",
        "0050 AND",
        "0051 DUP3",
        "0052 EQ",
        "0053 PUSH2 0x0060",
        "0056 JUMPI",
        "0057 PUSH1 0x0e",
        "0059 SHR",
        "005a DUP1",
        "005b PUSH2 0x004c",
        "005e JUMPI",
        "005f INVALID",
        "0060 JUMPDEST",
        "0061 PUSH1 0x07",
        "0063 SHR",
        "0064 PUSH1 0x7f",
        "0066 AND",
        "0067 SWAP1",
        "0068 POP",
        "0069 JUMP",
      ]
    `)
  })
})

describe("the source map", () => {
  it("leads to the same instruction and back, for everything that was kept", () => {
    const code = bytecode("v2-core", "UniswapV2Pair", "runtime")
    const result = Either.getOrThrow(transpile({ code, mode: "runtime" }))
    const { sourceMap } = result
    const kept = new Map(disassemble(code).map(({ offset, opcode }) => [offset, opcode]))
    let previous: readonly [number, number] = [-1, -1]
    for (const pair of sourceMap.pairs) {
      const [oldOffset, newOffset] = pair
      expect(oldOffset).toBeGreaterThan(previous[0])
      expect(newOffset).toBeGreaterThan(previous[1])
      previous = pair
      expect(sourceMap.oldToNew(oldOffset)).toBe(newOffset)
      expect(sourceMap.newToOld(newOffset)).toBe(oldOffset)
      const opcode = kept.get(oldOffset)
      if (opcode === 0x5b) expect(result.code[newOffset]).toBe(0x5b)
    }
    expect(sourceMap.pairs.length).toBeGreaterThan(5000)
  })
  it("gives every byte of a replacement to the replaced instruction, and stubs to none", () => {
    const code = assemble(1, "SLOAD", "POP")
    const { code: out, sourceMap } = Either.getOrThrow(transpile({ code, mode: "runtime" }))
    const origins = Array.from(out, (_, offset) => sourceMap.newToOld(offset))
    const body = origins.filter((origin) => origin !== undefined)
    // PUSH1 1; PC PUSH1 entry JUMP JUMPDEST; POP; the STOP at the end.
    expect(body).toEqual([0, 0, 2, 2, 2, 2, 2, 3, 4])
    expect(origins[0]).toBeUndefined()
    expect(origins.at(-1)).toBeUndefined()
    expect(sourceMap.oldToNew(1)).toBeUndefined()
    expect(sourceMap.oldToNew(99)).toBeUndefined()
  })
})

describe("the service", () => {
  testLayer(layer)((it) => {
    it.effect("answers as the function does, errors included", () =>
      Effect.gen(function* () {
        const transpiler = yield* Transpiler
        const code = bytecode("v2-periphery", "WETH9", "runtime")
        const result = yield* transpiler.transpile({ code, mode: "runtime" })
        expect(result.code).toEqual(Either.getOrThrow(transpile({ code, mode: "runtime" })).code)
        const large = new Uint8Array(24_577)
        const error = yield* Effect.flip(transpiler.transpile({ code: large, mode: "runtime" }))
        expect(error._tag).toBe("CodeTooLarge")
      })
    )
    it.effect("remembers by code and mode", () =>
      Effect.gen(function* () {
        const transpiler = yield* Transpiler
        const code = assemble("ADDRESS")
        const runtime = yield* transpiler.transpile({ code, mode: "runtime" })
        const codeHash = keccak256(code)
        expect(yield* transpiler.transpile({ code, codeHash, mode: "runtime" })).toBe(runtime)
        const init = yield* transpiler.transpile({ code, mode: "init" })
        expect(init.code).not.toEqual(runtime.code)
      })
    )
  })
  effectIt.effect("forgets what was unused for longest", () =>
    Effect.gen(function* () {
      const transpiler = yield* Transpiler
      const ask = (byte: number) =>
        transpiler.transpile({ code: Uint8Array.of(byte), mode: "runtime" })
      const first = yield* ask(1)
      const second = yield* ask(2)
      expect(yield* ask(1)).toBe(first)
      yield* ask(3)
      expect(yield* ask(1)).toBe(first)
      expect(yield* ask(2)).not.toBe(second)
    }).pipe(Effect.provide(layerWith({ capacity: 2 })))
  )
  it("shows these names", () => {
    expect(Object.keys(Module).sort()).toEqual([
      "CodeTooLarge",
      "LIMITS",
      "Mode",
      "OutputTooLarge",
      "Transpiler",
      "VERSION",
      "layer",
      "layerWith",
      "transpile"
    ])
  })
})
