/** What people do with a rollup, one thing at a time, as a seed has it. */
import { Batcher } from "@ovm/batcher/Batcher"
import { Proposer } from "@ovm/batcher/Proposer"
import * as Deposits from "@ovm/bridge/Deposits.ts"
import * as Withdrawal from "@ovm/bridge/Withdrawal"
import * as WithdrawalProof from "@ovm/bridge/WithdrawalProof"
import { WETH as WethArtifact } from "@ovm/contracts"
import * as L1View from "@ovm/l1/L1View"
import { WETH } from "@ovm/protocol/Predeploys"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import type { SeededRandom } from "../../../testing/src/internal/SeededRandom.ts"
import { Effect, HashMap, Option } from "effect"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { encodeFunctionData, parseEther } from "viem"
import * as Wallet from "../../src/Wallet.ts"
import { withdrawalsOf } from "./Books.ts"
import {
  type Running,
  type SequencerServices,
  type User,
  until,
  type VerifierServices,
  type World
} from "./World.ts"

/** An account that nobody has a key of. */
export const GHOST: Address = `0x${"9a".repeat(20)}`
export const addressOf = (key: Hex): Address => Wallet.make(key).address
/** Gas of an ordinary call on L2. */
const CALL_GAS = 2_000_000n

export interface Players {
  readonly world: World
  readonly sequencer: Running<SequencerServices>
  readonly verifier: Running<VerifierServices>
  /** What the sequencer said it took. */
  readonly acknowledged: Array<Hash32>
}

export const deposit = (user: User, amountWei: bigint) =>
  Deposits.depositETH(user.bridge, { amountWei })

/** A deposit whose call reverts: the ETH stays with who sent it. */
export const failingDeposit = (user: User, amountWei: bigint) =>
  Deposits.depositETHTo(user.bridge, {
    ...{ to: WETH, amountWei, gasLimit: 200_000n },
    data: encodeFunctionData({
      abi: WethArtifact.abi,
      functionName: "transfer",
      args: [GHOST, parseEther("1000000")]
    })
  })

/** Sends a transaction and notes that it was acknowledged, also if it is in no block yet. */
export const submit = (
  players: Pick<Players, "sequencer" | "acknowledged">,
  user: User,
  request: Wallet.Request
) =>
  players.sequencer.run(
    Wallet.send(user.wallet, { gas: CALL_GAS, ...request }).pipe(
      Effect.tap(({ hash }) => players.acknowledged.push(hash)),
      Effect.tapErrorTag("TransactionNotIncluded", ({ hash, reason }) =>
        Effect.sync(() => {
          if (reason === STILL_WAITS) players.acknowledged.push(hash as Hash32)
        })
      )
    )
  )

/** After a roll-back: behind others of its sender that wait, for a lower base fee or a nonce. */
const STILL_WAITS = "it still waits"
/** What a reorg alone explains: it takes from the batcher and the proposer what they are about to build on. */
export const isExplained = (message: string): boolean =>
  message.includes("anew") || message.includes(STILL_WAITS)

const weth = (data: Hex): Wallet.Request => ({ to: WETH, data })

/** Finality for all claims that are there, then every withdrawal that they cover. */
export const finalize = ({ sequencer, verifier, world }: Players) =>
  Effect.gen(function* () {
    const { parameters } = world.deployment
    yield* world.anvil.passTime(parameters.challengePeriodSeconds + 1)
    yield* verifier.run(
      Effect.gen(function* () {
        const { until: untilView } = yield* L1View.L1View
        const now = yield* world.l1.blockNumber
        yield* untilView(({ head }) => head !== undefined && head.number >= now)
        yield* (yield* Proposer).step
      })
    )
    const view = yield* verifier.run(Effect.flatMap(L1View.L1View, ({ view }) => view))
    const final = [...HashMap.values(view.claims)]
      .filter(({ status }) => status === "final")
      .sort((a, b) => Number(b.index - a.index))[0]
    if (final === undefined) return 0
    const sent = yield* sequencer.run(withdrawalsOf)
    let done = 0
    for (const { block, withdrawal } of sent) {
      const hash = Withdrawal.hash(withdrawal)
      if (block > final.blockNumber || HashMap.has(view.withdrawals, hash)) continue
      const { stateRoot } = final
      const bytes = yield* verifier.run(
        Effect.gen(function* () {
          const proof = yield* WithdrawalProof.fromState({ withdrawal, stateRoot })
          return yield* WithdrawalProof.encode({ withdrawal, claimIndex: final.index, proof })
        })
      )
      yield* Deposits.finalizeWithdrawal(world.stranger.bridge, { proof: bytes })
      done++
    }
    return done
  })

/** One thing that somebody does. Answers what it was; what the rules refuse is done, too. */
export const act = (
  players: Players,
  random: SeededRandom,
  onBegin: (name: string) => void = () => undefined
) => {
  const { sequencer, verifier, world } = players
  // A deposit takes a nonce of who sends it, too: if it is gone, his next transaction waits for that nonce.
  const [alice, bob, carol, dave] = world.users
  const user = random.pick([alice, bob])
  const depositor = random.pick([carol, dave])
  const other = random.pick(world.users)
  const amount = BigInt(1 + random.below(1_000_000)) * 1_000_000_000n
  const does = (name: string, effect: Effect.Effect<unknown, { readonly message: string }>) =>
    Effect.suspend(() => {
      onBegin(name)
      return Effect.as(effect, name)
    })
  const transferWeth = { abi: WethArtifact.abi, functionName: "transfer" } as const
  const choices: ReadonlyArray<
    readonly [number, () => Effect.Effect<string, { readonly message: string }>]
  > = [
    [4, () => does("deposit", deposit(depositor, amount))],
    [
      2,
      () =>
        does(
          "deposit to another",
          Deposits.depositETHTo(depositor.bridge, {
            ...{ to: random.chance(50) ? GHOST : other.wallet.address },
            ...{ amountWei: amount, gasLimit: 100_000n }
          })
        )
    ],
    [2, () => does("deposit that fails", failingDeposit(depositor, amount))],
    [6, () => does("transfer", submit(players, user, { to: other.wallet.address, value: amount }))],
    [2, () => does("transfer to nobody", submit(players, user, { to: GHOST, value: amount }))],
    [
      3,
      () =>
        does(
          "WETH transfer",
          submit(
            players,
            user,
            weth(encodeFunctionData({ ...transferWeth, args: [other.wallet.address, amount] }))
          )
        )
    ],
    [
      2,
      () =>
        does(
          "WETH there and back",
          Effect.zipRight(
            submit(players, user, {
              ...weth(encodeFunctionData({ abi: WethArtifact.abi, functionName: "deposit" })),
              value: amount
            }),
            submit(
              players,
              user,
              weth(
                encodeFunctionData({
                  abi: WethArtifact.abi,
                  functionName: "withdraw",
                  args: [amount / 2n]
                })
              )
            )
          )
        )
    ],
    [
      3,
      () =>
        does(
          "withdrawal",
          submit(players, user, Withdrawal.request({ target: user.wallet.address, value: amount }))
        )
    ],
    [
      1,
      () =>
        does(
          "withdrawal that will fail",
          // The Inbox takes no ETH that names no function.
          submit(
            players,
            user,
            Withdrawal.request({ target: world.deployment.contracts.inbox, value: amount })
          )
        )
    ],
    [
      2,
      () => does("withdrawal by L1", Deposits.withdrawETH(depositor.bridge, { amountWei: amount }))
    ],
    [5, () => does("batches", sequencer.run(Effect.flatMap(Batcher, ({ drain }) => drain)))],
    [4, () => does("claim", verifier.run(Effect.flatMap(Proposer, ({ step }) => step)))],
    [2, () => does("finalize", finalize(players))],
    [4, () => does("reorg", world.anvil.reorg({ depth: 1 + random.below(6) }))]
  ]
  return random.weighted(choices, () => Effect.succeed("nothing"))()
}

/**
 * Until everything that was acknowledged is in the chain. Where it moved back, the base fee rose: some wait until
 * further blocks let it fall, and the queue makes blocks whatever the fee.
 */
export const bringBack = ({ acknowledged, sequencer, world }: Players) => {
  let looks = 0
  return until(
    "every transaction back in the chain",
    Effect.gen(function* () {
      looks++
      const { transaction } = yield* sequencer.run(Sequencer)
      const found = yield* Effect.forEach(acknowledged, (hash) => transaction(hash))
      const isBack = found.every(Option.isSome)
      // First comes what waits for the next look at L1 alone.
      if (!isBack && looks > 20) yield* deposit(world.stranger, 1n)
      return isBack
    }),
    (isBack) => isBack
  )
}
