/** Each operation uses exactly its price, whatever state it meets: no contract can tell cold from warm. */
import { expect, layer } from "@effect/vitest"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import { type Operation, operations } from "@ovm/protocol/generated/GasSchedule"
import type { Address } from "@ovm/protocol/Primitives"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { bytesToBigInt } from "viem"
import * as GasPrice from "../src/GasPrice.ts"
import { asm, memory } from "./support/Assemble.ts"
import { type GatePass, layerRecording, operand } from "./support/GateRecorder.ts"
import {
  dying,
  inFrame,
  inInitFrame,
  PLAIN,
  READS,
  RETURNER,
  WASTES,
  WRITES
} from "./support/Programs.ts"
import {
  addressOf,
  type Allocation,
  NOBODY,
  OTHER,
  runCode,
  SELF,
  wordOf
} from "./support/World.ts"

const passes: Array<GatePass> = []
const services = Layer.merge(layerRecording(passes), layerMemory)

const READER = addressOf(0xa1)
const WRITER = addressOf(0xa2)
/** Writes, then undoes all of it. */
const REVERTER = addressOf(0xa3)
/** The first of several addresses. */
const WASTER = 0xb0
const DESTROYER = addressOf(0xa4)
const slots = { [wordOf(0)]: wordOf(77n) }
const accounts: Readonly<Record<Address, Allocation>> = {
  [SELF]: { balance: 10n ** 18n, storage: slots },
  [OTHER]: { code: RETURNER, balance: 5n },
  [PLAIN]: { balance: 5n },
  [READER]: { code: asm(READS), balance: 5n, storage: slots },
  [WRITER]: { code: asm(WRITES), balance: 10n ** 6n, storage: slots },
  [REVERTER]: { code: asm(`${READS} ${WRITES} 0 0 REVERT`), balance: 10n ** 6n },
  ...Object.fromEntries(
    WASTES.map((source, index) => [addressOf(WASTER + index), { code: asm(source) }])
  ),
  [DESTROYER]: { code: asm(`${NOBODY} SELFDESTRUCT`), balance: 5n }
}
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

const LARGE_PAYLOADS = [
  ...[24_576, 100_000, 300_000].flatMap((size) => [
    `${size} 0 0 CODECOPY ${size} 0 0 ${OTHER} EXTCODECOPY ${size} 0 LOG0 4 3 2 1 ${size} 0 LOG4`,
    // There and back.
    `${size} 0 MSTORE 0 32 MSTORE ${size} 0 ${size} 0 ${OTHER} GAS STATICCALL POP`,
    `${size} 0 ${size} 0 0 4 GAS CALL POP 0 SLOAD POP RETURNDATASIZE POP`
  ]),
  // The largest initcode that is allowed, and the largest code.
  `${memory(asm("24576 0 RETURN"))} 49152 0 0 CREATE POP 1 49152 0 0 CREATE2 POP`
].join(" ")

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
  const result = yield* runCode(asm(`CALLVALUE @end JUMPI ${source} STOP :end`), {
    accounts,
    gas: PLENTY
  })
  expect(result.success).toBe(true)
  return [...passes]
})

const namesIn = (from: ReadonlyArray<GatePass>) =>
  new Set(from.flatMap(({ operation }) => operation?.name ?? []))

layer(services)("constant gas", (it) => {
  const frames: Readonly<Record<string, string>> = {
    "in the outermost frame": `${READS} ${WRITES}`,
    "again, when everything has been touched": `${READS} ${WRITES} ${READS} ${WRITES}`,
    "in called frames": `${inFrame("CALL", READER)} ${inFrame("CALL", WRITER)}`,
    "in static frames": inFrame("STATICCALL", READER),
    "in frames that keep the caller's context": `${inFrame("DELEGATECALL", WRITER)} ${inFrame("CALLCODE", READER)}`,
    "after the same was done and undone": `${inFrame("CALL", REVERTER)} ${inFrame("DELEGATECALL", REVERTER)} ${READS} ${WRITES}`,
    "when frames use up their gas": WASTES.map(
      (_, index) => `0 0 0 0 0 ${addressOf(WASTER + index)} 1000000 CALL POP`
    ).join(" "),
    "when payloads are large": LARGE_PAYLOADS,
    "in init frames": `${inInitFrame(READS)} ${inInitFrame(WRITES)}`,
    "when contracts die": `${inFrame("CALL", DESTROYER)} ${dying(NOBODY)} ${dying(SELF)} ${dying("ADDRESS")}`
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
