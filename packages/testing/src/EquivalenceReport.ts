/** Verdicts and their sum, as `pnpm ovm equivalence --json` prints it. */
import { Schema } from "effect"
import known from "./KnownDifferences.json" with { type: "json" }

export const Verdict = Schema.Literal(
  "identical",
  "different",
  "gasDependent",
  "oversize",
  "unsupported",
  "invalidOracle"
)
export type Verdict = typeof Verdict.Type

export const CaseVerdict = Schema.Struct({
  file: Schema.String,
  test: Schema.String,
  index: Schema.Int,
  verdict: Verdict,
  /** The first difference, or the reason why the case is set apart; empty if identical. */
  what: Schema.String
})
export type CaseVerdict = typeof CaseVerdict.Type

const Located = Schema.Struct({
  file: Schema.String,
  test: Schema.String,
  index: Schema.Int,
  what: Schema.String
})

export const EquivalenceSummary = Schema.Struct({
  cases: Schema.Int,
  identical: Schema.Int,
  different: Schema.Int,
  gasDependent: Schema.Int,
  oversize: Schema.Int,
  unsupported: Schema.Int,
  invalidOracle: Schema.Int,
  differences: Schema.Array(Located)
})
export type EquivalenceSummary = typeof EquivalenceSummary.Type

/** A difference that is understood and not yet mended. It still counts as one. */
export const KnownDifference = Schema.Struct({
  test: Schema.String,
  index: Schema.Int,
  reason: Schema.NonEmptyString
})
export type KnownDifference = typeof KnownDifference.Type

/** The checked-in list, which only ever shrinks. */
export const knownDifferences: ReadonlyArray<KnownDifference> = Schema.decodeUnknownSync(
  Schema.Array(KnownDifference)
)(known)

export const summarize = (verdicts: ReadonlyArray<CaseVerdict>): EquivalenceSummary => {
  const count = (wanted: Verdict) => verdicts.filter(({ verdict }) => verdict === wanted).length
  const differences = verdicts
    .filter(({ verdict }) => verdict === "different")
    .map(({ file, index, test, what }) => ({
      file,
      test,
      index,
      what: annotated(test, index, what)
    }))
  return {
    cases: verdicts.length,
    identical: count("identical"),
    different: count("different"),
    gasDependent: count("gasDependent"),
    oversize: count("oversize"),
    unsupported: count("unsupported"),
    invalidOracle: count("invalidOracle"),
    differences
  }
}

const annotated = (test: string, index: number, what: string): string => {
  const entry = knownDifferences.find((other) => other.test === test && other.index === index)
  return entry === undefined ? what : `${what} (known: ${entry.reason})`
}
