/** One round of the transaction manager: look at L1, tell the log what is so, then do what is next. */
import type { MachineService, SendError, Sent } from "@ovm/event-log/Machine"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { BigInt as Big, Clock, Effect, Option } from "effect"
import type { L1BlockHeader, L1ClientService, L1Fees } from "../L1Client.ts"
import type { L1Error, L1RequestRejected } from "../L1Error.ts"
import type { PollError } from "../TransactionManager.ts"
import type {
  Attempt,
  Command,
  CommandRefused,
  Pending,
  RequestConflict,
  Sighting,
  State,
  TransactionEvent
} from "../TransactionRules.ts"
import { bumped, isFinal } from "./TransactionMachine.ts"

export interface Policy {
  readonly confirmations: bigint
  readonly finalityBlocks: bigint
  readonly resubmitAfterMs: number
  readonly maxFeePerGasWei: bigint
  readonly minPriorityFeeWei: bigint
  readonly maxInFlight: number
}

type Refusal = CommandRefused | RequestConflict

export interface Round {
  readonly l1: L1ClientService
  readonly machine: MachineService<State, Command, TransactionEvent, Refusal>
  readonly commit: (
    command: Command,
    id?: string
  ) => Effect.Effect<Sent<State, TransactionEvent>, Refusal | SendError>
  /** Why a request can't be handed over at the moment. */
  readonly troubles: Map<string, L1Error>
  readonly policy: Policy
  readonly finalId: (id: string) => string
}

/** What one account sees of L1 in a round, all as of `head`. */
interface Sight {
  readonly account: Address
  readonly head: L1BlockHeader
  readonly accountNonce: number
  /** As the node's pool has it. */
  readonly poolNonce: number
  readonly fees: L1Fees
  readonly nowMs: number
}

/** Gas limit of one transaction since EIP-7825. */
const GAS_MAX = 2n ** 24n
const PLAIN_GAS = 21_000n

export const playRound = (round: Round): Effect.Effect<void, PollError> =>
  Effect.gen(function* () {
    const { l1, machine } = round
    const before = yield* machine.state
    if (before.length === 0) return
    const found = yield* l1.getBlock("latest")
    if (Option.isNone(found)) return
    const head = found.value
    const accounts = [...new Set(before.map(({ request }) => request.from))]
    const nonces = new Map(
      yield* Effect.forEach(accounts, (account) =>
        Effect.map(l1.getNonce(account, { hash: head.hash }), (nonce) => [account, nonce] as const)
      )
    )
    yield* look(round, before, head, nonces)
    const fees = yield* l1.fees
    for (const account of accounts) {
      const accountNonce = nonces.get(account) ?? 0
      const poolNonce = yield* l1.getNonce(account, "pending")
      const nowMs = yield* Clock.currentTimeMillis
      yield* serve(round, { account, head, accountNonce, poolNonce, fees, nowMs })
    }
  })

/** Tells the log where everything that was handed over stands now. */
const look = (
  { commit, finalId, l1, policy }: Round,
  state: State,
  head: L1BlockHeader,
  nonces: ReadonlyMap<Address, number>
) =>
  Effect.gen(function* () {
    const sightings = yield* Effect.forEach(
      state.filter(({ nonce }) => nonce !== undefined),
      (pending) => sight(l1, pending, head, nonces.get(pending.request.from) ?? 0),
      { concurrency: "unbounded" }
    )
    if (sightings.length === 0) return
    const { confirmations, finalityBlocks } = policy
    const headNumber = head.number
    const observe = {
      _tag: "Observe",
      headNumber,
      confirmations,
      finalityBlocks,
      sightings
    } as const
    const { state: after } = yield* commit(observe)
    for (const pending of after) {
      if (!isFinal(pending, observe)) continue
      const { id } = pending.request
      yield* commit({ _tag: "Retire", id, headNumber, finalityBlocks }, finalId(id))
    }
  })

const sight = (
  l1: L1ClientService,
  { attempts, nonce, request }: Pending,
  head: L1BlockHeader,
  accountNonce: number
): Effect.Effect<Sighting, L1Error> =>
  Effect.gen(function* () {
    const { id } = request
    if (nonce === undefined || accountNonce <= nonce) {
      return { id, accountNonce, inclusion: undefined }
    }
    const receipts = yield* Effect.forEach(attempts, ({ hash }) => l1.getReceipt(hash), {
      concurrency: "unbounded"
    })
    for (const receipt of receipts) {
      if (Option.isNone(receipt) || receipt.value.blockNumber > head.number) continue
      const { blockHash, blockNumber, gasUsed, status, transactionHash: hash } = receipt.value
      const inclusion = { hash, blockNumber, blockHash, gasUsed, succeeded: status === 1n }
      return { id, accountNonce, inclusion }
    }
    return { id, accountNonce, inclusion: undefined }
  })

/** Does what is next for one account, the lowest nonce first. */
const serve = (round: Round, sight: Sight): Effect.Effect<void, PollError> =>
  Effect.gen(function* () {
    const { account, accountNonce } = sight
    const own = (yield* round.machine.state).filter(({ request }) => request.from === account)
    const flying = own.filter(isFlying).toSorted((a, b) => (a.nonce ?? 0) - (b.nonce ?? 0))
    yield* Effect.forEach(flying, (pending) => handOverAgain(round, pending), { discard: true })
    const [next] = flying
    if (next !== undefined && next.nonce === accountNonce) yield* pushOn(round, next, sight)
    const isHeld = own.some(({ nonce }) => nonce === accountNonce)
    if (next !== undefined && !isHeld && sight.poolNonce <= accountNonce) {
      yield* fillGap(round, sight)
    }
    yield* sendWaiting(round, own, sight)
  })

/** Handed over and, for all we know, on its way. */
const isFlying = ({ inclusion, nonce, takenOutsideAt }: Pending): boolean =>
  nonce !== undefined && inclusion === undefined && takenOutsideAt === undefined

/** A node forgets its pool when it restarts, and drops what is cheap: what it lost it gets again. */
const handOverAgain = (round: Round, pending: Pending): Effect.Effect<void, PollError> =>
  Effect.gen(function* () {
    const last = pending.attempts.at(-1)
    if (last === undefined) return
    const known = yield* round.l1.getTransaction(last.hash)
    if (Option.isSome(known)) return
    yield* handOver(round, pending, last)
  })

/** Signs again what the log has, to the same hash, and gives it to L1. */
const handOver = (
  round: Round,
  pending: Pending,
  attempt: Attempt
): Effect.Effect<void, PollError> =>
  Effect.gen(function* () {
    const { id } = pending.request
    const { raw } = yield* sign(round.l1, pending, attempt)
    const sent = yield* Effect.either(round.l1.sendRaw(raw))
    if (sent._tag === "Right") return void round.troubles.delete(id)
    if (sent.left._tag !== "L1RequestRejected") return yield* sent.left
    // "Nonce too low" and "underpriced" are told by the next look at L1.
    round.troubles.set(id, sent.left)
  })

const sign = (
  l1: L1ClientService,
  { nonce = 0, request }: Pending,
  attempt: Omit<Attempt, "hash">
) => {
  const { gas, isCancellation, maxFeePerGasWei, maxPriorityFeePerGasWei } = attempt
  const { data, from, to, valueWei } = request
  return l1.sign({
    ...{ from, nonce, gas, maxFeePerGasWei, maxPriorityFeePerGasWei },
    ...(isCancellation ? { to: from, data: "0x", valueWei: 0n } : { to, data, valueWei })
  })
}

/** The next in line: still wanted by L1? Too long on its way? */
const pushOn = (round: Round, pending: Pending, sight: Sight): Effect.Effect<void, PollError> =>
  Effect.gen(function* () {
    const last = pending.attempts.at(-1)
    if (last === undefined) return
    if (!last.isCancellation) {
      const refusal = yield* refusalOf(round, pending, last.gas, sight)
      if (refusal !== undefined) {
        return yield* replace(round, pending, sight, { isCancellation: true, ...refusal })
      }
    }
    const waitedMs = sight.nowMs - last.sentAtMs
    if (waitedMs < round.policy.resubmitAfterMs) return
    const reason = `not included for ${waitedMs} ms`
    const { isCancellation } = last
    yield* replace(round, pending, sight, { isCancellation, reason, data: undefined })
  })

interface Refused {
  readonly reason: string
  readonly data: Hex | undefined
}

/** Why the request can't be carried out on the state after `head`, in which its nonce is the next. */
const refusalOf = (
  { l1, troubles }: Round,
  { request }: Pending,
  gas: bigint,
  { head }: Sight
): Effect.Effect<Refused | undefined, L1Error> => {
  const { data, from, id, to, valueWei: value } = request
  const trouble = troubles.get(id)
  if (trouble?._tag === "L1RequestRejected" && isImpossible(trouble)) {
    return Effect.succeed({ reason: trouble.reason, data: undefined })
  }
  return l1.call({ from, to, data, value, gas }, { hash: head.hash }).pipe(
    Effect.as(undefined),
    Effect.catchTag("L1RequestRejected", (error) =>
      error.isRevert ? Effect.succeed(refusedBy(error)) : Effect.fail(error)
    )
  )
}

const refusedBy = ({ data, reason }: L1RequestRejected): Refused => ({ reason, data })

/** Words of nodes for what will never be valid, whatever happens on L1. */
const IMPOSSIBLE =
  /intrinsic gas|gas limit|exceeds (the )?(block|transaction|max)|oversized|init ?code|gas too (low|high)|gas floor/i
const isImpossible = ({ reason }: L1RequestRejected) =>
  IMPOSSIBLE.test(reason) && !/insufficient funds/i.test(reason)

/** Signs anew with higher fees, or waits where that would be more than we pay. */
const replace = (
  round: Round,
  pending: Pending,
  sight: Sight,
  { data, isCancellation, reason }: Refused & { readonly isCancellation: boolean }
): Effect.Effect<void, PollError> =>
  Effect.gen(function* () {
    const last = pending.attempts.at(-1)
    if (last === undefined) return
    const { id } = pending.request
    const wanted = feesNow(round.policy, sight.fees)
    const leastFee = bumped(last.maxFeePerGasWei)
    const maxPriorityFeePerGasWei = Big.max(bumped(last.maxPriorityFeePerGasWei), wanted.tip)
    const capWei = round.policy.maxFeePerGasWei
    const neededWei = Big.max(leastFee, maxPriorityFeePerGasWei)
    if (neededWei > capWei) return yield* meetCap(round, pending, neededWei)
    const maxFeePerGasWei = Big.min(capWei, Big.max(neededWei, wanted.fee))
    const gas = isCancellation ? PLAIN_GAS : last.gas
    const unsigned = { gas, maxFeePerGasWei, maxPriorityFeePerGasWei, isCancellation }
    const signed = { ...unsigned, sentAtMs: sight.nowMs }
    const { hash } = yield* sign(round.l1, pending, signed)
    const attempt = { ...signed, hash }
    yield* round.commit({ _tag: "Replace", id, attempt, reason, data })
    yield* handOver(round, pending, attempt)
  })

const meetCap = ({ commit, policy }: Round, { request }: Pending, neededWei: bigint) =>
  Effect.asVoid(
    commit({ _tag: "MeetFeeCap", id: request.id, neededWei, capWei: policy.maxFeePerGasWei })
  )

/** What to offer: room for the base fee to double, as far as the cap allows. */
const feesNow = (policy: Policy, { baseFeeWei, priorityFeeWei }: L1Fees) => {
  const tip = Big.max(priorityFeeWei, policy.minPriorityFeeWei)
  const fee = Big.min(2n * baseFeeWei + tip, policy.maxFeePerGasWei)
  return { tip, fee, neededWei: baseFeeWei + tip }
}

/** Nothing at all holds the next nonce, so nothing after it can ever be included: takes it. */
const fillGap = (round: Round, sight: Sight): Effect.Effect<void, PollError> =>
  Effect.gen(function* () {
    const { account, accountNonce, head } = sight
    const id = `gap/${account}/${accountNonce}/${head.hash.slice(2, 18)}`
    const request = {
      id,
      from: account,
      to: account,
      data: "0x",
      valueWei: 0n,
      gas: PLAIN_GAS
    } as const
    const { state } = yield* round.commit({ _tag: "Request", request })
    const pending = state.find((other) => other.request.id === id)
    if (pending === undefined || pending.nonce !== undefined) return
    yield* send(round, pending, sight, { nonce: accountNonce, gas: PLAIN_GAS })
  })

/** Gives nonces to those that wait for one, in the order in which they were asked for. */
const sendWaiting = (
  round: Round,
  own: ReadonlyArray<Pending>,
  sight: Sight
): Effect.Effect<void, PollError> =>
  Effect.gen(function* () {
    let flying = own.filter(isFlying).length
    let nonce = Math.max(
      ...[sight.accountNonce, sight.poolNonce],
      ...own.flatMap(({ nonce }) => (nonce === undefined ? [] : [nonce + 1]))
    )
    for (const pending of own) {
      if (pending.nonce !== undefined || pending.outcome !== undefined) continue
      if (flying >= round.policy.maxInFlight) return
      const gas = yield* gasFor(round, pending, sight, flying === 0)
      if (gas._tag === "Refused") {
        const { data, reason } = gas
        const { id } = pending.request
        yield* round.commit({ _tag: "Refuse", id, reason, data }, round.finalId(id))
        continue
      }
      // Those after it wait too, so that they keep their order.
      if (gas._tag === "Wait") return
      if (!(yield* send(round, pending, sight, { nonce, gas: gas.gas }))) return
      flying++
      nonce++
    }
  })

type GasFor =
  | { readonly _tag: "Gas"; readonly gas: bigint }
  | ({ readonly _tag: "Refused" } & Refused)
  | { readonly _tag: "Wait" }

/**
 * The gas limit to sign. Alone, a request that would revert ends here; behind others it is known only
 * when those are on L1.
 */
const gasFor = (
  round: Round,
  pending: Pending,
  { head }: Sight,
  isAlone: boolean
): Effect.Effect<GasFor, L1Error> => {
  const { data, from, gas, to, valueWei: value } = pending.request
  if (gas !== undefined && !isAlone) return Effect.succeed({ _tag: "Gas", gas })
  const call = { from, to, data, value }
  const estimate =
    gas === undefined
      ? Effect.map(
          round.l1.estimateGas(call, isAlone ? { hash: head.hash } : "pending"),
          withMargin
        )
      : Effect.as(round.l1.call({ ...call, gas }, { hash: head.hash }), gas)
  return estimate.pipe(
    Effect.map((limit): GasFor => ({ _tag: "Gas", gas: limit })),
    Effect.catchTag("L1RequestRejected", (error): Effect.Effect<GasFor, L1Error> => {
      if (!error.isRevert && !isImpossible(error)) {
        round.troubles.set(pending.request.id, error)
        return Effect.succeed({ _tag: "Wait" })
      }
      return Effect.succeed(isAlone ? { _tag: "Refused", ...refusedBy(error) } : { _tag: "Wait" })
    })
  )
}

const withMargin = (estimated: bigint): bigint =>
  estimated === PLAIN_GAS ? estimated : Big.min((estimated * 6n) / 5n, Big.max(GAS_MAX, estimated))

/** Signs, writes down what was signed, and only then lets it go. False: fees are above the cap. */
const send = (
  round: Round,
  pending: Pending,
  { fees, nowMs }: Sight,
  { gas, nonce }: { readonly nonce: number; readonly gas: bigint }
): Effect.Effect<boolean, PollError> =>
  Effect.gen(function* () {
    const { fee, neededWei, tip } = feesNow(round.policy, fees)
    if (neededWei > round.policy.maxFeePerGasWei) {
      yield* meetCap(round, pending, neededWei)
      return false
    }
    const unsigned = {
      ...{ gas, maxFeePerGasWei: fee, maxPriorityFeePerGasWei: tip },
      ...{ isCancellation: false, sentAtMs: nowMs }
    }
    const holding = { ...pending, nonce }
    const { hash }: { readonly hash: Hash32 } = yield* sign(round.l1, holding, unsigned)
    const attempt = { ...unsigned, hash }
    yield* round.commit({ _tag: "Send", id: pending.request.id, nonce, attempt })
    yield* handOver(round, holding, attempt)
    return true
  })
