import { describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import type { OvmMachine } from "../src/Equivalence.ts"
import {
  contractAddress,
  describeFinding,
  generateCase,
  minimize,
  runFuzz,
  stateTestOf
} from "../src/Fuzz.ts"
import { assemble, OP } from "../src/internal/Assembly.ts"
import { layer as ovmLayer, make } from "../src/OvmRun.ts"
import { makePlainMachine } from "../src/PlainRun.ts"
import { accountOf, word } from "../src/WorldState.ts"

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed)

describe("generated cases", () => {
  it("are the same for the same seed, and differ between seeds", () => {
    const made = SEEDS.map((seed) => stateTestOf(generateCase(seed)))
    expect(SEEDS.map((seed) => stateTestOf(generateCase(seed)))).toEqual(made)
    const codes = made.map(({ pre }) => accountOf(pre, contractAddress(0)).code)
    expect(new Set(codes).size).toBe(codes.length)
  })

  it("use every interesting opcode", () => {
    const used = new Set<number>()
    for (const seed of Array.from({ length: 300 }, (_, index) => index)) {
      for (const { instructions } of generateCase(seed).contracts) {
        for (const one of instructions) if (one._tag === "Op") used.add(one.opcode)
      }
    }
    const missing = Object.entries(OP).filter(([, opcode]) => !used.has(opcode))
    // JUMPDESTs are labels; the rest of what is named here must be drawn.
    expect(missing.map(([name]) => name)).toEqual(["JUMPDEST"])
  })

  it.effect("do something: most run to an end, and many leave storage or logs", () =>
    Effect.gen(function* () {
      const machine = makePlainMachine()
      let [ended, moved] = [0, 0]
      for (const seed of SEEDS) {
        const stateTest = stateTestOf(generateCase(seed))
        const outcome = yield* machine.run(stateTest)
        if (outcome._tag === "Rejected") return expect.fail(outcome.reason)
        if (outcome.success) ended++
        const before = accountOf(stateTest.pre, contractAddress(0)).storage
        const after = accountOf(outcome.state, contractAddress(0)).storage
        if (outcome.logs.length > 0 || after.size !== before.size) moved++
      }
      expect(ended).toBeGreaterThan(30)
      expect(moved).toBeGreaterThan(20)
    })
  )
})

describe("assembling", () => {
  it("lands jumps on labels and points data pushes behind the code", () => {
    const code = assemble({
      instructions: [
        { _tag: "PushLabel", label: 7, minus: 1 },
        { _tag: "PushData", index: 0 },
        { _tag: "Label", label: 7 }
      ],
      data: [Uint8Array.of(0xaa, 0xbb)]
    })
    expect([...code]).toEqual([0x61, 0, 5, 0x61, 0, 7, 0x5b, 0xaa, 0xbb])
  })
})

describe("minimizing", () => {
  it.effect("takes out everything that the difference does not need", () =>
    Effect.gen(function* () {
      const plain = makePlainMachine()
      // As good as a fault: the other machine sees another word in slot 1 of the first contract.
      const run: OvmMachine["run"] = (stateTest) => {
        const account = accountOf(stateTest.pre, contractAddress(0))
        const storage = new Map([[word(1n), word(0xdeadn)]])
        const pre = new Map(stateTest.pre).set(contractAddress(0), { ...account, storage })
        return plain.run({ ...stateTest, pre })
      }
      const machines = { plain, ovm: { run, runs: [run], oversize: () => undefined } }
      const found = generateCase(3)
      const minimal = yield* minimize(machines, found)
      const size = ({ contracts }: typeof found) =>
        contracts.reduce((sum, { instructions }) => sum + instructions.length, 0)
      expect(size(minimal)).toBe(0)
      const verdict = {
        file: "fuzz",
        test: "3",
        index: 0,
        verdict: "different",
        what: "x"
      } as const
      expect(describeFinding({ verdict, found, minimal })).toContain(
        "repeat with: pnpm fuzz --seed 3 --runs 1"
      )
    })
  )
})

layer(ovmLayer, { timeout: 120_000 })((it) => {
  it.effect("finds no difference between the OVM and the plain EVM in a few runs", () =>
    Effect.gen(function* () {
      const machines = { plain: makePlainMachine(), ovm: yield* make }
      const { findings } = yield* runFuzz({ machines, seed: 7000, runs: 25 })
      expect(findings.map(describeFinding)).toEqual([])
    })
  )
})
