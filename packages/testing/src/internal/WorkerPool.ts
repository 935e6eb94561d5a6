/** Spreads cases over processes. A case that hangs or kills its process is a verdict, not an end. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Duration, Effect, Option, Schema } from "effect"
import type { CaseVerdict } from "../EquivalenceReport.ts"
import { type CaseIdentity, type LoadedCase, PINNED_FORK } from "../StateTestFixture.ts"
import { type Task, TaskResult } from "./WorkerProtocol.ts"

/** A task's cases, so that one that is lost can still be named. */
export interface FileOfCases {
  readonly file: string
  readonly cases: ReadonlyArray<LoadedCase>
}

const TASK_SIZE = 40
/** Time that one case may take, and a bundle of them before it is taken apart. */
const CASE_TIME = Duration.minutes(10)
const WORKER = fileURLToPath(new URL("./CaseWorker.ts", import.meta.url))

/** Judges all cases, `jobs` processes at a time, and answers in the order of the cases. */
export const judgeAll = (options: {
  readonly files: ReadonlyArray<FileOfCases>
  readonly fork?: string
  readonly jobs: number
  readonly onVerdicts: (verdicts: ReadonlyArray<CaseVerdict>) => Effect.Effect<void>
}): Effect.Effect<ReadonlyArray<CaseVerdict>> =>
  Effect.gen(function* () {
    const { files, jobs, onVerdicts } = options
    const pending = files.flatMap((file) => tasksOf(file, options.fork ?? PINNED_FORK))
    const idle: Array<ChildProcess> = []
    const stopAll = Effect.sync(() => {
      for (const worker of idle) worker.kill()
    })
    const answers = yield* Effect.forEach(
      pending,
      (work) => Effect.tap(perform(idle, work), onVerdicts),
      { concurrency: jobs }
    ).pipe(Effect.ensuring(stopAll))
    return answers.flat()
  })

interface Work {
  readonly task: Task
  readonly cases: ReadonlyArray<LoadedCase>
}

const tasksOf = ({ cases, file }: FileOfCases, forkName: string): ReadonlyArray<Work> =>
  Array.from({ length: Math.ceil(cases.length / TASK_SIZE) }, (_, chunk) => {
    const from = chunk * TASK_SIZE
    const to = Math.min(from + TASK_SIZE, cases.length)
    return { task: { file, fork: forkName, from, to }, cases: cases.slice(from, to) }
  })

const perform = (
  idle: Array<ChildProcess>,
  work: Work
): Effect.Effect<ReadonlyArray<CaseVerdict>> =>
  Effect.gen(function* () {
    const worker = idle.pop() ?? start()
    const answer = yield* ask(worker, work.task).pipe(
      Effect.onInterrupt(() => Effect.sync(() => worker.kill())),
      Effect.timeoutOption(CASE_TIME)
    )
    if (Option.isSome(answer) && answer.value !== undefined) {
      idle.push(worker)
      return answer.value
    }
    worker.kill("SIGKILL")
    const [only, ...others] = work.cases
    if (only === undefined) return []
    if (others.length === 0) {
      const what = Option.isNone(answer)
        ? `machine: expected an outcome, found none after ${Duration.format(CASE_TIME)}`
        : "machine: expected an outcome, found that the process running it died"
      return [{ ...identityOf(only), verdict: "different", what }]
    }
    const singles = yield* Effect.forEach(work.cases, (loadedCase, index) => {
      const from = work.task.from + index
      return perform(idle, { task: { ...work.task, from, to: from + 1 }, cases: [loadedCase] })
    })
    return singles.flat()
  })

const start = (): ChildProcess => fork(WORKER, { execArgv: process.execArgv })

/** The verdicts, or nothing if the process ended instead. */
const ask = (
  worker: ChildProcess,
  task: Task
): Effect.Effect<ReadonlyArray<CaseVerdict> | undefined> =>
  Effect.async((resume) => {
    const onMessage = (message: unknown): void => {
      if (message === "ready") return
      stop()
      const decoded = Schema.decodeUnknown(TaskResult)(message)
      // Our own worker wrote it, by the same schema.
      resume(Effect.orDie(Effect.map(decoded, ({ verdicts }) => verdicts)))
    }
    const onExit = (): void => {
      stop()
      resume(Effect.succeed(undefined))
    }
    const stop = (): void => {
      worker.off("message", onMessage)
      worker.off("exit", onExit)
    }
    worker.on("message", onMessage)
    worker.on("exit", onExit)
    worker.send(task)
    return Effect.sync(stop)
  })

const identityOf = (loaded: LoadedCase): CaseIdentity =>
  loaded._tag === "Runnable" ? loaded.stateTest.identity : loaded.unsupported.identity
