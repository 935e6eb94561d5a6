/** The manager dies at each of its steps, before or after the step is done, and is started again. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EventLog } from "@ovm/event-log/EventLog"
import { type AppendError, LogUnavailable } from "@ovm/event-log/LogError"
import { Anvil, layerAnvil } from "@ovm/l1/Anvil"
import { L1Client } from "@ovm/l1/L1Client"
import { type L1Error, L1Unavailable } from "@ovm/l1/L1Error"
import { type ManagerOptions, TransactionManager } from "@ovm/l1/TransactionManager"
import { Deferred, Effect, Fiber, Layer, ManagedRuntime, Option } from "effect"
import { afterAll, assert, describe, it } from "vitest"
import { countOf, placeCounter, placeLooseCounter, word } from "./support/Counter.ts"

const stateFile = join(mkdtempSync(join(tmpdir(), "ovm-l1-")), "l1.json")
const runtime = ManagedRuntime.make(
  layerAnvil({ mining: "auto", stateFile, retries: 1, backOff: "10 millis" })
)
afterAll(() => runtime.dispose())

const quick: ManagerOptions = {
  every: "10 millis",
  backOffMax: "50 millis",
  finalityBlocks: 20,
  resubmitAfter: "1 hour"
}

/**
 * The log and the L1 client, up to the `last`-th of their writes and sends: from there on nothing is
 * done any more. The last one itself is done, but not answered, where it dies "after" it.
 */
const dyingAt = (last: number, when: "before" | "after") =>
  Effect.gen(function* () {
    const dead = yield* Deferred.make<void>()
    let steps = 0
    const step =
      <E>(gone: E) =>
      <A>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
        Effect.suspend(() => {
          steps++
          if (steps < last) return effect
          const done = steps === last && when === "after" ? Effect.exit(effect) : Effect.void
          return done.pipe(
            Effect.zipRight(Deferred.succeed(dead, undefined)),
            Effect.zipRight(Effect.fail(gone))
          )
        })
    const log = yield* EventLog
    const l1 = yield* L1Client
    const written = step<AppendError>(new LogUnavailable({ log: "dying", reason: "it died" }))
    const sent = step<L1Error>(
      new L1Unavailable({ method: "eth_sendRawTransaction", attempts: 1, reason: "it died" })
    )
    const layer = Layer.merge(
      Layer.succeed(EventLog, { ...log, append: (batch) => written(log.append(batch)) }),
      Layer.succeed(L1Client, { ...l1, sendRaw: (raw) => sent(l1.sendRaw(raw)) })
    )
    return { layer, dead: Deferred.await(dead), steps: Effect.sync(() => steps) }
  })

describe("a manager that dies", () => {
  it("at any step posts nothing twice and loses nothing", () =>
    runtime.runPromise(
      Effect.gen(function* () {
        const strict = yield* placeCounter
        const loose = yield* placeLooseCounter
        let index = 0
        let reached = 0
        for (const when of ["before", "after"] as const) {
          for (let last = 1; last <= 8; last++) {
            const asked = [
              { id: `strict/${index}`, to: strict, data: word(index) },
              { id: `loose/${index}`, to: loose, data: "0x" }
            ] as const
            index++
            const all = (manager: TransactionManager["Type"]) =>
              Effect.forEach(asked, manager.request, { concurrency: "unbounded" })
            const dying = yield* dyingAt(last, when)
            yield* Effect.raceFirst(Effect.flatMap(TransactionManager, all), dying.dead).pipe(
              Effect.provide(TransactionManager.layer(quick).pipe(Layer.provide(dying.layer)))
            )
            reached = Math.max(reached, yield* dying.steps)
            const outcomes = yield* Effect.flatMap(TransactionManager, all).pipe(
              Effect.provide(TransactionManager.layer(quick))
            )
            assert.deepStrictEqual(
              outcomes.map(({ _tag }) => _tag),
              ["Confirmed", "Confirmed"]
            )
            assert.strictEqual(yield* countOf(strict), index)
            assert.strictEqual(yield* countOf(loose), index)
          }
        }
        assert.isTrue(reached >= 8)
      }).pipe(Effect.provide(EventLog.layerMemory))
    ))
})

describe("an L1 that is down for a while", () => {
  it("gets what was asked for meanwhile when it is back, and what its pool forgot", () =>
    runtime.runPromise(
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const manager = yield* TransactionManager
        const to = yield* placeLooseCounter
        yield* anvil.automine(false)
        yield* manager.submit({ id: "pooled", to, data: "0x" })
        yield* Effect.sleep("10 millis").pipe(
          Effect.repeat({
            until: () =>
              Effect.map(
                Effect.orDie(manager.status("pooled")),
                (found) => Option.getOrUndefined(found)?.pending?.nonce !== undefined
              )
          })
        )
        yield* anvil.stop
        const waiting = yield* Effect.fork(
          Effect.forEach(["pooled", "meanwhile"], (id) => manager.request({ id, to, data: "0x" }), {
            concurrency: "unbounded"
          })
        )
        yield* Effect.sleep("300 millis")
        // It forgot that it was told not to mine by itself.
        yield* anvil.start
        const outcomes = yield* Fiber.join(waiting)
        assert.deepStrictEqual(
          outcomes.map(({ _tag }) => _tag),
          ["Confirmed", "Confirmed"]
        )
        assert.strictEqual(yield* countOf(to), 2)
      }).pipe(
        Effect.provide(Layer.provideMerge(TransactionManager.layer(quick), EventLog.layerMemory))
      )
    ))
})
