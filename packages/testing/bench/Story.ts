/** The transactions of examples/uniswap, in its order, for whoever runs them. */
import { createRequire } from "node:module"
import { WETH } from "@ovm/protocol/Predeploys"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { Effect, Schema } from "effect"
import {
  encodeDeployData,
  encodeFunctionData,
  encodePacked,
  getContractAddress,
  hexToBytes,
  keccak256,
  parseEther
} from "viem"
import {
  Erc20,
  Token,
  V1Exchange,
  V1Factory,
  V2Factory,
  V2Router
} from "../../../examples/uniswap/src/Contracts.ts"
import { type Actor, DEADLINE, lower, type Request } from "./Actors.ts"

const Artifact = Schema.Struct({
  evm: Schema.Struct({
    bytecode: Schema.Struct({ object: Schema.String }),
    deployedBytecode: Schema.Struct({ object: Schema.String })
  })
})

const contracts = new URL("../../../examples/uniswap/src/Contracts.ts", import.meta.url)
const fromExample = createRequire(contracts)

const artifact = (path: string) => Schema.decodeUnknownSync(Artifact)(fromExample(path)).evm

/** With 0x or without: compilers differ. */
const bytesOf = (text: string): Uint8Array => hexToBytes(`0x${text.replace(/^0x/, "")}`)

/** What stands at the predeploy's address in the EVM, which has no ledger below WETH. */
export const weth9Code = (): Uint8Array =>
  bytesOf(artifact("@uniswap/v2-periphery/build/WETH9.json").deployedBytecode.object)

const pairInit = (): Uint8Array =>
  bytesOf(artifact("@uniswap/v2-core/build/UniswapV2Pair.json").bytecode.object)

export interface Stage<E> {
  readonly send: (
    name: string,
    actor: Actor,
    request: Request
  ) => Effect.Effect<{ readonly returnData: Hex; readonly contractAddress: Address | undefined }, E>
  readonly deployer: Actor
  readonly user: Actor
  readonly friend: Actor
}

/** A contract on the stage. */
export interface Member {
  readonly name: string
  readonly address: Address
  /** As in its creation transaction or its creator; none for a predeploy or a copy. */
  readonly init: Uint8Array | undefined
}

const POOL_ETH = parseEther("100")
const POOL_BAT = parseEther("50000")
const MAX = 2n ** 256n - 1n

const approve = (token: Address, spender: Address): Request => ({
  to: token,
  data: encodeFunctionData({ abi: Erc20.abi, functionName: "approve", args: [spender, MAX] })
})

/** An address as the last 20 bytes of a returned word. */
const addressIn = (returnData: Hex): Address => lower(`0x${returnData.slice(-40)}`)

const deploy = <E>({ deployer, send }: Stage<E>, name: string, data: Hex) =>
  Effect.map(
    send(`deploy ${name}`, deployer, { data }),
    ({ contractAddress }): Member => ({
      name,
      // The runner fails where a creation leaves no contract.
      address: contractAddress ?? deployer.address,
      init: hexToBytes(data)
    })
  )

export const story = <E>(stage: Stage<E>): Effect.Effect<ReadonlyArray<Member>, E> =>
  Effect.gen(function* () {
    const { deployer, send, user } = stage
    const args = ["Basic Attention Token", "BAT", parseEther("1500000000")] as const
    const bat = yield* deploy(stage, "BAT", encodeDeployData({ ...Token, args }))
    const transfer = encodeFunctionData({
      abi: Erc20.abi,
      functionName: "transfer",
      args: [user.address, parseEther("100")]
    })
    yield* send("BAT.transfer, first to that account", deployer, {
      to: bat.address,
      data: transfer
    })
    yield* send("BAT.transfer, again", deployer, { to: bat.address, data: transfer })
    const v1 = yield* playV1(stage, bat.address)
    const v2 = yield* playV2(stage, bat.address)
    return [bat, ...v1, ...v2, { name: "WETH predeploy", address: WETH, init: undefined }]
  })

const playV1 = <E>(stage: Stage<E>, bat: Address) =>
  Effect.gen(function* () {
    const { deployer, friend, send, user } = stage
    const template = yield* deploy(stage, "V1 Exchange (Vyper)", V1Exchange.bytecode)
    const factory = yield* deploy(stage, "V1 Factory (Vyper)", V1Factory.bytecode)
    yield* send("V1 initializeFactory", deployer, {
      to: factory.address,
      data: encodeFunctionData({
        abi: V1Factory.abi,
        functionName: "initializeFactory",
        args: [template.address]
      })
    })
    const created = yield* send("V1 createExchange", deployer, {
      to: factory.address,
      data: encodeFunctionData({ abi: V1Factory.abi, functionName: "createExchange", args: [bat] })
    })
    const exchange = addressIn(created.returnData)
    yield* send("BAT.approve", deployer, approve(bat, exchange))
    yield* send("V1 addLiquidity", deployer, {
      to: exchange,
      value: POOL_ETH,
      data: encodeFunctionData({
        abi: V1Exchange.abi,
        functionName: "addLiquidity",
        args: [0n, POOL_BAT, DEADLINE]
      })
    })
    yield* send("V1 ethToTokenTransferInput", user, {
      to: exchange,
      value: parseEther("1"),
      data: encodeFunctionData({
        abi: V1Exchange.abi,
        functionName: "ethToTokenTransferInput",
        args: [1n, DEADLINE, friend.address]
      })
    })
    const forwarder = { name: "V1 Exchange forwarder", address: exchange, init: undefined }
    return [template, factory, forwarder]
  })

const playV2 = <E>(stage: Stage<E>, bat: Address) =>
  Effect.gen(function* () {
    const { deployer, send, user } = stage
    const factory = yield* deploy(
      stage,
      "V2 Factory",
      encodeDeployData({ ...V2Factory, args: [deployer.address] })
    )
    const router = yield* deploy(
      stage,
      "V2 Router02",
      encodeDeployData({ ...V2Router, args: [factory.address, WETH] })
    )
    const onRouter = (name: string, actor: Actor, data: Hex, value = 0n) =>
      send(name, actor, { to: router.address, value, data })
    const { abi } = V2Router
    yield* send("BAT.approve, the router", deployer, approve(bat, router.address))
    const liquidity = [bat, POOL_BAT, 0n, 0n, deployer.address, DEADLINE] as const
    yield* onRouter(
      "V2 addLiquidityETH, creates the pair",
      deployer,
      encodeFunctionData({ abi, functionName: "addLiquidityETH", args: liquidity }),
      POOL_ETH
    )
    const buy = [1n, [WETH, bat], user.address, DEADLINE] as const
    yield* onRouter(
      "V2 swapExactETHForTokens",
      user,
      encodeFunctionData({ abi, functionName: "swapExactETHForTokens", args: buy }),
      parseEther("1")
    )
    yield* send("BAT.approve, the router, by the user", user, approve(bat, router.address))
    const sell = [parseEther("100"), 1n, [bat, WETH], user.address, DEADLINE] as const
    yield* onRouter(
      "V2 swapExactTokensForETH",
      user,
      encodeFunctionData({ abi, functionName: "swapExactTokensForETH", args: sell })
    )
    const init = pairInit()
    return [factory, router, { name: "V2 Pair", address: pairOf(factory.address, bat, init), init }]
  })

/** Where the factory puts the pair of a token and WETH. */
const pairOf = (factory: Address, token: Address, init: Uint8Array): Address => {
  const [token0, token1] = token < WETH ? [token, WETH] : [WETH, token]
  return lower(
    getContractAddress({
      opcode: "CREATE2",
      from: factory,
      salt: keccak256(encodePacked(["address", "address"], [token0, token1])),
      bytecode: init
    })
  )
}
