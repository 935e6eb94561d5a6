/** Judges every case below some paths: what `pnpm ovm equivalence` does, without the command line. */
import { availableParallelism } from "node:os"
import { Effect } from "effect"
import { type CaseVerdict, type EquivalenceSummary, summarize } from "./EquivalenceReport.ts"
import { judgeAll } from "./internal/WorkerPool.ts"
import { findFixtures, loadFixture, PINNED_FORK } from "./StateTestFixture.ts"

export interface EquivalenceOptions {
  /** Fork whose outcomes are checked; Cancun, the only one that runs, unless said otherwise. */
  readonly fork?: string
  /** Processes at a time; as many as the machine has cores, unless said otherwise. */
  readonly jobs?: number
  readonly onProgress?: (progress: {
    readonly done: number
    readonly cases: number
    readonly verdicts: ReadonlyArray<CaseVerdict>
  }) => Effect.Effect<void>
}

export interface EquivalenceRun {
  readonly verdicts: ReadonlyArray<CaseVerdict>
  readonly summary: EquivalenceSummary
}

/** All files are read before any runs, so that a malformed one does not waste the others' time. */
export const runEquivalence = Effect.fn("EquivalenceRunner.runEquivalence")(function* (
  paths: ReadonlyArray<string>,
  options: EquivalenceOptions = {}
) {
  const fork = options.fork ?? PINNED_FORK
  const named = yield* findFixtures(paths)
  const files = yield* Effect.forEach(named, (file) =>
    Effect.map(loadFixture(file, fork), (cases) => ({ file, cases }))
  )
  const cases = files.reduce((sum, file) => sum + file.cases.length, 0)
  const progress = { done: 0 }
  const verdicts = yield* judgeAll({
    files,
    fork,
    jobs: options.jobs ?? availableParallelism(),
    onVerdicts: (some) => {
      progress.done += some.length
      return options.onProgress?.({ done: progress.done, cases, verdicts: some }) ?? Effect.void
    }
  })
  return { verdicts, summary: summarize(verdicts) } satisfies EquivalenceRun
})
