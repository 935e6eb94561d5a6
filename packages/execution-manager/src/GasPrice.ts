/**
 * What the gate charges for an operation and what it forwards: Gate.sol's arithmetic, to the unit. A
 * price depends on operand sizes alone, so that whoever does the work can charge it.
 */
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import type { Operation, OperationKind } from "@ovm/protocol/generated/GasSchedule"

export interface OperandSizes {
  /** Bytes that go in: log data, calldata, initcode, code to deposit. */
  readonly inputBytes?: bigint | undefined
  /** Bytes that come out: copied code, return data. */
  readonly outputBytes?: bigint | undefined
  /** Whether a CALL or CALLCODE names a value other than zero. */
  readonly movesValue?: boolean | undefined
}

/** What a call or creation hands on. */
export interface Forwarding {
  /** Gas of the new frame, stipend included. */
  readonly gas: bigint
  /** Part of `gas` that the caller does not pay. */
  readonly stipend: bigint
  /** What return data may cost; dearer data makes the call fail, as if the frame ran out of gas. */
  readonly returnAllowance: bigint
}

/** Gas of the gate's frame before it reads how much there is. */
export const GATE_ENTRY_GAS = 35n

const INPUT_WORD_GAS: Readonly<Record<OperationKind, bigint>> = {
  word: 0n,
  copy: 0n,
  refresh: 0n,
  log: GasSchedule.LOG_WORD_GAS,
  code: GasSchedule.CODE_WORD_GAS,
  call: GasSchedule.COPY_WORD_GAS,
  create: GasSchedule.CODE_WORD_GAS
}

const OUTPUT_WORD_GAS: Readonly<Record<OperationKind, bigint>> = {
  word: 0n,
  copy: GasSchedule.COPY_WORD_GAS,
  refresh: GasSchedule.RETURN_WORD_GAS,
  log: 0n,
  code: 0n,
  call: GasSchedule.RETURN_WORD_GAS,
  create: GasSchedule.RETURN_WORD_GAS
}

/** Price of bytes that cross a frame: linear, and quadratic for the memory they fill. */
export const sizePrice = (bytes: bigint, wordGas: bigint): bigint => {
  const words = (bytes + 31n) / 32n
  return words * wordGas + (words * words) / GasSchedule.MEMORY_QUADRATIC_DIVISOR
}

/** The whole price, but for what a new frame uses. */
export const price = (operation: Operation, sizes: OperandSizes = {}): bigint =>
  operation.gas +
  sizePrice(sizes.inputBytes ?? 0n, INPUT_WORD_GAS[operation.kind]) +
  sizePrice(sizes.outputBytes ?? 0n, OUTPUT_WORD_GAS[operation.kind]) +
  (sizes.movesValue === true ? GasSchedule.VALUE_GAS : 0n)

const hasFrame = ({ kind }: Operation): boolean => kind === "call" || kind === "create"

/** Gas that the gate's frame must be given; with one unit less the caller's frame halts. */
export const demand = (operation: Operation, sizes: OperandSizes = {}): bigint => {
  // What a new frame returns is not known yet: it is paid out of what the caller keeps.
  const due = price(operation, hasFrame(operation) ? { ...sizes, outputBytes: 0n } : sizes)
  return GATE_ENTRY_GAS + due + due / GasSchedule.HEADROOM_DIVISOR + GasSchedule.HEADROOM_GAS
}

/** What a call or creation forwards when the gate's frame has `gas`; undefined if the caller halts. */
export const forward = (options: {
  readonly operation: Operation
  readonly sizes: OperandSizes
  readonly gas: bigint
  /** The gas operand; undefined for a creation, which has none. */
  readonly requested: bigint | undefined
  /** OVM gas that a gas operand of 1 forwards. */
  readonly callGasScale?: bigint | undefined
}): Forwarding | undefined => {
  const { callGasScale = GasSchedule.CALL_GAS_SCALE, gas, operation, requested, sizes } = options
  const left = gas - demand(operation, sizes)
  if (left < 0n) return undefined
  const most = left - left / GasSchedule.FORWARD_DIVISOR
  const wanted = requested === undefined ? undefined : requested * callGasScale
  const forwarded = wanted === undefined || wanted > most ? most : wanted
  const stipend = sizes.movesValue === true ? GasSchedule.CALL_STIPEND : 0n
  return { gas: forwarded + stipend, stipend, returnAllowance: (left - forwarded) / 2n }
}

/** What a call or creation costs its caller in all. */
export const priceWithFrame = (options: {
  readonly operation: Operation
  readonly sizes: OperandSizes
  readonly stipend: bigint
  /** Gas that the new frame used. */
  readonly frameGasUsed: bigint
}): bigint => price(options.operation, options.sizes) + options.frameGasUsed - options.stipend
