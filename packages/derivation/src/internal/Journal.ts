/** The batches that are derived, in memory as in the log's stream: what is noted is durable first. */
import type { EventLogService } from "@ovm/event-log/EventLog"
import { Effect, Stream } from "effect"
import * as DerivationEvent from "../DerivationEvent.ts"

const { DERIVATION_STREAM: stream, derivationEventTypes: types } = DerivationEvent

export interface Journal {
  /** By index, from 0. */
  readonly batches: ReadonlyArray<DerivationEvent.BatchDerived>
  readonly add: (event: DerivationEvent.BatchDerived) => ReturnType<typeof append>
  /** Forgets the batches from an index on. */
  readonly rollBack: (batchCount: number, reason: string) => ReturnType<typeof append>
}

export const openJournal = (log: EventLogService) =>
  Effect.gen(function* () {
    const batches: Array<DerivationEvent.BatchDerived> = []
    let version = 0
    const take = (event: DerivationEvent.DerivationEvent) => {
      version++
      if (event._tag === "v1.BatchDerived") batches.push(event)
      else batches.length = Number(event.batchCount)
    }
    yield* log.read({ stream }).pipe(
      Stream.mapEffect((stored) => types.decode(stored)),
      Stream.runForEach(({ payload }) => Effect.sync(() => take(payload)))
    )
    const note = (event: DerivationEvent.DerivationEvent) =>
      append(log, event, version).pipe(
        Effect.tap(() => Effect.sync(() => take(event))),
        Effect.uninterruptible
      )
    const journal: Journal = {
      batches,
      add: note,
      rollBack: (batchCount, reason) =>
        note(new DerivationEvent.DerivationRolledBack({ batchCount: BigInt(batchCount), reason }))
    }
    return journal
  })

const append = (log: EventLogService, event: DerivationEvent.DerivationEvent, expected: number) =>
  Effect.gen(function* () {
    const [first] = yield* types.encode([event])
    if (first === undefined) return yield* Effect.dieMessage("encoding lost the event")
    yield* log.append({ stream, expected, events: [first] })
  })
