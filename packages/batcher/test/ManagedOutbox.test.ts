/** What L1 refused is tried again, without a log that grows while L1 goes on refusing. */
import { describe, expect, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import { layerAnvil } from "@ovm/l1/Anvil"
import { TransactionManager } from "@ovm/l1/TransactionManager"
import { Effect, Layer } from "effect"
import { countOf, placeCounter, word } from "../../l1/test/support/Counter.ts"
import { L1Outbox } from "../src/L1Outbox.ts"
import * as ManagedOutbox from "../src/ManagedOutbox.ts"

const services = ManagedOutbox.layer.pipe(
  Layer.provide(TransactionManager.layer({ every: "20 millis" })),
  Layer.provideMerge(EventLog.layerMemory),
  Layer.provideMerge(layerAnvil({ mining: "auto" }))
)

describe("an intent that L1 refuses", () => {
  it.live(
    "is told to be refused each time, written down once, and carried out when L1 takes it",
    () =>
      Effect.gen(function* () {
        const outbox = yield* L1Outbox
        const log = yield* EventLog
        const to = yield* placeCounter
        const early = { id: "batch/1", to, data: word(1) }
        expect(yield* outbox.carryOut(early)).toMatchObject({ _tag: "Rejected" })
        const { position } = yield* log.head
        for (let time = 0; time < 3; time++) {
          const outcome = yield* outbox.carryOut(early)
          expect(outcome).toMatchObject({
            _tag: "Rejected",
            reason: expect.stringMatching(/revert/)
          })
        }
        expect((yield* log.head).position).toBe(position)

        expect(yield* outbox.carryOut({ id: "batch/0", to, data: word(0) })).toMatchObject({
          _tag: "Included"
        })
        const included = yield* outbox.carryOut(early)
        expect(included).toMatchObject({ _tag: "Included" })
        expect(yield* outbox.carryOut(early)).toEqual(included)
        expect(yield* countOf(to)).toBe(2)
      }).pipe(Effect.provide(services), Effect.scoped)
  )
})
