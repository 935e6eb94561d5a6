/** Pure: which events a command leads to, and what they make of the requests that are under way. */
import { Either } from "effect"
import {
  type Attempt,
  type Command,
  CommandRefused,
  FeeCapMet,
  type Inclusion,
  NonceFreed,
  NonceTakenOutside,
  type Outcome,
  type Pending,
  RequestConflict,
  type Sighting,
  type State,
  TransactionConfirmed,
  type TransactionEvent,
  TransactionFailed,
  TransactionFinalized,
  TransactionIncluded,
  TransactionReorganized,
  TransactionReplaced,
  TransactionRequested,
  TransactionSent,
  TransactionSuperseded
} from "../TransactionRules.ts"

type Decision = Either.Either<ReadonlyArray<TransactionEvent>, CommandRefused | RequestConflict>
type Of<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

/** A node takes a replacement only if both fees are at least this many percent of the old ones. */
export const BUMP_PERCENT = 113n
/** The least that a fee must become to replace `wei`. */
export const bumped = (wei: bigint): bigint => (wei * BUMP_PERCENT + 99n) / 100n

export const decide = (state: State, command: Command): Decision => {
  switch (command._tag) {
    case "Request":
      return request(state, command)
    case "Send":
      return withPending(state, command.id, (pending) => send(state, pending, command))
    case "Replace":
      return withPending(state, command.id, (pending) => replace(pending, command))
    case "MeetFeeCap":
      return withPending(state, command.id, ({ feeCap }) =>
        // Once for each time that it is met: waiting on is no new decision.
        Either.right(feeCap === undefined ? [new FeeCapMet(command)] : [])
      )
    case "Refuse":
      return withPending(state, command.id, (pending) => refuse(pending, command))
    case "Observe":
      return Either.right(
        command.sightings.flatMap((sighting) => observe(state, sighting, command))
      )
    case "Retire":
      return withPending(state, command.id, (pending) => retire(pending, command))
  }
}

const refused = (id: string, expected: string, found: string) =>
  Either.left(new CommandRefused({ id, expected, found }))

const withPending = (state: State, id: string, use: (pending: Pending) => Decision): Decision => {
  const pending = state.find(({ request }) => request.id === id)
  return pending === undefined ? refused(id, "a request under way", "none") : use(pending)
}

const request = (state: State, { request: asked }: Of<"Request">): Decision => {
  const known = state.find(({ request }) => request.id === asked.id)
  if (known === undefined) return Either.right([new TransactionRequested(asked)])
  return isSame(known.request, asked)
    ? Either.right([])
    : Either.left(new RequestConflict({ id: asked.id }))
}

/** The gas limit may be chosen anew; what the transaction does may not. */
export const isSame = (a: Pending["request"], b: Pending["request"]): boolean =>
  a.from === b.from && a.to === b.to && a.data === b.data && a.valueWei === b.valueWei

const send = (
  state: State,
  { nonce, outcome, request }: Pending,
  command: Of<"Send">
): Decision => {
  const { id } = request
  if (outcome !== undefined) return refused(id, "no outcome", outcome._tag)
  if (nonce !== undefined) return refused(id, "no nonce", `nonce ${nonce}`)
  const holder = state.find(
    (other) => other.nonce === command.nonce && other.request.from === request.from
  )
  if (holder !== undefined) {
    return refused(id, "a free nonce", `${command.nonce} of ${holder.request.id}`)
  }
  return Either.right([new TransactionSent(command)])
}

const replace = ({ attempts, nonce, request }: Pending, command: Of<"Replace">): Decision => {
  const { id } = request
  const last = attempts.at(-1)
  if (nonce === undefined || last === undefined) return refused(id, "a nonce", "none")
  const { attempt } = command
  const isEnough =
    attempt.maxFeePerGasWei >= bumped(last.maxFeePerGasWei) &&
    attempt.maxPriorityFeePerGasWei >= bumped(last.maxPriorityFeePerGasWei)
  if (!isEnough) {
    const expected = `fees of ${BUMP_PERCENT} % of ${last.maxFeePerGasWei} and ${last.maxPriorityFeePerGasWei}`
    const found = `${attempt.maxFeePerGasWei} and ${attempt.maxPriorityFeePerGasWei}`
    return refused(id, expected, found)
  }
  if (last.isCancellation && !attempt.isCancellation) {
    return refused(id, "a further cancellation", "the request itself")
  }
  return Either.right([new TransactionReplaced(command)])
}

const refuse = ({ nonce, outcome, request }: Pending, command: Of<"Refuse">): Decision => {
  const { data, id, reason } = command
  if (outcome !== undefined) return refused(id, "no outcome", outcome._tag)
  // What was handed over may still be included: that has to be cancelled on L1 first.
  if (nonce !== undefined) return refused(request.id, "no nonce", `nonce ${nonce}`)
  const final: Outcome = { _tag: "Refused", reason, data }
  return Either.right([
    new TransactionFailed({ id, outcome: final }),
    new TransactionFinalized({ id, outcome: final })
  ])
}

const retire = (pending: Pending, command: Of<"Retire">): Decision => {
  const { outcome, request } = pending
  if (outcome === undefined) return refused(request.id, "an outcome", "none")
  return isFinal(pending, command)
    ? Either.right([new TransactionFinalized({ id: request.id, outcome })])
    : refused(request.id, "a final inclusion", `block ${pending.inclusion?.blockNumber}`)
}

/** Whether an ended request is so deep that it need not be looked at any more. */
export const isFinal = (
  { inclusion, outcome }: Pending,
  { finalityBlocks, headNumber }: { readonly headNumber: bigint; readonly finalityBlocks: bigint }
): boolean =>
  outcome !== undefined &&
  inclusion !== undefined &&
  headNumber >= inclusion.blockNumber + finalityBlocks

/** What is to be said of one request after a look at L1. */
const observe = (
  state: State,
  sighting: Sighting,
  command: Of<"Observe">
): ReadonlyArray<TransactionEvent> => {
  const pending = state.find(({ request }) => request.id === sighting.id)
  if (pending === undefined || pending.nonce === undefined) return []
  const moved = whereNow(pending, pending.nonce, sighting, command)
  const now = moved.reduce(evolvePending, pending)
  return [...moved, ...ending(now, command)]
}

const whereNow = (
  { attempts, inclusion: before, nonce: _, request, takenOutsideAt }: Pending,
  nonce: number,
  { accountNonce, inclusion: now }: Sighting,
  { finalityBlocks, headNumber }: Of<"Observe">
): ReadonlyArray<TransactionEvent> => {
  const { id } = request
  if (now !== undefined && attempts.some(({ hash }) => hash === now.hash)) {
    if (before?.blockHash === now.blockHash && before.hash === now.hash) return []
    return [...(before === undefined ? [] : [outAgain(id, before)]), included(id, now)]
  }
  const out = before === undefined ? [] : [outAgain(id, before)]
  if (accountNonce <= nonce) {
    return takenOutsideAt === undefined ? out : [...out, new NonceFreed({ id, nonce })]
  }
  if (takenOutsideAt === undefined) {
    return [...out, new NonceTakenOutside({ id, nonce, seenAtBlock: headNumber })]
  }
  return headNumber >= takenOutsideAt + finalityBlocks
    ? [...out, new TransactionSuperseded({ id, nonce })]
    : out
}

const outAgain = (id: string, { blockHash, blockNumber, hash }: Inclusion) =>
  new TransactionReorganized({ id, hash, blockNumber, blockHash })
const included = (id: string, inclusion: Inclusion) => new TransactionIncluded({ id, inclusion })

/** The outcome, once it is deep enough. */
const ending = (
  pending: Pending,
  { confirmations, headNumber }: Of<"Observe">
): ReadonlyArray<TransactionEvent> => {
  const { inclusion, outcome: before, request } = pending
  if (inclusion === undefined || before !== undefined) return []
  if (headNumber + 1n < inclusion.blockNumber + confirmations) return []
  const { id } = request
  const outcome = outcomeOf(pending, inclusion)
  return outcome._tag === "Confirmed"
    ? [new TransactionConfirmed({ id, outcome })]
    : [new TransactionFailed({ id, outcome })]
}

const outcomeOf = ({ attempts, refusal }: Pending, inclusion: Inclusion): Outcome => {
  const isCancelled = attempts.some(
    ({ hash, isCancellation }) => isCancellation && hash === inclusion.hash
  )
  if (isCancelled) {
    return { _tag: "Refused", reason: refusal?.reason ?? "it was cancelled", data: refusal?.data }
  }
  return { _tag: inclusion.succeeded ? "Confirmed" : "Reverted", inclusion }
}

export const evolve = (state: State, event: TransactionEvent): State => {
  if (event._tag === "v1.L1TransactionRequested") {
    const { data, from, gas, id, to, valueWei } = event
    return [...state, begun({ id, from, to, data, valueWei, gas })]
  }
  if (event._tag === "v1.L1TransactionFinalized") {
    return state.filter(({ request }) => request.id !== event.id)
  }
  return state.map((pending) =>
    pending.request.id === event.id ? evolvePending(pending, event) : pending
  )
}

const begun = (request: Pending["request"]): Pending => ({
  request,
  nonce: undefined,
  attempts: [],
  inclusion: undefined,
  takenOutsideAt: undefined,
  outcome: undefined,
  refusal: undefined,
  feeCap: undefined
})

const evolvePending = (pending: Pending, event: TransactionEvent): Pending => {
  switch (event._tag) {
    case "v1.L1TransactionSent":
      return { ...pending, nonce: event.nonce, attempts: [event.attempt], feeCap: undefined }
    case "v1.L1TransactionReplaced":
      return replaced(pending, event)
    case "v1.L1FeeCapMet":
      return { ...pending, feeCap: { neededWei: event.neededWei, capWei: event.capWei } }
    case "v1.L1TransactionIncluded":
      return {
        ...pending,
        inclusion: event.inclusion,
        takenOutsideAt: undefined,
        feeCap: undefined
      }
    case "v1.L1TransactionReorganized":
      return { ...pending, inclusion: undefined, outcome: undefined }
    case "v1.L1NonceTakenOutside":
      return { ...pending, takenOutsideAt: event.seenAtBlock }
    case "v1.L1NonceFreed":
      return { ...pending, takenOutsideAt: undefined }
    case "v1.L1TransactionSuperseded":
      return begun(pending.request)
    case "v1.L1TransactionConfirmed":
    case "v1.L1TransactionFailed":
      return { ...pending, outcome: event.outcome }
    case "v1.L1TransactionRequested":
    case "v1.L1TransactionFinalized":
      return pending
  }
}

const replaced = (pending: Pending, { attempt, data, reason }: TransactionReplaced): Pending => ({
  ...pending,
  attempts: [...pending.attempts, attempt satisfies Attempt],
  feeCap: undefined,
  refusal: attempt.isCancellation ? (pending.refusal ?? { reason, data }) : pending.refusal
})
