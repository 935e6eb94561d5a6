/** What the batcher and the proposer send, sent by the L1 transaction manager: once, whatever crashes. */
import { L1Client } from "@ovm/l1/L1Client"
import { TransactionManager } from "@ovm/l1/TransactionManager"
import { Effect, Layer, Option } from "effect"
import { type L1Intent, L1Outbox, type L1Outcome, SendingFailed } from "./L1Outbox.ts"

/** Intents in the node's own log; the manager's account pays. */
export const layer: Layer.Layer<L1Outbox, never, TransactionManager | L1Client> = Layer.effect(
  L1Outbox,
  Effect.map(Effect.all([TransactionManager, L1Client]), ([manager, l1]) =>
    L1Outbox.of({
      carryOut: Effect.fn("L1Outbox.carryOut")(
        function* (intent: L1Intent) {
          const { data, id, to, valueWei } = intent
          const { attempt, isRepetition } = yield* nextAttempt(manager, id)
          // L1 may refuse for days, while it is paused: the log need not tell of every try.
          const refusal = isRepetition ? yield* refusalOf(l1, intent) : undefined
          if (refusal !== undefined)
            return { _tag: "Rejected", reason: refusal } satisfies L1Outcome
          const request = { id: attempt, to, data }
          const outcome = yield* manager.request(
            valueWei === undefined ? request : { ...request, value: valueWei }
          )
          switch (outcome._tag) {
            case "Confirmed": {
              const { blockNumber, gasUsed, hash } = outcome.inclusion
              return {
                _tag: "Included",
                transactionHash: hash,
                gasUsed,
                blockNumber
              } satisfies L1Outcome
            }
            case "Reverted": {
              const reason = `its transaction ${outcome.inclusion.hash} reverted`
              return { _tag: "Rejected", reason } satisfies L1Outcome
            }
            case "Refused":
              return { _tag: "Rejected", reason: outcome.reason } satisfies L1Outcome
          }
        },
        (effect, { id }) => Effect.mapError(effect, (cause) => new SendingFailed({ id, cause }))
      )
    })
  )
)

/** The manager carries out an id once. What was rejected under it is tried under the next. */
const nextAttempt = (manager: typeof TransactionManager.Service, id: string) =>
  Effect.gen(function* () {
    for (let number = 1; ; number++) {
      const attempt = number === 1 ? id : `${id}#${number}`
      const status = Option.getOrUndefined(yield* manager.status(attempt))
      const tag = status?.outcome?._tag
      if (tag === "Refused" || tag === "Reverted") continue
      return { attempt, isRepetition: number > 1 && status === undefined }
    }
  })

/** Why L1 would not carry it out now; undefined if it would. */
const refusalOf = (l1: typeof L1Client.Service, { data, to, valueWei }: L1Intent) =>
  l1.call({ from: l1.accounts[0], to, data, value: valueWei }).pipe(
    Effect.as(undefined),
    Effect.catchIf(
      (error) => error._tag === "L1RequestRejected" && error.isRevert,
      ({ message }) => Effect.succeed(message)
    )
  )
