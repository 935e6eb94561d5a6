/** ExecutionManager.sol on an L1 node, over a StorageBackedStateManager. */
import * as contracts from "@ovm/contracts"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import type { Mode } from "@ovm/transpiler/Transpiler"
import {
  bytesToHex,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  hexToBytes
} from "viem"
import { defaultOptions } from "../../src/ReferenceExecutionManager.ts"
import * as ManagerAbi from "../../src/ManagerAbi.ts"
import type { Anvil } from "./Anvil.ts"

const GAS = 150_000_000n
/** Creation code of a contract whose code is INVALID. */
const BURNER_CREATION_CODE: Hex = "0x60fe5f5360015ff3"

export interface Registration {
  readonly mode: Mode
  readonly original: Uint8Array
  readonly transpiled: Uint8Array
}

export const makeL1Manager = async ({ account, client, wallet }: Anvil) => {
  /** Asks until it is there: the node mines at once, but may tell of it a moment later. */
  const settled = async (hash: Hash32) => {
    for (let tries = 0; tries < 3_000; tries++) {
      const receipt = await client.getTransactionReceipt({ hash }).catch(() => undefined)
      if (receipt !== undefined) return receipt
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`L1 transaction ${hash} was not mined`)
  }
  const send = async (options: { to?: Address; data: Hex }) => {
    const hash = await wallet.sendTransaction({ ...options, gas: GAS })
    const receipt = await settled(hash)
    if (receipt.status !== "success") throw new Error(`L1 transaction ${hash} failed`)
    return receipt
  }
  const deploy = async (data: Hex): Promise<Address> => {
    const { contractAddress } = await send({ data })
    if (contractAddress == null) throw new Error("No contract was created")
    return contractAddress
  }

  const checker = await deploy(contracts.SafetyChecker.bytecode)
  const decoder = await deploy(contracts.TransactionDecoder.bytecode)
  const burner = await deploy(BURNER_CREATION_CODE)
  // The two need each other's address: the manager comes right after the state manager.
  const nonce = BigInt(await client.getTransactionCount({ address: account }))
  const manager = getContractAddress({ from: account, nonce: nonce + 1n })
  const state = contracts.StorageBackedStateManager
  const stateManager = await deploy(
    encodeDeployData({
      abi: state.abi,
      bytecode: state.bytecode,
      args: [manager, checker, account]
    })
  )
  const { callGasScale, maxTransactionGas } = defaultOptions
  await deploy(
    encodeDeployData({
      abi: contracts.ExecutionManager.abi,
      bytecode: contracts.ExecutionManager.bytecode,
      args: [stateManager, decoder, burner, callGasScale, maxTransactionGas]
    })
  )

  return {
    register: ({ mode, original, transpiled }: Registration) =>
      send({
        to: stateManager,
        data: encodeFunctionData({
          abi: state.abi,
          functionName: "register",
          args: [mode === "init" ? 0 : 1, bytesToHex(original), bytesToHex(transpiled)]
        })
      }),
    /** @param code Original code, registered before. */
    allocate: (
      address: Address,
      balance: bigint,
      code: Hex = "0x",
      storage: Readonly<Record<Hash32, Hash32>> = {}
    ) =>
      send({
        to: stateManager,
        data: encodeFunctionData({
          abi: state.abi,
          functionName: "allocate",
          args: [
            address,
            code === "0x" ? 0n : 1n,
            balance,
            code,
            Object.keys(storage).map((slot): Hash32 => `0x${slot.slice(2)}`),
            Object.values(storage)
          ]
        })
      }),
    /** Reads as the manager does: the state answers nobody else. */
    getAccount: async (address: Address) => {
      const [nonce, balance, codeHash] = await client.readContract({
        account: manager,
        address: stateManager,
        abi: state.abi,
        functionName: "getAccount",
        args: [address]
      })
      return { nonce, balance, codeHash }
    },
    getStorage: (address: Address, slot: Hash32) =>
      client.readContract({
        account: manager,
        address: stateManager,
        abi: state.abi,
        functionName: "getStorage",
        args: [address, slot]
      }),
    /** The outcome that a raw L2 transaction would have with so much L1 gas, or why it would have none. */
    ask: async (context: BlockContext, raw: Uint8Array, gas: bigint) => {
      const data = bytesToHex(ManagerAbi.encodeExecuteTransaction(context, raw))
      try {
        const reply = await client.call({ account, to: manager, data, gas })
        return { outcome: ManagerAbi.decodeOutcome(hexToBytes(reply.data ?? "0x")) }
      } catch (error) {
        return { error: String(error) }
      }
    },
    /** Runs a raw L2 transaction in an L1 transaction. */
    execute: async (context: BlockContext, raw: Uint8Array) => {
      const data = bytesToHex(ManagerAbi.encodeExecuteTransaction(context, raw))
      // The same call, asked first: a mined transaction doesn't tell what it returned.
      const reply = await client.call({ account, to: manager, data, gas: GAS })
      const outcome = ManagerAbi.decodeOutcome(hexToBytes(reply.data ?? "0x"))
      const receipt = await send({ to: manager, data })
      const logs = receipt.logs
        .filter(({ address }) => address.toLowerCase() === manager.toLowerCase())
        .map(({ data, topics }) => ({
          // The manager logs for all contracts: the first word says for which.
          address: `0x${data.slice(26, 66)}` as const,
          topics,
          data: `0x${data.slice(66)}` as const
        }))
      return { outcome, logs, l1GasUsed: receipt.gasUsed }
    }
  }
}
export type L1Manager = Awaited<ReturnType<typeof makeL1Manager>>
