/** Each operation uses exactly its price, whatever state it meets: no contract can tell cold from warm. */
import { expect, layer } from "@effect/vitest"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import { type Operation, operations } from "@ovm/protocol/generated/GasSchedule"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { bytesToBigInt } from "viem"
import * as GasPrice from "../src/GasPrice.ts"
import { type GatePass, layerRecording, operand } from "./support/GateRecorder.ts"
import {
  CONTRACTS,
  DESTROYER,
  FRAMES,
  guarded,
  inFrame,
  inInitFrame,
  largePayloads,
  LARGEST_CREATION,
  READS,
  WRITES
} from "./support/Programs.ts"
import { runCode } from "./support/World.ts"

const passes: Array<GatePass> = []
const services = Layer.merge(layerRecording(passes), layerMemory)

const PLENTY = 200_000_000n

/** The sizes that a pass was about, read from what the gate told the manager and heard from it. */
const sizesOf = (operation: Operation, pass: GatePass): GasPrice.OperandSizes => {
  const { args, kind } = operation
  const reply = pass.reply ?? new Uint8Array(128)
  const repliedSize = (at: number) => bytesToBigInt(reply.subarray(at, at + 32))
  switch (kind) {
    case "word":
      return {}
    case "copy":
      return { outputBytes: operand(pass, args - 1) }
    case "refresh":
      return { outputBytes: repliedSize(32) }
    case "log":
    case "code":
      return { inputBytes: operand(pass, args + 1) }
    case "call": {
      const movesValue = args === 3 && operand(pass, 2) !== 0n
      return { inputBytes: operand(pass, args + 2), outputBytes: repliedSize(96), movesValue }
    }
    case "create":
      return { inputBytes: operand(pass, args + 3), outputBytes: repliedSize(96) }
  }
}

const hasFrame = ({ kind }: Operation) => kind === "call" || kind === "create"

/** What the schedule says a pass costs, the frame it ran included. */
const expectedGas = (operation: Operation, pass: GatePass): bigint => {
  const sizes = sizesOf(operation, pass)
  if (!hasFrame(operation)) return GasPrice.price(operation, sizes)
  const { reply = new Uint8Array(64) } = pass
  return GasPrice.priceWithFrame({
    operation,
    sizes,
    stipend: sizes.movesValue === true ? GasSchedule.CALL_STIPEND : 0n,
    // Where no frame ran the manager says what was used: a creation that collides uses all that it forwards.
    frameGasUsed: pass.frame?.gasUsed ?? bytesToBigInt(reply.subarray(32, 64))
  })
}

interface Row {
  readonly name: string
  readonly expected: bigint
  readonly actual: bigint
  /** Gas that was left of the price when the work was done. */
  readonly slack: bigint
}

const rowsOf = (from: ReadonlyArray<GatePass>): ReadonlyArray<Row> =>
  from.flatMap((pass) => {
    const { burned, gasUsed, operation } = pass
    if (operation === undefined || !pass.success || burned === undefined) return []
    const expected = expectedGas(operation, pass)
    return [{ name: operation.name, expected, actual: gasUsed, slack: burned }]
  })

/** The least slack of each operation, as a table: what to look at when a price is too low. */
const slackTable = (rows: ReadonlyArray<Row>): string => {
  const least = new Map<string, Row>()
  for (const row of rows) {
    if (row.slack < (least.get(row.name)?.slack ?? row.slack + 1n)) least.set(row.name, row)
  }
  return [...least.values()]
    .map(({ expected, name, slack }) => `${name} ${expected} slack ${slack}`)
    .join("\n")
}

const expectConstant = (rows: ReadonlyArray<Row>) => {
  const wrong = rows.filter(({ actual, expected }) => actual !== expected)
  expect(wrong, slackTable(rows)).toEqual([])
}

/** A frame gets to the unit what the gate says that it forwards. */
const expectForwarded = (from: ReadonlyArray<GatePass>) => {
  for (const pass of from) {
    if (pass.frame === undefined || pass.operation === undefined) continue
    const at = pass.operation.kind === "create" ? pass.operation.args : 0
    expect(pass.frame.gas).toBe(operand(pass, at))
  }
}

const record = Effect.fnUntraced(function* (source: string) {
  passes.length = 0
  const result = yield* runCode(guarded(source), { accounts: CONTRACTS, gas: PLENTY })
  expect(result.success).toBe(true)
  return [...passes]
})

const namesIn = (from: ReadonlyArray<GatePass>) =>
  new Set(from.flatMap(({ operation }) => operation?.name ?? []))

layer(services)("constant gas", (it) => {
  const frames = {
    ...FRAMES,
    "when payloads are large": largePayloads(24_576, 100_000, 300_000),
    "when a contract is as large as can be": LARGEST_CREATION
  }
  for (const [name, source] of Object.entries(frames)) {
    it.effect(name, () =>
      Effect.map(record(source), (seen) => {
        expect(seen.filter(({ success }) => !success)).toEqual([])
        expectConstant(rowsOf(seen))
        expectForwarded(seen)
      })
    )
  }

  it.effect("holds for every operation of the schedule but the jump that always halts", () =>
    Effect.gen(function* () {
      const seen = yield* record(`${WRITES} ${inInitFrame(READS)} ${inFrame("CALL", DESTROYER)}`)
      const missing = operations.map(({ name }) => name).filter((name) => !namesIn(seen).has(name))
      expect(missing).toEqual(["JUMP"])
    })
  )
})
