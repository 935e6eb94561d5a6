/** The story: in by the bridge, a trade, out by the bridge; each fact on L1, and L2 rebuilt from L1 alone. */
import { Batcher } from "@ovm/batcher/Batcher"
import { Proposer } from "@ovm/batcher/Proposer"
import * as Withdrawal from "@ovm/bridge/Withdrawal"
import * as WithdrawalProof from "@ovm/bridge/WithdrawalProof"
import { L1Bridge } from "@ovm/contracts"
import * as DeriveFromL1 from "@ovm/derivation/DeriveFromL1"
import { user } from "@ovm/example-uniswap/Actors"
import * as Market from "@ovm/example-uniswap/Market"
import { check, heading, step } from "@ovm/example-uniswap/Output"
import { short } from "@ovm/example-uniswap/Render"
import * as Trades from "@ovm/example-uniswap/Trades"
import { Anvil } from "@ovm/l1/Anvil"
import { L1Client } from "@ovm/l1/L1Client"
import * as L1View from "@ovm/l1/L1View"
import type { Deployment } from "@ovm/protocol/Deployment"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import * as Node from "@ovm/rollup/Node"
import * as Rollup from "@ovm/rollup/Rollup"
import * as Wallet from "@ovm/rollup/Wallet"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { attempt } from "@ovm/state-manager/State"
import { type Context, Effect, Layer, Option } from "effect"
import { createWalletClient, encodeFunctionData, formatEther, http, parseEther } from "viem"
import type { SequencerNode, VerifierNode } from "./Nodes.ts"
import { waiting } from "./Waiting.ts"

/** Wei that the user brings to L2, and takes back. */
const DEPOSIT = parseEther("10")
const WITHDRAWAL = parseEther("2")

export interface Parts {
  readonly deployment: Deployment
  readonly sequencer: Context.Context<SequencerNode>
  readonly verifier: Context.Context<VerifierNode>
}

/** An ordinary L1 transaction of the user's, signed by viem as any wallet would. */
const sendOnL1 = (options: { readonly to: Address; readonly data: Hex; readonly value: bigint }) =>
  Effect.gen(function* () {
    const { url } = yield* Anvil
    const l1 = yield* L1Client
    const wallet = createWalletClient({ transport: http(url), account: user.account })
    const hash = yield* Effect.promise(() => wallet.sendTransaction({ ...options, chain: null }))
    const receipt = yield* until(l1.getReceipt(hash), Option.isSome)
    return Option.getOrThrow(receipt)
  })

const l2Balance = Effect.gen(function* () {
  const sequencer = yield* Sequencer
  const state = yield* sequencer.stateAt((yield* sequencer.head).header.number)
  return (yield* attempt(() => state.getAccount(user.address)))?.balance ?? 0n
})

const depositETH = (deployment: Deployment) =>
  Effect.gen(function* () {
    yield* heading("Ten ETH go in: L1Bridge.depositETH()")
    const receipt = yield* sendOnL1({
      to: deployment.contracts.bridge,
      value: DEPOSIT,
      data: encodeFunctionData({ abi: L1Bridge.abi, functionName: "depositETH" })
    })
    yield* step("the user sent it on L1", `block ${receipt.blockNumber} · ${receipt.gasUsed} gas`)
    const balance = yield* waiting(
      "the sequencer took it from the queue",
      until(l2Balance, (wei) => wei > 0n)
    )
    yield* check("on L2, minted out of the reserve", `${DEPOSIT}`, `${balance}`, eth(balance))
  })

/** Tries again until it is so, and answers what it was then. */
const until = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  is: (value: A) => boolean
): Effect.Effect<A, E, R> =>
  Effect.flatMap(effect, (value) =>
    is(value)
      ? Effect.succeed(value)
      : Effect.zipRight(
          Effect.sleep("200 millis"),
          Effect.suspend(() => until(effect, is))
        )
  )

const eth = (wei: bigint) => `${formatEther(wei)} ETH`

const withdrawOnL2 = Effect.gen(function* () {
  yield* heading("Two ETH go out: L2ToL1MessagePasser.initiateWithdrawal()")
  const included = yield* Wallet.send(
    user,
    Withdrawal.request({ target: user.address, value: WITHDRAWAL })
  )
  const [withdrawal] = Withdrawal.fromLogs(included.receipt.logs)
  if (withdrawal === undefined) return yield* Effect.dieMessage("a withdrawal without its log")
  yield* step("a slot of the message passer says so", short(Withdrawal.hash(withdrawal)))
  return { withdrawal, blockNumber: included.blockNumber }
})

const postBatches = Effect.gen(function* () {
  yield* heading("Everything is posted on L1")
  const posted = yield* waiting(
    "the batcher posted what L1 lacked",
    Effect.flatMap(Batcher, ({ drain }) => drain)
  )
  for (const { firstBlock, index, l1GasUsed, lastBlock, payloadBytes, transactions } of posted) {
    yield* step(
      `batch ${index}: blocks ${firstBlock} to ${lastBlock}`,
      `${transactions} transactions · ${payloadBytes} bytes · ${l1GasUsed} L1 gas`
    )
  }
  return {
    transactions: posted.reduce((sum, { transactions }) => sum + transactions, 0),
    bytes: posted.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0),
    l1Gas: posted.reduce((sum, { l1GasUsed }) => sum + l1GasUsed, 0n)
  }
})

/** Until a claim stands that covers the block; answers its index. */
const propose = (blockNumber: bigint) =>
  Effect.gen(function* () {
    yield* heading("Its state is claimed by a node that knows L1 alone")
    const proposer = yield* Proposer
    const done = yield* waiting(
      "the proposer derived the blocks, and claims them",
      until(
        proposer.step,
        (each) => each._tag === "Proposed" && each.head.block.number >= blockNumber
      )
    )
    if (done._tag !== "Proposed") return yield* Effect.dieMessage("no claim")
    const { block } = done.head
    yield* step(
      `claim ${done.index}: block ${block.number}`,
      `state root ${short(block.stateRoot)}`
    )
    return { index: done.index, head: done.head }
  })

const passChallengePeriod = ({ parameters }: Deployment) =>
  Effect.gen(function* () {
    const seconds = parameters.challengePeriodSeconds
    yield* heading(`The challenge period: ${seconds / 86_400} days`)
    const anvil = yield* Anvil
    yield* anvil.passTime(seconds + 1)
    yield* step("time passed", "this L1 can skip it; no other can")
  })

const finalize = (
  deployment: Deployment,
  withdrawal: Withdrawal.Withdrawal,
  claim: Effect.Effect.Success<ReturnType<typeof propose>>
) =>
  Effect.gen(function* () {
    yield* heading("The withdrawal is proven: L1Bridge.finalizeWithdrawal(proof)")
    const l1 = yield* L1Client
    const { stateRoot } = claim.head.block
    const proof = yield* WithdrawalProof.fromState({ withdrawal, stateRoot })
    yield* WithdrawalProof.verify({ withdrawal, stateRoot, proof })
    const bytes = yield* WithdrawalProof.encode({ withdrawal, claimIndex: claim.index, proof })
    yield* step("an eth_getProof answer, checked as L1 will", `${(bytes.length - 2) / 2} bytes`)
    const before = yield* l1.getBalance(user.address)
    const receipt = yield* sendOnL1({
      to: deployment.contracts.bridge,
      value: 0n,
      data: encodeFunctionData({
        abi: L1Bridge.abi,
        functionName: "finalizeWithdrawal",
        args: [bytes]
      })
    })
    const fee = receipt.gasUsed * receipt.effectiveGasPrice
    const received = (yield* l1.getBalance(user.address)) - before + fee
    yield* check("and paid out on L1", `${WITHDRAWAL}`, `${received}`, eth(received))
    return received
  })

/** L1, and an empty log: nothing of the sequencer's. */
const deriveAgain = ({ deployment, sequencer }: Parts) =>
  Effect.gen(function* () {
    yield* heading("Everything dropped but L1; L2 derived from it")
    const l1Head = yield* Effect.flatMap(L1Client, ({ blockNumber }) => blockNumber)
    const derived = yield* waiting(
      "read every L1 block, ran every batch",
      DeriveFromL1.derive({ deployment, upToL1Block: l1Head }).pipe(
        Effect.provide(
          Node.layerL1Log({ deployment }).pipe(Layer.provideMerge(Rollup.layerExecution))
        )
      )
    )
    const { hash, header } = derived.derived
    const own = yield* Effect.flatMap(Sequencer, ({ block }) => block(header.number)).pipe(
      Effect.provide(sequencer)
    )
    const expected = Option.match(own, { onNone: () => "no block", onSome: (block) => block.hash })
    yield* check(`block ${header.number} is the sequencer's`, expected, hash, short(hash))
    return { blocks: derived.blocks, identical: expected === hash }
  })

export const tell = (parts: Parts) =>
  Effect.gen(function* () {
    const { deployment, sequencer, verifier } = parts
    yield* depositETH(deployment).pipe(Effect.provide(sequencer))
    const { blockNumber, withdrawal } = yield* Effect.gen(function* () {
      const market = yield* Market.open
      yield* Trades.tradeOnV1(market)
      return yield* withdrawOnL2
    }).pipe(Effect.provide(sequencer))
    const batch = yield* postBatches.pipe(Effect.provide(sequencer))
    const claim = yield* propose(blockNumber).pipe(Effect.provide(verifier))
    yield* passChallengePeriod(deployment)
    const paid = yield* finalize(deployment, withdrawal, claim).pipe(Effect.provide(verifier))
    yield* waiting(
      "the sequencer's node saw it, too",
      Effect.flatMap(L1View.L1View, (l1) =>
        l1.until((view) => Option.isSome(L1View.withdrawal(view, Withdrawal.hash(withdrawal))))
      ).pipe(Effect.provide(sequencer))
    )
    const derived = yield* deriveAgain(parts)
    return {
      deposit: DEPOSIT,
      batch,
      withdrawal: { amount: paid, finalized: paid === WITHDRAWAL },
      derived
    }
  })
