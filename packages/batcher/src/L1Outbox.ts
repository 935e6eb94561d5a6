/** What the batcher and the proposer need of whoever sends to L1: each intent once, whatever crashes. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { Context, type Effect, Schema } from "effect"

export interface L1Intent {
  /** Names the intent for ever: what was included under it is not sent again. One that was rejected is. */
  readonly id: string
  readonly to: Address
  readonly data: Hex
  /** Wei. */
  readonly valueWei?: bigint
}

/** How it ended. A rejected intent was not carried out; the reason is L1's own. */
export type L1Outcome =
  | {
      readonly _tag: "Included"
      readonly transactionHash: Hash32
      readonly gasUsed: bigint
      readonly blockNumber: bigint
    }
  | { readonly _tag: "Rejected"; readonly reason: string }

/** Sending failed in a way that says nothing about the intent, which stays durable. Recover by asking again. */
export class SendingFailed extends Schema.TaggedError<SendingFailed>()("SendingFailed", {
  id: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected L1 to take ${this.id}, but it could not be sent: ${String(this.cause)}. It stays in the log and is tried again.`
  }
}

export class L1Outbox extends Context.Tag("@ovm/batcher/L1Outbox")<
  L1Outbox,
  {
    /** Makes the intent durable, sends it, and waits how it ends. */
    readonly carryOut: (intent: L1Intent) => Effect.Effect<L1Outcome, SendingFailed>
  }
>() {}
