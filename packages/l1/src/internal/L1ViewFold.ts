/** Keeping the fold of stream "l1" at the log's head, and finding again what it no longer holds. */
import { EventLog, type EventLogService } from "@ovm/event-log/EventLog"
import type { L1Header, View, ViewError } from "../L1View.ts"
import { Effect, HashMap, Option, Stream } from "effect"
import * as L1View from "../L1View.ts"

/** The view with the events from behind `after` up to `until` taken in. */
const forward = (
  log: EventLogService,
  from: View,
  after: number,
  until: number
): Effect.Effect<View, ViewError> =>
  log.read({ stream: L1View.L1_STREAM, after, until }).pipe(
    Stream.mapEffect((stored) => L1View.l1EventTypes.decode(stored)),
    Stream.runFold(from, (view, { payload, position }) => L1View.apply(view, payload, position))
  )

export const makeL1View = Effect.gen(function* () {
  const log = yield* EventLog
  let newest = { view: L1View.empty, through: 0 }
  const catchUp = Effect.gen(function* () {
    const { position } = yield* log.head
    if (position <= newest.through) return newest.view
    const view = yield* forward(log, newest.view, newest.through, position)
    // Two fibers may catch up at once; the one that comes further counts.
    if (position > newest.through) newest = { view, through: position }
    return newest.view
  })
  yield* catchUp

  const viewAsOf = (position: number) =>
    Effect.suspend(() =>
      position >= newest.through
        ? forward(log, newest.view, newest.through, position)
        : forward(log, L1View.empty, 0, position)
    )

  const changes = (options: { readonly after?: number } = {}) => {
    const after = options.after ?? 0
    return Stream.unwrap(
      Effect.map(viewAsOf(after), (from) =>
        log.subscribe({ stream: L1View.L1_STREAM, after }).pipe(
          Stream.mapEffect((stored) => L1View.l1EventTypes.decode(stored)),
          Stream.mapAccum(from, (before, { payload: event, position }) => {
            const view = L1View.apply(before, event, position)
            return [view, { event, position, view }] as const
          })
        )
      )
    )
  }

  return L1View.L1View.of({
    view: catchUp,
    changes,
    viewAsOf,
    blockByNumber: (number) =>
      Effect.flatMap(catchUp, (view) => {
        const held = HashMap.get(view.headers, number)
        return Option.isSome(held) ? Effect.succeed(held) : oldBlock(log, view, number)
      }),
    payload: (index) =>
      Effect.flatMap(catchUp, (view) =>
        Option.match(L1View.batch(view, index), {
          onNone: () => Effect.succeedNone,
          onSome: ({ payload, position }) =>
            payload === undefined
              ? oldPayload(log, position, index)
              : Effect.succeed(Option.some(payload))
        })
      ),
    until: (is) =>
      Effect.gen(function* () {
        const now = yield* catchUp
        if (is(now)) return now
        const found = yield* changes({ after: now.position }).pipe(
          Stream.filter(({ view }) => is(view)),
          Stream.runHead
        )
        // The stream of changes never ends by itself.
        return Option.isSome(found) ? found.value.view : yield* Effect.never
      })
  })
})

/**
 * Reads a block that is older than the headers held: from the anchor before it, which is L1's, to
 * the anchor after it, which is L1's too, so that what is left between them is.
 */
const oldBlock = (
  log: EventLogService,
  view: View,
  number: bigint
): Effect.Effect<Option.Option<L1Header>, ViewError> => {
  const { first, head } = view
  if (first === undefined || head === undefined) return Effect.succeedNone
  if (number < first.number || number > head.number) return Effect.succeedNone
  const start = view.anchors.filter((anchor) => anchor.number <= number).at(-1)?.position ?? 1
  const end = view.anchors.find((anchor) => anchor.number > number)?.position ?? view.position
  return log.read({ stream: L1View.L1_STREAM, after: start - 1, until: end }).pipe(
    Stream.mapEffect((stored) => L1View.l1EventTypes.decode(stored)),
    Stream.runFold(Option.none<L1Header>(), (found, { payload: event }) => {
      if (event._tag === "v1.L1Reorganized") {
        return Option.filter(found, (block) => block.number <= event.commonNumber)
      }
      if (event._tag !== "v1.L1BlocksObserved") return found
      const block = event.blocks.find((candidate) => candidate.number === number)
      if (block === undefined) return found
      const { hash, parentHash, timestamp } = block
      return Option.some({ number, hash, parentHash, timestamp })
    })
  )
}

const oldPayload = (
  log: EventLogService,
  position: number,
  index: bigint
): Effect.Effect<Option.Option<Uint8Array>, ViewError> =>
  Effect.gen(function* () {
    const { events } = yield* log.page({ after: position - 1, until: position, limit: 1 })
    const [stored] = events
    if (stored === undefined) return Option.none()
    const { payload: event } = yield* L1View.l1EventTypes.decode(stored)
    if (event._tag !== "v1.L1BlocksObserved") return Option.none()
    for (const said of event.blocks.flatMap(({ events }) => events)) {
      if (said._tag === "BatchAppended" && said.record.index === index) {
        return Option.some(said.payload)
      }
    }
    return Option.none()
  })
