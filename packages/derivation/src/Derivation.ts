/**
 * Follows L1 and makes the chain what L1 says it is: adopts the blocks of each batch, moves back when L1 does,
 * and remembers which batch made which blocks. With a verifier's chain it builds everything; with a
 * sequencer's, it mostly finds the blocks there already, and they become safe.
 */
import type { ValueUnencodable } from "@ovm/event-log/Codec"
import type { EventLog } from "@ovm/event-log/EventLog"
import type { EventUndecodable } from "@ovm/event-log/EventTypes"
import type { AppendError, ReadError } from "@ovm/event-log/LogError"
import type { L1View, ViewError } from "@ovm/l1/L1View"
import type { Deployment } from "@ovm/protocol/Deployment"
import { Hash32 } from "@ovm/protocol/Primitives"
import type { Chain, MoveError } from "@ovm/sequencer/Chain"
import type { ChainBlock } from "@ovm/sequencer/ChainIndex"
import { Context, Effect, Layer, type Option, Schedule, Schema, Stream } from "effect"
import type { BatchDerived } from "./DerivationEvent.ts"
import { makeDerivation } from "./internal/DerivationState.ts"
import type { L1FactMissing, PayloadMismatch } from "./Rules.ts"

/** The chain starts elsewhere than L1 says. Recover by giving the deployment's own file. */
export class DeploymentMismatch extends Schema.TaggedError<DeploymentMismatch>()(
  "DeploymentMismatch",
  { expected: Hash32, found: Hash32 }
) {
  override get message() {
    return `Expected L2 to start from block ${this.expected}, as the deployment says, found ${this.found}. Give the file of this deployment.`
  }
}

export type DerivationError =
  | ViewError
  | MoveError
  | PayloadMismatch
  | L1FactMissing
  | ReadError
  | AppendError
  | ValueUnencodable

export type DerivationStartError =
  | ReadError
  | AppendError
  | ValueUnencodable
  | EventUndecodable
  | DeploymentMismatch

/** How sure each part of the chain is; each of them is a block of the chain, or genesis. */
export interface Heads {
  /** The last block of all. Above `derived`, a block is a sequencer's promise: unsafe. */
  readonly head: ChainBlock
  /** The last block that L1's batches make, as L1 is now. */
  readonly derived: ChainBlock
  /** The last block made by a batch that L1 calls safe. */
  readonly safe: ChainBlock
  /** The last block made by a batch that L1 calls final: it can't be rolled back. */
  readonly finalized: ChainBlock
  /** Batches that were derived. */
  readonly batchCount: bigint
  /** L1 as of when that was so; undefined before anything of L1 was seen. */
  readonly l1HeadNumber: bigint | undefined
}

export interface DerivationOptions {
  readonly deployment: Deployment
  /**
   * Whether blocks above the derived ones may stay, as long as L1 has what they build on. A sequencer's may; a
   * verifier's chain has no others. Default false.
   */
  readonly keepsUnsafe?: boolean
}

export class Derivation extends Context.Tag("@ovm/derivation/Derivation")<
  Derivation,
  {
    /** Derives everything that L1 has by now, and answers where that leads. */
    readonly catchUp: Effect.Effect<Heads, DerivationError>
    /** Where derivation stands. */
    readonly heads: Effect.Effect<Heads>
    /** Where it stands, and then every further standing. */
    readonly changes: Stream.Stream<Heads>
    /** Which blocks a batch made, if it was derived. */
    readonly batch: (index: bigint) => Effect.Effect<Option.Option<BatchDerived>>
    /** The batch that made a block; none for genesis and for unsafe blocks. */
    readonly batchOf: (blockNumber: bigint) => Effect.Effect<Option.Option<BatchDerived>>
  }
>() {}

/** Derives when asked to (`catchUp`), and only then. */
export const layerManual = (
  options: DerivationOptions
): Layer.Layer<Derivation, DerivationStartError, L1View | Chain | EventLog> =>
  Layer.effect(Derivation, makeDerivation(options))

/** Derives whenever more of L1 is seen. What fails is logged and tried again. */
export const layer = (
  options: DerivationOptions
): Layer.Layer<Derivation, DerivationStartError, L1View | Chain | EventLog> =>
  Layer.scoped(
    Derivation,
    Effect.gen(function* () {
      const derivation = yield* makeDerivation(options)
      yield* derivation.l1Changes.pipe(
        Stream.runForEach(() => derivation.catchUp),
        Effect.tapErrorCause((cause) => Effect.logError("Could not derive L2 from L1", cause)),
        Effect.retry(Schedule.spaced("1 second")),
        Effect.forkScoped
      )
      return derivation
    })
  )
