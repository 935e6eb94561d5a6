/** What came of running a case on one machine, in words that both machines share. */
import type { Log } from "@ovm/protocol/Execution"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { Schema } from "effect"
import type { WorldState } from "./WorldState.ts"

export interface Executed {
  readonly _tag: "Executed"
  readonly success: boolean
  /** What the outermost frame returned, or its revert data; empty after any other halt. */
  readonly returnData: Hex
  readonly contractAddress: Address | undefined
  readonly logs: ReadonlyArray<Log>
  readonly state: WorldState
  readonly sender: Address
  readonly gasUsed: bigint
  /** Wei that the sender paid for gas; set apart when two outcomes are compared. */
  readonly fee: bigint
  /** Wei of the fee that went to the coinbase. */
  readonly tip: bigint
  /** Wei the sender was given beforehand to afford a larger gas limit. */
  readonly topUp: bigint
  /** How the outermost frame ended, in the machine's own words. */
  readonly ending: string
}

/** The transaction was refused; nothing ran and nothing changed. */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly reason: string
  readonly state: WorldState
}

export type Outcome = Executed | Rejected

/** A machine broke down instead of giving an outcome. Recover by reporting it: it is a fault. */
export class MachineFault extends Schema.TaggedError<MachineFault>()("MachineFault", {
  machine: Schema.Literal("plain EVM", "OVM"),
  cause: Schema.Defect
}) {
  override get message() {
    const found = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `Expected the ${this.machine} to give an outcome, found a fault: ${found}`
  }
}
