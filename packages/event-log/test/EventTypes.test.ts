import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Schema } from "effect"
import { isNonEmptyReadonlyArray } from "effect/Array"
import { EventLog } from "../src/EventLog.ts"
import * as EventTypes from "../src/EventTypes.ts"
import * as Upcaster from "../src/Upcaster.ts"

class PaidV1 extends Schema.TaggedClass<PaidV1>()("v1.Paid", { cents: Schema.Int }) {}
class PaidV2 extends Schema.TaggedClass<PaidV2>()("v2.Paid", {
  amount: Schema.Int,
  currency: Schema.String
}) {}
class PaidV3 extends Schema.TaggedClass<PaidV3>()("v3.Paid", {
  amount: Schema.BigIntFromSelf,
  currency: Schema.String
}) {}
class Refunded extends Schema.TaggedClass<Refunded>()("v1.Refunded", {
  reason: Schema.NonEmptyString
}) {}

const firstToSecond = Upcaster.make(
  PaidV1,
  ({ cents }) => new PaidV2({ amount: cents, currency: "EUR" })
)
const secondToThird = Upcaster.make(
  PaidV2,
  ({ amount, currency }) => new PaidV3({ amount: BigInt(amount), currency })
)

const first = EventTypes.make({ schema: Schema.Union(PaidV1, Refunded) })
const second = EventTypes.make({ schema: PaidV2, upcasters: [firstToSecond] })
const third = EventTypes.make({
  schema: Schema.Union(PaidV3, Refunded),
  upcasters: [secondToThird, firstToSecond]
})

const append = <A extends Upcaster.Tagged>(types: EventTypes.EventTypes<A>, ...given: Array<A>) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const events = yield* types.encode(given)
    if (isNonEmptyReadonlyArray(events)) yield* log.append({ stream: "a", expected: "any", events })
  })

const readWith = <A extends Upcaster.Tagged>(types: EventTypes.EventTypes<A>) =>
  Effect.gen(function* () {
    const { events } = yield* (yield* EventLog).page()
    return yield* types.decodeAll(events)
  })

describe("EventTypes", () => {
  it.effect("reads events of every age as events of today", () =>
    Effect.gen(function* () {
      yield* append(first, new PaidV1({ cents: 5 }), new Refunded({ reason: "late" }))
      yield* append(second, new PaidV2({ amount: 6, currency: "CHF" }))
      yield* append(third, new PaidV3({ amount: 7n, currency: "USD" }))
      const events = yield* readWith(third)
      expect(events.map(({ payload }) => payload)).toEqual([
        new PaidV3({ amount: 5n, currency: "EUR" }),
        new Refunded({ reason: "late" }),
        new PaidV3({ amount: 6n, currency: "CHF" }),
        new PaidV3({ amount: 7n, currency: "USD" })
      ])
      // What is stored stays what it was.
      expect(events.map(({ type }) => type)).toEqual([
        "v1.Paid",
        "v1.Refunded",
        "v2.Paid",
        "v3.Paid"
      ])
      expect(events[1]?.payload).toBeInstanceOf(Refunded)
      const stored = (yield* (yield* EventLog).page()).events[2]
      expect([events[2]?.hash, events[2]?.previousHash]).toEqual([
        stored?.hash,
        stored?.previousHash
      ])
      expect([...third.types].sort()).toEqual(["v1.Paid", "v1.Refunded", "v2.Paid", "v3.Paid"])
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("names the event that it can't read", () =>
    Effect.gen(function* () {
      yield* append(
        third,
        new Refunded({ reason: "late" }),
        new PaidV3({ amount: 7n, currency: "USD" })
      )
      expect(yield* Effect.flip(readWith(first))).toMatchObject({
        _tag: "EventUndecodable",
        position: 2,
        type: "v3.Paid"
      })
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("notices a schema that was changed under the same type", () =>
    Effect.gen(function* () {
      const changed = Schema.TaggedStruct("v1.Refunded", {
        reason: Schema.String,
        by: Schema.String
      })
      yield* append(first, new Refunded({ reason: "late" }))
      const error = yield* Effect.flip(readWith(EventTypes.make({ schema: changed })))
      expect(error).toMatchObject({ _tag: "EventUndecodable", position: 1 })
      expect(error.message).toContain("needs a new version")
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("notices upcasters that lead nowhere, or round in circles", () =>
    Effect.gen(function* () {
      yield* append(first, new PaidV1({ cents: 5 }))
      const short = EventTypes.make({ schema: PaidV3, upcasters: [firstToSecond] })
      const back = Upcaster.make(PaidV2, ({ amount }) => new PaidV1({ cents: amount }))
      const circle = EventTypes.make({ schema: PaidV3, upcasters: [firstToSecond, back] })
      for (const types of [short, circle]) {
        const error = yield* Effect.flip(readWith(types))
        expect(error.message).toContain("which is no event of today")
      }
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it("gives the origin to the events of a batch, and its id to the first", () => {
    const events = [new PaidV1({ cents: 1 }), new PaidV1({ cents: 2 })]
    const encoded = Either.getOrThrow(
      first.encode(events, { id: "x", causationId: "y", correlationId: "z" })
    )
    expect(
      encoded.map(({ causationId, correlationId, id }) => [id, causationId, correlationId])
    ).toEqual([
      ["x", "y", "z"],
      [undefined, "y", "z"]
    ])
  })

  it("names the event that does not fit its schema", () => {
    const bad = new PaidV3({ amount: 7n, currency: "USD" })
    Reflect.set(bad, "amount", 7)
    const error = Either.getOrThrow(Either.flip(third.encode([new Refunded({ reason: "x" }), bad])))
    expect(error).toMatchObject({ _tag: "ValueUnencodable", index: 1 })
    expect(error.message).toContain("a bigint")
  })

  it("refuses mistakes in the program at once", () => {
    const untagged = Schema.Struct({ _tag: Schema.String })
    const unversioned = Schema.TaggedStruct("Paid", {})
    expect(() => EventTypes.make({ schema: untagged })).toThrow("literal _tag")
    expect(() => EventTypes.make({ schema: unversioned })).toThrow("v1.OrderPlaced")
    const twice = Schema.Union(
      Schema.TaggedStruct("v1.A", {}),
      Schema.TaggedStruct("v1.A", { b: Schema.Int })
    )
    expect(() => EventTypes.make({ schema: twice })).toThrow("found two")
    expect(() => EventTypes.make({ schema: PaidV2, upcasters: [secondToThird] })).toThrow(
      "past type"
    )
  })
})
