import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schedule, Schema, Stream } from "effect"
import { isNonEmptyReadonlyArray } from "effect/Array"
import * as fc from "fast-check"
import { Checkpoints } from "../src/Checkpoint.ts"
import type { Event } from "../src/Event.ts"
import { EventLog } from "../src/EventLog.ts"
import * as EventTypes from "../src/EventTypes.ts"
import * as Outbox from "../src/Outbox.ts"

class Ordered extends Schema.TaggedClass<Ordered>()("v1.TransferOrdered", { amount: Schema.Int }) {}
class Made extends Schema.TaggedClass<Made>()("v1.TransferMade", { receipt: Schema.String }) {}
const types = EventTypes.make({ schema: Schema.Union(Ordered, Made) })

class BankError extends Schema.TaggedError<BankError>()("BankError", {}) {}
/** The process dies here: nothing after it is done. */
class Crash extends Schema.TaggedError<Crash>()("Crash", {}) {}

type Trouble = "none" | "refuses" | "loses the answer" | "crashes before" | "crashes after"

/**
 * A bank that really books, and remembers under which key; `trouble` tells what goes wrong with
 * each booking.
 */
const makeBank = (trouble: ReadonlyArray<Trouble>) => {
  const booked: Array<{ readonly key: string; readonly amount: number }> = []
  let calls = 0
  return {
    booked,
    perform: (amount: number, intent: Event<unknown>) =>
      Effect.suspend((): Effect.Effect<string, BankError | Crash> => {
        const now = trouble[calls++] ?? "none"
        if (now === "refuses") return Effect.fail(new BankError())
        if (now === "crashes before") return Effect.fail(new Crash())
        booked.push({ key: intent.id, amount })
        if (now === "crashes after") return Effect.fail(new Crash())
        return now === "none"
          ? Effect.succeed(`receipt ${intent.id}`)
          : Effect.fail(new BankError())
      }),
    lookUp: (intent: Event<unknown>) =>
      Effect.sync(() =>
        booked.some(({ key }) => key === intent.id)
          ? Option.some(`receipt ${intent.id}`)
          : Option.none()
      )
  }
}

const outboxOf = (bank: ReturnType<typeof makeBank>) => ({
  name: "bank",
  types,
  intent: ({ payload }: Event<Ordered | Made>) =>
    payload._tag === "v1.TransferOrdered" ? Option.some(payload.amount) : Option.none(),
  lookUp: (
    _amount: number,
    intent: Event<unknown>
  ): Effect.Effect<Option.Option<string>, BankError | Crash> => bank.lookUp(intent),
  perform: bank.perform,
  outcome: (receipt: string) => new Made({ receipt }),
  retry: Schedule.recurs(20).pipe(
    Schedule.whileInput((error: BankError | Crash) => error._tag === "BankError")
  )
})

const order = (...amounts: Array<number>) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const events = yield* types.encode(amounts.map((amount) => new Ordered({ amount })))
    if (isNonEmptyReadonlyArray(events))
      yield* log.append({ stream: "orders", expected: "any", events })
  })

const receipts = Effect.gen(function* () {
  const log = yield* EventLog
  const stored = yield* Stream.runCollect(log.read({ types: ["v1.TransferMade"] }))
  const made = yield* types.decodeAll(Array.from(stored))
  return made.map(({ causationId, payload }) => [causationId, payload])
})

const settle = Effect.forEach(Array.from({ length: 300 }), () => Effect.yieldNow(), {
  discard: true
})

/**
 * Runs the outbox as a process that is started again whenever it crashes, until it has nothing left
 * to do.
 */
const runThroughCrashes = (bank: ReturnType<typeof makeBank>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(
      Effect.retry(Outbox.run(outboxOf(bank)), { while: (error) => error._tag === "Crash" })
    )
    yield* settle
    return fiber
  })

const TestLayer = Layer.merge(EventLog.layerMemory, Checkpoints.layerMemory)

describe("Outbox", () => {
  it.effect("performs what was asked for and records the outcome", () =>
    Effect.gen(function* () {
      const bank = makeBank([])
      yield* order(5)
      const fiber = yield* runThroughCrashes(bank)
      yield* order(6, 7)
      yield* settle
      expect(bank.booked.map(({ amount }) => amount)).toEqual([5, 6, 7])
      expect(yield* receipts).toEqual([
        ["orders@1", new Made({ receipt: "receipt orders@1" })],
        ["orders@3", new Made({ receipt: "receipt orders@3" })],
        ["orders@4", new Made({ receipt: "receipt orders@4" })]
      ])
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("fails with the outside world's own error when retrying does not help", () =>
    Effect.gen(function* () {
      yield* order(5)
      const bank = makeBank(Array.from({ length: 30 }, () => "refuses" as const))
      expect(yield* Effect.flip(Outbox.run(outboxOf(bank)))).toEqual(new BankError())
      expect(yield* receipts).toEqual([])
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("does everything once, whatever goes wrong and whatever is forgotten", () => {
    const trouble = fc.constantFrom<Trouble>(
      "none",
      "refuses",
      "loses the answer",
      "crashes before",
      "crashes after"
    )
    return Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.array(trouble, { maxLength: 12 }),
          fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
          (troubles, amounts) =>
            Effect.gen(function* () {
              const bank = makeBank(troubles)
              yield* order(...amounts)
              yield* Fiber.interrupt(yield* runThroughCrashes(bank))
              // Even without its checkpoint it begins again and finds everything settled.
              const fiber = yield* runThroughCrashes(bank).pipe(
                Effect.provide(Layer.fresh(Checkpoints.layerMemory))
              )
              expect(bank.booked.map(({ amount }) => amount)).toEqual(amounts)
              expect(yield* receipts).toHaveLength(amounts.length)
              yield* Fiber.interrupt(fiber)
            }).pipe(Effect.provide(TestLayer), Effect.runPromise)
        ),
        { numRuns: 60 }
      )
    )
  })
})
