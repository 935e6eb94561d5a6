/** Where a follower of the log stands, kept so that it goes on there after a restart. */
import * as SqlClient from "@effect/sql/SqlClient"
import { Chunk, Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { EventLog, type Query } from "./EventLog.ts"
import { type Event, GENESIS_HASH, type Hash, type Position } from "./Event.ts"
import { initialize, loadCheckpoint, saveCheckpoint } from "./internal/SqlCheckpoints.ts"
import type { ReadError } from "./LogError.ts"

/** The last event that was dealt with, and the version of the code that did. */
export interface Checkpoint {
  readonly position: Position
  readonly hash: Hash
  readonly version: number
}

/**
 * The store of checkpoints can't be used. Recover as its cause says; an event may be delivered once
 * more.
 */
export class CheckpointUnavailable extends Schema.TaggedError<CheckpointUnavailable>()(
  "CheckpointUnavailable",
  { follower: Schema.String, cause: Schema.Defect }
) {
  override get message() {
    return `Expected the checkpoint of "${this.follower}" to be usable, found ${String(this.cause)}.`
  }
}

/**
 * The follower stands in another log than this one. Recover by opening that log, or drop what was
 * derived.
 */
export class CheckpointMismatch extends Schema.TaggedError<CheckpointMismatch>()(
  "CheckpointMismatch",
  {
    follower: Schema.String,
    position: Schema.NonNegativeInt,
    expected: Schema.String,
    /** Hash that this log has there, or undefined where it has no such position. */
    found: Schema.UndefinedOr(Schema.String)
  }
) {
  override get message() {
    return `Expected hash ${this.expected} at position ${this.position}, where "${this.follower}" stopped, found ${this.found ?? "no such position"}. It followed another log.`
  }
}

export class Checkpoints extends Context.Tag("@ovm/event-log/Checkpoints")<
  Checkpoints,
  {
    /** The checkpoint saved last under this name. */
    readonly load: (
      follower: string
    ) => Effect.Effect<Option.Option<Checkpoint>, CheckpointUnavailable>
    readonly save: (
      follower: string,
      checkpoint: Checkpoint
    ) => Effect.Effect<void, CheckpointUnavailable>
  }
>() {
  /** Forgets everything with the process: every follower begins anew. */
  static readonly layerMemory: Layer.Layer<Checkpoints> = Layer.sync(Checkpoints, () => {
    const saved = new Map<string, Checkpoint>()
    return {
      load: (follower) => Effect.sync(() => Option.fromNullable(saved.get(follower))),
      save: (follower, checkpoint) => Effect.sync(() => void saved.set(follower, checkpoint))
    }
  })

  /**
   * Keeps checkpoints in a database of the caller's: not the log's file, which is the log's own.
   */
  static readonly layerSql: Layer.Layer<Checkpoints, CheckpointUnavailable, SqlClient.SqlClient> =
    Layer.effect(
      Checkpoints,
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.mapError(initialize(sql), unavailable("*"))
        return {
          load: (follower) => Effect.mapError(loadCheckpoint(sql, follower), unavailable(follower)),
          save: (follower, checkpoint) =>
            Effect.mapError(saveCheckpoint(sql, follower, checkpoint), unavailable(follower))
        }
      })
    )
}

export interface Follower<E, R> {
  /** Name of the checkpoint. */
  readonly name: string
  /** Raise it to begin again from the first event. Default 1. */
  readonly version?: number
  readonly query?: Pick<Query, "stream" | "types">
  /**
   * Deals with events, oldest first. After a crash the last ones come once more: do the same again,
   * or nothing.
   */
  readonly handle: (events: ReadonlyArray<Event>) => Effect.Effect<void, E, R>
}

/**
 * Hands over every event from the checkpoint on, for ever, and saves the checkpoint after each page
 * of them.
 */
export const follow = <E, R>(
  follower: Follower<E, R>
): Effect.Effect<
  never,
  E | ReadError | CheckpointMismatch | CheckpointUnavailable,
  R | EventLog | Checkpoints
> =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const checkpoints = yield* Checkpoints
    const { handle, name, query, version = 1 } = follower
    const saved = Option.filter(yield* checkpoints.load(name), (found) => found.version === version)
    if (Option.isSome(saved)) yield* checkIsOfThisLog(name, saved.value)
    const after = Option.match(saved, { onNone: () => 0, onSome: ({ position }) => position })
    yield* log.subscribe({ ...query, after }).pipe(
      Stream.runForEachChunk((chunk) => {
        const events = Chunk.toReadonlyArray(chunk)
        const last = events.at(-1)
        if (last === undefined) return Effect.void
        const { hash, position } = last
        return Effect.zipRight(handle(events), checkpoints.save(name, { position, hash, version }))
      })
    )
    // A subscription ends by failing only.
    return yield* Effect.never
  })

/** Compares the hash that the follower saw with the one that this log has at the same place. */
export const checkIsOfThisLog = (
  follower: string,
  { hash: expected, position }: Checkpoint
): Effect.Effect<void, CheckpointMismatch | ReadError, EventLog> =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const { position: end } = yield* log.head
    if (position === 0 && expected === GENESIS_HASH) return
    const page =
      position <= end
        ? yield* log.page({ after: position - 1, until: position, limit: 1 })
        : undefined
    const found = page?.events[0]?.hash
    if (found !== expected) {
      return yield* new CheckpointMismatch({ follower, position, expected, found })
    }
  })

const unavailable = (follower: string) => (cause: unknown) =>
  new CheckpointUnavailable({ follower, cause })
