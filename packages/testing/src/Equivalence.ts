/** Runs cases on the plain EVM and on the OVM, and says of each whether the two agree. */
import { Effect } from "effect"
import { compareFacts, type Difference, describeDifference, factsOf } from "./Comparison.ts"
import type { CaseVerdict, Verdict } from "./EquivalenceReport.ts"
import type { MachineFault, Outcome } from "./Outcome.ts"
import { PERTURBATIONS } from "./Perturbation.ts"
import { type ExecutedCode, oracleFault, type PlainMachine } from "./PlainRun.ts"
import type { LoadedCase, StateTestCase } from "./StateTestFixture.ts"

/** The machine under test. */
export interface OvmMachine {
  /** Runs the case with so much gas that the OVM's prices decide nothing. */
  readonly run: (stateTest: StateTestCase) => Effect.Effect<Outcome, MachineFault>
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
    const found = yield* Effect.either(ovm.run(stateTest))
    const differences =
      found._tag === "Left"
        ? [{ key: "machine", expected: "an outcome", found: found.left.message }]
        : differencesOf(stateTest, oracle.right, found.right)
    const [first] = differences
    if (first === undefined) return { verdict: "identical", what: "" }
    const oversize = yield* oversizeReason(machines, stateTest)
    if (oversize !== undefined) return { verdict: "oversize", what: oversize }
    const reason = yield* gasReason(plain, { stateTest, oracle: oracle.right, differences })
    if (reason !== undefined) return { verdict: "gasDependent", what: reason }
    return { verdict: "different", what: describeDifference(first) }
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
    readonly differences: ReadonlyArray<Difference>
  }
): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const { differences, oracle, stateTest } = options
    const unexplained = new Set(differences.map(({ key }) => key))
    const reasons: Array<string> = []
    for (const perturbation of PERTURBATIONS) {
      const shaken = yield* Effect.either(plain.runPerturbed(stateTest, perturbation))
      if (shaken._tag === "Left") continue
      const changed = differencesOf(stateTest, oracle, shaken.right)
      const explained = changed.filter(({ key }) => unexplained.delete(key))
      if (explained.length > 0) reasons.push(perturbation.name)
      if (unexplained.size === 0) {
        return `the plain EVM's own outcome changes with ${reasons.join("; and with ")}`
      }
    }
    return undefined
  })
