import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Either, Exit, Fiber, Layer, Schema, Stream } from "effect"
import * as fc from "fast-check"
import { EventLog } from "../src/EventLog.ts"
import * as EventTypes from "../src/EventTypes.ts"
import * as Machine from "../src/Machine.ts"
import { Snapshots } from "../src/Snapshot.ts"

class Deposited extends Schema.TaggedClass<Deposited>()("v1.Deposited", { amount: Schema.Int }) {}
class Withdrawn extends Schema.TaggedClass<Withdrawn>()("v1.Withdrawn", { amount: Schema.Int }) {}
class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Int }) {}

const Command = Schema.Union(
  Schema.TaggedStruct("Deposit", { amount: Schema.Positive }),
  Schema.TaggedStruct("Withdraw", { amount: Schema.Positive }),
  Schema.TaggedStruct("Look", {}),
  Schema.TaggedStruct("Crash", {})
)
type Command = typeof Command.Type

const deposit = (amount: number): Command => ({ _tag: "Deposit", amount })
const withdraw = (amount: number): Command => ({ _tag: "Withdraw", amount })

let folded = 0
const definition = {
  State: Schema.Struct({ balance: Schema.Int, moves: Schema.Int }),
  Command,
  Event: Schema.Union(Deposited, Withdrawn),
  initial: { balance: 0, moves: 0 },
  decide: (state: { balance: number }, command: Command) => {
    switch (command._tag) {
      case "Deposit":
        return Either.right([new Deposited({ amount: command.amount })])
      case "Withdraw":
        return command.amount > state.balance
          ? Either.left(new Overdrawn({ balance: state.balance }))
          : Either.right([new Withdrawn({ amount: command.amount })])
      case "Look":
        return Either.right([])
      case "Crash":
        throw new Error("a mistake in the rules")
    }
  },
  evolve: (state: { balance: number; moves: number }, event: Deposited | Withdrawn) => {
    folded++
    const sign = event._tag === "v1.Deposited" ? 1 : -1
    return { balance: state.balance + sign * event.amount, moves: state.moves + 1 }
  }
}
class Account extends Machine.Service<Account>()("Account", { ...definition, snapshotEvery: 10 }) {}
/** The same stream, written through another machine: a second writer. */
class Rival extends Machine.Service<Rival>()("Rival", { ...definition, stream: "Account" }) {}

const TestLayer = Layer.mergeAll(Machine.layer(Account), Machine.layer(Rival)).pipe(
  Layer.provideMerge(EventLog.layerMemory)
)

describe("Machine", () => {
  it.effect("turns commands into events and events into state", () =>
    Effect.gen(function* () {
      const account = yield* Account
      expect(yield* account.send(deposit(5))).toMatchObject({
        events: [new Deposited({ amount: 5 })],
        state: { balance: 5, moves: 1 },
        version: 1,
        position: 1,
        duplicate: false
      })
      yield* account.send(withdraw(2))
      expect(yield* account.state).toEqual({ balance: 3, moves: 2 })
      expect(yield* account.send({ _tag: "Look" })).toMatchObject({
        events: [],
        version: 2,
        position: 2
      })
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("fails with the machine's own error and appends nothing", () =>
    Effect.gen(function* () {
      const account = yield* Account
      yield* account.send(deposit(1))
      const error = yield* Effect.flip(account.send(withdraw(2)))
      expect(error).toEqual(new Overdrawn({ balance: 1 }))
      expect((yield* (yield* EventLog).head).position).toBe(1)
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("refuses a command that does not fit its schema", () =>
    Effect.gen(function* () {
      const account = yield* Account
      const error = yield* Effect.flip(account.send(deposit(-1)))
      expect(error).toMatchObject({ _tag: "CommandInvalid", machine: "Account" })
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("lets a mistake in the rules fail only the command that met it", () =>
    Effect.gen(function* () {
      const account = yield* Account
      const exits = yield* Effect.forEach(
        [deposit(1), { _tag: "Crash" } as const, deposit(2), withdraw(9)],
        (command) => Effect.exit(account.send(command)),
        { concurrency: "unbounded" }
      )
      expect(exits.map(Exit.isSuccess)).toEqual([true, false, true, false])
      expect(yield* account.state).toEqual({ balance: 3, moves: 2 })
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("decides again when another writer came first", () =>
    Effect.gen(function* () {
      const account = yield* Account
      const rival = yield* Rival
      yield* account.send(deposit(100))
      const sends = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? account : rival))
      const exits = yield* Effect.forEach(
        sends,
        (machine) => Effect.exit(machine.send(withdraw(3))),
        {
          concurrency: "unbounded"
        }
      )
      expect(exits.filter(Exit.isSuccess)).toHaveLength(33)
      expect(yield* account.state).toEqual({ balance: 1, moves: 34 })
      expect(yield* rival.state).toEqual({ balance: 1, moves: 34 })
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("carries a command out once, however often it is sent under its id", () =>
    Effect.gen(function* () {
      const account = yield* Account
      const rival = yield* Rival
      const first = yield* account.send(deposit(5), { id: "one" })
      yield* account.send(deposit(1))
      const again = yield* Effect.all(
        [account.send(deposit(5), { id: "one" }), rival.send(deposit(5), { id: "one" })],
        { concurrency: "unbounded" }
      )
      for (const answer of again) expect(answer).toEqual({ ...first, duplicate: true })
      const twice = yield* Effect.all(
        [account.send(deposit(7), { id: "two" }), account.send(deposit(7), { id: "two" })],
        { concurrency: "unbounded" }
      )
      expect(twice.map(({ duplicate }) => duplicate)).toEqual([false, true])
      expect(yield* account.state).toEqual({ balance: 13, moves: 3 })
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("marks events with the command and the request they follow from", () =>
    Effect.gen(function* () {
      const account = yield* Account
      yield* account.send(deposit(5), { id: "command", correlationId: "request" })
      const { events } = yield* (yield* EventLog).page()
      expect(events[0]).toMatchObject({
        id: "command",
        causationId: "command",
        correlationId: "request"
      })
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("streams every change, past and to come, with the state it led to", () =>
    Effect.gen(function* () {
      const account = yield* Account
      yield* account.send(deposit(5))
      yield* account.send(withdraw(1))
      const fiber = yield* account
        .changes({ after: 1 })
        .pipe(Stream.take(3), Stream.runCollect, Effect.fork)
      yield* Effect.yieldNow()
      yield* account.send(deposit(10))
      yield* account.send(withdraw(4))
      const changes = Chunk.toArray(yield* Fiber.join(fiber))
      expect(changes.map(({ event, state }) => [event.position, state.balance])).toEqual([
        [2, 4],
        [3, 14],
        [4, 10]
      ])
      const error = yield* Effect.flip(Stream.runDrain(account.changes({ after: 9 })))
      expect(error).toMatchObject({ _tag: "PositionBeyondHead", position: 9, head: 4 })
    }).pipe(Effect.provide(TestLayer))
  )

  it.effect("answers for any position of the past as a fold of the events does", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 60 }), (amounts) =>
          Effect.gen(function* () {
            const account = yield* Account
            const states = [definition.initial]
            for (const amount of amounts) {
              const sent = yield* Effect.either(
                account.send(amount % 3 === 0 ? withdraw(amount) : deposit(amount))
              )
              if (Either.isRight(sent)) states.push(sent.right.state)
            }
            for (const [position, state] of states.entries()) {
              expect(yield* account.stateAsOf(position)).toEqual(state)
            }
            expect(yield* account.state).toEqual(states.at(-1))
          }).pipe(
            Effect.provide(TestLayer),
            Effect.provide(Snapshots.layerMemory),
            Effect.runPromise
          )
        ),
        { numRuns: 10 }
      )
    )
  )

  it.effect("loads from the newest snapshot, and without one when it can't be used", () =>
    Effect.gen(function* () {
      const log = yield* EventLog
      const use = <A, E>(run: Effect.Effect<A, E, Account>) =>
        Effect.provide(run, Layer.fresh(Machine.layer(Account)))
      yield* use(
        Effect.gen(function* () {
          const account = yield* Account
          for (let index = 0; index < 25; index++) yield* account.send(deposit(1))
        })
      )
      const countFolds = use(
        Effect.gen(function* () {
          expect((yield* (yield* Account).state).balance).toBe(25)
          return folded
        })
      )
      folded = 0
      expect(yield* countFolds).toBe(5)

      const snapshots = yield* Snapshots
      const { hash } = yield* log.head
      // A snapshot of another log, and one whose bytes are no state.
      yield* snapshots.save("Account", {
        position: 24,
        hash,
        version: 24,
        bytes: new Uint8Array([1, 8, 8])
      })
      folded = 0
      expect(yield* countFolds).toBe(25)
      yield* snapshots.save("Account", {
        position: 25,
        hash,
        version: 25,
        bytes: new Uint8Array([9])
      })
      folded = 0
      expect(yield* countFolds).toBe(25)
    }).pipe(Effect.provide(Layer.merge(EventLog.layerMemory, Snapshots.layerMemory)))
  )

  it.effect("fails to load, typed, when the stream holds an unknown event", () =>
    Effect.gen(function* () {
      const log = yield* EventLog
      const events = [{ type: "v9.Unheard", payload: new Uint8Array() }] as const
      yield* log.append({ stream: "Account", expected: 0, events })
      const error = yield* Effect.flip(Layer.launch(Machine.layer(Account)))
      expect(error).toBeInstanceOf(EventTypes.EventUndecodable)
      expect(error).toMatchObject({ position: 1, type: "v9.Unheard" })
    }).pipe(Effect.provide(EventLog.layerMemory))
  )
})
