/** Runs one transaction in the sandbox: the only way that anything moves L2 state. */
import { Context, type Effect } from "effect"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import type { Log, TransactionResult } from "@ovm/protocol/Execution"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import type { State } from "@ovm/state-manager/State"
import type { Tracer } from "./Tracer.ts"
import type { ExecutionFault, InvalidTransaction } from "./ExecutionError.ts"

export interface TransactionRun {
  /** Changed in place if the transaction is valid; the caller ends the transaction and flushes. */
  readonly state: State
  readonly context: BlockContext
  /** As in `eth_sendRawTransaction`; or a deposit, as the Inbox made it. */
  readonly transaction: Uint8Array
  /** 0-based place in the block; part of the internal transaction hash. */
  readonly indexInBlock?: number | undefined
  readonly tracer?: Tracer | undefined
}

export interface CallRun {
  /** Changed in place: give a fork where the call must leave nothing behind. */
  readonly state: State
  readonly context: BlockContext
  readonly from: Address
  /** Undefined for a creation. */
  readonly to: Address | undefined
  /** Wei. */
  readonly value: bigint
  /** OVM gas units for the outermost frame; intrinsic gas is not taken. */
  readonly gas: bigint
  /** Wei per gas, as GASPRICE answers it; nothing is paid. */
  readonly gasPrice: bigint
  readonly data: Uint8Array
  readonly tracer?: Tracer | undefined
}

export interface CallResult {
  readonly success: boolean
  /** OVM gas units of the outermost frame. */
  readonly gasUsed: bigint
  readonly returnData: Hex
  readonly contractAddress: Address | undefined
  readonly logs: ReadonlyArray<Log>
}

export class ExecutionManager extends Context.Tag("@ovm/execution-manager/ExecutionManager")<
  ExecutionManager,
  {
    /**
     * Runs a raw transaction, signed or deposited. An invalid one leaves the state as it was. It
     * believes any deposit: only those of the Inbox may get here.
     */
    readonly executeTransaction: (
      run: TransactionRun
    ) => Effect.Effect<TransactionResult, InvalidTransaction | ExecutionFault>
    /** Runs an unsigned call, on the same code (eth_call, eth_estimateGas). */
    readonly executeCall: (run: CallRun) => Effect.Effect<CallResult, ExecutionFault>
  }
>() {}
