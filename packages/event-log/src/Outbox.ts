/**
 * Effects on the outside world, done once for each intent in the log, whatever crashes in between.
 *
 * The intent is an event, appended with the facts it follows from. The outbox performs it and
 * appends the outcome. Whenever it can't know whether an earlier attempt got through (after a
 * restart, after an error) it looks the result up before it performs anything again.
 */
import { Effect, Option, type Schedule } from "effect"
import {
  type CheckpointMismatch,
  type Checkpoints,
  type CheckpointUnavailable,
  follow
} from "./Checkpoint.ts"
import type { ValueUnencodable } from "./Codec.ts"
import type { Event } from "./Event.ts"
import { EventLog } from "./EventLog.ts"
import type { EventTypes, EventUndecodable } from "./EventTypes.ts"
import type { AppendError } from "./LogError.ts"
import type { Tagged } from "./Upcaster.ts"

export interface Outbox<A extends Tagged, Request, Result, E, R> {
  readonly name: string
  readonly types: EventTypes<A>
  /** What an event asks to be done, if it is an intent. */
  readonly intent: (event: Event<A>) => Option.Option<Request>
  /** The result of an earlier attempt at this request, if the outside world shows one. */
  readonly lookUp: (
    request: Request,
    intent: Event<A>
  ) => Effect.Effect<Option.Option<Result>, E, R>
  /** Does it. `intent.id` is the same in every attempt. */
  readonly perform: (request: Request, intent: Event<A>) => Effect.Effect<Result, E, R>
  /** The event that tells of the result; it is appended to the intent's stream. */
  readonly outcome: (result: Result, request: Request, intent: Event<A>) => A
  /**
   * When to try again after an error; each further attempt looks the result up first. Default: not
   * at all.
   */
  readonly retry?: Schedule.Schedule<unknown, E>
}

export type OutboxError =
  | AppendError
  | EventUndecodable
  | ValueUnencodable
  | CheckpointMismatch
  | CheckpointUnavailable

/**
 * Performs every intent that has no outcome yet, in the order of the log, then every further one,
 * for ever.
 */
export const run = <A extends Tagged, Request, Result, E, R>(
  outbox: Outbox<A, Request, Result, E, R>
): Effect.Effect<never, E | OutboxError, R | EventLog | Checkpoints> =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const { position: startedAt } = yield* log.head
    const settle = (stored: Event) =>
      Effect.gen(function* () {
        const intent = yield* outbox.types.decode(stored)
        const request = outbox.intent(intent)
        if (Option.isNone(request)) return
        const id = outcomeId(outbox.name, intent)
        if (Option.isSome(yield* log.find(id))) return
        // An intent that was there before this run may have been performed by an earlier one.
        const result = yield* attempt(outbox, request.value, intent, intent.position <= startedAt)
        const [outcome] = yield* outbox.types.encode(
          [outbox.outcome(result, request.value, intent)],
          {
            id,
            causationId: intent.id,
            correlationId: intent.correlationId
          }
        )
        if (outcome === undefined) return
        yield* log.append({ stream: intent.stream, expected: "any", events: [outcome] })
      })
    return yield* follow({
      name: `outbox ${outbox.name}`,
      query: { types: [...outbox.types.types] },
      handle: (events) => Effect.forEach(events, settle, { discard: true })
    })
  })

const attempt = <A extends Tagged, Request, Result, E, R>(
  outbox: Outbox<A, Request, Result, E, R>,
  request: Request,
  intent: Event<A>,
  mayBeDone: boolean
): Effect.Effect<Result, E, R> => {
  let lookFirst = mayBeDone
  const once = Effect.suspend(() => {
    const done = lookFirst ? outbox.lookUp(request, intent) : Effect.succeedNone
    lookFirst = true
    return Effect.flatMap(
      done,
      Option.match({ onNone: () => outbox.perform(request, intent), onSome: Effect.succeed })
    )
  })
  return outbox.retry === undefined ? once : Effect.retry(once, outbox.retry)
}

/**
 * The outcome's own id: it tells that the intent is settled, and keeps a second outcome out of the
 * log.
 */
const outcomeId = (name: string, intent: Event<unknown>): string =>
  `outbox/${name}/${intent.position}`
