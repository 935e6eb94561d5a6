/** Deploys what the story needs: BAT, both Uniswaps, liquidity in each. */
import { LEDGER, WETH } from "@ovm/protocol/Predeploys"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import * as Wallet from "@ovm/rollup/Wallet"
import { Effect, Option } from "effect"
import {
  type Abi,
  decodeFunctionResult,
  encodeDeployData,
  encodeFunctionData,
  parseEther,
  size
} from "viem"
import { deployer, friend, sequencer, user } from "./Actors.ts"
import {
  Erc20,
  Ledger,
  Token,
  V1Exchange,
  V1Factory,
  V2Factory,
  V2Pair,
  V2Router
} from "./Contracts.ts"
import { heading, step } from "./Output.ts"
import { makeCast } from "./Render.ts"

/** Trades must be in a block before this time (seconds since 1970); far away, as it is not the point here. */
export const DEADLINE = 4_102_444_800n

/** Liquidity of each pool: 100 ETH and 50,000 BAT. */
const POOL_ETH = parseEther("100")
const POOL_BAT = parseEther("50000")

const deploy = (name: string, data: Hex) =>
  Effect.gen(function* () {
    const { contractAddress, gasUsed } = yield* Wallet.send(deployer, { data })
    const address = Option.getOrThrow(contractAddress)
    yield* step(`${name} deployed`, `${address} · ${size(data)} bytes of initcode · ${gasUsed} gas`)
    return address
  })

const act = (label: string, request: Wallet.Request) =>
  Effect.tap(Wallet.send(deployer, request), ({ gasUsed }) => step(label, `${gasUsed} gas`))

/** Asks a view function, as of a block if one is named. */
export const read = (options: {
  readonly to: Address
  readonly abi: Abi
  readonly functionName: string
  readonly args: ReadonlyArray<unknown>
  readonly blockNumber?: bigint
}) => {
  const { abi, args, blockNumber, functionName, to } = options
  return Effect.map(
    Wallet.call({
      from: user.address,
      to,
      data: encodeFunctionData({ abi, functionName, args }),
      ...(blockNumber === undefined ? {} : { blockNumber })
    }),
    ({ returnData }): unknown => decodeFunctionResult({ abi, functionName, data: returnData })
  )
}

export const asBigInt = (value: unknown): bigint => BigInt(String(value))

/** An address as map keys want it. */
const asAddress = (value: unknown): Address => `0x${String(value).slice(2).toLowerCase()}`

export const balanceOf = (token: Address, owner: Address, blockNumber?: bigint) =>
  Effect.map(
    read({
      to: token,
      abi: Erc20.abi,
      functionName: "balanceOf",
      args: [owner],
      ...(blockNumber === undefined ? {} : { blockNumber })
    }),
    asBigInt
  )

const deployToken = deploy(
  "BAT, an ERC-20,",
  encodeDeployData({
    abi: Token.abi,
    bytecode: Token.bytecode,
    args: ["Basic Attention Token", "BAT", parseEther("1500000000")]
  })
)

const openV1 = Effect.fn("Market.openV1")(function* (bat: Address) {
  const template = yield* deploy("Uniswap V1 exchange (Vyper)", V1Exchange.bytecode)
  const factory = yield* deploy("Uniswap V1 factory (Vyper)", V1Factory.bytecode)
  const call = { abi: V1Factory.abi } as const
  yield* act("factory.initializeFactory(template)", {
    to: factory,
    data: encodeFunctionData({ ...call, functionName: "initializeFactory", args: [template] })
  })
  yield* act("factory.createExchange(BAT)", {
    to: factory,
    data: encodeFunctionData({ ...call, functionName: "createExchange", args: [bat] })
  })
  const exchange = asAddress(
    yield* read({ ...call, to: factory, functionName: "getExchange", args: [bat] })
  )
  yield* approve(bat, exchange)
  yield* act("exchange.addLiquidity: 100 ETH, 50,000 BAT", {
    to: exchange,
    value: POOL_ETH,
    data: encodeFunctionData({
      abi: V1Exchange.abi,
      functionName: "addLiquidity",
      args: [0n, POOL_BAT, DEADLINE]
    })
  })
  return { template, factory, exchange }
})

const openV2 = Effect.fn("Market.openV2")(function* (bat: Address) {
  const factory = yield* deploy(
    "Uniswap V2 factory",
    encodeDeployData({ ...V2Factory, args: [deployer.address] })
  )
  const router = yield* deploy(
    "Uniswap V2 Router02",
    encodeDeployData({ ...V2Router, args: [factory, WETH] })
  )
  yield* approve(bat, router)
  yield* act("router.addLiquidityETH: 100 ETH, 50,000 BAT", {
    to: router,
    value: POOL_ETH,
    data: encodeFunctionData({
      abi: V2Router.abi,
      functionName: "addLiquidityETH",
      args: [bat, POOL_BAT, 0n, 0n, deployer.address, DEADLINE]
    })
  })
  const pair = asAddress(
    yield* read({ to: factory, abi: V2Factory.abi, functionName: "getPair", args: [bat, WETH] })
  )
  return { factory, router, pair }
})

const approve = (bat: Address, spender: Address) =>
  act("BAT.approve(…)", {
    to: bat,
    data: encodeFunctionData({
      abi: Erc20.abi,
      functionName: "approve",
      args: [spender, 2n ** 256n - 1n]
    })
  })

export interface Market {
  readonly bat: Address
  readonly v1: { readonly template: Address; readonly factory: Address; readonly exchange: Address }
  readonly v2: { readonly factory: Address; readonly router: Address; readonly pair: Address }
}

export const open = Effect.gen(function* () {
  yield* heading("Deploying the original bytecode, by ordinary signed transactions")
  const bat = yield* deployToken
  const v1 = yield* openV1(bat)
  const v2 = yield* openV2(bat)
  return { bat, v1, v2 } satisfies Market
})

/** Names for the call trees. */
export const castOf = ({ bat, v1, v2 }: Market) =>
  makeCast([
    { address: bat, name: "BAT", abi: Erc20.abi },
    { address: WETH, name: "WETH", abi: Erc20.abi },
    { address: LEDGER, name: "Ledger", abi: Ledger.abi },
    { address: v1.factory, name: "V1Factory", abi: V1Factory.abi },
    { address: v1.template, name: "V1Exchange", abi: V1Exchange.abi },
    { address: v1.exchange, name: "BATExchange", abi: V1Exchange.abi },
    { address: v2.factory, name: "V2Factory", abi: V2Factory.abi },
    { address: v2.router, name: "Router02", abi: V2Router.abi },
    { address: v2.pair, name: "Pair", abi: V2Pair.abi },
    { address: user.address, name: "User" },
    { address: friend.address, name: "Friend" },
    { address: deployer.address, name: "Deployer" },
    { address: sequencer.address, name: "Sequencer" }
  ])
