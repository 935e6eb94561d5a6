/**
 * The rules by which L1 transactions are sent once, as a machine: what was asked for, what may be on
 * L1 because of it, and what that came to. Nothing leaves before the log knows its hash.
 */
import * as Machine from "@ovm/event-log/Machine"
import { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { type Either, Schema } from "effect"
import { decide, evolve } from "./internal/TransactionMachine.ts"

const Uint = Schema.NonNegativeBigIntFromSelf
const Nonce = Schema.NonNegativeInt

/** What is to be sent, under an id of the caller's. */
export const Request = Schema.Struct({
  /** Up to 200 characters, none of them an "@". */
  id: Schema.String.pipe(Schema.pattern(/^[^@]{1,200}$/)),
  from: Address,
  to: Address,
  data: Hex,
  valueWei: Uint,
  /** Gas limit; undefined: estimated when it is sent. */
  gas: Schema.UndefinedOr(Uint)
})
export type Request = typeof Request.Type

/** A signed transaction that may be on its way. */
export const Attempt = Schema.Struct({
  hash: Hash32,
  gas: Uint,
  maxFeePerGasWei: Uint,
  maxPriorityFeePerGasWei: Uint,
  /** Empty and to oneself: takes the nonce, so that those after it can go on. */
  isCancellation: Schema.Boolean,
  /** Milliseconds since the Unix epoch. */
  sentAtMs: Schema.NonNegativeInt
})
export type Attempt = typeof Attempt.Type

/** Where on L1 a transaction stands. */
export const Inclusion = Schema.Struct({
  hash: Hash32,
  blockNumber: Uint,
  blockHash: Hash32,
  gasUsed: Uint,
  succeeded: Schema.Boolean
})
export type Inclusion = typeof Inclusion.Type

/** How a request ended. */
export const Outcome = Schema.Union(
  /** It is on L1, as deep as was asked, and did what it should. */
  Schema.TaggedStruct("Confirmed", { inclusion: Inclusion }),
  /** It is on L1 and reverted. */
  Schema.TaggedStruct("Reverted", { inclusion: Inclusion }),
  /** It was not carried out, because it would revert or can't be carried out at all. */
  Schema.TaggedStruct("Refused", {
    reason: Schema.String,
    /** What the call reverts with, for the caller to decode. */
    data: Schema.UndefinedOr(Hex)
  })
)
export type Outcome = typeof Outcome.Type

const id = Schema.String

export class TransactionRequested extends Schema.TaggedClass<TransactionRequested>()(
  "v1.L1TransactionRequested",
  Request.fields
) {}
/** Signed, and about to be handed over: from here on it may be on L1. */
export class TransactionSent extends Schema.TaggedClass<TransactionSent>()("v1.L1TransactionSent", {
  id,
  nonce: Nonce,
  attempt: Attempt
}) {}
/** Signed anew with the same nonce and higher fees; whichever is included, the other can't be. */
export class TransactionReplaced extends Schema.TaggedClass<TransactionReplaced>()(
  "v1.L1TransactionReplaced",
  { id, attempt: Attempt, reason: Schema.String, data: Schema.UndefinedOr(Hex) }
) {}
/** The fees that it takes now are above what we pay: waiting. */
export class FeeCapMet extends Schema.TaggedClass<FeeCapMet>()("v1.L1FeeCapMet", {
  id,
  neededWei: Uint,
  capWei: Uint
}) {}
export class TransactionIncluded extends Schema.TaggedClass<TransactionIncluded>()(
  "v1.L1TransactionIncluded",
  { id, inclusion: Inclusion }
) {}
/** An L1 reorg took it out again; it is handed over again, with the same nonce. */
export class TransactionReorganized extends Schema.TaggedClass<TransactionReorganized>()(
  "v1.L1TransactionReorganized",
  { id, hash: Hash32, blockNumber: Uint, blockHash: Hash32 }
) {}
/** Its nonce is used on L1, but by no transaction of ours. */
export class NonceTakenOutside extends Schema.TaggedClass<NonceTakenOutside>()(
  "v1.L1NonceTakenOutside",
  { id, nonce: Nonce, seenAtBlock: Uint }
) {}
/** A reorg gave the nonce back. */
export class NonceFreed extends Schema.TaggedClass<NonceFreed>()("v1.L1NonceFreed", {
  id,
  nonce: Nonce
}) {}
/** What took the nonce is final: nothing we signed for it can ever be included. It gets another. */
export class TransactionSuperseded extends Schema.TaggedClass<TransactionSuperseded>()(
  "v1.L1TransactionSuperseded",
  { id, nonce: Nonce }
) {}
/** It ended well, as far as the asked confirmations tell. */
export class TransactionConfirmed extends Schema.TaggedClass<TransactionConfirmed>()(
  "v1.L1TransactionConfirmed",
  { id, outcome: Outcome }
) {}
/** It ended otherwise. */
export class TransactionFailed extends Schema.TaggedClass<TransactionFailed>()(
  "v1.L1TransactionFailed",
  { id, outcome: Outcome }
) {}
/** Too deep to be undone: no longer looked at. */
export class TransactionFinalized extends Schema.TaggedClass<TransactionFinalized>()(
  "v1.L1TransactionFinalized",
  { id, outcome: Outcome }
) {}

export const TransactionEvent = Schema.Union(
  TransactionRequested,
  TransactionSent,
  TransactionReplaced,
  FeeCapMet,
  TransactionIncluded,
  TransactionReorganized,
  NonceTakenOutside,
  NonceFreed,
  TransactionSuperseded,
  TransactionConfirmed,
  TransactionFailed,
  TransactionFinalized
)
export type TransactionEvent = typeof TransactionEvent.Type

/** A request that is not final yet. */
export const Pending = Schema.Struct({
  request: Request,
  /** The nonce that it holds; undefined while it has none. */
  nonce: Schema.UndefinedOr(Nonce),
  /** All that was signed for that nonce, oldest first. */
  attempts: Schema.Array(Attempt),
  inclusion: Schema.UndefinedOr(Inclusion),
  takenOutsideAt: Schema.UndefinedOr(Uint),
  outcome: Schema.UndefinedOr(Outcome),
  /** Why a cancellation was signed: what the outcome will be. */
  refusal: Schema.UndefinedOr(
    Schema.Struct({ reason: Schema.String, data: Schema.UndefinedOr(Hex) })
  ),
  feeCap: Schema.UndefinedOr(Schema.Struct({ neededWei: Uint, capWei: Uint }))
})
export type Pending = typeof Pending.Type

/** Requests that are not final, in the order in which they were made. */
export const State = Schema.Array(Pending)
export type State = typeof State.Type

/** What L1 says about one request that holds a nonce, all as of one block. */
export const Sighting = Schema.Struct({
  id,
  /** The receipt of one of its attempts. */
  inclusion: Schema.UndefinedOr(Inclusion),
  /** The account's next nonce. */
  accountNonce: Nonce
})
export type Sighting = typeof Sighting.Type

export const Command = Schema.Union(
  Schema.TaggedStruct("Request", { request: Request }),
  Schema.TaggedStruct("Send", { id, nonce: Nonce, attempt: Attempt }),
  Schema.TaggedStruct("Replace", {
    id,
    attempt: Attempt,
    reason: Schema.String,
    /** For a cancellation: what the call reverts with. */
    data: Schema.UndefinedOr(Hex)
  }),
  Schema.TaggedStruct("MeetFeeCap", { id, neededWei: Uint, capWei: Uint }),
  /** It would revert and holds no nonce: it ends here. */
  Schema.TaggedStruct("Refuse", { id, reason: Schema.String, data: Schema.UndefinedOr(Hex) }),
  Schema.TaggedStruct("Observe", {
    headNumber: Uint,
    confirmations: Uint,
    finalityBlocks: Uint,
    sightings: Schema.Array(Sighting)
  }),
  Schema.TaggedStruct("Retire", { id, headNumber: Uint, finalityBlocks: Uint })
)
export type Command = typeof Command.Type

/** The command does not fit what the log knows. Recover by looking at the newest state. */
export class CommandRefused extends Schema.TaggedError<CommandRefused>()("CommandRefused", {
  id,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.expected} for L1 transaction "${this.id}", found ${this.found}. Look at the newest state.`
  }
}

/** The id is taken by another request. Recover by choosing a new id: this one is that request's for ever. */
export class RequestConflict extends Schema.TaggedError<RequestConflict>()("RequestConflict", {
  id
}) {
  override get message() {
    return `Expected id "${this.id}" to be new or to name the same L1 transaction again, but it names another one. Choose a new id.`
  }
}

/** The stream that holds every decision. */
export const TRANSACTION_STREAM = "l1-transactions"

export class L1Transactions extends Machine.Service<L1Transactions>()("l1-transactions", {
  State,
  Command,
  Event: TransactionEvent,
  initial: [],
  stream: TRANSACTION_STREAM,
  decide: (
    state: State,
    command: Command
  ): Either.Either<ReadonlyArray<TransactionEvent>, CommandRefused | RequestConflict> =>
    decide(state, command),
  evolve: (state: State, event: TransactionEvent): State => evolve(state, event)
}) {}
