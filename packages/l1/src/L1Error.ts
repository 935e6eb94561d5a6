/** What can go wrong between us and an L1 node, as values. */
import { Schema } from "effect"
import { Hex } from "@ovm/protocol/Primitives"

/** L1 gave no answer in time, and further attempts gave none either. Recover by trying again later. */
export class L1Unavailable extends Schema.TaggedError<L1Unavailable>()("L1Unavailable", {
  method: Schema.String,
  attempts: Schema.NonNegativeInt,
  reason: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `Expected L1 to answer ${this.method}, found ${this.reason} after ${this.attempts} attempts. Try again later.`
  }
}

/** L1 answered that it will not. Recover as the reason says; the same request gets the same answer. */
export class L1RequestRejected extends Schema.TaggedError<L1RequestRejected>()(
  "L1RequestRejected",
  {
    method: Schema.String,
    /** The JSON-RPC error code. */
    code: Schema.Number,
    /** The node's own words. */
    reason: Schema.String,
    /** What a call reverted with, if that is why. */
    data: Schema.optionalWith(Hex, { exact: true })
  }
) {
  override get message() {
    return `Expected L1 to carry out ${this.method}, but it answered: ${this.reason} (code ${this.code}).`
  }

  /** Whether the call was run and reverted, as opposed to not having been run. */
  get isRevert(): boolean {
    return this.code === 3 || this.data !== undefined || /revert/i.test(this.reason)
  }
}

/** L1's answer is not what the method gives. Recover by asking another node. */
export class L1AnswerMalformed extends Schema.TaggedError<L1AnswerMalformed>()(
  "L1AnswerMalformed",
  { method: Schema.String, issue: Schema.String }
) {
  override get message() {
    return `Expected a well-formed answer to ${this.method}, but ${this.issue}. Ask another node.`
  }
}

/** The node is one of another chain. Recover by giving another URL or another chain id. */
export class L1ChainMismatch extends Schema.TaggedError<L1ChainMismatch>()("L1ChainMismatch", {
  expected: Schema.BigIntFromSelf,
  found: Schema.BigIntFromSelf
}) {
  override get message() {
    return `Expected an L1 node of chain ${this.expected}, found one of chain ${this.found}. Give another URL, or another chain id.`
  }
}

/** No key of this account was given. Recover by giving its key to the L1 client's layer. */
export class L1SignerMissing extends Schema.TaggedError<L1SignerMissing>()("L1SignerMissing", {
  account: Schema.String
}) {
  override get message() {
    return `Expected the key of ${this.account} to be known, found none. Give it to the L1 client's layer.`
  }
}

/** Why a request to L1 has no result. */
export type L1Error = L1Unavailable | L1RequestRejected | L1AnswerMalformed
