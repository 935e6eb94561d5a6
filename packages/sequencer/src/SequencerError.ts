/** What can go wrong between the sequencer and its log. */
import type { ValueUnencodable } from "@ovm/event-log/Codec"
import type { AppendError } from "@ovm/event-log/LogError"
import type { ExecutionFault } from "@ovm/execution-manager/ExecutionError"
import type { StateError } from "@ovm/state-manager/State"
import { Hash32 } from "@ovm/protocol/Primitives"
import { Schema } from "effect"
import type { ReplayError } from "./ChainReplay.ts"
import type { L1Lagging, L1SourceFailed } from "./L1Source.ts"

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

/** Blocks can't be adopted behind one that is not the chain's. Recover by asking for the chain again. */
export class ParentMoved extends Schema.TaggedError<ParentMoved>()("ParentMoved", {
  number: Schema.NonNegativeBigInt,
  expected: Hash32,
  /** Undefined if the chain is not that long. */
  found: Schema.UndefinedOr(Hash32)
}) {
  override get message() {
    return `Expected block ${this.number} of the chain to be ${this.expected}, found ${this.found ?? "none"}. Ask for the chain's blocks again and go on from those.`
  }
}

/** Why a block could not be built or written. Nothing was written, the transactions wait on. */
export type WriteError = ExecutionFault | StateError | AppendError | ValueUnencodable

/** Why a block could not be sealed. Nothing was written, the transactions wait on. */
export type SealError = WriteError | L1Lagging | L1SourceFailed

export type StartError = ReplayError | WriteError | GenesisMismatch
