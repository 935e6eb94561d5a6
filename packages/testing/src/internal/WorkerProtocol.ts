/** What the pool and its processes say to each other. */
import { Schema } from "effect"
import { CaseVerdict } from "../EquivalenceReport.ts"

/** Cases `from` up to, not including, `to` of a file. */
export const Task = Schema.Struct({
  file: Schema.String,
  fork: Schema.String,
  from: Schema.NonNegativeInt,
  to: Schema.NonNegativeInt
})
export type Task = typeof Task.Type

export const TaskResult = Schema.Struct({ verdicts: Schema.Array(CaseVerdict) })
export type TaskResult = typeof TaskResult.Type
