import { NodeContext } from "@effect/platform-node"
import { judge } from "@ovm/testing/Equivalence"
import * as OvmRun from "@ovm/testing/OvmRun"
import { makePlainMachine } from "@ovm/testing/PlainRun"
import { loadFixture } from "@ovm/testing/StateTestFixture"
import { Effect } from "effect"

/** Judges every case of one file: identical, different, or set apart with the reason. */
export const judgeFile = (file: string) =>
  Effect.gen(function* () {
    const machines = { plain: makePlainMachine(), ovm: yield* OvmRun.make }
    const cases = yield* loadFixture(file, "Cancun")
    return yield* Effect.forEach(cases, (one) => judge(machines, one))
  }).pipe(Effect.provide(OvmRun.layer), Effect.provide(NodeContext.layer))
