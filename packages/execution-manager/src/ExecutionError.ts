/** Why the ExecutionManager did not run a transaction, or could not. */
import { Schema } from "effect"
import { Address, Hex } from "@ovm/protocol/Primitives"

const Uint = Schema.NonNegativeBigInt

/** The transaction does not fit the state or the block; the names are those of ExecutionManager.sol's errors. */
export const InvalidReason = Schema.Union(
  Schema.TaggedStruct("NonceTooLow", { sender: Address, expected: Uint, actual: Uint }),
  Schema.TaggedStruct("NonceTooHigh", { sender: Address, expected: Uint, actual: Uint }),
  /** `sender` can't pay; it is the reserve if it is a deposit's mint that can't be paid. */
  Schema.TaggedStruct("InsufficientFunds", { sender: Address, required: Uint, available: Uint }),
  Schema.TaggedStruct("SenderNotEOA", { sender: Address }),
  Schema.TaggedStruct("FeeCapTooLow", { maxFeePerGas: Uint, baseFeePerGas: Uint }),
  Schema.TaggedStruct("GasLimitTooHigh", { gasLimit: Uint, limit: Uint }),
  Schema.TaggedStruct("IntrinsicGasTooLow", { required: Uint, gasLimit: Uint }),
  Schema.TaggedStruct("InitCodeTooLarge", { size: Uint, limit: Uint }),
  Schema.TaggedStruct("TransactionTooLarge", { size: Uint, limit: Uint }),
  Schema.TaggedStruct("WrongChainId", { expected: Uint, actual: Uint }),
  /** The bytes are no transaction; `error` names the decoder's error and its values. */
  Schema.TaggedStruct("Malformed", { error: Schema.String })
)
export type InvalidReason = typeof InvalidReason.Type

/** The transaction can't run on this state; the state is unchanged. Recover by sending a corrected one. */
export class InvalidTransaction extends Schema.TaggedError<InvalidTransaction>()(
  "InvalidTransaction",
  {
    reason: InvalidReason
  }
) {
  override get message() {
    const { _tag, ...values } = this.reason
    const details = Object.entries(values).map(([name, value]) => `${name} ${value}`)
    return `Expected a transaction that fits the state, found ${_tag}: ${details.join(", ")}.`
  }
}

/** No outcome could be had: the state, the engine or the schedule is broken. Nothing may be sealed on it. */
export class ExecutionFault extends Schema.TaggedError<ExecutionFault>()("ExecutionFault", {
  reason: Schema.String,
  revertData: Hex,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `Expected the ExecutionManager to give an outcome, but it did not: ${this.reason}`
  }
}
