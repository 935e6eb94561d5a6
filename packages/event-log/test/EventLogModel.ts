/** A part of the suite: the log next to a plain list of events. */
import { expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as fc from "fast-check"
import { EventLog } from "../src/EventLog.ts"
import { append, collect, type MakeLayer, text } from "./LogTools.ts"

export const modelling = (makeLayer: MakeLayer): void => {
  const command = fc.record({
    stream: fc.constantFrom("a", "b", "c"),
    /** How far the writer's idea of the version is off. */
    stale: fc.constantFrom(0, 0, 0, 1, -1),
    payloads: fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 5 })
  })

  it.effect("behaves as a plain list of events does, whatever is appended", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 25 }), (commands) =>
          Effect.gen(function* () {
            const log = yield* EventLog
            const model: Array<{ stream: string; version: number; payload: string }> = []
            for (const { payloads, stale, stream } of commands) {
              const version = model.filter((e) => e.stream === stream).length
              const expected = Math.max(0, version + stale)
              const exit = yield* Effect.exit(append(stream, expected, ...payloads))
              expect(Exit.isSuccess(exit)).toBe(expected === version)
              if (expected !== version) continue
              for (const [index, payload] of payloads.entries()) {
                model.push({ stream, version: version + index + 1, payload })
              }
            }
            const stored = yield* collect(log.read())
            expect(
              stored.map((e) => ({
                stream: e.stream,
                version: e.version,
                payload: text(e.payload)
              }))
            ).toEqual(model)
            expect((yield* log.verify).position).toBe(model.length)
          }).pipe(Effect.provide(makeLayer()), Effect.runPromise)
        ),
        { numRuns: 25 }
      )
    )
  )
}
