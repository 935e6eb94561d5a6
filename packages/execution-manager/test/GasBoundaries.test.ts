/** What happens at exactly the gas that an operation demands, and one unit short; what a call forwards. */
import { expect, layer } from "@effect/vitest"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import { type Operation, operations } from "@ovm/protocol/generated/GasSchedule"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { asm, deploying, memory, times } from "./support/Assemble.ts"
import * as GasPrice from "../src/GasPrice.ts"
import { type GatePass, layerRecording, operand } from "./support/GateRecorder.ts"
import { RETURNER } from "./support/Programs.ts"
import { OTHER, runCode } from "./support/World.ts"

const passes: Array<GatePass> = []
const services = Layer.merge(layerRecording(passes), layerMemory)

/** A program whose last pass through the gate is the one in question. */
interface Probe {
  readonly source: string
  readonly sizes?: GasPrice.OperandSizes
  readonly inInitFrame?: boolean
}

const BYTES = 33n
const call = (name: string, value: string) =>
  `0 0 ${BYTES} 0 ${value} ${OTHER} GAS ${name}`.replace("  ", " ")
/** So many JUMPDESTs that the transpiler leaves out those that no constant names: 0x1235, for one. */
const UNMAPPED_JUMP = `0x1234 1 ADD JUMP ${times(0x3000, "JUMPDEST")}`
const INIT_CODE = deploying(new Uint8Array(3))

/** Uses some 20,000 gas, for memory: a creation needs more gas than the operation in question. */
const USE_GAS = "80000 MLOAD POP"
const inInitFrame = { inInitFrame: true }
const probes: Readonly<Record<string, Probe>> = {
  ...Object.fromEntries(
    operations
      .filter(({ kind }) => kind === "word")
      .map(({ args, name }) => [name, { source: `${times(args, "0")} ${name}` }])
  ),
  JUMP: { source: UNMAPPED_JUMP },
  ADDRESS: { source: `${USE_GAS} ADDRESS`, ...inInitFrame },
  CALLER: { source: `${USE_GAS} CALLER`, ...inInitFrame },
  CALLVALUE: { source: `${USE_GAS} CALLVALUE`, ...inInitFrame },
  CODECOPY: { source: `${BYTES} 0 0 CODECOPY`, sizes: { outputBytes: BYTES } },
  EXTCODECOPY: { source: `${BYTES} 0 0 ${OTHER} EXTCODECOPY`, sizes: { outputBytes: BYTES } },
  RETURNDATA: {
    source: `${BYTES} 0 MSTORE 0 0 64 0 ${OTHER} GAS STATICCALL 0 SLOAD ${USE_GAS} RETURNDATASIZE`,
    sizes: { outputBytes: BYTES }
  },
  ...Object.fromEntries(
    [0, 1, 2, 3, 4].map((topics) => [
      `LOG${topics}`,
      { source: `${times(topics, "7")} ${BYTES} 0 LOG${topics}`, sizes: { inputBytes: BYTES } }
    ])
  ),
  RETURN: { source: `${USE_GAS} ${BYTES} 0 RETURN`, sizes: { inputBytes: BYTES }, ...inInitFrame },
  CALL: { source: call("CALL", "1"), sizes: { inputBytes: BYTES, movesValue: true } },
  CALLCODE: { source: call("CALLCODE", "1"), sizes: { inputBytes: BYTES, movesValue: true } },
  DELEGATECALL: { source: call("DELEGATECALL", ""), sizes: { inputBytes: BYTES } },
  STATICCALL: { source: call("STATICCALL", ""), sizes: { inputBytes: BYTES } },
  CREATE: { source: `${BYTES} 0 0 CREATE`, sizes: { inputBytes: BYTES } },
  CREATE2: { source: `0 ${BYTES} 0 0 CREATE2`, sizes: { inputBytes: BYTES } }
}

/** Runs the probe in a frame with this much gas and tells of its last pass through the gate. */
const run = Effect.fnUntraced(function* ({ inInitFrame = false, source }: Probe, gas: bigint) {
  passes.length = 0
  const code = asm(source)
  const accounts = { [OTHER]: { code: RETURNER } }
  const result = yield* runCode(inInitFrame ? asm("STOP") : code, {
    gas,
    accounts,
    ...(inInitFrame ? { to: undefined, data: code } : {})
  })
  const pass = passes.at(-1)
  if (pass === undefined) return yield* Effect.dieMessage("Expected a pass through the gate.")
  return { gas, pass, result, asked: passes.length }
})

/** Gas that a frame must have for its delegate call to get `gas`: the EVM keeps 1/64 of it. */
const before64th = (gas: bigint) => gas + gas / 63n

/** Runs the probe so that the gate gets exactly `wanted`. */
const runWithGateGas = Effect.fnUntraced(function* (probe: Probe, wanted: bigint) {
  const plenty = yield* run(probe, 5_000_000n)
  const guess = plenty.gas - before64th(plenty.pass.gas) + before64th(wanted)
  for (let gas = guess - 3n; gas <= guess + 3n; gas++) {
    const outcome = yield* run(probe, gas)
    if (outcome.pass.gas === wanted && outcome.asked === plenty.asked) return outcome
  }
  return yield* Effect.dieMessage(`Expected a supply that gives the gate ${wanted} gas.`)
})

const hasFrame = ({ kind }: Operation) => kind === "call" || kind === "create"

layer(services)("gas boundaries", (it) => {
  for (const operation of operations) {
    const { name } = operation
    it.effect(`${name} runs on exactly the gas it demands, and halts the frame on less`, () =>
      Effect.gen(function* () {
        const probe = probes[name]
        if (probe === undefined) return yield* Effect.dieMessage("Expected a probe.")
        const { sizes = {} } = probe
        const demanded = GasPrice.demand(operation, sizes)

        const enough = yield* runWithGateGas(probe, demanded)
        expect(enough.pass.operation?.name).toBe(name)
        if (name !== "JUMP") {
          const stipend = sizes.movesValue === true ? GasSchedule.CALL_STIPEND : 0n
          const frameGasUsed = enough.pass.frame?.gasUsed ?? 0n
          const outputBytes = hasFrame(operation) ? 0n : sizes.outputBytes
          const expected = { ...sizes, outputBytes }
          expect(enough.pass.success).toBe(true)
          expect(enough.pass.gasUsed).toBe(
            GasPrice.priceWithFrame({ operation, sizes: expected, stipend, frameGasUsed })
          )
        }

        const short = yield* runWithGateGas(probe, demanded - 1n)
        expect(short.pass).toMatchObject({ success: false, gasUsed: demanded - 1n })
        expect(short.pass.burned).toBeUndefined()
        expect(short.result).toMatchObject({
          success: false,
          returnData: "0x",
          gasUsed: short.gas
        })
      })
    )
  }

  const calls = ["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"]
  it.effect.each(calls)("%s forwards what is asked for, up to 15/16 of what is left", (name) =>
    Effect.gen(function* () {
      const operation = operations.find((each) => each.name === name)
      if (operation === undefined) return yield* Effect.dieMessage("Expected an operation.")
      for (const value of operation.args === 3 ? ["0", "1"] : [""]) {
        for (const requested of [0n, 1n, 2_300n, 50_000n, 2n ** 128n - 1n, 2n ** 256n - 1n]) {
          for (const supply of [70_000n, 100_001n, 1_234_567n]) {
            const source = `0 0 0 0 ${value} ${OTHER} ${requested} ${name}`
            const { pass } = yield* run({ source }, supply)
            const expected = GasPrice.forward({
              operation,
              sizes: { movesValue: value === "1" },
              gas: pass.gas,
              requested
            })
            expect(operand(pass, 0)).toBe(expected?.gas)
            expect(operand(pass, operation.args)).toBe(expected?.returnAllowance)
            expect(pass.frame?.gas).toBe(expected?.gas)
          }
        }
      }
    })
  )

  it.effect.each(["CREATE", "CREATE2"])("%s gives the init frame 15/16 of what is left", (name) =>
    Effect.gen(function* () {
      const operation = operations.find((each) => each.name === name)
      if (operation === undefined) return yield* Effect.dieMessage("Expected an operation.")
      const salt = name === "CREATE2" ? "0" : ""
      for (const supply of [150_000n, 150_001n, 150_064n, 1_234_567n, 9_999_999n]) {
        const source = `${memory(INIT_CODE)} ${salt} ${INIT_CODE.length} 0 0 ${name}`
        const { pass } = yield* run({ source }, supply)
        // The init frame's own passes come behind it.
        const creation = passes.find((each) => each.operation?.name === name) ?? pass
        const expected = GasPrice.forward({
          operation,
          sizes: { inputBytes: BigInt(INIT_CODE.length) },
          gas: creation.gas,
          requested: undefined
        })
        expect(operand(creation, operation.args)).toBe(expected?.gas)
        expect(operand(creation, operation.args + 1)).toBe(expected?.returnAllowance)
        expect(creation.frame?.gas).toBe(expected?.gas)
      }
    })
  )
})
