import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, layer } from "@effect/vitest"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { bytesToHex } from "viem"
import { expect } from "vitest"
import { judge, type OvmMachine } from "../src/Equivalence.ts"
import { summarize } from "../src/EquivalenceReport.ts"
import { generateCase, stateTestOf } from "../src/Fuzz.ts"
import { make, layer as ovmLayer } from "../src/OvmRun.ts"
import { makePlainMachine, type PlainMachine } from "../src/PlainRun.ts"
import { loadFixture, type StateTestCase } from "../src/StateTestFixture.ts"
import { type AccountState, EMPTY_ACCOUNT, type WorldState, word } from "../src/WorldState.ts"

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const SHARED = path("../../../../shared/state-tests")
/** A few files of the shared set that between them use most of the machine. */
const SHARED_SAMPLE = [
  "stExample/add11.json",
  "stExample/accessListExample.json",
  "stCallCodes/callcodecallcall_100.json",
  "stLogTests/log3_Caller.json",
  "stStaticFlagEnabled/StaticcallForPrecompilesIssue683.json",
  "stInitCodeTest/CallTheContractToCreateEmptyContract.json",
  "stTransactionTest/ValueOverflowParis.json",
  "stSystemOperationsTest/suicideSendEtherToMe.json"
]
const hasShared = existsSync(SHARED)
const SAMPLE = hasShared
  ? SHARED_SAMPLE.map((file) => `${SHARED}/${file}`)
  : [path("fixtures/HandWritten.json")]
// Without the shared set the test's own name says that it proved less.
const SAMPLE_TITLE = hasShared
  ? "agree on a sample of ../shared/state-tests"
  : "agree on hand-written fixtures ALONE: ../shared/state-tests IS MISSING, its sample did not run"
if (!hasShared) process.stderr.write(`${SAMPLE_TITLE}\n`)

const caseWith = (code: `0x${string}`): StateTestCase => {
  const base = stateTestOf(generateCase(0))
  const contract: AccountState = { ...EMPTY_ACCOUNT, nonce: 1n, code }
  const to = "0x00000000000000000000000000000000000000aa"
  const pre: WorldState = new Map([...base.pre, [to, contract]])
  return { ...base, pre, transaction: { ...base.transaction, type: 0, to, data: "0x", value: 0n } }
}

/** The plain EVM in the OVM's place, with something wrong in its state beforehand. */
const crooked = (plain: PlainMachine, tamper: (pre: WorldState) => WorldState): OvmMachine => {
  const run: OvmMachine["run"] = (stateTest) =>
    plain.run({ ...stateTest, pre: tamper(stateTest.pre) })
  return { run, runs: [run], oversize: () => undefined }
}

const verdictOf = (machines: { plain: PlainMachine; ovm: OvmMachine }, stateTest: StateTestCase) =>
  judge(machines, { _tag: "Runnable", stateTest })

layer(Layer.merge(ovmLayer, NodeContext.layer), { timeout: 60_000 })((it) => {
  describe("the OVM and the plain EVM", () => {
    it.effect("agree on every hand-written fixture that asks for no gas amounts", () =>
      Effect.gen(function* () {
        const machines = { plain: makePlainMachine(), ovm: yield* make }
        const cases = yield* loadFixture(path("fixtures/HandWritten.json"), "Cancun")
        const verdicts = yield* Effect.forEach(cases, (one) => judge(machines, one))
        expect(verdicts.filter(({ verdict }) => verdict !== "identical")).toMatchObject([
          { test: "gasStored", verdict: "gasDependent" }
        ])
        expect(summarize(verdicts)).toMatchObject({ cases: 7, identical: 6, gasDependent: 1 })
      })
    )

    it.effect(SAMPLE_TITLE, () =>
      Effect.gen(function* () {
        const machines = { plain: makePlainMachine(), ovm: yield* make }
        for (const file of SAMPLE) {
          const cases = yield* loadFixture(file, "Cancun")
          expect(cases.length).toBeGreaterThan(0)
          const verdicts = yield* Effect.forEach(cases, (one) => judge(machines, one))
          expect(verdicts.filter(({ verdict }) => verdict === "different")).toEqual([])
          expect(verdicts.some(({ verdict }) => verdict === "identical")).toBe(true)
        }
      })
    )
  })

  describe("a verdict", () => {
    it.effect("is different, and says where, if anything but gas amounts differs", () =>
      Effect.gen(function* () {
        const plain = makePlainMachine()
        // SLOAD(0) + 1 into slot 1.
        const stateTest = caseWith("0x6000546001016001550000")
        const to = stateTest.transaction.to ?? "0x"
        const tampered = crooked(plain, (pre) =>
          new Map(pre).set(to, {
            ...EMPTY_ACCOUNT,
            nonce: 1n,
            code: pre.get(to)?.code ?? "0x",
            storage: new Map([[word(0n), word(8n)]])
          })
        )
        const found = yield* verdictOf({ plain, ovm: tampered }, stateTest)
        expect(found.verdict).toBe("different")
        expect(found.what).toBe(`${to} slot ${word(1n)}: expected ${word(1n)}, found ${word(9n)}`)
        expect(summarize([found])).toMatchObject({
          different: 1,
          differences: [{ file: "fuzz", index: 0, what: found.what }]
        })
      })
    )

    it.effect("is different where gas explains one slot but not the other", () =>
      Effect.gen(function* () {
        const plain = makePlainMachine()
        const { ovm } = { ovm: yield* make }
        // GAS into slot 0, BALANCE(0xbb) into slot 1.
        const stateTest = caseWith("0x5a60005560bb3160015500")
        expect((yield* verdictOf({ plain, ovm }, stateTest)).verdict).toBe("gasDependent")
        const enriched = (one: StateTestCase) => ({
          ...one,
          pre: new Map([
            ...one.pre,
            [
              "0x00000000000000000000000000000000000000bb",
              { ...EMPTY_ACCOUNT, balance: 5n }
            ] as const
          ])
        })
        const run: OvmMachine["run"] = (one) => ovm.run(enriched(one))
        const found = yield* verdictOf({ plain, ovm: { ...ovm, run, runs: [run] } }, stateTest)
        expect(found.verdict).toBe("different")
      })
    )

    it.effect("names the gas that decides", () =>
      Effect.gen(function* () {
        const machines = { plain: makePlainMachine(), ovm: yield* make }
        const found = yield* verdictOf(machines, caseWith("0x5a60005500"))
        expect(found).toMatchObject({ verdict: "gasDependent" })
        expect(found.what).toContain("gas supply of the transaction (x2)")
      })
    )

    it.effect("is oversize where the code has no OVM form of permitted size", () =>
      Effect.gen(function* () {
        const machines = { plain: makePlainMachine(), ovm: yield* make }
        const code = bytesToHex(new Uint8Array(24_576).fill(0x5a).fill(0x54, 1))
        expect(yield* verdictOf(machines, caseWith(code))).toMatchObject({ verdict: "oversize" })
      })
    )

    it.effect("is invalidOracle where the plain EVM misses the fixture's root", () =>
      Effect.gen(function* () {
        const machines = { plain: makePlainMachine(), ovm: yield* make }
        const stateTest = caseWith("0x00")
        const expectation = { stateRoot: word(1n), logsHash: word(1n), exception: undefined }
        const found = yield* verdictOf(machines, { ...stateTest, expectation })
        expect(found).toMatchObject({ verdict: "invalidOracle" })
      })
    )
  })
})
