/** Runs cases on the plain EVM and on the OVM, and says of each whether the two agree. */
import { Effect } from "effect"
import { compareFacts, type Difference, describeDifference, factsOf } from "./Comparison.ts"
import type { CaseVerdict, Verdict } from "./EquivalenceReport.ts"
import type { MachineFault, Outcome } from "./Outcome.ts"
import { PERTURBATIONS } from "./Perturbation.ts"
import { type ExecutedCode, oracleFault, type PlainMachine } from "./PlainRun.ts"
import type { LoadedCase, StateTestCase } from "./StateTestFixture.ts"

type RunCase = (stateTest: StateTestCase) => Effect.Effect<Outcome, MachineFault>

/** The machine under test. */
export interface OvmMachine {
  /** Runs the case with so much gas that the OVM's prices decide nothing. */
  readonly run: RunCase
  /** Ways to run it, one per scale between EVM gas and OVM gas: `run`, then less likely ones. */
  readonly runs: ReadonlyArray<RunCase>
  /** Why the code has no OVM form of permitted size, if it has none. */
  readonly oversize: (code: ExecutedCode) => string | undefined
}

export interface Machines {
  readonly plain: PlainMachine
  readonly ovm: OvmMachine
}

export const judge = (machines: Machines, loaded: LoadedCase): Effect.Effect<CaseVerdict> => {
  if (loaded._tag === "Unsupported") {
    const { identity, reason } = loaded.unsupported
    return Effect.succeed({ ...identity, verdict: "unsupported", what: reason })
  }
  const { stateTest } = loaded
  return Effect.map(judgeRunnable(machines, stateTest), ({ verdict, what }) => ({
    ...stateTest.identity,
    verdict,
    what
  }))
}

interface Judgement {
  readonly verdict: Verdict
  readonly what: string
}

const judgeRunnable = (machines: Machines, stateTest: StateTestCase): Effect.Effect<Judgement> =>
  Effect.gen(function* () {
    const { ovm, plain } = machines
    const oracle = yield* Effect.either(plain.run(stateTest))
    if (oracle._tag === "Left") return { verdict: "invalidOracle", what: oracle.left.message }
    const fault = yield* oracleFault(stateTest, oracle.right)
    if (fault !== undefined) return { verdict: "invalidOracle", what: fault }
    const attempts: Array<ReadonlyArray<Difference>> = []
    for (const run of ovm.runs) {
      const found = yield* Effect.either(run(stateTest))
      const differences =
        found._tag === "Left"
          ? [{ key: "machine", expected: "an outcome", found: found.left.message }]
          : differencesOf(stateTest, oracle.right, found.right)
      if (differences.length === 0) return { verdict: "identical", what: "" }
      attempts.push(differences)
    }
    const oversize = yield* oversizeReason(machines, stateTest)
    if (oversize !== undefined) return { verdict: "oversize", what: oversize }
    const reason = yield* gasReason(plain, { stateTest, oracle: oracle.right, attempts })
    if (reason !== undefined) return { verdict: "gasDependent", what: reason }
    const [first] = attempts.flat()
    return { verdict: "different", what: first === undefined ? "" : describeDifference(first) }
  })

export const differencesOf = (
  { environment }: StateTestCase,
  expected: Outcome,
  found: Outcome
): ReadonlyArray<Difference> =>
  compareFacts(factsOf(expected, environment), factsOf(found, environment))

const oversizeReason = (
  { ovm, plain }: Machines,
  stateTest: StateTestCase
): Effect.Effect<string | undefined> =>
  plain.executedCodes(stateTest).pipe(
    Effect.map((codes) => {
      for (const code of codes) {
        const reason = ovm.oversize(code)
        if (reason !== undefined) return reason
      }
      return undefined
    }),
    Effect.orElseSucceed(() => undefined)
  )

/**
 * Gas explains a case only if every single thing in which the machines differ also changes in the
 * plain EVM when its gas alone is shaken: one difference beyond that is a difference.
 */
const gasReason = (
  plain: PlainMachine,
  options: {
    readonly stateTest: StateTestCase
    readonly oracle: Outcome
    readonly attempts: ReadonlyArray<ReadonlyArray<Difference>>
  }
): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const { attempts, oracle, stateTest } = options
    const explanations = attempts.map((differences) => ({
      unexplained: new Set(differences.map(({ key }) => key)),
      reasons: [] as string[]
    }))
    for (const perturbation of PERTURBATIONS) {
      const shaken = yield* Effect.either(plain.runPerturbed(stateTest, perturbation))
      if (shaken._tag === "Left") continue
      const changed = differencesOf(stateTest, oracle, shaken.right)
      for (const { reasons, unexplained } of explanations) {
        const explained = changed.filter(({ key }) => unexplained.delete(key))
        if (explained.length > 0) reasons.push(perturbation.name)
        if (unexplained.size > 0) continue
        return `the plain EVM's own outcome changes with ${reasons.join("; and with ")}`
      }
    }
    return undefined
  })
