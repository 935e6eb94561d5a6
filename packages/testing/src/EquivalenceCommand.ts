/** `ovm equivalence PATH...`: does the OVM do what the EVM does? */
import { Args, Command, Options } from "@effect/cli"
import { Console, Effect, Option } from "effect"
import type { CaseVerdict, EquivalenceSummary, Verdict } from "./EquivalenceReport.ts"
import { runEquivalence } from "./EquivalenceRunner.ts"
import { PINNED_FORK } from "./StateTestFixture.ts"

const paths = Args.text({ name: "PATH" }).pipe(
  Args.atLeast(1),
  Args.withDescription("Files or folders of Ethereum state tests (GeneralStateTests JSON).")
)

const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON object: the counts, and each difference.")
)

const fork = Options.text("fork").pipe(
  Options.withDefault(PINNED_FORK),
  Options.withDescription(`The outcomes to check against. The OVM runs ${PINNED_FORK} alone.`)
)

const list = Options.boolean("list").pipe(
  Options.withDescription("Also name every case that is set apart, and why.")
)

const jobs = Options.integer("jobs").pipe(
  Options.optional,
  Options.withDescription("Processes at a time. Default: one per core.")
)

/** Prints the report. The process exits with 1 if anything is different. */
export const equivalenceCommand = Command.make(
  "equivalence",
  { paths, json, fork, list, jobs },
  (options) =>
    Effect.gen(function* () {
      const { summary, verdicts } = yield* runEquivalence(options.paths, {
        fork: options.fork,
        ...(Option.isSome(options.jobs) ? { jobs: options.jobs.value } : {}),
        onProgress: showProgress
      })
      yield* clearProgress
      const lines = options.json ? [JSON.stringify(summary)] : report(summary, verdicts, options)
      yield* Console.log(lines.join("\n"))
      // Not a failure of the command: it did what it was asked, and its report says what was found.
      if (summary.different > 0) process.exitCode = 1
    })
).pipe(
  Command.withDescription(
    "Runs state tests in the plain EVM and in the OVM, and compares what came of it. Example: ovm equivalence ../shared/state-tests/stExample"
  )
)

const SETS: ReadonlyArray<readonly [Verdict, string]> = [
  ["identical", "the same success, return data, accounts, storage and logs"],
  ["different", "they differ"],
  ["gasDependent", "the EVM's own outcome changes when its gas is shaken"],
  ["oversize", "the code has no OVM form within Ethereum's size limits"],
  ["unsupported", "a transaction type or fork that the OVM does not run"],
  ["invalidOracle", "the plain EVM did not reach the fixture's own root"]
]

const report = (
  summary: EquivalenceSummary,
  verdicts: ReadonlyArray<CaseVerdict>,
  options: { readonly list: boolean }
): ReadonlyArray<string> => [
  `${summary.cases} cases`,
  ...SETS.map(
    ([verdict, meaning]) => `${`${summary[verdict]}`.padStart(7)} ${verdict}: ${meaning}`
  ),
  ...summary.differences.map(
    ({ file, index, test, what }) => `different: ${file} ${test} ${index}: ${what}`
  ),
  ...(options.list ? verdicts.filter(isSetApart) : []).map(
    ({ file, index, test, verdict, what }) => `${verdict}: ${file} ${test} ${index}: ${what}`
  )
]

const isSetApart = ({ verdict }: CaseVerdict): boolean =>
  verdict !== "identical" && verdict !== "different"

/** For a person who waits; a log file has no use for it. */
const showProgress = ({
  cases,
  done
}: {
  readonly cases: number
  readonly done: number
}): Effect.Effect<void> =>
  Effect.sync(() => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${cases} cases`)
  })

const clearProgress: Effect.Effect<void> = Effect.sync(() => {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
})
