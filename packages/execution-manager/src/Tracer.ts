/** Sees a run as contracts live it: virtual frames and operations, not the native ones below them. */
import type { Address, Hex } from "@ovm/protocol/Primitives"

export type FrameType = "CALL" | "CALLCODE" | "DELEGATECALL" | "STATICCALL" | "CREATE" | "CREATE2"

/** A virtual call frame begins. Plain accounts and precompiles get one too, although no code of theirs runs. */
export interface FrameStart {
  readonly type: FrameType
  /** What CALLER answers in the frame. */
  readonly caller: Address
  /** What ADDRESS answers; undefined for a creation, whose end tells. */
  readonly address: Address | undefined
  /** Whose code runs; undefined for a creation. */
  readonly codeAddress: Address | undefined
  /** Wei. */
  readonly value: bigint
  /** OVM gas units that the frame gets. */
  readonly gas: bigint
  /** Calldata, or initcode. */
  readonly input: Hex
}

export interface FrameEnd {
  readonly success: boolean
  /** OVM gas units that the frame used, without the price of the call itself. */
  readonly gasUsed: bigint
  /** Return data, or revert data. */
  readonly output: Hex
  /** The contract that a creation made. */
  readonly created: Address | undefined
}

/** One operation of a frame that is no call: SLOAD, LOG1, TIMESTAMP... */
export interface Operation {
  /** The opcode's name. */
  readonly name: string
  /** ABI-encoded operands, as in the signature in IExecutionManager.sol. */
  readonly operands: Hex
  /** False if the operation halted the frame. */
  readonly success: boolean
  /** ABI-encoded answer, or the manager's typed error. */
  readonly result: Hex
}

/** Callbacks must not throw; they can't change the outcome. */
export interface Tracer {
  readonly onFrameStart?: (frame: FrameStart) => void
  readonly onFrameEnd?: (end: FrameEnd) => void
  readonly onOperation?: (operation: Operation) => void
}
