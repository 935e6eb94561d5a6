/**
 * ExecutionManager.sol on a real L1 node, over state in a contract's storage: it must give the results, and the gas,
 * that it gives inside the L2 node, where state costs nothing.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { expect, it } from "@effect/vitest"
import { BasicAttentionToken } from "@ovm/contracts"
import * as BytecodeFile from "@ovm/protocol/BytecodeFile"
import { ALIAS_OFFSET, ETH_CAP, MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import { type Address, type Hex, ZERO_ADDRESS } from "@ovm/protocol/Primitives"
import { Effect, Either } from "effect"
import {
  bytesToHex,
  encodeDeployData,
  encodeFunctionData,
  numberToHex,
  parseAbi,
  parseEther
} from "viem"
import { asm, deploying } from "./support/Assemble.ts"
import { type Allocation, onBothLayers } from "./support/BothLayers.ts"
import { deposited, type DepositFields } from "./support/Deposits.ts"
import {
  CONTRACTS,
  FRAMES,
  guarded,
  LARGEST_CREATION,
  largePayloads,
  READS
} from "./support/Programs.ts"
import { addressOf } from "./support/World.ts"

const RECIPIENT: Address = `0x${"99".repeat(20)}`
const DEADLINE = 2_000n

const creationCode = (contract: string): Hex => {
  const file = createRequire(import.meta.url).resolve(
    `@uniswap/v2-periphery/build/${contract}.json`
  )
  const parsed = BytecodeFile.parse(readFileSync(file, "utf8"), { prefer: "creation" })
  return bytesToHex(Either.getOrThrow(parsed).code)
}

const uniswap = parseAbi([
  "function initializeFactory(address template)",
  "function createExchange(address token) returns (address)",
  "function addLiquidity(uint256 min_liquidity, uint256 max_tokens, uint256 deadline) payable returns (uint256)",
  "function ethToTokenTransferInput(uint256 min_tokens, uint256 deadline, address recipient) payable returns (uint256)"
])
const token = BasicAttentionToken.abi

it.scopedLive(
  "a user's trade of ETH for BAT on Uniswap V1 is the same on L1 as on L2",
  () =>
    onBothLayers([], (send) =>
      Effect.gen(function* () {
        const supply = parseEther("1000000")
        const create = (data: Hex) =>
          Effect.map(send({ data }), ({ contractAddress = ZERO_ADDRESS }) => contractAddress)
        const args = ["Basic Attention Token", "BAT", supply] as const
        const { bytecode } = BasicAttentionToken
        const bat = yield* create(encodeDeployData({ abi: token, bytecode, args }))
        const template = yield* create(creationCode("UniswapV1Exchange"))
        const factory = yield* create(creationCode("UniswapV1Factory"))
        const setUp = (functionName: "initializeFactory" | "createExchange", address: Address) =>
          send({
            to: factory,
            data: encodeFunctionData({ abi: uniswap, functionName, args: [address] })
          })
        yield* setUp("initializeFactory", template)
        const exchange: Address = `0x${(yield* setUp("createExchange", bat)).returnData.slice(26)}`
        yield* send({
          to: bat,
          data: encodeFunctionData({
            abi: token,
            functionName: "approve",
            args: [exchange, supply]
          })
        })
        yield* send({
          to: exchange,
          value: parseEther("100"),
          data: encodeFunctionData({
            abi: uniswap,
            functionName: "addLiquidity",
            args: [0n, parseEther("50000"), DEADLINE]
          })
        })
        const trade = yield* send({
          to: exchange,
          value: parseEther("1"),
          data: encodeFunctionData({
            abi: uniswap,
            functionName: "ethToTokenTransferInput",
            args: [1n, DEADLINE, RECIPIENT]
          })
        })
        // x * y = k, less the 0.3 % fee, as Uniswap V1 rounds it.
        const input = parseEther("1") * 997n
        const expected = (input * parseEther("50000")) / (parseEther("100") * 1_000n + input)
        expect(trade.success).toBe(true)
        // Vyper's proxy returns 4,096 bytes, whatever it got.
        expect(trade.returnData.slice(0, 66)).toBe(numberToHex(expected, { size: 32 }))
      })
    ),
  120_000
)

const CALLEE: Address = `0x${"ca".repeat(20)}`
const STRANGER: Address = `0x${"57".repeat(20)}`
const callee = `73${CALLEE.slice(2)}`
const stranger = `73${STRANGER.slice(2)}`

/** One operation each, on accounts and slots that nothing has touched before: the dearest case on L1. */
const COLD_OPERATIONS: Readonly<Record<string, string>> = {
  context: "30503250335034503a504150425043504450455046504850" + "5f49504a50",
  BALANCE: `${callee}31`,
  SELFBALANCE: "47",
  EXTCODESIZE: `${callee}3b`,
  EXTCODEHASH: `${callee}3f`,
  EXTCODECOPY: `60205f5f${callee}3c`,
  "EXTCODECOPY of 4,096 bytes": `6110005f5f${callee}3c`,
  CODECOPY: "60205f5f39",
  "CODECOPY of 24,576 bytes": "6160005f5f39",
  BLOCKHASH: "5f40",
  SLOAD: "5f54",
  "SSTORE from zero": "60015f55",
  "SSTORE of zero": "5f5f55",
  TLOAD: "5f5c",
  TSTORE: "60015f5d",
  LOG0: "5f5fa0",
  "LOG4 of 1,024 bytes": "600160026003600461040" + "05fa4",
  CALL: `5f5f5f5f5f${callee}5af1`,
  "CALL with value": `5f5f5f5f6001${callee}5af1`,
  "CALL with value to a new account": `5f5f5f5f6001${stranger}5af1`,
  "CALL with 4,096 bytes": `5f5f6110005f5f${callee}5af1`,
  "CALL of a precompile": "5f5f60205f5f60045af1" + "3d",
  "CALLCODE with value": `5f5f5f5f6001${callee}5af2`,
  DELEGATECALL: `5f5f5f5f${callee}5af4`,
  STATICCALL: `5f5f5f5f${callee}5afa`,
  "STATICCALL and RETURNDATASIZE": `5f5f5f5f${callee}5afa54503d`,
  CREATE: "5f5f6001f0",
  CREATE2: "5f5f5f6001f5",
  // Deploys 5 bytes of code: 6460016002035f52 6005601bf3.
  "CREATE of a contract": "6c6460016002035f526005601bf35f52600d60135ff0",
  SELFDESTRUCT: `${stranger}ff`
}

it.scopedLive(
  "every operation's price covers what it really costs on L1 with everything cold",
  () => {
    const operations = Object.entries(COLD_OPERATIONS).map(([name, code], index) => ({
      name,
      address: numberToHex(0xc0de00 + index, { size: 20 }),
      code: `0x${code}00` as const
    }))
    const genesis: ReadonlyArray<Allocation> = [
      { address: CALLEE, balance: 7n, code: `0x${"00".repeat(4_097)}` },
      ...operations.map(({ address, code }) => ({ address, balance: 100n, code }))
    ]
    return onBothLayers(genesis, (send) =>
      Effect.gen(function* () {
        // The callee's code is registered although some operations only look at it.
        yield* send({ to: CALLEE })
        for (const { address, name } of operations) {
          const { success } = yield* send({ to: address })
          expect(success, name).toBe(true)
        }
      })
    )
  },
  120_000
)

it.scopedLive(
  "less L1 gas than a run needs gives no outcome, and none but the right one",
  () => {
    const address = numberToHex(0xf5a0000, { size: 20 })
    const code = bytesToHex(guarded(`${READS} 5 7 SSTORE 0 0 0 0 1 ${CALLEE} GAS CALL`))
    const genesis = [
      { address, balance: 100n, code },
      { address: CALLEE, balance: 7n, code: "0x60015f55" as const }
    ]
    const l1Supplies = Array.from({ length: 60 }, (_, index) => 300_000n * BigInt(index + 1))
    return onBothLayers(
      genesis,
      (send) =>
        Effect.gen(function* () {
          expect((yield* send({ to: address })).success).toBe(true)
          yield* send({ to: STRANGER, value: 1n })
        }),
      { l1Supplies }
    )
  },
  120_000
)

it.scopedLive(
  "programs that meet every operation in every state do the same on L1",
  () => {
    const programs = Object.entries({
      ...FRAMES,
      "with large payloads": largePayloads(24_576, 60_000),
      "with larger payloads": largePayloads(130_000),
      "with the largest contract": LARGEST_CREATION
    }).map(([name, source], index) => ({
      name,
      address: numberToHex(0xf4a0000 + index, { size: 20 }),
      code: bytesToHex(guarded(source))
    }))
    const contracts = Object.entries(CONTRACTS).map(
      ([address, { balance = 0n, code, storage }]): Allocation => ({
        address: `0x${address.slice(2)}`,
        balance,
        ...(code === undefined ? {} : { code: bytesToHex(code) }),
        ...(storage === undefined ? {} : { storage })
      })
    )
    const balance = parseEther("1")
    const genesis = [
      ...contracts,
      ...programs.map(({ address, code }) => ({ address, balance, code }))
    ]
    return onBothLayers(genesis, (send) =>
      Effect.gen(function* () {
        for (const { address, name } of programs) {
          const { success } = yield* send({ to: address })
          expect(success, name).toBe(true)
        }
      })
    )
  },
  120_000
)

it.scopedLive(
  "deposits mint, run, fail and create on L1 as on L2",
  () => {
    const [witness, reverter] = [addressOf(0xb9), addressOf(0xb7)]
    const alias = numberToHex(BigInt(CALLEE) + ALIAS_OFFSET, { size: 20 })
    const genesis: ReadonlyArray<Allocation> = [
      { address: MESSAGE_PASSER, balance: ETH_CAP - parseEther("1000") - 7n },
      { address: CALLEE, balance: 7n, code: "0x60015f55" },
      {
        address: witness,
        balance: 0n,
        code: bytesToHex(asm("CALLER 0 SSTORE GASPRICE 1 SSTORE CALLVALUE 2 SSTORE 0 0 LOG0"))
      },
      { address: reverter, balance: 0n, code: bytesToHex(asm("1 0 SSTORE 0 0 REVERT")) }
    ]
    const mint = 30n
    return onBothLayers(
      genesis,
      (send) =>
        Effect.gen(function* () {
          const gasUsedOf = (fields: DepositFields, success: boolean) =>
            Effect.map(send(deposited(fields)), (result) => {
              expect(result).toMatchObject({ success, effectiveGasPrice: 0n })
              return result.gasUsed
            })
          yield* gasUsedOf({ to: CALLEE }, true)
          yield* gasUsedOf({ to: STRANGER, mint, value: mint, gasLimit: 21_000n }, true)
          const gasUsed = yield* gasUsedOf({ from: alias, to: witness, mint, value: mint }, true)
          yield* gasUsedOf({ from: alias, to: reverter, mint, value: mint }, false)
          yield* gasUsedOf({ from: alias, to: witness, mint, value: 1_000n * mint }, false)
          yield* gasUsedOf({ to: witness, mint, gasLimit: gasUsed - 1n }, false)
          yield* gasUsedOf({ from: CALLEE, to: STRANGER, mint, value: 7n + mint }, true)
          for (const value of [mint, 1_000n * mint]) {
            const data = deploying(asm("1 0 SSTORE"))
            yield* gasUsedOf({ from: alias, data, mint, value }, value === mint)
          }
          const { sender } = yield* send({ to: MESSAGE_PASSER, value: 5n })
          yield* gasUsedOf({ from: sender, to: MESSAGE_PASSER, mint, value: mint }, true)
        }),
      { l1Supplies: [550_000n, 16_000_000n] }
    )
  },
  120_000
)
