import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { NodeContext } from "@effect/platform-node"
import { Effect } from "effect"
import { expect } from "vitest"
import { PERTURBATIONS } from "../src/Perturbation.ts"
import { makePlainMachine, oracleFault } from "../src/PlainRun.ts"
import { loadFixture, type StateTestCase } from "../src/StateTestFixture.ts"
import { accountOf, word } from "../src/WorldState.ts"

const FILE = fileURLToPath(new URL("fixtures/HandWritten.json", import.meta.url))
const CONTRACT = "0x00000000000000000000000000000000000000aa"

const cases = loadFixture(FILE, "Cancun").pipe(
  Effect.map((loaded) =>
    loaded.flatMap(
      (one): ReadonlyArray<StateTestCase> => (one._tag === "Runnable" ? [one.stateTest] : [])
    )
  ),
  Effect.provide(NodeContext.layer)
)
const first = (test: string) =>
  Effect.map(cases, (all) => {
    const found = all.find(({ identity }) => identity.test === test)
    if (found === undefined) throw new Error(`no fixture ${test}`)
    return found
  })

describe("the plain machine", () => {
  it.effect("reaches the state root and logs hash of every fixture", () =>
    Effect.gen(function* () {
      const machine = makePlainMachine()
      for (const stateTest of yield* cases) {
        const outcome = yield* machine.run(stateTest)
        expect(yield* oracleFault(stateTest, outcome)).toBeUndefined()
      }
    })
  )

  it.effect("signs to the bytes that the fixture gives", () =>
    Effect.gen(function* () {
      const machine = makePlainMachine()
      const stateTest = yield* first("creation")
      const unsigned = { ...stateTest.transaction, raw: undefined }
      const outcome = yield* machine.run({ ...stateTest, transaction: unsigned })
      expect(yield* oracleFault(stateTest, outcome)).toBeUndefined()
    })
  )

  it.effect("says which of the fixture's expectations failed", () =>
    Effect.gen(function* () {
      const machine = makePlainMachine()
      const stateTest = yield* first("logsAndCall")
      const outcome = yield* machine.run(stateTest)
      const { expectation } = stateTest
      if (expectation === undefined) return expect.fail("the fixture expects something")
      const faultOf = (changed: Partial<typeof expectation>) =>
        oracleFault({ ...stateTest, expectation: { ...expectation, ...changed } }, outcome)
      expect(yield* faultOf({ stateRoot: word(1n) })).toContain("state root")
      expect(yield* faultOf({ logsHash: word(1n) })).toContain("logs hash")
      expect(yield* faultOf({ exception: "ANY" })).toContain("refused (ANY)")
    })
  )

  it.effect("leaves the state alone where the transaction is refused", () =>
    Effect.gen(function* () {
      const stateTest = yield* first("refused")
      const outcome = yield* makePlainMachine().run(stateTest)
      expect(outcome._tag).toBe("Rejected")
      expect(outcome.state).toEqual(stateTest.pre)
    })
  )

  it.effect("tells which codes were entered", () =>
    Effect.gen(function* () {
      const machine = makePlainMachine()
      const called = yield* machine.executedCodes(yield* first("logsAndCall"))
      expect(called.map(({ mode }) => mode)).toEqual(["runtime", "runtime"])
      const created = yield* machine.executedCodes(yield* first("creation"))
      expect(created.map(({ mode }) => mode)).toEqual(["init"])
    })
  )

  it.effect("shakes GAS and nothing else", () =>
    Effect.gen(function* () {
      const machine = makePlainMachine()
      const stored = yield* first("gasStored")
      const plain = yield* first("logsAndCall")
      const slotUnder = Effect.fn(function* (name: string) {
        const perturbation = PERTURBATIONS.find((one) => one.name.includes(name))
        if (perturbation === undefined) return expect.fail(`no perturbation ${name}`)
        const outcome = yield* machine.runPerturbed(stored, perturbation)
        return accountOf(outcome.state, CONTRACT).storage.get(word(0n))
      })
      const calm = yield* machine.run(stored)
      const gas = BigInt(accountOf(calm.state, CONTRACT).storage.get(word(0n)) ?? "0x0")
      expect(yield* slotUnder("GAS returns (x3)")).toBe(word(gas * 3n))
      expect(yield* slotUnder("supply of the transaction (x2)")).toBe(word(gas + 1_000_000n))
      for (const perturbation of PERTURBATIONS) {
        const outcome = yield* machine.runPerturbed(plain, perturbation)
        expect(accountOf(outcome.state, CONTRACT).storage.get(word(1n))).toBe(word(32n))
      }
    })
  )
})
