/** The verifier's moving parts: which claims were judged, and how one is. */
import { EventLog } from "@ovm/event-log/EventLog"
import * as L1View from "@ovm/l1/L1View"
import type { Log } from "@ovm/protocol/Execution"
import * as Transaction from "@ovm/protocol/Transaction"
import { Chain } from "@ovm/sequencer/Chain"
import type { ChainBlock } from "@ovm/sequencer/ChainIndex"
import type { BlockItemEvent, BlockRecord } from "@ovm/sequencer/ChainLog"
import { Effect, Option, Stream } from "effect"
import { Derivation } from "../Derivation.ts"
import type { VerifierError, VerifierOptions } from "../Verifier.ts"
import * as VerifierEvent from "../VerifierEvent.ts"

const { VERIFIER_STREAM: stream, verifierEventTypes: types } = VerifierEvent

export const makeVerifier = Effect.fn("Verifier.start")(function* (options: VerifierOptions) {
  const log = yield* EventLog
  const l1 = yield* L1View.L1View
  const derivation = yield* Derivation
  const chain = yield* Chain
  const mismatches: Array<VerifierEvent.RootMismatch> = []
  const judged = new Set<string>()
  const remember = (mismatch: VerifierEvent.RootMismatch) => {
    mismatches.push(mismatch)
    judged.add(nameOf(mismatch.claimIndex, mismatch.l1BlockNumber, mismatch.found))
  }
  yield* log.read({ stream }).pipe(
    Stream.mapEffect((stored) => types.decode(stored)),
    Stream.runForEach(({ payload }) => Effect.sync(() => remember(payload)))
  )

  /** Where the claim's batches lead; undefined as long as they are not derived. */
  const ownOf = (claim: L1View.Claim) =>
    Effect.gen(function* () {
      if (claim.batchCount === 0n) return Option.getOrUndefined(yield* chain.block(0n))
      const batch = Option.getOrUndefined(yield* derivation.batch(claim.batchCount - 1n))
      if (batch === undefined || batch.batchHash !== claim.batchHash) return undefined
      const block = Option.getOrUndefined(yield* chain.block(batch.lastBlock))
      return block?.hash === batch.lastHash ? block : undefined
    })

  const judge = (view: L1View.View, claim: L1View.Claim) =>
    Effect.gen(function* () {
      const own = yield* ownOf(claim)
      if (own === undefined) return Option.none<VerifierEvent.RootMismatch>()
      const expected = standingOf(own)
      if (isEqual(expected, claim)) {
        judged.add(nameOf(claim.index, claim.l1BlockNumber, claim))
        return Option.none<VerifierEvent.RootMismatch>()
      }
      const before = Option.getOrUndefined(L1View.claim(view, claim.index - 1n))
      const firstWrong =
        options.recorded === undefined
          ? undefined
          : yield* firstWrongOf(options.recorded, chain, own.header.number)
      const { blockHash, blockNumber, stateRoot } = claim
      const mismatch = new VerifierEvent.RootMismatch({
        claimIndex: claim.index,
        l1BlockNumber: claim.l1BlockNumber,
        firstBlock: before === undefined ? 0n : before.blockNumber + 1n,
        expected,
        found: { blockHash, blockNumber, stateRoot },
        ...(firstWrong === undefined ? {} : { firstWrong })
      })
      const events = yield* types.encode([mismatch])
      yield* Effect.forEach(events, (event) =>
        log.append({ stream, expected: mismatches.length, events: [event] })
      ).pipe(Effect.zipRight(Effect.sync(() => remember(mismatch))), Effect.uninterruptible)
      return Option.some(mismatch)
    })

  const alone = yield* Effect.makeSemaphore(1)
  const check: Effect.Effect<ReadonlyArray<VerifierEvent.RootMismatch>, VerifierError> = Effect.gen(
    function* () {
      const view = yield* l1.view
      const found: Array<VerifierEvent.RootMismatch> = []
      for (let index = 0n; index < view.claimCount; index++) {
        const claim = Option.getOrUndefined(L1View.claim(view, index))
        if (claim === undefined) continue
        if (judged.has(nameOf(index, claim.l1BlockNumber, claim))) continue
        const mismatch = yield* judge(view, claim)
        if (Option.isSome(mismatch)) found.push(mismatch.value)
      }
      return found
    }
  )
  return {
    check: check.pipe(alone.withPermits(1), Effect.withSpan("Verifier.check")),
    mismatches: Effect.sync(() => [...mismatches])
  }
})

/** A defeated claim's index is used again, and so is a reorganized one's. */
const nameOf = (index: bigint, l1BlockNumber: bigint, standing: VerifierEvent.Standing): string =>
  [index, l1BlockNumber, standing.blockNumber, standing.blockHash, standing.stateRoot].join("/")

const standingOf = ({ hash, header }: ChainBlock): VerifierEvent.Standing => ({
  blockNumber: header.number,
  blockHash: hash,
  stateRoot: header.stateRoot
})

const isEqual = (left: VerifierEvent.Standing, right: VerifierEvent.Standing): boolean =>
  left.blockNumber === right.blockNumber &&
  left.blockHash === right.blockHash &&
  left.stateRoot === right.stateRoot

/** The first difference between what the sequencer recorded and what was derived, up to a block. */
const firstWrongOf = (
  recorded: NonNullable<VerifierOptions["recorded"]>,
  chain: typeof Chain.Service,
  last: bigint
) =>
  recorded.pipe(
    Stream.takeWhile(({ sealed }) => sealed.header.number <= last),
    Stream.mapEffect((record) =>
      Effect.map(
        chain.block(record.sealed.header.number),
        Option.flatMapNullable((own) => firstDifference(own, record))
      )
    ),
    Stream.filterMap((difference) => difference),
    Stream.runHead,
    Effect.map(Option.getOrUndefined)
  )

/** The first fact in which a recorded block is not the derived one. */
export const firstDifference = (
  own: ChainBlock,
  record: BlockRecord
): VerifierEvent.FirstWrong | undefined => {
  const ofItem = differenceOfItems(own, record)
  if (ofItem !== undefined || own.hash === record.sealed.hash) return ofItem
  const blockNumber = own.header.number
  return { blockNumber, what: "hash", expected: own.hash, found: record.sealed.hash }
}

const differenceOfItems = (
  own: ChainBlock,
  { items }: BlockRecord
): VerifierEvent.FirstWrong | undefined => {
  let ran = 0
  for (let index = 0; index < Math.max(own.items.length, items.length); index++) {
    const item = own.items[index]
    const expected = factsOf(
      item,
      item?.skipped === undefined ? own.transactions[ran++] : undefined
    )
    const found = recordedFacts(items[index])
    const what = FACTS.find((fact) => expected[fact] !== found[fact])
    if (what === undefined) continue
    const raw = item?.raw ?? items[index]?.raw ?? new Uint8Array(0)
    return {
      blockNumber: own.header.number,
      transaction: { index, hash: Transaction.hash(raw) },
      what,
      expected: expected[what],
      found: found[what]
    }
  }
  return undefined
}

const FACTS = ["hash", "validity", "success", "gasUsed", "logs", "stateRoot"] as const
type Facts = Readonly<Record<(typeof FACTS)[number], string>>
const NOTHING: Facts = {
  hash: "none",
  validity: "none",
  success: "none",
  gasUsed: "none",
  logs: "none",
  stateRoot: "none"
}

/** One text for equal logs, whoever made them. */
const textOf = (logs: ReadonlyArray<Log>): string =>
  JSON.stringify(logs.map(({ address, data, topics }) => [address, topics, data]))

const factsOf = (
  item: ChainBlock["items"][number] | undefined,
  transaction: ChainBlock["transactions"][number] | undefined
): Facts => {
  if (item === undefined) return NOTHING
  const hash = Transaction.hash(item.raw)
  if (transaction === undefined) return { ...NOTHING, hash, validity: "invalid" }
  return {
    hash,
    validity: "valid",
    success: `${transaction.receipt.status === 1}`,
    gasUsed: `${transaction.gasUsed}`,
    logs: textOf(transaction.receipt.logs),
    stateRoot: transaction.stateRoot
  }
}

const recordedFacts = (event: BlockItemEvent | undefined): Facts => {
  if (event === undefined) return NOTHING
  const hash = Transaction.hash(event.raw)
  if (event._tag === "v1.TransactionSkipped") return { ...NOTHING, hash, validity: "invalid" }
  return {
    hash,
    validity: "valid",
    success: `${event.success}`,
    gasUsed: `${event.gasUsed}`,
    logs: textOf(event.logs),
    stateRoot: event.stateRoot
  }
}
