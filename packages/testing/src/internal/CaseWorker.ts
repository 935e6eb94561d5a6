/** The process that judges cases for `WorkerPool`: a slow or deadly case takes nothing else along. */
import { NodeContext } from "@effect/platform-node"
import { Effect, Schema } from "effect"
import { judge } from "../Equivalence.ts"
import * as OvmRun from "../OvmRun.ts"
import { makePlainMachine } from "../PlainRun.ts"
import { type LoadedCase, loadFixture } from "../StateTestFixture.ts"
import { Task, type TaskResult } from "./WorkerProtocol.ts"

const serve = Effect.gen(function* () {
  const machines = { plain: makePlainMachine(), ovm: yield* OvmRun.make }
  const loaded: { key: string; cases: ReadonlyArray<LoadedCase> } = { key: "", cases: [] }

  const perform = (task: Task) =>
    Effect.gen(function* () {
      const key = `${task.fork} ${task.file}`
      if (loaded.key !== key) {
        // The parent has read the file and reported what is wrong with it; a change since ends the worker.
        loaded.cases = yield* Effect.orDie(loadFixture(task.file, task.fork))
        loaded.key = key
      }
      const wanted = loaded.cases.slice(task.from, task.to)
      return yield* Effect.forEach(wanted, (loadedCase) => judge(machines, loadedCase))
    })

  const decode = Schema.decodeUnknown(Task)
  return yield* Effect.async<never, Error>((resume) => {
    process.on("message", (message) => {
      const work = decode(message).pipe(
        Effect.flatMap(perform),
        Effect.map((verdicts): TaskResult => ({ verdicts })),
        Effect.provide(NodeContext.layer)
      )
      Effect.runPromise(work).then(
        (result) => process.send?.(result),
        (cause) => resume(Effect.die(cause))
      )
    })
    // The parent is gone: nobody waits for an answer.
    process.on("disconnect", () => process.exit(0))
    process.send?.("ready")
  })
})

void Effect.runPromise(serve.pipe(Effect.provide(OvmRun.layer)))
