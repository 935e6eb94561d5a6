/** Runs bytecode in @ethereumjs/evm and tells all that can be seen from inside the frame. */
import { Common, Hardfork, Mainnet } from "@ethereumjs/common"
import { createEVM, EVMError } from "@ethereumjs/evm"
import { Account, createAddressFromString } from "@ethereumjs/util"
import { bytesToHex } from "viem"

export interface Outcome {
  readonly end: "success" | "revert" | "halt"
  readonly isOutOfGas: boolean
  readonly gasUsed: bigint
  readonly returned: string
  /** Empty unless the frame ended well: a halted frame shows nothing to anyone. */
  readonly stack: ReadonlyArray<bigint>
  readonly memory: string
  /** Words of memory, what MSIZE tells. */
  readonly memoryWords: bigint
  /** Data of the logs that called frames emitted, also if this frame then halted. */
  readonly logsOfCalls: ReadonlyArray<string>
}

const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun })
/** In the OVM the native caller is the manager; here it has no code unless a test gives it some. */
const CALLER = createAddressFromString("0x00000000000000000000000000000000000ca11e")
const SELF = createAddressFromString("0x000000000000000000000000000000000000c0de")

export const execute = async (options: {
  readonly code: Uint8Array
  readonly data: Uint8Array
  readonly gas: bigint
  /** Code of the caller: what a DELEGATECALL to it runs. */
  readonly callerCode?: Uint8Array
}): Promise<Outcome> => {
  const evm = await machine(options.callerCode)
  const logsOfCalls: Array<string> = []
  evm.events.on("afterMessage", ({ execResult }, resolve) => {
    logsOfCalls.push(...(execResult.logs ?? []).map(([, , data]) => bytesToHex(data)))
    resolve?.()
  })
  const result = await evm.runCode({
    code: options.code,
    data: options.data,
    gasLimit: options.gas,
    caller: CALLER,
    to: SELF
  })
  const error = result.exceptionError?.error
  const end =
    error === undefined ? "success" : error === EVMError.errorMessages.REVERT ? "revert" : "halt"
  const { runState } = result
  if (runState === undefined) throw new Error("the interpreter gave no state")
  const words = runState.memoryWordCount
  return {
    end,
    isOutOfGas: error === EVMError.errorMessages.OUT_OF_GAS,
    gasUsed: result.executionGasUsed,
    returned: bytesToHex(result.returnValue),
    stack: end === "success" ? runState.stack.getStack() : [],
    memory: end === "halt" ? "" : bytesToHex(runState.memory.read(0, Number(words) * 32)),
    memoryWords: end === "halt" ? 0n : words,
    logsOfCalls
  }
}

const machine = async (callerCode?: Uint8Array) => {
  const evm = await createEVM({ common })
  await evm.stateManager.putAccount(SELF, new Account())
  if (callerCode !== undefined) await evm.stateManager.putCode(CALLER, callerCode)
  return evm
}

/** Runs creation code; gives the code it deploys. */
export const deploy = async (creation: Uint8Array): Promise<Uint8Array> => {
  const evm = await createEVM({ common })
  const { createdAddress, execResult } = await evm.runCall({
    caller: CALLER,
    data: creation,
    gasLimit: 30_000_000n
  })
  if (createdAddress === undefined || execResult.exceptionError !== undefined) {
    throw new Error(`creation failed: ${execResult.exceptionError?.error}`)
  }
  return evm.stateManager.getCode(createdAddress)
}
