/** A small L2 in memory: genesis with the bridge's predeploys, run by ExecutionManager.sol itself. */
import { WETH as WethArtifact } from "@ovm/contracts"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import type { Log } from "@ovm/protocol/Execution"
import * as Genesis from "@ovm/protocol/Genesis"
import { WETH } from "@ovm/protocol/Predeploys"
import {
  type Address,
  type Hash32,
  type Hex,
  ZERO_ADDRESS,
  ZERO_HASH
} from "@ovm/protocol/Primitives"
import * as GenesisState from "@ovm/sequencer/GenesisState"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { hexToBytes, keccak256, numberToHex } from "viem"
import * as BridgePredeploys from "../../src/BridgePredeploys.ts"

export const layer = Layer.merge(layerReference(), layerMemory)

const context: BlockContext = {
  chainId: 420n,
  number: 1n,
  timestamp: 1_000n,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  coinbase: ZERO_ADDRESS,
  prevRandao: ZERO_HASH,
  blobBaseFee: 1n,
  l1Origin: { number: 0n, hash: ZERO_HASH },
  protocolVersion: 1
}

export interface L2Options extends BridgePredeploys.L1Addresses {
  /** Wei by account. */
  readonly balances?: Readonly<Record<Address, bigint>>
  readonly code?: Readonly<Record<Address, Hex>>
}

export interface L2Call {
  readonly from: Address
  readonly to: Address
  readonly data?: Hex
  readonly value?: bigint
  readonly gas?: bigint
}

export const openL2 = Effect.fnUntraced(function* (options: L2Options) {
  const manager = yield* ExecutionManager
  const states = yield* StateManager
  const state = yield* states.open(states.emptyRoot)
  const balances = Object.entries(options.balances ?? {}).map(
    ([address, balance]) => [address, { balance }] as const
  )
  const genesis = Genesis.make({
    chainId: context.chainId,
    predeploys: {
      ...BridgePredeploys.predeploys,
      [WETH]: WethArtifact.deployedBytecode,
      ...options.code
    },
    allocations: { ...Object.fromEntries(balances), ...BridgePredeploys.allocations(options) }
  })
  const genesisRoot = yield* GenesisState.write(state, genesis)
  let deposits = 0

  /** Runs a raw deposit, as the Inbox made it. */
  const runRaw = Effect.fnUntraced(function* (raw: Hex) {
    const transaction = hexToBytes(raw)
    const result = yield* manager.executeTransaction({ state, context, transaction })
    state.endTransaction()
    return result
  })

  /** A deposit that no Inbox made, for tests of L2 alone. */
  const deposit = (
    fields: Partial<DepositTransaction.DepositTransaction> & { readonly from: Address }
  ) =>
    runRaw(
      DepositTransaction.encode({
        type: DepositTransaction.TYPE,
        sourceHash: keccak256(numberToHex(deposits++)),
        to: fields.from,
        mint: 0n,
        value: 0n,
        gasLimit: 3_000_000n,
        data: new Uint8Array(0),
        ...fields
      }).reduce<Hex>((hex, byte) => `${hex}${byte.toString(16).padStart(2, "0")}`, "0x")
    )

  /** A call of a user, without fees; what it changes stays. */
  const call = Effect.fnUntraced(function* (message: L2Call) {
    const result = yield* manager.executeCall({
      state,
      context,
      from: message.from,
      to: message.to,
      value: message.value ?? 0n,
      gas: message.gas ?? 10_000_000n,
      gasPrice: 0n,
      data: hexToBytes(message.data ?? "0x")
    })
    state.endTransaction()
    return result
  })

  const balanceOf = (address: Address) =>
    Effect.promise(async () => (await state.getAccount(address))?.balance ?? 0n)
  const flush = Effect.promise(() => state.flush())
  const prove = (root: Hash32, address: Address, slots: ReadonlyArray<Hash32>) =>
    states.prove({ root, address, slots })
  return { genesis, genesisRoot, state, runRaw, deposit, call, balanceOf, flush, prove }
})
export type L2 = Effect.Effect.Success<ReturnType<typeof openL2>>

export type { Log }
