/** Original code to runnable code: transpiled, checked, and found again by the original's hash. */
import { Context, Effect, Either, Layer, Schema } from "effect"
import { keccak256 } from "viem"
import { Hash32 } from "@ovm/protocol/Primitives"
import { firstUnsafe } from "@ovm/safety-checker/SafetyChecker"
import { type Mode, type Transpilation, transpile } from "@ovm/transpiler/Transpiler"

/** Code that the transpiler refuses: it, or its output, exceeds Ethereum's size limits. */
export interface Refused {
  readonly original: Uint8Array
  readonly codeHash: Hash32
  readonly refusal: string
}

export interface Executable {
  readonly original: Uint8Array
  readonly codeHash: Hash32
  readonly transpilation: Transpilation
}

/** State holds code that can't run: no transaction put it there. Recover by removing it from genesis. */
export class CodeNotExecutable extends Schema.TaggedError<CodeNotExecutable>()(
  "CodeNotExecutable",
  {
    codeHash: Hash32,
    size: Schema.NonNegativeInt,
    reason: Schema.String
  }
) {
  override get message() {
    return `Expected every account's code to be transpilable, but code ${this.codeHash} of ${this.size} bytes is not: ${this.reason}`
  }
}

export class CodeRegistry extends Context.Tag("@ovm/execution-manager/CodeRegistry")<
  CodeRegistry,
  {
    /**
     * The code's runnable form. Pure: remembered by hash and mode, and forgotten when space is short. Who
     * knows the code's hash gives it: hashing is what takes the time.
     */
    readonly prepare: (original: Uint8Array, mode: Mode, codeHash?: Hash32) => Executable | Refused
  }
>() {}

/** Bytes of original code that are remembered. */
const BYTES_MAX = 64 * 1024 * 1024

export const layer: Layer.Layer<CodeRegistry> = Layer.effect(
  CodeRegistry,
  Effect.sync(() => {
    const known = new Map<string, Executable | Refused>()
    let bytes = 0

    const remember = (key: string, prepared: Executable | Refused): void => {
      known.set(key, prepared)
      bytes += prepared.original.length
      // A Map keeps the order of insertion: the first is the oldest.
      for (const [oldest, { original }] of known) {
        if (bytes <= BYTES_MAX) break
        known.delete(oldest)
        bytes -= original.length
      }
    }

    return CodeRegistry.of({
      prepare: (original, mode, codeHash = keccak256(original)) => {
        const key = mode + codeHash
        const before = known.get(key)
        if (before !== undefined) return before
        const prepared = prepare(original, codeHash, mode)
        remember(key, prepared)
        return prepared
      }
    })
  })
)

const prepare = (original: Uint8Array, codeHash: Hash32, mode: Mode): Executable | Refused =>
  Either.match(transpile({ code: original, mode }), {
    onLeft: (error) => ({ original, codeHash, refusal: error.message }),
    onRight: (transpilation) => {
      const unsafe = firstUnsafe(transpilation.code)
      // Not the user's fault: the transpiler's output always passes, or the transpiler is broken.
      if (unsafe !== undefined) throw unsafe
      return { original, codeHash, transpilation }
    }
  })
