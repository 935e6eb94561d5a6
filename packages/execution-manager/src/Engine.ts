/** What runs native EVM code: the ground under ExecutionManager.sol, and all of it that is replaceable. */
import { Context, type Effect, Schema } from "effect"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"

/** A native log: on L2 only ExecutionManager.sol emits any. */
export interface EngineLog {
  readonly address: Address
  readonly topics: ReadonlyArray<Hash32>
  readonly data: Uint8Array
}

/** One native message, as a tracer sees it. */
export interface EngineMessage {
  readonly kind: "call" | "delegatecall" | "create"
  readonly caller: Address
  /** Whose context runs; for a creation the address is not known yet. */
  readonly to: Address | undefined
  /** Whose code runs. */
  readonly codeAddress: Address | undefined
  readonly data: Uint8Array
  /** Gas units. */
  readonly gas: bigint
  readonly depth: number
}

export interface EngineMessageResult {
  readonly success: boolean
  readonly returnData: Uint8Array
  /** Gas units. */
  readonly gasUsed: bigint
}

/** Sees messages begin and end; it must not change anything. */
export interface EngineListener {
  readonly onMessage?: (message: EngineMessage) => void
  readonly onResult?: (result: EngineMessageResult) => void
}

/** The world that native code runs in. Its journal follows the native frames. */
export interface EngineHost {
  /** Native code at an address, or undefined: nothing there. */
  codeAt(address: Address): Uint8Array | undefined
  /** The address that `serve` answers at. */
  readonly served: Address
  /** Answers a call to the served address. A rejection ends the run with `EngineFault`. */
  serve(calldata: Uint8Array): Promise<Uint8Array>
  checkpoint(): void
  commit(): void
  revert(): void
}

export interface EngineRun {
  readonly host: EngineHost
  readonly caller: Address
  readonly to: Address
  readonly data: Uint8Array
  /** Gas units. */
  readonly gas: bigint
  /** Addresses that cost what warm ones cost (EIP-2929), beside the precompiles. */
  readonly warm: ReadonlyArray<Address>
  readonly listener?: EngineListener | undefined
}

export interface EngineOutcome {
  readonly success: boolean
  readonly returnData: Uint8Array
  /** Gas units. */
  readonly gasUsed: bigint
  readonly logs: ReadonlyArray<EngineLog>
}

/** The engine or the host under it failed; no outcome exists. The cause says what to repair. */
export class EngineFault extends Schema.TaggedError<EngineFault>()("EngineFault", {
  cause: Schema.Defect
}) {
  override get message() {
    const cause = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `Expected the EVM engine to finish, but it failed: ${cause}`
  }
}

export class Engine extends Context.Tag("@ovm/execution-manager/Engine")<
  Engine,
  {
    /** Runs one call at native depth 0 and answers how it ended. */
    readonly run: (options: EngineRun) => Effect.Effect<EngineOutcome, EngineFault>
    /** Runs creation code as `address` and answers the runtime code it returns. */
    readonly deploy: (options: {
      readonly address: Address
      readonly creationCode: Uint8Array
    }) => Effect.Effect<Uint8Array, EngineFault>
  }
>() {}
