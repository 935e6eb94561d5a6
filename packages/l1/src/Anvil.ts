/** An L1 of one's own: an `anvil` process that lives as long as its scope, for examples and tests. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { Context, type Duration, Effect, Layer, type Redacted, Schema } from "effect"
import { makeAnvil } from "./internal/AnvilProcess.ts"
import { type ClientOptions, type L1Client, layerRpc } from "./L1Client.ts"
import type { L1ChainMismatch, L1Error } from "./L1Error.ts"

/** The process did not come up, or ended. Recover as the reason says. */
export class AnvilFailed extends Schema.TaggedError<AnvilFailed>()("AnvilFailed", {
  reason: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `Expected anvil to run, but ${this.reason}.`
  }
}

export interface AnvilOptions {
  /** Default: a free one. */
  readonly port?: number
  /** Where the chain is kept between runs; it is written when the process stops. Default: nowhere. */
  readonly stateFile?: string
  /**
   * "auto": a block for each transaction; "manual": only when told; or a block every so many
   * seconds. Default "auto". Under load choose another: automine stalls with a long pool.
   */
  readonly mining?: "auto" | "manual" | { readonly everySeconds: number }
  /** States that are held in memory, and so how deep a reorg may go. Default 256. */
  readonly statesHeld?: number
  /** Funded accounts whose keys are known. Default 10. */
  readonly accounts?: number
  readonly hardfork?: string
  readonly chainId?: number
  /** Gas limit of a block. */
  readonly blockGasLimit?: bigint
  /** L1 gas price at the start. */
  readonly baseFeeWei?: bigint
  /** Blocks of an epoch: "safe" is one behind, "finalized" two. Default 32. */
  readonly slotsInAnEpoch?: number
  /** How long the start may take. Default 30 s. */
  readonly startTimeout?: Duration.DurationInput
}

export class Anvil extends Context.Tag("@ovm/l1/Anvil")<
  Anvil,
  {
    readonly url: string
    readonly accounts: ReadonlyArray<Address>
    /** Private keys of `accounts`. */
    readonly keys: ReadonlyArray<Redacted.Redacted<Hex>>
    /** Any method of anvil's own. */
    readonly rpc: (
      method: string,
      params?: ReadonlyArray<unknown>
    ) => Effect.Effect<unknown, L1Error>
    /** Mines blocks, by default one. */
    readonly mine: (
      blocks?: number,
      options?: { readonly secondsBetween?: number }
    ) => Effect.Effect<void, L1Error>
    /** Lets the next block's time be so many seconds later, and mines it. */
    readonly passTime: (seconds: number) => Effect.Effect<void, L1Error>
    /** Whether each transaction gets a block at once. */
    readonly automine: (on: boolean) => Effect.Effect<void, L1Error>
    readonly setNextBaseFeeWei: (wei: bigint) => Effect.Effect<void, L1Error>
    /** Replaces the newest `depth` blocks by as many others, with these raw transactions in them. */
    readonly reorg: (options: {
      readonly depth: number
      readonly transactions?: ReadonlyArray<readonly [raw: Hex, block: number]>
    }) => Effect.Effect<void, L1Error>
    /** Takes a transaction out of the pool. */
    readonly dropTransaction: (hash: Hash32) => Effect.Effect<void, L1Error>
    readonly setBalance: (account: Address, wei: bigint) => Effect.Effect<void, L1Error>
    /** Ends the process, after which L1 is down. Its chain survives if a state file was given. */
    readonly stop: Effect.Effect<void>
    /** Starts it again, under the same URL. */
    readonly start: Effect.Effect<void, AnvilFailed>
  }
>() {
  /** Starts the process, and stops it with the scope. */
  static readonly layer = (options: AnvilOptions = {}): Layer.Layer<Anvil, AnvilFailed> =>
    Layer.scoped(
      Anvil,
      Effect.suspend(() => makeAnvil(options))
    )
}

/** An L1 client whose L1 is an anvil of its own; its accounts can sign. */
export const layerAnvil = (
  options: AnvilOptions & ClientOptions = {}
): Layer.Layer<Anvil | L1Client, AnvilFailed | L1Error | L1ChainMismatch> => {
  const client = Layer.unwrapEffect(
    Effect.map(Anvil, ({ keys, url }) => layerRpc({ ...options, url, keys, chainId: undefined }))
  )
  return Layer.provideMerge(client, Anvil.layer(options))
}
