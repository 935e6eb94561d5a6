/** What can go wrong between the sequencer and its log. */
import type { ValueUnencodable } from "@ovm/event-log/Codec"
import type { AppendError } from "@ovm/event-log/LogError"
import type { ExecutionFault } from "@ovm/execution-manager/ExecutionError"
import type { StateError } from "@ovm/state-manager/State"
import { Schema } from "effect"
import type { ReplayError } from "./ChainReplay.ts"

/** The log holds another chain. Recover by giving that chain's genesis, or another log. */
export class GenesisMismatch extends Schema.TaggedError<GenesisMismatch>()("GenesisMismatch", {
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected the log to hold the chain with genesis block ${this.expected}, found ${this.found}. Give the genesis the chain was started with, or another log.`
  }
}

/** There is no such block (yet). Recover by asking for one up to the head. */
export class BlockUnknown extends Schema.TaggedError<BlockUnknown>()("BlockUnknown", {
  number: Schema.NonNegativeBigInt,
  head: Schema.NonNegativeBigInt
}) {
  override get message() {
    return `Expected a block number up to ${this.head}, found ${this.number}.`
  }
}

/** Why a block could not be sealed. Nothing was written, the transactions wait on. */
export type SealError = ExecutionFault | StateError | AppendError | ValueUnencodable

export type StartError = ReplayError | SealError | GenesisMismatch
