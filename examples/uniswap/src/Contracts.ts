/** Uniswap's own bytecode, as published, and the token to trade. */
import { createRequire } from "node:module"
import { BasicAttentionToken } from "@ovm/contracts"
import { Schema } from "effect"
import { parseAbi } from "viem"
import type { Hex } from "@ovm/protocol/Primitives"

const Artifact = Schema.Struct({
  evm: Schema.Struct({ bytecode: Schema.Struct({ object: Schema.String }) })
})

const require = createRequire(import.meta.url)

/** Creation bytecode out of a package's build folder. */
const creationCode = (path: string): Hex => {
  const { object } = Schema.decodeUnknownSync(Artifact)(require(path)).evm.bytecode
  return object.startsWith("0x") ? `0x${object.slice(2)}` : `0x${object}`
}

/** Vyper, 2018. */
export const V1Factory = {
  bytecode: creationCode("@uniswap/v2-periphery/build/UniswapV1Factory.json"),
  abi: parseAbi([
    "function initializeFactory(address template)",
    "function createExchange(address token) returns (address)",
    "function getExchange(address token) view returns (address)"
  ])
} as const

/** Vyper, 2018. The factory deploys minimal forwarders to it. */
export const V1Exchange = {
  bytecode: creationCode("@uniswap/v2-periphery/build/UniswapV1Exchange.json"),
  abi: parseAbi([
    "function addLiquidity(uint256 min_liquidity, uint256 max_tokens, uint256 deadline) payable returns (uint256)",
    "function ethToTokenTransferInput(uint256 min_tokens, uint256 deadline, address recipient) payable returns (uint256)"
  ])
} as const

export const V2Factory = {
  bytecode: creationCode("@uniswap/v2-core/build/UniswapV2Factory.json"),
  abi: parseAbi([
    "constructor(address feeToSetter)",
    "function getPair(address a, address b) view returns (address)"
  ])
} as const

export const V2Pair = {
  abi: parseAbi([
    "function getReserves() view returns (uint112 reserve0, uint112 reserve1, uint32 timestamp)",
    "function token0() view returns (address)",
    "function mint(address to) returns (uint256)",
    "function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes data)"
  ])
} as const

/** 21,943 bytes of runtime code. */
export const V2Router = {
  bytecode: creationCode("@uniswap/v2-periphery/build/UniswapV2Router02.json"),
  abi: parseAbi([
    "constructor(address factory, address WETH)",
    "function addLiquidityETH(address token, uint256 amountTokenDesired, uint256 amountTokenMin, uint256 amountETHMin, address to, uint256 deadline) payable returns (uint256 amountToken, uint256 amountETH, uint256 liquidity)",
    "function swapExactETHForTokens(uint256 amountOutMin, address[] path, address to, uint256 deadline) payable returns (uint256[] amounts)",
    "function swapExactTokensForETH(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) returns (uint256[] amounts)"
  ])
} as const

/** Called BAT, like the token of the story. */
export const Token = BasicAttentionToken

export const Erc20 = {
  abi: parseAbi([
    "function balanceOf(address owner) view returns (uint256)",
    "function transfer(address to, uint256 amount) returns (bool)",
    "function transferFrom(address from, address to, uint256 amount) returns (bool)",
    "function approve(address spender, uint256 amount) returns (bool)",
    "function deposit() payable",
    "function withdraw(uint256 amount)"
  ])
} as const

/** Where the WETH predeploy moves native balance: the one ledger behind both faces of ETH. */
export const Ledger = {
  abi: parseAbi(["function move(address from, address to, uint256 amount)"])
} as const
