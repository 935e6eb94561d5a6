/** The two workloads: an ERC-20 transfer, and a Uniswap V2 swap of one ERC-20 for another through Router02. */
import { getContractAddress, encodeDeployData, encodeFunctionData, parseEther } from "viem"
import { WETH } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"
import { Erc20, Token, V2Factory, V2Router } from "../../../examples/uniswap/src/Contracts.ts"
import { type Actor, DEADLINE, lower, makeActor, type Request, signNext } from "./Actors.ts"

const TRADERS = 10

const routerAbi = [
  ...V2Router.abi,
  {
    type: "function",
    name: "addLiquidity",
    stateMutability: "nonpayable",
    inputs: [
      { name: "tokenA", type: "address" },
      { name: "tokenB", type: "address" },
      { name: "amountADesired", type: "uint256" },
      { name: "amountBDesired", type: "uint256" },
      { name: "amountAMin", type: "uint256" },
      { name: "amountBMin", type: "uint256" },
      { name: "to", type: "address" },
      { name: "deadline", type: "uint256" }
    ],
    outputs: []
  },
  {
    type: "function",
    name: "swapExactTokensForTokens",
    stateMutability: "nonpayable",
    inputs: [
      { name: "amountIn", type: "uint256" },
      { name: "amountOutMin", type: "uint256" },
      { name: "path", type: "address[]" },
      { name: "to", type: "address" },
      { name: "deadline", type: "uint256" }
    ],
    outputs: [{ name: "amounts", type: "uint256[]" }]
  }
] as const

export interface Scene {
  readonly deployer: Actor
  readonly traders: ReadonlyArray<Actor>
}

export const makeScene = (): Scene => ({
  deployer: makeActor("d0"),
  traders: Array.from({ length: TRADERS }, (_, index) =>
    makeActor((0x10 + index).toString(16).padStart(2, "0"))
  )
})

const MAX = 2n ** 256n - 1n

const call = {
  transfer: (token: Address, to: Address, amount: bigint): Request => ({
    to: token,
    data: encodeFunctionData({ abi: Erc20.abi, functionName: "transfer", args: [to, amount] })
  }),
  approve: (token: Address, spender: Address): Request => ({
    to: token,
    data: encodeFunctionData({ abi: Erc20.abi, functionName: "approve", args: [spender, MAX] })
  })
}

export interface Workload {
  readonly name: "ERC-20 transfer" | "Uniswap V2 swap"
  /** The next so many transactions, from all traders in turn. */
  readonly next: (count: number) => Promise<ReadonlyArray<Uint8Array>>
}

export interface Prepared {
  /** One block each. */
  readonly setup: ReadonlyArray<ReadonlyArray<Uint8Array>>
  readonly workloads: ReadonlyArray<Workload>
}

/** Signs what sets the scene (two tokens, a factory, Router02, a pool) and what is then measured. */
export const prepare = async ({ deployer, traders }: Scene): Promise<Prepared> => {
  const deployed = (nonce: number): Address =>
    lower(getContractAddress({ from: deployer.address, nonce: BigInt(nonce) }))
  const [a, b, factory, router] = [deployed(0), deployed(1), deployed(2), deployed(3)]
  const token = (name: string): Request => ({
    data: encodeDeployData({ ...Token, args: [name, name, parseEther("1500000000")] })
  })
  const setup: ReadonlyArray<Request> = [
    token("A"),
    token("B"),
    { data: encodeDeployData({ ...V2Factory, args: [deployer.address] }) },
    { data: encodeDeployData({ ...V2Router, args: [factory, WETH] }) },
    call.approve(a, router),
    call.approve(b, router),
    {
      to: router,
      data: encodeFunctionData({
        abi: routerAbi,
        functionName: "addLiquidity",
        args: [
          a,
          b,
          parseEther("1000000"),
          parseEther("1000000"),
          0n,
          0n,
          deployer.address,
          DEADLINE
        ]
      })
    }
  ]
  const blocks: Array<ReadonlyArray<Uint8Array>> = []
  for (const request of setup) blocks.push([await signNext(deployer, request)])
  const hand: Array<Uint8Array> = []
  for (const trader of traders) {
    for (const coin of [a, b]) {
      const gift = call.transfer(coin, trader.address, parseEther("1000000"))
      hand.push(await signNext(deployer, { ...gift, gas: 1_000_000n }))
      hand.push(await signNext(trader, { ...call.approve(coin, router), gas: 1_000_000n }))
    }
  }
  blocks.push(hand)
  return { setup: blocks, workloads: [transfers(traders, a), swaps(traders, router, [a, b])] }
}

const RECIPIENTS = 50

const transfers = (traders: ReadonlyArray<Actor>, token: Address): Workload => ({
  name: "ERC-20 transfer",
  next: fromTraders(traders, (_, round) => {
    const recipient = (round % RECIPIENTS) + 1
    const to: Address = `0x${recipient.toString(16).padStart(40, "7")}`
    return { ...call.transfer(token, to, parseEther("1")), gas: 500_000n }
  })
})

const swaps = (
  traders: ReadonlyArray<Actor>,
  router: Address,
  [a, b]: readonly [Address, Address]
): Workload => ({
  name: "Uniswap V2 swap",
  next: fromTraders(traders, (trader, round) => ({
    to: router,
    gas: 1_500_000n,
    data: encodeFunctionData({
      abi: routerAbi,
      functionName: "swapExactTokensForTokens",
      args: [parseEther("1"), 1n, round % 2 === 0 ? [a, b] : [b, a], trader.address, DEADLINE]
    })
  }))
})

const fromTraders = (
  traders: ReadonlyArray<Actor>,
  request: (trader: Actor, round: number) => Request
): Workload["next"] => {
  let round = 0
  return async (count) => {
    const raws: Array<Uint8Array> = []
    for (; raws.length < count; round++) {
      const trader = traders[round % traders.length]
      if (trader !== undefined) raws.push(await signNext(trader, request(trader, round)))
    }
    return raws
  }
}
