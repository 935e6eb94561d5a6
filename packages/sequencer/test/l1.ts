/** An L1 in memory for a sequencer to follow: a queue, and a head that the test moves. */
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { Effect, Layer, Option, PubSub, Stream } from "effect"
import { numberToHex } from "viem"
import { L1Source, type QueuedTransaction } from "../src/L1Source.ts"

export const INBOX: Address = `0x${"1b".repeat(20)}`

export const l1Hash = (number: bigint): Hash32 => numberToHex(number + 0x1000n, { size: 32 })

/** A deposit as the Inbox would write it at that place of the queue. */
export const deposit = (
  queueIndex: bigint,
  fields: Partial<DepositTransaction.DepositTransaction> & { readonly from: Address }
): Uint8Array =>
  DepositTransaction.encode({
    type: DepositTransaction.TYPE,
    sourceHash: DepositTransaction.sourceHash({ l1ChainId: 1n, inbox: INBOX, queueIndex }),
    to: fields.from,
    mint: 0n,
    value: 0n,
    gasLimit: 100_000n,
    data: new Uint8Array(0),
    ...fields
  })

export const makeL1 = Effect.gen(function* () {
  const entries: Array<QueuedTransaction> = []
  const news = yield* PubSub.unbounded<void>()
  let head: bigint | undefined
  let lag = 0
  const source = L1Source.of({
    origin: Effect.sync(() =>
      head === undefined
        ? Option.none()
        : Option.some({ number: head, hash: l1Hash(head), timestamp: head * 12n })
    ),
    queue: ({ from, limit, upTo }) =>
      Effect.sync(() =>
        entries
          .slice(Number(from), Number(from) + limit)
          .filter(({ l1BlockNumber }) => l1BlockNumber <= upTo)
      ),
    lagSeconds: Effect.sync(() => lag),
    changes: Stream.fromPubSub(news)
  })
  return {
    layer: Layer.succeed(L1Source, source),
    enqueue: (raw: Uint8Array, gasLimit: bigint, l1BlockNumber: bigint) => {
      entries.push({ index: BigInt(entries.length), raw, gasLimit, l1BlockNumber })
    },
    setLag: (seconds: number) => {
      lag = seconds
    },
    moveTo: (number: bigint) =>
      Effect.suspend(() => {
        head = number
        return PubSub.publish(news, undefined)
      })
  }
})
