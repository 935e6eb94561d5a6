/** Runs compiled contracts in a real EVM of the pinned hardfork, in this process. */
import { Common, Mainnet } from "@ethereumjs/common"
import { createEVM } from "@ethereumjs/evm"
import { bytesToHex, createAddressFromString, hexToBytes, setLengthLeft } from "@ethereumjs/util"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { numberToBytes } from "viem"

export interface Call {
  readonly from?: Address
  readonly to: Address
  readonly data?: Hex
  readonly value?: bigint
  /** Gas units for the call itself, without a transaction's intrinsic gas. */
  readonly gas?: bigint
  readonly isStatic?: boolean
}

export interface CallResult {
  readonly success: boolean
  readonly returnData: Hex
  readonly gasUsed: bigint
  readonly logs: ReadonlyArray<{
    readonly address: Hex
    readonly topics: ReadonlyArray<Hex>
    readonly data: Hex
  }>
}

export interface TestEvm {
  /** Runs creation code and gives the address of the new contract. */
  readonly deploy: (initcode: Hex) => Promise<Address>
  readonly call: (call: Call) => Promise<CallResult>
  readonly setCode: (address: Address, code: Hex) => Promise<void>
  readonly codeOf: (address: Address) => Promise<Hex>
  readonly setBalance: (address: Address, balance: bigint) => Promise<void>
  readonly balanceOf: (address: Address) => Promise<bigint>
  readonly getStorage: (address: Address, slot: Hash32) => Promise<bigint>
  readonly setStorage: (address: Address, slot: Hash32, value: bigint) => Promise<void>
}

/** Whoever calls when a test doesn't say. */
export const CALLER: Address = "0x00000000000000000000000000000000000ca11e"

const word = (value: bigint) => setLengthLeft(numberToBytes(value), 32)

export const makeTestEvm = async (): Promise<TestEvm> => {
  const evm = await createEVM({
    common: new Common({ chain: Mainnet, hardfork: "cancun" }),
    allowUnlimitedContractSize: true
  })
  const state = evm.stateManager
  const balanceOf = async (address: Address) =>
    (await state.getAccount(createAddressFromString(address)))?.balance ?? 0n

  return {
    deploy: async (initcode) => {
      const { createdAddress, execResult } = await evm.runCall({
        data: hexToBytes(initcode),
        caller: createAddressFromString(CALLER),
        gasLimit: 100_000_000n
      })
      if (execResult.exceptionError !== undefined || createdAddress === undefined) {
        throw new Error(`Creation failed: ${execResult.exceptionError?.error}`)
      }
      return bytesToHex(createdAddress.bytes)
    },
    call: async ({ data = "0x", from = CALLER, gas = 100_000_000n, isStatic, to, value = 0n }) => {
      // Each call is a transaction of its own: everything is cold again.
      await evm.journal.cleanup()
      state.originalStorageCache.clear()
      for (const precompile of evm.precompiles.keys()) {
        evm.journal.addAlwaysWarmAddress(`0x${precompile}`)
      }
      const { execResult } = await evm.runCall({
        to: createAddressFromString(to),
        caller: createAddressFromString(from),
        origin: createAddressFromString(from),
        data: hexToBytes(data),
        value,
        gasLimit: gas,
        isStatic: isStatic ?? false
      })
      return {
        success: execResult.exceptionError === undefined,
        returnData: bytesToHex(execResult.returnValue),
        gasUsed: execResult.executionGasUsed,
        logs: (execResult.logs ?? []).map(([address, topics, data]) => ({
          address: bytesToHex(address),
          topics: topics.map((topic) => bytesToHex(topic)),
          data: bytesToHex(data)
        }))
      }
    },
    setCode: (address, code) => state.putCode(createAddressFromString(address), hexToBytes(code)),
    codeOf: async (address) => bytesToHex(await state.getCode(createAddressFromString(address))),
    setBalance: (address, balance) =>
      state.modifyAccountFields(createAddressFromString(address), { balance }),
    balanceOf,
    getStorage: async (address, slot) => {
      const value = await state.getStorage(createAddressFromString(address), hexToBytes(slot))
      return BigInt(bytesToHex(setLengthLeft(value, 32)))
    },
    setStorage: (address, slot, value) =>
      state.putStorage(createAddressFromString(address), hexToBytes(slot), word(value))
  }
}
