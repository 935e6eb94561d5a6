/**
 * `@ethereumjs/evm` analyses the whole code again in every message that jumps, which for a manager of
 * 22,000 bytes costs more than running it. The analysis is a pure function of the code and of the EVM's
 * opcode table, so it is remembered by both.
 */
import { createEVM } from "@ethereumjs/evm"
import { Schema } from "effect"

const METHOD = "_getValidJumpDestinations"
const PROBE_OPCODE = 0x0c

const Interpreter = Schema.Struct({ _evm: Schema.Object })
const isInterpreter = Schema.is(Interpreter)

let installed: Promise<void> | undefined

/** Installs the memory once in a process. Does nothing if the library no longer has the method. */
export const memoiseCodeAnalysis = (): Promise<void> => {
  installed ??= install()
  return installed
}

const install = async (): Promise<void> => {
  const prototype = await interpreterPrototype()
  if (prototype === undefined) return
  const original: unknown = Reflect.get(prototype, METHOD)
  if (typeof original !== "function") return
  const known = new WeakMap<object, WeakMap<Uint8Array, unknown>>()
  Reflect.set(prototype, METHOD, function (this: unknown, code: Uint8Array): unknown {
    if (!isInterpreter(this)) return original.call(this, code)
    let byCode = known.get(this._evm)
    if (byCode === undefined) {
      byCode = new WeakMap()
      known.set(this._evm, byCode)
    }
    let analysis = byCode.get(code)
    if (analysis === undefined) {
      analysis = original.call(this, code)
      byCode.set(code, analysis)
    }
    return analysis
  })
}

/** The interpreter's class is not exported; an opcode of our own sees an instance. */
const interpreterPrototype = async (): Promise<object | undefined> => {
  let prototype: object | undefined
  const evm = await createEVM({
    customOpcodes: [
      {
        opcode: PROBE_OPCODE,
        opcodeName: "PROBE",
        baseFee: 0,
        logicFunction: (runState: { readonly interpreter: object }) => {
          const found: unknown = Object.getPrototypeOf(runState.interpreter)
          if (typeof found === "object" && found !== null) prototype = found
        }
      }
    ]
  })
  await evm.runCode({ code: Uint8Array.of(PROBE_OPCODE), gasLimit: 100n })
  return prototype
}
