/** The watcher at work: when it asks, how it bears failures, and what it tells of itself. */
import { EventLog } from "@ovm/event-log/EventLog"
import { Clock, Duration, Effect, type Scope, SubscriptionRef } from "effect"
import { L1Client } from "../L1Client.ts"
import { L1ChainMismatch } from "../L1Error.ts"
import { L1View } from "../L1View.ts"
import { L1Watcher, type WatcherOptions, type WatcherStatus } from "../L1Watcher.ts"
import { repeatWithBackOff } from "./Repeat.ts"
import { bringUpToDate } from "./WatcherPoll.ts"

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
        repeatWithBackOff(poll, {
          name: "L1 watcher",
          pause: Effect.sleep(every),
          backOffMax: Duration.decode(backOffMax)
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
