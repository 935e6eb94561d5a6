/** Builds plain VMs: one as it is, and one whose gas can be perturbed while it runs. */
import { type ChainConfig, Common, createCustomCommon, Hardfork, Mainnet } from "@ethereumjs/common"
import { type EVMOpts, getOpcodesForHF, paramsEVM } from "@ethereumjs/evm"
import { createVM, type VM } from "@ethereumjs/vm"
import { keccak256, stringToBytes } from "viem"
import { kzg } from "@ovm/execution-manager/Kzg"
import type { Perturbation } from "../Perturbation.ts"
import { PlainState } from "./PlainState.ts"

type CustomOpcode = NonNullable<EVMOpts["customOpcodes"]>[number]
type AddedOpcode = Extract<CustomOpcode, { readonly opcodeName: string }>
type RunState = Parameters<AddedOpcode["logicFunction"]>[0]

/** What the running perturbation is: opcodes read it, so that one VM serves all of them. */
export interface Dial {
  perturbation: Perturbation | undefined
  /** How many times GAS was asked in this run. */
  gasCount: number
}

export interface PlainVm {
  readonly vm: VM
  readonly state: PlainState
  readonly common: Common
  readonly dial: Dial
}

/** The block hash that state tests agree on: that of the number's decimal digits. */
export const blockHashOf = (number: bigint) => keccak256(stringToBytes(number.toString()))

const blockchain: NonNullable<EVMOpts["blockchain"]> = {
  getBlock: async (number) => ({
    hash: () => keccak256(stringToBytes(number.toString()), "bytes")
  }),
  putBlock: async () => {},
  shallowCopy: () => blockchain
}

const commonOf = (chainId: bigint): Common => {
  const options = { hardfork: Hardfork.Cancun, customCrypto: { kzg } }
  if (chainId === 1n) return new Common({ chain: Mainnet, ...options })
  const overrides: Partial<ChainConfig> = { chainId: Number(chainId), name: "state test" }
  return createCustomCommon(overrides, Mainnet, options)
}

export const makePlainVm = async (options: {
  readonly chainId: bigint
  readonly perturbed: boolean
}): Promise<PlainVm> => {
  const common = commonOf(options.chainId)
  const state = new PlainState()
  const dial: Dial = { perturbation: undefined, gasCount: 0 }
  const evmOpts = options.perturbed ? { customOpcodes: perturbedOpcodes(common, dial) } : {}
  const vm = await createVM({ common, stateManager: state, blockchain, evmOpts })
  return { vm, state, common, dial }
}

const GAS = 0x5a
const CREATE = 0xf0
const CALL = 0xf1
const CALLCODE = 0xf2
const DELEGATECALL = 0xf4
const CREATE2 = 0xf5
const STATICCALL = 0xfa

const perturbedOpcodes = (common: Common, dial: Dial): Array<CustomOpcode> => {
  common.updateParams(paramsEVM)
  const original = getOpcodesForHF(common)
  const feeOf = (opcode: number) => original.opcodes.get(opcode)?.fee ?? 0
  const gas: AddedOpcode = {
    opcode: GAS,
    opcodeName: "GAS",
    baseFee: feeOf(GAS),
    logicFunction: (runState: RunState) => {
      const value = runState.interpreter.getGasLeft()
      const answer = dial.perturbation?.gasValue(value, dial.gasCount) ?? value
      dial.gasCount++
      runState.stack.push(answer)
    }
  }
  const frames = [CREATE, CALL, CALLCODE, DELEGATECALL, CREATE2, STATICCALL]
  return [gas, ...frames.map((opcode) => perturbedFrame({ common, dial, opcode, original }))]
}

/** A call or creation that hands on what the dial says. */
const perturbedFrame = (options: {
  readonly common: Common
  readonly dial: Dial
  readonly opcode: number
  readonly original: ReturnType<typeof getOpcodesForHF>
}): AddedOpcode => {
  const { common, dial, opcode, original } = options
  const gasFunction = original.dynamicGasHandlers.get(opcode)
  const logicFunction = original.handlers.get(opcode)
  const info = original.opcodes.get(opcode)
  if (gasFunction === undefined || logicFunction === undefined || info === undefined) {
    throw new Error(`expected the plain EVM to have opcode 0x${opcode.toString(16)}, found none`)
  }
  const creates = opcode === CREATE || opcode === CREATE2
  return {
    opcode,
    opcodeName: info.name,
    baseFee: info.fee,
    gasFunction: async (runState, fee, forCommon) => {
      if (!creates) {
        const requested = runState.stack.pop()
        runState.stack.push(dial.perturbation?.callGas(requested) ?? requested)
      }
      const charged = await gasFunction(runState, fee, forCommon)
      const handed = runState.messageGasLimit
      if (handed !== undefined) {
        const left = runState.gasLeft - charged
        runState.messageGasLimit = dial.perturbation?.forward(handed, left) ?? handed
      }
      return charged
    },
    logicFunction: async (runState: RunState) => {
      const hasValue = opcode === CALL || opcode === CALLCODE
      if (hasValue) addStipend(runState, dial.perturbation?.stipend ?? 0n)
      await logicFunction(runState, common)
    }
  }
}

/** The extra comes out of the caller's gas: made from nothing, a run could cost less than nothing. */
const addStipend = (runState: RunState, extra: bigint): void => {
  const [, , value] = runState.stack.peek(3)
  if (value === undefined || value === 0n) return
  const wanted = (runState.messageGasLimit ?? 0n) + extra
  runState.messageGasLimit = wanted < runState.gasLeft ? wanted : runState.gasLeft
}
