/** Folding a machine's events into its state, from the nearest snapshot on. */
import { Effect, Option, Stream } from "effect"
import { GENESIS, type Position } from "../Event.ts"
import type { EventLogService } from "../EventLog.ts"
import type { LoadError, Machine } from "../Machine.ts"
import type { Snapshot, Snapshots } from "../Snapshot.ts"
import type { Tagged } from "../Upcaster.ts"

/** A state, and the last event in it. */
export interface Folded<State> {
  readonly state: State
  /** Version of the stream. */
  readonly version: number
  readonly position: Position
}

export class MachineFold<State, Command, A extends Tagged, Failure> {
  readonly #machine: Machine<State, Command, A, Failure>
  readonly #log: EventLogService
  readonly #snapshots: Option.Option<Snapshots["Type"]>
  #lastSnapshotVersion = 0

  constructor(
    machine: Machine<State, Command, A, Failure>,
    log: EventLogService,
    snapshots: Option.Option<Snapshots["Type"]>
  ) {
    this.#machine = machine
    this.#log = log
    this.#snapshots = snapshots
  }

  /** The state as of a position that is not beyond the head. */
  asOf(position: Position): Effect.Effect<Folded<State>, LoadError> {
    return Effect.flatMap(this.#fromSnapshot(position), (from) => this.forward(from, position))
  }

  /** Takes in the events after a state, up to a position. */
  forward(from: Folded<State>, until: Position): Effect.Effect<Folded<State>, LoadError> {
    const { evolve, stream, types } = this.#machine
    return this.#log.read({ stream, after: from.position, until }).pipe(
      Stream.runFoldEffect(from, ({ state }, stored) =>
        Effect.map(types.decode(stored), ({ payload, position, version }) => ({
          state: evolve(state, payload),
          version,
          position
        }))
      )
    )
  }

  /** Saves a snapshot if it is time for one. A failure costs time later, never an answer now. */
  save({ position, state, version }: Folded<State>): Effect.Effect<void> {
    if (Option.isNone(this.#snapshots)) return Effect.void
    if (version < this.#lastSnapshotVersion + this.#machine.snapshotEvery) return Effect.void
    const snapshots = this.#snapshots.value
    return Effect.gen(this, function* () {
      const page = yield* this.#log.page({ after: position - 1, until: position, limit: 1 })
      const hash = page.events[0]?.hash
      if (hash === undefined) return
      const bytes = yield* this.#machine.stateCodec.encode(state)
      yield* snapshots.save(this.#machine.stream, { position, hash, version, bytes })
      this.#lastSnapshotVersion = version
    }).pipe(
      Effect.catchAll((error) =>
        Effect.logWarning(`No snapshot of "${this.#machine.stream}" was saved: ${error.message}`)
      )
    )
  }

  #fromSnapshot(position: Position): Effect.Effect<Folded<State>, LoadError> {
    const initial = { state: this.#machine.initial, version: 0, position: GENESIS.position }
    if (Option.isNone(this.#snapshots)) return Effect.succeed(initial)
    const snapshots = this.#snapshots.value
    return Effect.gen(this, function* () {
      const saved = yield* snapshots.load(this.#machine.stream, position)
      if (Option.isNone(saved) || !(yield* this.#isOfThisLog(saved.value))) return initial
      const state = yield* this.#machine.stateCodec.decode(saved.value.bytes)
      this.#lastSnapshotVersion = Math.max(this.#lastSnapshotVersion, saved.value.version)
      return { state, version: saved.value.version, position: saved.value.position }
    }).pipe(
      // A snapshot that can't be used is as good as none.
      Effect.catchTags({
        SnapshotUnavailable: () => Effect.succeed(initial),
        BytesUndecodable: () => Effect.succeed(initial),
        CodecVersionMismatch: () => Effect.succeed(initial)
      })
    )
  }

  #isOfThisLog({ hash, position }: Snapshot): Effect.Effect<boolean, LoadError> {
    return Effect.map(
      this.#log.page({ after: position - 1, until: position, limit: 1 }),
      ({ events }) => events[0]?.hash === hash
    )
  }
}
