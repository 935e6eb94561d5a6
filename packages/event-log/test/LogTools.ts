/** What tests of logs have in common. */
import { Chunk, Effect, type Layer, Stream } from "effect"
import type { NewEvent } from "../src/Event.ts"
import { EventLog } from "../src/EventLog.ts"
import type { OpenError } from "../src/LogError.ts"
import type { LogLimits } from "../src/LogLimits.ts"

export type MakeLayer = (limits?: Partial<LogLimits>) => Layer.Layer<EventLog, OpenError>

export const text = (payload: Uint8Array) => Buffer.from(payload).toString("utf8")

export const event = (
  payload: string,
  more: Omit<Partial<NewEvent>, "payload"> = {}
): NewEvent => ({
  type: "v1.Noted",
  payload: Buffer.from(payload),
  ...more
})

/** Appends one event for each payload, as one batch. */
export const append = (stream: string, expected: number | "any", ...payloads: Array<string>) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const [first = "", ...rest] = payloads
    return yield* log.append({
      stream,
      expected,
      events: [event(first), ...rest.map((p) => event(p))]
    })
  })

export const collect = <A, E>(stream: Stream.Stream<A, E>) =>
  Effect.map(Stream.runCollect(stream), Chunk.toArray)
