/** The transaction manager's service: requests come in, rounds go on, outcomes go out. */
import { EventLog } from "@ovm/event-log/EventLog"
import * as EventTypes from "@ovm/event-log/EventTypes"
import { Deferred, Duration, Effect, Option, type Scope, Stream } from "effect"
import { L1Client } from "../L1Client.ts"
import { type L1Error, L1SignerMissing } from "../L1Error.ts"
import {
  FeeCapReached,
  type L1Request,
  type ManagerOptions,
  type OutcomeTold,
  type RequestError,
  TransactionManager
} from "../TransactionManager.ts"
import {
  type Command,
  L1Transactions,
  type Outcome,
  type Pending,
  type Request,
  RequestConflict,
  TRANSACTION_STREAM,
  TransactionConfirmed,
  TransactionEvent,
  TransactionFailed
} from "../TransactionRules.ts"
import { repeatWithBackOff } from "./Repeat.ts"
import { isSame } from "./TransactionMachine.ts"
import { type Policy, playRound, type Round } from "./TransactionRound.ts"

/** Ids of the events that the manager must find again, however long ago they were. */
export const requestedId = (id: string): string => `${TRANSACTION_STREAM}/requested/${id}`
export const finalId = (id: string): string => `${TRANSACTION_STREAM}/final/${id}`

const types = EventTypes.make({ schema: TransactionEvent })
const OUTCOME_TYPES = [TransactionConfirmed, TransactionFailed].map(({ _tag }) => _tag)

export const makeTransactionManager = (
  options: ManagerOptions
): Effect.Effect<
  TransactionManager["Type"],
  never,
  L1Client | EventLog | L1Transactions | Scope.Scope
> =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    const log = yield* EventLog
    const machine = yield* L1Transactions
    const wake = yield* Effect.makeLatch(false)
    const waiting = new Map<string, Deferred.Deferred<Outcome>>()
    const troubles = new Map<string, L1Error>()

    const commit = (command: Command, id?: string) =>
      Effect.tap(machine.send(command, id === undefined ? {} : { id }), ({ events }) =>
        Effect.forEach(events, (event) => {
          if (!("outcome" in event)) return Effect.void
          const waiter = waiting.get(event.id)
          waiting.delete(event.id)
          if (event._tag === "v1.L1TransactionFinalized") troubles.delete(event.id)
          return waiter === undefined ? Effect.void : Deferred.succeed(waiter, event.outcome)
        })
      )

    const pendingOf = (id: string) =>
      Effect.map(machine.state, (state) => state.find(({ request }) => request.id === id))
    /** The request that the log has under this id, if it is no longer under way. */
    const stored = (id: string) =>
      Effect.flatMap(
        log.find(id),
        Option.match({
          onNone: () => Effect.succeedNone,
          onSome: (event) => Effect.map(types.decode(event), ({ payload }) => Option.some(payload))
        })
      )
    const finalOutcome = (id: string) =>
      Effect.map(stored(finalId(id)), (found) =>
        Option.flatMap(found, (event) =>
          "outcome" in event ? Option.some(event.outcome) : Option.none()
        )
      )

    const submit = Effect.fn("TransactionManager.submit")(function* (asked: L1Request) {
      const request = yield* requestOf(l1, asked)
      const known = yield* stored(requestedId(request.id))
      if (Option.isSome(known)) {
        const { value } = known
        const isSameAgain = value._tag === "v1.L1TransactionRequested" && isSame(value, request)
        if (!isSameAgain) return yield* new RequestConflict({ id: request.id })
        return
      }
      yield* commit({ _tag: "Request", request }, requestedId(request.id))
      yield* wake.open
    })

    const round: Round = { l1, machine, commit, troubles, policy: policyOf(options), finalId }
    const alone = (yield* Effect.makeSemaphore(1)).withPermits(1)
    const poll = playRound(round).pipe(Effect.withSpan("TransactionManager.poll"), alone)
    const { backOffMax = "15 seconds", every = "1 second" } = options
    if (every !== "manual") {
      const pause = wake.await.pipe(Effect.timeoutOption(every), Effect.zipRight(wake.close))
      yield* Effect.forkScoped(
        repeatWithBackOff(poll, {
          name: "L1 transactions",
          pause,
          backOffMax: Duration.decode(backOffMax)
        })
      )
    }

    return TransactionManager.of({
      submit,
      poll,
      request: Effect.fn("TransactionManager.request")(function* (asked) {
        const { id } = asked
        const waiter = waiting.get(id) ?? (yield* Deferred.make<Outcome>())
        waiting.set(id, waiter)
        yield* submit(asked)
        // What was told before anybody waited is in the log.
        const told = (yield* pendingOf(id))?.outcome
        if (told !== undefined) return told
        const final = yield* finalOutcome(id)
        return Option.isSome(final) ? final.value : yield* Deferred.await(waiter)
      }),
      status: Effect.fn("TransactionManager.status")(function* (id) {
        const pending = yield* pendingOf(id)
        if (pending !== undefined) {
          const { outcome } = pending
          const waitingFor = feeCapOf(pending) ?? troubles.get(id)
          return Option.some({ id, pending, outcome, waitingFor })
        }
        return Option.map(yield* finalOutcome(id), (outcome) => ({
          ...{ id, outcome },
          ...{ pending: undefined, waitingFor: undefined }
        }))
      }),
      outcomes: ({ after = 0 } = {}) =>
        log.subscribe({ stream: TRANSACTION_STREAM, types: OUTCOME_TYPES, after }).pipe(
          Stream.mapEffect((event) => types.decode(event)),
          Stream.filterMap(({ payload, position }) =>
            "outcome" in payload
              ? Option.some<OutcomeTold>({ id: payload.id, outcome: payload.outcome, position })
              : Option.none()
          )
        )
    })
  })

const feeCapOf = ({ feeCap, request }: Pending): FeeCapReached | undefined =>
  feeCap === undefined ? undefined : new FeeCapReached({ id: request.id, ...feeCap })

const requestOf = (
  { accounts }: L1Client["Type"],
  { data, from = accounts[0], gas, id, to, value = 0n }: L1Request
): Effect.Effect<Request, RequestError> =>
  from === undefined || !accounts.includes(from)
    ? Effect.fail(new L1SignerMissing({ account: from ?? "any account" }))
    : Effect.succeed({ id, from, to, data, valueWei: value, gas })

const GWEI = 1_000_000_000n

const policyOf = (options: ManagerOptions): Policy => ({
  confirmations: BigInt(options.confirmations ?? 1),
  finalityBlocks: BigInt(options.finalityBlocks ?? 64),
  resubmitAfterMs: Duration.toMillis(options.resubmitAfter ?? "60 seconds"),
  maxFeePerGasWei: options.maxFeePerGasWei ?? 500n * GWEI,
  minPriorityFeeWei: options.minPriorityFeeWei ?? GWEI / 1_000n,
  maxInFlight: options.maxInFlight ?? 16
})
