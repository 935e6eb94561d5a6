/** Shows what is being waited for, on a terminal, and how long it took. */
import { Output } from "@ovm/example-uniswap/Output"
import { Clock, Effect } from "effect"

/** Runs an effect that may take a while under a line that says so. */
export const waiting = <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Output> =>
  Effect.gen(function* () {
    const { paint, say } = yield* Output
    const startedMs = yield* Clock.currentTimeMillis
    yield* say(`  ${paint("dim", "…")} ${paint("dim", what)}`)
    const value = yield* effect
    const seconds = ((yield* Clock.currentTimeMillis) - startedMs) / 1_000
    yield* say(
      `  ${paint("green", "✓")} ${what.padEnd(46)} ${paint("dim", `${seconds.toFixed(1)} s`)}`
    )
    return value
  })
