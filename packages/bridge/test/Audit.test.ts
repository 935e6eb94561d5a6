/** The books of both layers: what must add up, and what is said when it doesn't. */
import { describe, expect, it } from "@effect/vitest"
import { ETH_CAP } from "@ovm/protocol/Predeploys"
import { Effect, FastCheck as fc } from "effect"
import { check, type SupplyFacts } from "../src/Audit.ts"

const wei = fc.bigInt({ min: 0n, max: 10n ** 24n })
const amounts = fc.record({
  ...{ circulating: wei, deposits: wei, withdrawals: wei, failed: wei, surplus: wei }
})

const factsOf = (
  a: Readonly<Record<"circulating" | "deposits" | "withdrawals" | "failed" | "surplus", bigint>>
): SupplyFacts => ({
  ...{ l2CirculatingWei: a.circulating, l2ReserveWei: ETH_CAP - a.circulating },
  l1BridgeWei: a.circulating + a.deposits + a.withdrawals + a.failed + a.surplus,
  ...{ pendingDepositsWei: a.deposits, pendingWithdrawalsWei: a.withdrawals },
  failedWithdrawalsWei: a.failed
})

describe("the audit", () => {
  it.effect.prop(
    "holds if the bridge has what is on L2 and under way, and tells what it has beyond",
    { a: amounts },
    ({ a }) =>
      Effect.gen(function* () {
        expect(yield* check(factsOf(a))).toEqual({
          requiredWei: a.circulating + a.deposits + a.withdrawals + a.failed,
          surplusWei: a.surplus
        })
      }),
    { fastCheck: { numRuns: 100 } }
  )

  it.effect.prop(
    "names both sums if a single wei is missing",
    { a: amounts, missing: fc.bigInt({ min: 1n, max: 10n ** 18n }) },
    ({ a, missing }) =>
      Effect.gen(function* () {
        const facts = factsOf({ ...a, circulating: a.circulating + missing, surplus: 0n })
        const actualWei = facts.l1BridgeWei - missing
        const violation = yield* Effect.flip(check({ ...facts, l1BridgeWei: actualWei }))
        expect(violation).toMatchObject({
          ...{ _tag: "SupplyViolation", expectedWei: facts.l1BridgeWei, actualWei }
        })
        expect(violation.message).toContain(String(actualWei))
      }),
    { fastCheck: { numRuns: 50 } }
  )

  it.effect("finds ETH that appeared or vanished on L2", () =>
    Effect.gen(function* () {
      const facts = factsOf({
        circulating: 5n,
        deposits: 0n,
        withdrawals: 0n,
        failed: 0n,
        surplus: 0n
      })
      for (const l2ReserveWei of [facts.l2ReserveWei + 1n, facts.l2ReserveWei - 1n]) {
        const violation = yield* Effect.flip(check({ ...facts, l2ReserveWei }))
        expect(violation).toMatchObject({
          ...{ _tag: "CapViolation", expectedWei: ETH_CAP, actualWei: l2ReserveWei + 5n }
        })
      }
    })
  )
})
