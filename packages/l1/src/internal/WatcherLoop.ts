/** The watcher at work: when it asks, how it bears failures, and what it tells of itself. */
import { EventLog } from "@ovm/event-log/EventLog"
import { Clock, Duration, Effect, Random, type Scope, SubscriptionRef } from "effect"
import { L1Client } from "../L1Client.ts"
import { L1ChainMismatch } from "../L1Error.ts"
import { L1View } from "../L1View.ts"
import { L1Watcher, type WatcherOptions, type WatcherStatus } from "../L1Watcher.ts"
import { bringUpToDate } from "./WatcherPoll.ts"

const BACK_OFF_MIN_MS = 50

export const makeWatcher = (
  options: WatcherOptions
): Effect.Effect<L1Watcher["Type"], L1ChainMismatch, L1Client | EventLog | L1View | Scope.Scope> =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    const log = yield* EventLog
    const view = yield* L1View
    const { l1ChainId } = options.deployment
    if (l1.chainId !== l1ChainId) {
      return yield* new L1ChainMismatch({ expected: l1ChainId, found: l1.chainId })
    }
    const status = yield* SubscriptionRef.make<WatcherStatus>({
      phase: "started",
      head: undefined,
      l1HeadNumber: undefined,
      caughtUpAtMs: yield* Clock.currentTimeMillis,
      error: undefined
    })
    const tell = (change: Partial<WatcherStatus>) =>
      SubscriptionRef.update(status, (before) => ({ ...before, ...change }))

    const alone = (yield* Effect.makeSemaphore(1)).withPermits(1)
    const poll = Effect.gen(function* () {
      // The time before asking: what L1 said is at least as new as this.
      const caughtUpAtMs = yield* Clock.currentTimeMillis
      const polled = yield* bringUpToDate({ l1, log, view, options, tell })
      yield* tell({ phase: "following", head: polled.head, caughtUpAtMs, error: undefined })
      return polled
    }).pipe(
      Effect.tapError((error) => tell({ phase: "failing", error })),
      Effect.withSpan("L1Watcher.poll"),
      alone
    )

    const { backOffMax = "15 seconds", every = "1 second" } = options
    if (every !== "manual") {
      yield* Effect.forkScoped(
        forEver(poll, {
          everyMs: Duration.toMillis(every),
          backOffMaxMs: Duration.toMillis(backOffMax)
        })
      )
    }
    return L1Watcher.of({
      poll,
      status: status.get,
      statuses: status.changes,
      lagSeconds: Effect.zipWith(
        Clock.currentTimeMillis,
        status.get,
        (now, { caughtUpAtMs }) => Math.max(0, now - caughtUpAtMs) / 1000
      )
    })
  })

/** Asks at intervals; after failures less and less often, so that a node in trouble is left in peace. */
const forEver = <A, E extends { readonly message: string }>(
  poll: Effect.Effect<A, E>,
  { backOffMaxMs, everyMs }: { readonly everyMs: number; readonly backOffMaxMs: number }
): Effect.Effect<never> => {
  const round = (failures: number): Effect.Effect<never> =>
    Effect.matchEffect(poll, {
      onSuccess: () => Effect.as(Effect.sleep(everyMs), 0),
      onFailure: (error) =>
        Effect.gen(function* () {
          yield* Effect.logDebug(`L1 watcher: ${error.message}`)
          const longest = Math.min(backOffMaxMs, BACK_OFF_MIN_MS * 2 ** Math.min(failures, 20))
          yield* Effect.sleep(yield* Random.nextRange(longest / 2, longest))
          return failures + 1
        })
    }).pipe(Effect.flatMap(round))
  return round(0)
}
