/**
 * Counts all ETH of both layers from a log alone: L2 by running it again, L1 by what its contracts were seen to say.
 *
 * The point in time is the log's end: L2 behind its last block, L1 behind the last block that was observed. What lies
 * between the two (deposits not run yet, withdrawals not finalized yet) is counted as under way. That is only
 * well-defined once L2 has followed L1 up to there: every batch that was seen is derived, and L2's last block builds on
 * L1 as it was last seen. A log that ends in between is refused as `LayersApart`.
 */
import * as Audit from "@ovm/bridge/Audit"
import * as Withdrawal from "@ovm/bridge/Withdrawal"
import { DERIVATION_STREAM, derivationEventTypes } from "@ovm/derivation/DerivationEvent"
import { EventLog, type EventLogService } from "@ovm/event-log/EventLog"
import * as L1View from "@ovm/l1/L1View"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import { ETH_CAP, MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import { type Address, Hash32 } from "@ovm/protocol/Primitives"
import * as ChainReplay from "@ovm/sequencer/ChainReplay"
import { attempt } from "@ovm/state-manager/State"
import { Effect, HashMap, Option, Schema, Stream } from "effect"

/** The log ends where L2 has not followed L1 yet, so no sum means anything. Recover by letting a node follow, or deriving anew. */
export class LayersApart extends Schema.TaggedError<LayersApart>()("LayersApart", {
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.expected}, found ${this.found}. Let the log's node follow L1 and try again, or derive a new log.`
  }
}

/** L1 paid out what L2, with all of L1's batches, never sent. Its proof or its claim was false: look at the claim it names. */
export class WithdrawalUnknown extends Schema.TaggedError<WithdrawalUnknown>()(
  "WithdrawalUnknown",
  {
    withdrawalHash: Hash32,
    valueWei: Schema.NonNegativeBigInt,
    l1BlockNumber: Schema.NonNegativeBigInt
  }
) {
  override get message() {
    return `Expected the withdrawal ${this.withdrawalHash} of ${this.valueWei} wei, finalized in L1 block ${this.l1BlockNumber}, to have been sent on L2, found no such one. Look at the claim that it was proven against.`
  }
}

/** What L2 comes to, once it was run again. */
export interface L2Books {
  readonly replayed: ChainReplay.Replayed
  readonly genesisHash: Hash32
  readonly circulatingWei: bigint
  readonly reserveWei: bigint
  /** Wei that genesis gave to accounts, and that who deployed the contracts paid into the bridge. */
  readonly escrowWei: bigint
  /** Sent to L1, oldest first. */
  readonly withdrawals: ReadonlyArray<Withdrawal.Withdrawal>
}

export interface Books {
  readonly l2: L2Books
  /** L1 as last seen; undefined if the log has nothing of L1. */
  readonly l1: L1View.View | undefined
  /** Of both layers, the bridge's balance by the log's own count; undefined if the log has nothing of L1. */
  readonly facts: Audit.SupplyFacts | undefined
  /** Events of the log, its hash chain verified. */
  readonly events: number
}

/** Verifies, replays and counts. Judges nothing but that the sums are of one point in time. */
export const count = Effect.gen(function* () {
  const whole = yield* EventLog
  const { position } = yield* whole.verify
  const log = asOf(whole, position)
  const l2 = yield* runAgain.pipe(Effect.provideService(EventLog, log))
  const l1 = yield* viewOf(log)
  const facts = l1 === undefined ? undefined : yield* factsOf(l2, l1, yield* batchesDerived(log))
  const books: Books = { l2, l1, facts, events: position }
  return books
}).pipe(Effect.withSpan("SupplyAudit.count"))

/** The log as it was when it was verified, whatever its writer appends meanwhile. */
const asOf = (log: EventLogService, position: number): EventLogService => {
  const bounded = <Q extends { readonly until?: number | undefined }>(query: Q | undefined) => ({
    ...query,
    until: Math.min(query?.until ?? position, position)
  })
  return {
    ...log,
    head: Effect.map(log.head, (head) => ({ ...head, position })),
    page: (query) => log.page(bounded(query)),
    read: (query) => log.read(bounded(query))
  }
}

/** Every account that ever had ETH is in genesis or in what a transaction changed. */
const runAgain = Effect.gen(function* () {
  const touched = new Set<Address>()
  const withdrawals: Array<Withdrawal.Withdrawal> = []
  let genesisHash: Hash32 | undefined
  const replayed = yield* ChainReplay.replay({
    onBlock: ({ header, transactions }) =>
      Effect.sync(() => {
        if (header.number === 1n) genesisHash = header.parentHash
        for (const { diff, receipt } of transactions) {
          for (const address of diff.accounts.keys()) touched.add(address)
          withdrawals.push(...Withdrawal.fromLogs(receipt.logs))
        }
      })
  })
  let escrowWei = ETH_CAP
  for (const { address, balance } of replayed.genesis.accounts) {
    touched.add(address)
    if (address === MESSAGE_PASSER) escrowWei -= balance
  }
  touched.delete(MESSAGE_PASSER)
  const balanceOf = (address: Address) =>
    Effect.map(
      attempt(() => replayed.state.getAccount(address)),
      (account) => account?.balance ?? 0n
    )
  let circulatingWei = 0n
  for (const address of touched) circulatingWei += yield* balanceOf(address)
  const books: L2Books = {
    replayed,
    genesisHash: genesisHash ?? replayed.hash,
    circulatingWei,
    reserveWei: yield* balanceOf(MESSAGE_PASSER),
    escrowWei,
    withdrawals
  }
  return books
})

const viewOf = (log: EventLogService) =>
  log.read({ stream: L1View.L1_STREAM }).pipe(
    Stream.mapEffect((event) => L1View.l1EventTypes.decode(event)),
    Stream.runFold(L1View.empty, (view, { payload, position }) =>
      L1View.apply(view, payload, position)
    ),
    Effect.map((view) => (view.head === undefined ? undefined : view))
  )

const batchesDerived = (log: EventLogService) =>
  log.read({ stream: DERIVATION_STREAM }).pipe(
    Stream.mapEffect((event) => derivationEventTypes.decode(event)),
    Stream.runFold(0n, (_, { payload }) =>
      payload._tag === "v1.BatchDerived" ? payload.index + 1n : payload.batchCount
    )
  )

/** What both layers hold; pure but for its errors, so that any books can be judged. */
export const factsOf = (
  l2: L2Books,
  view: L1View.View,
  derivedBatches: bigint
): Effect.Effect<
  Audit.SupplyFacts,
  LayersApart | WithdrawalUnknown | DepositTransaction.DecodeError
> =>
  Effect.gen(function* () {
    yield* requireTogether(l2, view, derivedBatches)
    let depositedWei = 0n
    let pendingDepositsWei = 0n
    for (const [index, { raw }] of HashMap.toEntries(view.queue)) {
      if (!DepositTransaction.isDeposit(raw)) continue
      const { mint } = yield* DepositTransaction.decode(raw)
      depositedWei += mint
      if (index >= l2.replayed.queueEnd) pendingDepositsWei += mint
    }
    const sent = new Map(l2.withdrawals.map((each) => [Withdrawal.hash(each), each.value]))
    let [paidWei, failedWithdrawalsWei] = [0n, 0n]
    for (const { l1BlockNumber, success, value, withdrawalHash } of HashMap.values(
      view.withdrawals
    )) {
      if (sent.get(withdrawalHash) !== value) {
        return yield* new WithdrawalUnknown({ withdrawalHash, valueWei: value, l1BlockNumber })
      }
      sent.delete(withdrawalHash)
      if (success) paidWei += value
      else failedWithdrawalsWei += value
    }
    let pendingWithdrawalsWei = 0n
    for (const value of sent.values()) pendingWithdrawalsWei += value
    const bridgeWei = l2.escrowWei + depositedWei - paidWei
    return {
      l2CirculatingWei: l2.circulatingWei,
      l2ReserveWei: l2.reserveWei,
      // Less than nothing is as wrong as nothing, and the check says by how much.
      l1BridgeWei: bridgeWei < 0n ? 0n : bridgeWei,
      ...{ pendingDepositsWei, pendingWithdrawalsWei, failedWithdrawalsWei }
    }
  })

const requireTogether = ({ replayed }: L2Books, view: L1View.View, derivedBatches: bigint) =>
  Effect.gen(function* () {
    if (derivedBatches !== view.batchCount) {
      return yield* new LayersApart({
        expected: `all ${view.batchCount} batches of L1 to be derived`,
        found: `${derivedBatches}`
      })
    }
    const { queueEnd } = replayed
    if (queueEnd > view.queueLength || queueEnd < view.queueTaken) {
      return yield* new LayersApart({
        expected: `L2 to have taken between ${view.queueTaken} and ${view.queueLength} entries of the queue`,
        found: `${queueEnd}`
      })
    }
    const { hash, number } = replayed.l1Origin
    const held = Option.getOrUndefined(L1View.blockByNumber(view, number))
    // Blocks below those that are held are too deep to be reorganized; above the head there are none.
    const isAbove = number > (view.head?.number ?? 0n)
    if (isAbove || (held !== undefined && held.hash !== hash)) {
      return yield* new LayersApart({
        expected: `L2's last block to build on L1 block ${number}, ${held?.hash ?? "which L1 has no more"}`,
        found: hash
      })
    }
  })

/** Wei that L2 and its reserve hold together: what can be said without L1. */
export const checkCap = ({ circulatingWei, reserveWei }: L2Books) =>
  Audit.check({
    l2CirculatingWei: circulatingWei,
    l2ReserveWei: reserveWei,
    l1BridgeWei: circulatingWei,
    ...{ pendingDepositsWei: 0n, pendingWithdrawalsWei: 0n, failedWithdrawalsWei: 0n }
  })
