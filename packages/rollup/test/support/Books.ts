/** All ETH of both layers, counted account by account and request by request. */
import * as Audit from "@ovm/bridge/Audit"
import * as Withdrawal from "@ovm/bridge/Withdrawal"
import * as L1View from "@ovm/l1/L1View"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import { BASE_FEE_VAULT, MESSAGE_PASSER, WETH } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"
import { queueEnd } from "@ovm/sequencer/ChainIndex"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { attempt } from "@ovm/state-manager/State"
import { Effect, HashMap, Option } from "effect"
import { COINBASE, type Running, type SequencerServices, until, type World } from "./World.ts"

/** Sent on L2 in the chain as it is, oldest first. */
export const withdrawalsOf = Effect.gen(function* () {
  const { block, head } = yield* Sequencer
  const last = (yield* head).header.number
  const found: Array<{ readonly withdrawal: Withdrawal.Withdrawal; readonly block: bigint }> = []
  for (let number = 1n; number <= last; number++) {
    const made = Option.getOrUndefined(yield* block(number))
    for (const { receipt } of made?.transactions ?? []) {
      for (const withdrawal of Withdrawal.fromLogs(receipt.logs)) {
        found.push({ withdrawal, block: number })
      }
    }
  }
  return found
})

const balanceAt = (number: bigint, accounts: Iterable<Address>) =>
  Effect.gen(function* () {
    const state = yield* (yield* Sequencer).stateAt(number)
    let sum = 0n
    for (const account of accounts) {
      sum += (yield* attempt(() => state.getAccount(account)))?.balance ?? 0n
    }
    return sum
  })

/** What is where now. Tried again if the chain moved while it was counted. */
const count = (world: World, others: Iterable<Address>) =>
  Effect.gen(function* () {
    const sequencer = yield* Sequencer
    const head = yield* sequencer.head
    const accounts = new Set<Address>([
      ...world.deployment.genesis.accounts.map(({ address }) => address),
      ...world.users.map(({ wallet }) => wallet.address),
      ...[world.stranger.wallet.address, COINBASE, BASE_FEE_VAULT, WETH],
      ...others
    ])
    accounts.delete(MESSAGE_PASSER)
    const l2CirculatingWei = yield* balanceAt(head.header.number, accounts)
    const l2ReserveWei = yield* balanceAt(head.header.number, [MESSAGE_PASSER])
    const sent = yield* withdrawalsOf
    const view = yield* (yield* L1View.L1View).view
    if (view.head === undefined) return Option.none()
    let pendingDepositsWei = 0n
    for (const [index, { raw }] of HashMap.toEntries(view.queue)) {
      if (index < queueEnd(head) || !DepositTransaction.isDeposit(raw)) continue
      pendingDepositsWei += (yield* DepositTransaction.decode(raw)).mint
    }
    const ended = (withdrawal: Withdrawal.Withdrawal) =>
      Option.getOrUndefined(HashMap.get(view.withdrawals, Withdrawal.hash(withdrawal)))
    const sum = (of: (withdrawal: Withdrawal.Withdrawal) => boolean) =>
      sent.reduce((wei, { withdrawal }) => wei + (of(withdrawal) ? withdrawal.value : 0n), 0n)
    const facts: Audit.SupplyFacts = {
      l2CirculatingWei,
      l2ReserveWei,
      l1BridgeWei: yield* world.l1.getBalance(world.deployment.contracts.bridge, {
        hash: view.head.hash
      }),
      pendingDepositsWei,
      pendingWithdrawalsWei: sum((withdrawal) => ended(withdrawal) === undefined),
      failedWithdrawalsWei: sum((withdrawal) => ended(withdrawal)?.success === false)
    }
    // Between a reorg and the roll-back after it, the two layers speak of different worlds.
    const { hash, number } = head.context.l1Origin
    const origin = Option.getOrUndefined(L1View.blockByNumber(view, number))
    const isFounded = number < world.deployment.deployedAt.number || origin?.hash === hash
    const moved = (yield* sequencer.head).hash !== head.hash || !isFounded
    return moved ? Option.none() : Option.some(facts)
  })

/** Holds both layers to the conservation laws; nothing may be left over that nobody put there. */
export const balanced = (
  world: World,
  sequencer: Running<SequencerServices>,
  others: Iterable<Address> = []
) =>
  sequencer.run(
    Effect.gen(function* () {
      const facts = yield* until(
        "both layers at rest",
        count(world, others).pipe(
          // L1 does not tell of a block that it has no more.
          Effect.catchTag("L1RequestRejected", () => Effect.succeedNone)
        ),
        Option.isSome
      )
      const { surplusWei } = yield* Audit.check(Option.getOrThrow(facts))
      if (surplusWei !== 0n) return yield* Effect.dieMessage(`${surplusWei} wei too many`)
      return Option.getOrThrow(facts)
    })
  )
