/** Reads the virtual frames out of the native messages that the manager sends and receives. */
import { bytesToBigInt, bytesToHex } from "viem"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import type { EngineListener, EngineMessage, EngineMessageResult } from "../Engine.ts"
import { operationOf } from "../OperationTrail.ts"
import type { FrameEnd, FrameStart, FrameType, Tracer } from "../Tracer.ts"

const word = (data: Uint8Array, index: number): Uint8Array =>
  data.subarray(4 + 32 * index, 36 + 32 * index)
const uintAt = (data: Uint8Array, index: number): bigint => {
  const bytes = word(data, index)
  return bytes.length === 0 ? 0n : bytesToBigInt(bytes)
}
const addressAt = (data: Uint8Array, index: number): Address =>
  bytesToHex(word(data, index).subarray(12))
const bytesAt = (data: Uint8Array, index: number): Hex => {
  const start = 4 + Number(uintAt(data, index))
  const size = Number(bytesToBigInt(data.subarray(start, start + 32)))
  return bytesToHex(data.subarray(start + 32, start + 32 + size))
}

const FRAME_TYPES: ReadonlySet<string> = new Set([
  "CALL",
  "CALLCODE",
  "DELEGATECALL",
  "STATICCALL",
  "CREATE",
  "CREATE2"
])
const isFrameType = (name: string): name is FrameType => FRAME_TYPES.has(name)

/** What a message to the manager means, until its result comes. */
type Pending =
  | { readonly kind: "frame"; readonly isCreation: boolean }
  | { readonly kind: "operation"; readonly name: string; readonly operands: Hex }
  | { readonly kind: "native" }

/** A listener for the engine that speaks to a tracer of virtual frames, below the outermost one. */
export const listener = (options: {
  readonly manager: Address
  readonly tracer: Tracer
  readonly outermost: FrameStart
}): EngineListener => {
  const { manager, tracer } = options
  const pending: Array<Pending> = []
  const frames: Array<FrameStart> = [options.outermost]

  const startFrame = (type: FrameType, { data }: EngineMessage): void => {
    const parent = frames.at(-1) ?? options.outermost
    const frame =
      type === "CREATE" || type === "CREATE2"
        ? creation(type, parent, data)
        : call(type, parent, data)
    frames.push(frame)
    tracer.onFrameStart?.(frame)
  }

  const onMessage = (message: EngineMessage): void => {
    const operation = operationOf(message, manager)
    if (operation === undefined) {
      // An init frame's address is known as soon as it runs; nothing else native is of interest.
      pending.push({ kind: "native" })
    } else if (isFrameType(operation.name)) {
      startFrame(operation.name, message)
      pending.push({ kind: "frame", isCreation: operation.kind === "create" })
    } else {
      const operands = bytesToHex(message.data.subarray(4))
      pending.push({ kind: "operation", name: operation.name, operands })
    }
  }

  const onResult = (result: EngineMessageResult): void => {
    const ended = pending.pop()
    if (ended?.kind === "frame") {
      frames.pop()
      tracer.onFrameEnd?.(frameEnd(result, ended.isCreation))
    } else if (ended?.kind === "operation") {
      const { name, operands } = ended
      const answer = bytesToHex(result.returnData)
      tracer.onOperation?.({ name, operands, success: result.success, result: answer })
    }
  }

  return { onMessage, onResult }
}

const call = (type: FrameType, parent: FrameStart, data: Uint8Array): FrameStart => {
  const hasValue = type === "CALL" || type === "CALLCODE"
  const target = addressAt(data, 1)
  const self = parent.address ?? parent.caller
  const keepsContext = type === "DELEGATECALL"
  return {
    type,
    caller: keepsContext ? parent.caller : self,
    address: type === "CALL" || type === "STATICCALL" ? target : self,
    codeAddress: target,
    value: hasValue ? uintAt(data, 2) : keepsContext ? parent.value : 0n,
    gas: uintAt(data, 0),
    input: bytesAt(data, hasValue ? 4 : 3)
  }
}

const creation = (type: "CREATE" | "CREATE2", parent: FrameStart, data: Uint8Array): FrameStart => {
  const next = type === "CREATE" ? 1 : 2
  return {
    type,
    caller: parent.address ?? parent.caller,
    address: undefined,
    codeAddress: undefined,
    value: uintAt(data, 0),
    gas: uintAt(data, next),
    input: bytesAt(data, next + 2)
  }
}

/** The manager answers (result, gas used, bytes); a failing or aborted one answers less. */
const frameEnd = ({ returnData, success }: EngineMessageResult, isCreation: boolean): FrameEnd => {
  if (!success || returnData.length < 128) {
    return { success: false, gasUsed: 0n, output: "0x", created: undefined }
  }
  const result = bytesToBigInt(returnData.subarray(0, 32))
  const size = Number(bytesToBigInt(returnData.subarray(96, 128)))
  return {
    success: result !== 0n,
    gasUsed: bytesToBigInt(returnData.subarray(32, 64)),
    output: bytesToHex(returnData.subarray(128, 128 + size)),
    created: isCreation && result !== 0n ? bytesToHex(returnData.subarray(12, 32)) : undefined
  }
}
