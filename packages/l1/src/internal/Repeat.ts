/** Doing something for ever: at its pace while it works, less and less often while it does not. */
import { Duration, Effect, Random } from "effect"

const BACK_OFF_MIN_MS = 50

export const repeatWithBackOff = <A, E extends { readonly message: string }, R>(
  work: Effect.Effect<A, E, R>,
  options: {
    readonly name: string
    /** Between two rounds that went well. */
    readonly pause: Effect.Effect<unknown>
    readonly backOffMax: Duration.Duration
  }
): Effect.Effect<never, never, R> => {
  const backOffMaxMs = Duration.toMillis(options.backOffMax)
  const round = (failures: number): Effect.Effect<never, never, R> =>
    Effect.matchEffect(work, {
      onSuccess: () => Effect.as(options.pause, 0),
      onFailure: (error) =>
        Effect.gen(function* () {
          yield* Effect.logDebug(`${options.name}: ${error.message}`)
          const longest = Math.min(backOffMaxMs, BACK_OFF_MIN_MS * 2 ** Math.min(failures, 20))
          yield* Effect.sleep(yield* Random.nextRange(longest / 2, longest))
          return failures + 1
        })
    }).pipe(Effect.flatMap(round))
  return round(0)
}
