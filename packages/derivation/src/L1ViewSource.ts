/** Tells the sequencer of L1 what was seen of it and is deep enough. */
import * as L1View from "@ovm/l1/L1View"
import { L1Source, L1SourceFailed } from "@ovm/sequencer/L1Source"
import { Clock, Effect, Layer, Option, Stream } from "effect"

export interface L1SourceOptions {
  /**
   * L1 blocks on top of the origin at least. 0 follows L1's head, and rolls back when L1 does; more waits
   * longer for deposits. Default 1.
   */
  readonly confirmations?: bigint
}

/** The sequencer's L1, out of the log's view of it. */
export const layer = (options: L1SourceOptions = {}): Layer.Layer<L1Source, never, L1View.L1View> =>
  Layer.effect(
    L1Source,
    Effect.gen(function* () {
      const confirmations = options.confirmations ?? 1n
      const l1 = yield* L1View.L1View
      const view = Effect.mapError(l1.view, (cause) => new L1SourceFailed({ cause }))
      return L1Source.of({
        origin: Effect.map(view, (now) =>
          now.head === undefined
            ? Option.none()
            : L1View.blockByNumber(now, now.head.number - confirmations)
        ),
        queue: ({ from, limit, upTo }) =>
          Effect.map(view, (now) => {
            const entries = L1View.queueEntries(now, from, from + BigInt(limit))
            const late = entries.findIndex(({ l1BlockNumber }) => l1BlockNumber > upTo)
            return late < 0 ? entries : entries.slice(0, late)
          }),
        lagSeconds: Effect.gen(function* () {
          const { head } = yield* view
          const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
          return Math.max(0, now - Number(head?.timestamp ?? 0n))
        }),
        changes: Stream.unwrap(
          Effect.map(l1.view, ({ position }) => l1.changes({ after: position }))
        ).pipe(
          Stream.map(() => undefined),
          Stream.mapError((cause) => new L1SourceFailed({ cause }))
        )
      })
    })
  )
