/** Raw deposits, as the Inbox would make them. */
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import type { Address } from "@ovm/protocol/Primitives"
import { addressOf } from "./World.ts"

export interface DepositFields {
  readonly from?: Address
  /** Undefined, or left out, for a creation. */
  readonly to?: Address | undefined
  readonly mint?: bigint
  readonly value?: bigint
  readonly gasLimit?: bigint
  readonly data?: Uint8Array
}

/** The deposit of these fields; nothing else to give, nothing to send, and gas for something small. */
export const depositOf = (fields: DepositFields): DepositTransaction.DepositTransaction => ({
  type: DepositTransaction.TYPE,
  sourceHash: `0x${"50".repeat(32)}`,
  from: addressOf(0xde),
  to: undefined,
  mint: 0n,
  value: 0n,
  gasLimit: 1_000_000n,
  data: new Uint8Array(0),
  ...fields
})

export const deposited = (fields: DepositFields): Uint8Array =>
  DepositTransaction.encode(depositOf(fields))
