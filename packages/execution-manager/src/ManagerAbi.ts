/** How the node talks to ExecutionManager.sol: calls, outcomes, typed errors. */
import { ExecutionManager, IExecutionManager, ITransactionDecoder, RLPReader } from "@ovm/contracts"
import { Option, Schema } from "effect"
import {
  type Abi,
  bytesToHex,
  decodeErrorResult,
  decodeFunctionResult,
  encodeFunctionData,
  hexToBytes
} from "viem"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { InvalidReason } from "./ExecutionError.ts"

export const creationCode: Hex = ExecutionManager.bytecode
const abi = IExecutionManager.abi

/** Errors of the manager and, passed through, of the transaction decoder. */
const errorsOf = (of: Abi) => of.filter((item) => item.type === "error")
const decoderErrors = [...errorsOf(ITransactionDecoder.abi), ...errorsOf(RLPReader.abi)]
const errors: Abi = [...errorsOf(abi), ...decoderErrors]
const decoderErrorNames: ReadonlySet<string> = new Set(decoderErrors.map(({ name }) => name))

const contextTuple = (context: BlockContext) => ({
  chainId: context.chainId,
  number: context.number,
  timestamp: context.timestamp,
  gasLimit: context.gasLimit,
  baseFeePerGas: context.baseFeePerGas,
  coinbase: context.coinbase,
  prevRandao: context.prevRandao,
  blobBaseFee: context.blobBaseFee,
  l1OriginNumber: context.l1Origin.number,
  l1OriginHash: context.l1Origin.hash,
  protocolVersion: BigInt(context.protocolVersion)
})

/** Calldata of the wrapped transaction. */
export const encodeExecuteTransaction = (context: BlockContext, raw: Uint8Array): Uint8Array =>
  hexToBytes(
    encodeFunctionData({
      abi,
      functionName: "executeTransaction",
      args: [contextTuple(context), bytesToHex(raw)]
    })
  )

export interface CallMessage {
  readonly from: Address
  readonly isCreation: boolean
  readonly to: Address
  readonly value: bigint
  readonly gas: bigint
  readonly gasPrice: bigint
  readonly data: Hex
}

export const encodeExecuteCall = (context: BlockContext, message: CallMessage): Uint8Array =>
  hexToBytes(
    encodeFunctionData({ abi, functionName: "executeCall", args: [contextTuple(context), message] })
  )

/** The manager's ExecutionOutcome. */
export const decodeOutcome = (returnData: Uint8Array) =>
  decodeFunctionResult({
    abi,
    functionName: "executeTransaction",
    data: bytesToHex(returnData)
  })
export type Outcome = ReturnType<typeof decodeOutcome>

export interface ManagerError {
  readonly name: string
  /** The error as a person reads it. */
  readonly text: string
  /** Set if the transaction is at fault, not the node. */
  readonly invalid: InvalidReason | undefined
}

/** Names what the manager reverted with. */
export const decodeError = (revertData: Uint8Array): ManagerError => {
  const decoded = Option.liftThrowable(decodeErrorResult)({
    abi: errors,
    data: bytesToHex(revertData)
  })
  if (Option.isNone(decoded)) {
    const text = `revert data ${bytesToHex(revertData)} is none of its errors`
    return { name: "Unknown", text, invalid: undefined }
  }
  const { abiItem, args = [], errorName: name } = decoded.value
  const values = (abiItem.type === "error" ? abiItem.inputs : []).map(
    (input, index) => [input.name ?? String(index), args[index]] as const
  )
  const text = `${name}(${values.map(([key, value]) => `${key} ${String(value)}`).join(", ")})`
  if (decoderErrorNames.has(name))
    return { name, text, invalid: { _tag: "Malformed", error: text } }
  const lowered = values.map(([key, value]) => [
    key,
    typeof value === "string" ? value.toLowerCase() : value
  ])
  const reason = Schema.validateOption(InvalidReason)({
    _tag: name,
    ...Object.fromEntries(lowered)
  })
  return { name, text, invalid: Option.getOrUndefined(reason) }
}
