/** Whether all ETH is where it should be: on L2, in the bridge, or on its way between them. */
import { Effect, Schema } from "effect"
import { ETH_CAP } from "@ovm/protocol/Predeploys"

const Wei = Schema.NonNegativeBigInt

/** What both layers hold, seen from one L2 block and one L1 block that knows of no later ones. */
export const SupplyFacts = Schema.Struct({
  /** Sum of all L2 balances, the reserve's left out. */
  l2CirculatingWei: Wei,
  /** Balance of the message passer. */
  l2ReserveWei: Wei,
  /** Balance of the L1 bridge. */
  l1BridgeWei: Wei,
  /** Deposits that L1 took and L2 has not run. */
  pendingDepositsWei: Wei,
  /** Withdrawals that L2 sent and L1 has not finalized. */
  pendingWithdrawalsWei: Wei,
  /** Withdrawals that are done on L1, but whose call failed: their value stays in the bridge. */
  failedWithdrawalsWei: Wei
})
export type SupplyFacts = typeof SupplyFacts.Type

/** ETH appeared on L2, or vanished: no transaction does that. Replay the log to the first block that differs. */
export class CapViolation extends Schema.TaggedError<CapViolation>()("CapViolation", {
  expectedWei: Wei,
  actualWei: Wei,
  facts: SupplyFacts
}) {
  override get message() {
    return (
      `Expected L2 and its reserve to hold ${this.expectedWei} wei together, found ${this.actualWei} ` +
      `(${this.facts.l2CirculatingWei} on L2, ${this.facts.l2ReserveWei} in the reserve).`
    )
  }
}

/** The bridge can't pay all that it owes. Compare deposits and withdrawals one by one, oldest first. */
export class SupplyViolation extends Schema.TaggedError<SupplyViolation>()("SupplyViolation", {
  expectedWei: Wei,
  actualWei: Wei,
  facts: SupplyFacts
}) {
  override get message() {
    const { failedWithdrawalsWei, l2CirculatingWei, pendingDepositsWei, pendingWithdrawalsWei } =
      this.facts
    return (
      `Expected the L1 bridge to hold ${this.expectedWei} wei (${l2CirculatingWei} on L2, ` +
      `${pendingWithdrawalsWei} of withdrawals and ${pendingDepositsWei} of deposits under way, ` +
      `${failedWithdrawalsWei} of failed withdrawals), found ${this.actualWei}.`
    )
  }
}

export interface SupplyHolds {
  /** What the bridge must hold. */
  readonly requiredWei: bigint
  /**
   * What it holds beyond that: ETH that was forced on it (a destroyed contract, a block reward), or
   * that somebody on L2 sent to the reserve without a withdrawal. It belongs to nobody.
   */
  readonly surplusWei: bigint
}

/** Checks both conservation laws, and answers what is left over. */
export const check = (
  facts: SupplyFacts
): Effect.Effect<SupplyHolds, CapViolation | SupplyViolation> => {
  const total = facts.l2CirculatingWei + facts.l2ReserveWei
  if (total !== ETH_CAP) {
    return Effect.fail(new CapViolation({ expectedWei: ETH_CAP, actualWei: total, facts }))
  }
  const requiredWei =
    facts.l2CirculatingWei +
    facts.pendingDepositsWei +
    facts.pendingWithdrawalsWei +
    facts.failedWithdrawalsWei
  if (facts.l1BridgeWei < requiredWei) {
    const actualWei = facts.l1BridgeWei
    return Effect.fail(new SupplyViolation({ expectedWei: requiredWei, actualWei, facts }))
  }
  return Effect.succeed({ requiredWei, surplusWei: facts.l1BridgeWei - requiredWei })
}
