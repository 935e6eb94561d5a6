/** The trades of the story, each checked against the formula and shown as the contracts saw it. */
import { WETH } from "@ovm/protocol/Predeploys"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import * as Wallet from "@ovm/rollup/Wallet"
import * as BlockBuilder from "@ovm/sequencer/BlockBuilder"
import type { ChainTransaction } from "@ovm/sequencer/ChainIndex"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import * as CallTree from "@ovm/execution-manager/CallTree"
import { Effect, Option } from "effect"
import { encodeFunctionData, formatEther, parseEther } from "viem"
import { friend, user } from "./Actors.ts"
import { Erc20, V1Exchange, V2Pair, V2Router } from "./Contracts.ts"
import { amountOut } from "./Formula.ts"
import { asBigInt, balanceOf, castOf, DEADLINE, type Market, read } from "./Market.ts"
import { check, heading, Output, step } from "./Output.ts"
import { callTree, short } from "./Render.ts"

export interface V1Trade {
  readonly ethIn: bigint
  readonly tokensOut: bigint
  readonly expectedTokensOut: bigint
  readonly txHash: Hash32
  readonly internalTxHash: Hash32
  readonly blockNumber: bigint
}

/** A user trading ETH for BAT on Uniswap, as in the OVM's first description. */
export const tradeOnV1 = Effect.fn("Trades.tradeOnV1")(function* (market: Market) {
  yield* heading("A user trades ETH for BAT on Uniswap V1")
  const { bat, v1 } = market
  const ethIn = parseEther("1")
  const wethBefore = yield* balanceOf(WETH, v1.exchange)
  const expectedTokensOut = amountOut({
    amountIn: ethIn,
    reserveIn: wethBefore,
    reserveOut: yield* balanceOf(bat, v1.exchange)
  })
  const before = yield* balanceOf(bat, friend.address)
  const transaction = yield* Wallet.send(user, {
    to: v1.exchange,
    value: ethIn,
    data: encodeFunctionData({
      abi: V1Exchange.abi,
      functionName: "ethToTokenTransferInput",
      args: [1n, DEADLINE, friend.address]
    })
  })
  const { blockNumber, hash: txHash, internalHash: internalTxHash } = transaction
  yield* step("the user signed", `ethToTokenTransferInput(1, deadline, Friend) with 1 ETH`)
  yield* step(
    "the sequencer wrapped it",
    "executeTransaction(block context, raw) → executeCall → ovmCALL"
  )
  yield* step("and answered the original hash", txHash)
  yield* step("stored against it: the internal hash", internalTxHash)
  const stored = yield* (yield* Sequencer).internalHash(txHash)
  yield* check(
    "a look-up gives the internal hash",
    internalTxHash,
    Option.getOrElse(stored, () => "nothing"),
    short(internalTxHash)
  )
  yield* show(market, transaction)
  const moved = (yield* balanceOf(WETH, v1.exchange)) - wethBefore
  yield* checkAmount("all ETH is WETH: the exchange's grew by", ethIn, moved, "WETH")
  const tokensOut = (yield* balanceOf(bat, friend.address)) - before
  yield* checkAmount("BAT bought, and by the formula", expectedTokensOut, tokensOut, "BAT")
  return {
    ethIn,
    tokensOut,
    expectedTokensOut,
    txHash,
    internalTxHash,
    blockNumber
  } satisfies V1Trade
})

export interface V2Trades {
  readonly ethIn: bigint
  readonly tokensOut: bigint
  readonly expectedTokensOut: bigint
  readonly tokensIn: bigint
  readonly ethOut: bigint
  readonly expectedEthOut: bigint
}

export const tradeOnV2 = Effect.fn("Trades.tradeOnV2")(function* (market: Market) {
  const { bat } = market
  yield* heading("The same on Uniswap V2: swapExactETHForTokens")
  const ethIn = parseEther("1")
  const expectedTokensOut = yield* quote(market, ethIn, WETH)
  const batBefore = yield* balanceOf(bat, user.address)
  const bought = yield* sendToRouter(market, ethIn, {
    functionName: "swapExactETHForTokens",
    args: [1n, [WETH, bat], user.address, DEADLINE]
  })
  yield* show(market, bought)
  const tokensOut = (yield* balanceOf(bat, user.address)) - batBefore
  yield* checkAmount("BAT bought, and by the formula", expectedTokensOut, tokensOut, "BAT")

  yield* heading("And back: swapExactTokensForETH")
  const tokensIn = parseEther("100")
  yield* Wallet.send(user, { to: bat, data: approveRouter(market, tokensIn) })
  const expectedEthOut = yield* quote(market, tokensIn, bat)
  const ethBefore = yield* balanceOf(WETH, user.address)
  const sold = yield* sendToRouter(market, 0n, {
    functionName: "swapExactTokensForETH",
    args: [tokensIn, 1n, [bat, WETH], user.address, DEADLINE]
  })
  yield* show(market, sold)
  const fee = sold.gasUsed * sold.effectiveGasPrice
  const ethOut = (yield* balanceOf(WETH, user.address)) - ethBefore + fee
  yield* checkAmount("ETH bought, and by the formula", expectedEthOut, ethOut, "ETH")
  return {
    ethIn,
    tokensOut,
    expectedTokensOut,
    tokensIn,
    ethOut,
    expectedEthOut
  } satisfies V2Trades
})

const approveRouter = ({ v2 }: Market, amount: bigint): Hex =>
  encodeFunctionData({
    abi: Erc20.abi,
    functionName: "approve",
    args: [v2.router, amount]
  })

type Swap =
  | {
      readonly functionName: "swapExactETHForTokens"
      readonly args: readonly [bigint, ReadonlyArray<Address>, Address, bigint]
    }
  | {
      readonly functionName: "swapExactTokensForETH"
      readonly args: readonly [bigint, bigint, ReadonlyArray<Address>, Address, bigint]
    }

const sendToRouter = ({ v2 }: Market, value: bigint, swap: Swap) =>
  Wallet.send(user, {
    to: v2.router,
    value,
    data: encodeFunctionData({ abi: V2Router.abi, ...swap })
  })

/** What the pair must pay for `amountIn` of `tokenIn`, from its reserves now. */
const quote = ({ bat, v2 }: Market, amountIn: bigint, tokenIn: Address) =>
  Effect.gen(function* () {
    const pair = { to: v2.pair, abi: V2Pair.abi, args: [] } as const
    const reserves = yield* read({ ...pair, functionName: "getReserves" })
    const token0 = String(yield* read({ ...pair, functionName: "token0" })).toLowerCase()
    const [reserve0, reserve1] = Array.isArray(reserves) ? reserves : []
    const inIsToken0 = token0 === (tokenIn === bat ? bat : WETH)
    return amountOut({
      amountIn,
      reserveIn: asBigInt(inIsToken0 ? reserve0 : reserve1),
      reserveOut: asBigInt(inIsToken0 ? reserve1 : reserve0)
    })
  })

const checkAmount = (what: string, expected: bigint, found: bigint, unit: string) =>
  check(what, expected.toString(), found.toString(), `${formatEther(found)} ${unit}`)

/** Runs the block again up to the transaction, watching, and draws what happened. */
const show = (market: Market, { blockNumber, hash }: ChainTransaction) =>
  Effect.gen(function* () {
    const sequencer = yield* Sequencer
    const { paint, say } = yield* Output
    const block = Option.getOrThrow(yield* sequencer.block(blockNumber))
    const tree = CallTree.make()
    const rerun = yield* BlockBuilder.open({
      parentHash: block.header.parentHash,
      context: block.context,
      queueStart: block.queueStart,
      state: yield* sequencer.stateAt(blockNumber - 1n)
    })
    for (const transaction of block.transactions) {
      yield* rerun.execute(transaction.raw, transaction.hash === hash ? tree.tracer : undefined)
    }
    const root = tree.root()
    if (root === undefined) return
    yield* say("")
    for (const line of callTree({ root, cast: castOf(market), paint })) yield* say(line)
    yield* say("")
  })
