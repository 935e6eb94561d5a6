/** Whatever people do, in whatever order: all ETH stays accounted for on both layers, to the wei. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { SeededRandom } from "../../testing/src/internal/SeededRandom.ts"
import { act, bringBack, finalize, GHOST, isExplained, type Players } from "./support/Actions.ts"
import { balanced } from "./support/Books.ts"
import { claimAll, eachOnce, oneChain, settle } from "./support/Checks.ts"
import { layerSequencer, layerVerifier, makeWorld, start, until } from "./support/World.ts"

const STEPS = 40

describe("the supply of ETH", () => {
  it.scopedLive.each([1, 2, 3])(
    "adds up after every step of story %i, and everything comes to its end",
    (seed) =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ parameters: { challengePeriodSeconds: 600 } })
        const sequencer = yield* start(layerSequencer(world))
        const verifier = yield* start(layerVerifier(world))
        const players: Players = { world, sequencer, verifier, acknowledged: [] }
        const random = new SeededRandom(seed)
        const refusals: Array<string> = []
        for (let step = 0; step < STEPS; step++) {
          const done = yield* Effect.either(act(players, random))
          if (Either.isLeft(done)) refusals.push(done.left.message)
          yield* balanced(world, sequencer, [GHOST])
        }
        const unexplained = refusals.filter((message) => !isExplained(message))
        expect(unexplained).toEqual([])

        yield* bringBack(players)
        yield* settle(world, sequencer, verifier)
        yield* claimAll(verifier)
        yield* finalize(players)
        yield* oneChain(world, sequencer, verifier)
        yield* eachOnce(sequencer, players.acknowledged)
        const facts = yield* until(
          "every withdrawal done",
          balanced(world, sequencer, [GHOST]),
          ({ pendingWithdrawalsWei }) => pendingWithdrawalsWei === 0n
        )
        expect(facts.l2CirculatingWei).toBeGreaterThan(0n)
        expect(facts.pendingDepositsWei).toBe(0n)
      }),
    120_000
  )
})
