/** What the batcher and the proposer send, sent by the L1 transaction manager: once, whatever crashes. */
import { TransactionManager } from "@ovm/l1/TransactionManager"
import { Effect, Layer, Option } from "effect"
import { type L1Intent, L1Outbox, type L1Outcome, SendingFailed } from "./L1Outbox.ts"

/** Intents in the node's own log; the manager's account pays. */
export const layer: Layer.Layer<L1Outbox, never, TransactionManager> = Layer.effect(
  L1Outbox,
  Effect.map(TransactionManager, (manager) =>
    L1Outbox.of({
      carryOut: Effect.fn("L1Outbox.carryOut")(
        function* ({ data, id, to, valueWei }: L1Intent) {
          const attempt = yield* nextAttempt(manager, id)
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
      if (tag !== "Refused" && tag !== "Reverted") return attempt
    }
  })
