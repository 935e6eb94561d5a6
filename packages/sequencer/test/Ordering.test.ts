import { assert, describe, it } from "@effect/vitest"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import * as Genesis from "@ovm/protocol/Genesis"
import { effectiveTip } from "@ovm/protocol/Transaction"
import { Effect } from "effect"
import * as fc from "fast-check"
import { layerByArrival, layerByFee, merge, Ordering } from "../src/Ordering.ts"
import { pooled, senderOf } from "./arbitraries.ts"

const context: BlockContext = Genesis.context(Genesis.make({ chainId: 420n, baseFeePerGas: 10n }))

const candidates = (queues: ReadonlyArray<ReadonlyArray<number>>) => {
  let arrival = 0
  return new Map(
    queues
      .map((tips, index) => {
        const sender = senderOf(index)
        const queue = tips.map((tip, nonce) => pooled(arrival++, { sender, nonce, tip }))
        return [sender, queue] as const
      })
      .filter(([, queue]) => queue.length > 0)
  )
}

const queues = fc.array(fc.array(fc.nat(30), { maxLength: 6 }), { maxLength: 8 })

describe("Ordering", () => {
  it("takes each candidate once and never breaks a sender's nonce order", () => {
    fc.assert(
      fc.property(queues, (tips) => {
        const given = candidates(tips)
        const ordered = merge(given, (left, right) => left.arrival > right.arrival)
        assert.lengthOf(ordered, tips.flat().length)
        for (const [sender, queue] of given) {
          assert.deepStrictEqual(
            ordered.filter((transaction) => transaction.sender === sender),
            [...queue]
          )
        }
      }),
      { numRuns: 100 }
    )
  })

  it.effect("takes the highest tip among those whose turn it is", () =>
    Effect.gen(function* () {
      const { order } = yield* Ordering
      const given = candidates([[5, 50], [7, 1], [6]])
      const ordered = yield* order({ candidates: given, context })
      const tips = ordered.map(({ transaction }) => Number(effectiveTip(transaction, 10n)))
      assert.deepStrictEqual(tips, [7, 6, 5, 50, 1])
    }).pipe(Effect.provide(layerByFee))
  )

  it.effect("serves equal tips in order of arrival", () =>
    Effect.gen(function* () {
      const { order } = yield* Ordering
      const given = candidates([[5], [5], [5]])
      const ordered = yield* order({ candidates: given, context })
      assert.deepStrictEqual(
        ordered.map(({ arrival }) => arrival),
        [0, 1, 2]
      )
    }).pipe(Effect.provide(layerByFee))
  )

  it.effect("can serve first come, first served instead", () =>
    Effect.gen(function* () {
      const { order } = yield* Ordering
      const ordered = yield* order({ candidates: candidates([[1, 9], [30]]), context })
      assert.deepStrictEqual(
        ordered.map(({ arrival }) => arrival),
        [0, 1, 2]
      )
    }).pipe(Effect.provide(layerByArrival))
  )
})
