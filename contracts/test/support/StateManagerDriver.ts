/** StorageBackedStateManager in a test EVM, its functions as plain ones. */
import { CallSequence, SafetyChecker, StorageBackedStateManager } from "@ovm/contracts"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import {
  decodeAbiParameters,
  decodeFunctionResult,
  encodeDeployData,
  encodeFunctionData,
  parseAbiParameters
} from "viem"
import { type CallResult, makeTestEvm } from "./TestEvm.ts"

const { abi, bytecode } = StorageBackedStateManager

export const MANAGER: Address = `0x${"3a".repeat(20)}`
export const OPERATOR: Address = `0x${"09".repeat(20)}`
export const MODE = { init: 0, runtime: 1 } as const

const encode = {
  getAccount: (account: Address) =>
    encodeFunctionData({ abi, functionName: "getAccount", args: [account] }),
  setNonce: (account: Address, nonce: bigint) =>
    encodeFunctionData({ abi, functionName: "setNonce", args: [account, nonce] }),
  setBalance: (account: Address, balance: bigint) =>
    encodeFunctionData({ abi, functionName: "setBalance", args: [account, balance] }),
  transfer: (from: Address, to: Address, amount: bigint) =>
    encodeFunctionData({ abi, functionName: "transfer", args: [from, to, amount] }),
  getStorage: (account: Address, slot: Hash32) =>
    encodeFunctionData({ abi, functionName: "getStorage", args: [account, slot] }),
  setStorage: (account: Address, slot: Hash32, value: Hash32) =>
    encodeFunctionData({ abi, functionName: "setStorage", args: [account, slot, value] }),
  hasStorage: (account: Address) =>
    encodeFunctionData({ abi, functionName: "hasStorage", args: [account] }),
  getCodeSize: (account: Address) =>
    encodeFunctionData({ abi, functionName: "getCodeSize", args: [account] }),
  getExecutable: (account: Address) =>
    encodeFunctionData({ abi, functionName: "getExecutable", args: [account] }),
  copyCode: (codeHash: Hash32, offset: bigint, size: bigint) =>
    encodeFunctionData({ abi, functionName: "copyCode", args: [codeHash, offset, size] }),
  prepareInitCode: (initCode: Hex) =>
    encodeFunctionData({ abi, functionName: "prepareInitCode", args: [initCode] }),
  prepareCode: (code: Hex) =>
    encodeFunctionData({ abi, functionName: "prepareCode", args: [code] }),
  setCode: (account: Address, codeHash: Hash32) =>
    encodeFunctionData({ abi, functionName: "setCode", args: [account, codeHash] }),
  deleteAccount: (account: Address) =>
    encodeFunctionData({ abi, functionName: "deleteAccount", args: [account] }),
  commit: () => encodeFunctionData({ abi, functionName: "commit" }),
  register: (mode: 0 | 1, original: Hex, transpiled: Hex) =>
    encodeFunctionData({ abi, functionName: "register", args: [mode, original, transpiled] }),
  allocate: (
    account: Address,
    fields: {
      nonce: bigint
      balance: bigint
      code: Hex
      slots: Array<Hash32>
      values: Array<Hash32>
    }
  ) => {
    const { balance, code, nonce, slots, values } = fields
    const args = [account, nonce, balance, code, slots, values] as const
    return encodeFunctionData({ abi, functionName: "allocate", args })
  },
  seal: () => encodeFunctionData({ abi, functionName: "seal" })
}

const ACCOUNT = parseAbiParameters("uint256, uint256, bytes32")
const EXECUTABLE = parseAbiParameters("address, bytes32")
const BOOL = parseAbiParameters("bool")
const UINT = parseAbiParameters("uint256")
const WORD = parseAbiParameters("bytes32")
const BYTES = parseAbiParameters("bytes")
const PREPARED = parseAbiParameters("bool, bytes32, bytes")

export const makeStateManagerDriver = async () => {
  const evm = await makeTestEvm()
  const checker = await evm.deploy(SafetyChecker.bytecode)
  const args = [MANAGER, checker, OPERATOR] as const
  const address = await evm.deploy(encodeDeployData({ abi, bytecode, args }))
  await evm.setCode(MANAGER, CallSequence.deployedBytecode)

  /** A call on its own, whatever its outcome. */
  const send = (data: Hex, from: Address = MANAGER): Promise<CallResult> =>
    evm.call({ from, to: address, data })

  /** What the manager would do in one run: these calls in one transaction, `commit` at its end. */
  const run = async (calls: ReadonlyArray<Hex>): Promise<ReadonlyArray<Hex>> => {
    const data = encodeFunctionData({
      abi: CallSequence.abi,
      functionName: "run",
      args: [address, [...calls, encode.commit()]]
    })
    const { returnData, success } = await evm.call({ to: MANAGER, data, gas: 1_000_000_000n })
    if (!success) throw new Error(`Reverted with ${returnData}`)
    return decodeFunctionResult({ abi: CallSequence.abi, functionName: "run", data: returnData })
  }

  const ask = async (data: Hex): Promise<Hex> => (await run([data]))[0] ?? "0x"

  const operate = async (data: Hex): Promise<void> => {
    const { returnData, success } = await send(data, OPERATOR)
    if (!success) throw new Error(`Reverted with ${returnData}`)
  }

  return {
    evm,
    encode,
    send,
    run,
    getAccount: async (account: Address) =>
      decodeAbiParameters(ACCOUNT, await ask(encode.getAccount(account))),
    setNonce: (account: Address, nonce: bigint) => ask(encode.setNonce(account, nonce)),
    setBalance: (account: Address, balance: bigint) => ask(encode.setBalance(account, balance)),
    transfer: async (from: Address, to: Address, amount: bigint) =>
      decodeAbiParameters(BOOL, await ask(encode.transfer(from, to, amount)))[0],
    getStorage: async (account: Address, slot: Hash32) =>
      decodeAbiParameters(WORD, await ask(encode.getStorage(account, slot)))[0],
    setStorage: (account: Address, slot: Hash32, value: Hash32) =>
      ask(encode.setStorage(account, slot, value)),
    hasStorage: async (account: Address) =>
      decodeAbiParameters(BOOL, await ask(encode.hasStorage(account)))[0],
    getCodeSize: async (account: Address) =>
      decodeAbiParameters(UINT, await ask(encode.getCodeSize(account)))[0],
    getExecutable: async (account: Address) =>
      decodeAbiParameters(EXECUTABLE, await ask(encode.getExecutable(account))),
    copyCode: async (codeHash: Hash32, offset: bigint, size: bigint) =>
      decodeAbiParameters(BYTES, await ask(encode.copyCode(codeHash, offset, size)))[0],
    prepareInitCode: async (initCode: Hex) =>
      decodeAbiParameters(PREPARED, await ask(encode.prepareInitCode(initCode))),
    prepareCode: async (code: Hex) =>
      decodeAbiParameters(BOOL, await ask(encode.prepareCode(code)))[0],
    setCode: (account: Address, codeHash: Hash32) => ask(encode.setCode(account, codeHash)),
    deleteAccount: (account: Address) => ask(encode.deleteAccount(account)),
    register: (mode: 0 | 1, original: Hex, transpiled: Hex) =>
      operate(encode.register(mode, original, transpiled)),
    seal: () => operate(encode.seal())
  }
}

export type StateManagerDriver = Awaited<ReturnType<typeof makeStateManagerDriver>>
