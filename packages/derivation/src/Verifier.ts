/**
 * Holds every claim on L1 to what this node derived itself, and notes each that is wrong. Trusts nobody: not the
 * sequencer, not the proposer.
 */
import type { ValueUnencodable } from "@ovm/event-log/Codec"
import { EventLog } from "@ovm/event-log/EventLog"
import type { EventUndecodable } from "@ovm/event-log/EventTypes"
import type { AppendError, ReadError } from "@ovm/event-log/LogError"
import type { L1View, ViewError } from "@ovm/l1/L1View"
import type { Chain } from "@ovm/sequencer/Chain"
import * as ChainLog from "@ovm/sequencer/ChainLog"
import { Context, Effect, Layer, Schedule, Stream } from "effect"
import { Derivation } from "./Derivation.ts"
import { makeVerifier } from "./internal/VerifierState.ts"
import type { RootMismatch } from "./VerifierEvent.ts"

export type VerifierError =
  | ViewError
  | ReadError
  | AppendError
  | ValueUnencodable
  | ChainLog.ChainReadError

export interface VerifierOptions {
  /**
   * The blocks as the sequencer recorded them, oldest first (`recordedIn` its log): with them a mismatch names the
   * first wrong transaction.
   */
  readonly recorded?: Stream.Stream<ChainLog.BlockRecord, ChainLog.ChainReadError>
}

export class Verifier extends Context.Tag("@ovm/derivation/Verifier")<
  Verifier,
  {
    /** Judges the claims that were not judged yet and answers those that are wrong; they are in the log then. */
    readonly check: Effect.Effect<ReadonlyArray<RootMismatch>, VerifierError>
    /** Every claim that was ever found wrong, oldest first. */
    readonly mismatches: Effect.Effect<ReadonlyArray<RootMismatch>>
  }
>() {}

type Requirements = L1View | Derivation | Chain | EventLog
type StartError = ReadError | EventUndecodable

/** Judges when asked to (`check`), and only then. */
export const layerManual = (
  options: VerifierOptions = {}
): Layer.Layer<Verifier, StartError, Requirements> => Layer.effect(Verifier, makeVerifier(options))

/** Judges whenever more was derived. What fails is logged and tried again. */
export const layer = (
  options: VerifierOptions = {}
): Layer.Layer<Verifier, StartError, Requirements> =>
  Layer.scoped(
    Verifier,
    Effect.gen(function* () {
      const verifier = yield* makeVerifier(options)
      const derivation = yield* Derivation
      yield* derivation.changes.pipe(
        Stream.runForEach(() => verifier.check),
        Effect.tapErrorCause((cause) => Effect.logError("Could not verify claims", cause)),
        Effect.retry(Schedule.spaced("1 second")),
        Effect.forkScoped
      )
      return verifier
    })
  )

/** The blocks in a sequencer's log, which is best opened read-only. */
export const recordedIn = (
  log: typeof EventLog.Service
): Stream.Stream<ChainLog.BlockRecord, ChainLog.ChainReadError> =>
  Stream.provideService(ChainLog.blocks, EventLog, log)
