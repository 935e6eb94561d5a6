/** What a transaction costs before anything of it runs. IntrinsicGas.sol computes the same. */
import { type DepositTransaction, TYPE as DEPOSIT } from "./DepositTransaction.ts"
import * as GasSchedule from "./generated/GasSchedule.ts"
import { accessListOf, type Transaction } from "./Transaction.ts"

/** OVM gas units; a transaction with a lower gas limit is invalid. */
export const intrinsicGas = (transaction: Transaction | DepositTransaction): bigint => {
  const { data, to } = transaction
  const accessList = transaction.type === DEPOSIT ? [] : accessListOf(transaction)
  const zeros = data.reduce((count, byte) => (byte === 0 ? count + 1 : count), 0)
  const keys = accessList.reduce((count, { storageKeys }) => count + storageKeys.length, 0)
  const creation =
    to === undefined
      ? GasSchedule.INTRINSIC_CREATION_GAS +
        BigInt(Math.ceil(data.length / 32)) *
          (GasSchedule.INITCODE_WORD_GAS + GasSchedule.CODE_WORD_GAS)
      : 0n
  return (
    GasSchedule.INTRINSIC_GAS +
    BigInt(zeros) * GasSchedule.CALLDATA_ZERO_BYTE_GAS +
    BigInt(data.length - zeros) * GasSchedule.CALLDATA_NONZERO_BYTE_GAS +
    BigInt(accessList.length) * GasSchedule.ACCESS_LIST_ADDRESS_GAS +
    BigInt(keys) * GasSchedule.ACCESS_LIST_KEY_GAS +
    creation
  )
}
