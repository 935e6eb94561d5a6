/**
 * What a database must do for the log. A new driver implements this and runs the behaviour suite.
 */
import type { Effect, Option } from "effect"
import type { Hash, Head, Position } from "./Event.ts"
import type { LogCorrupt, LogReadOnly, LogUnavailable } from "./LogError.ts"

/** The stored form of one append: consecutive events of one stream, packed into bytes. */
export interface Segment {
  readonly firstPosition: Position
  readonly stream: string
  readonly firstVersion: number
  readonly eventCount: number
  /** Hash of the last event; those before it follow from the bytes. */
  readonly hash: Hash
  readonly bytes: Uint8Array
}

/** A segment read back, with the hash it continues from. */
export interface StoredSegment extends Segment {
  readonly previousHash: Hash
}

/** A segment to store, with what its indexes need. */
export interface NewSegment extends Segment {
  readonly types: ReadonlySet<string>
  /** Ids that the writer gave, with the position each one names. */
  readonly ids: ReadonlyArray<readonly [id: string, position: Position]>
}

/** How much the indexes hold: one entry for each type of each segment, one for each given id. */
export interface IndexSize {
  readonly types: number
  readonly ids: number
}

export interface SegmentQuery {
  readonly stream?: string | undefined
  readonly types?: ReadonlyArray<string> | undefined
  /** Segments with at least one position above this one. */
  readonly after: Position
  /** Segments with at least one position up to this one. */
  readonly until: Position
  /** Stop after the segment that brings the events to this number. */
  readonly maxEvents: number
  /**
   * Stop before the segment that would bring the bytes above this number, but never before the
   * first.
   */
  readonly maxBytes: number
}

export interface SegmentStore {
  /** How messages name this log: its path, or "memory". */
  readonly name: string
  readonly head: Effect.Effect<Head, LogCorrupt | LogUnavailable>
  /** The newest segment of `stream` that begins at or below `position`. */
  readonly segmentOfStream: (
    stream: string,
    position: Position
  ) => Effect.Effect<Option.Option<StoredSegment>, LogCorrupt | LogUnavailable>
  /** The position that each known id names. */
  readonly positionsOf: (
    ids: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, Position>, LogCorrupt | LogUnavailable>
  /** Segments that match, oldest first. */
  readonly segments: (
    query: SegmentQuery
  ) => Effect.Effect<ReadonlyArray<StoredSegment>, LogCorrupt | LogUnavailable>
  /**
   * Stores all segments durably or none. Each must continue the stored log exactly (position,
   * stream version and hash), checked by the store itself: memory of the writer is not trusted.
   */
  readonly commit: (
    segments: ReadonlyArray<NewSegment>,
    head: Head
  ) => Effect.Effect<void, LogUnavailable | LogReadOnly | LogCorrupt>
  /** Whether the indexes have every entry that this stored segment needs. */
  readonly isIndexed: (
    entries: Pick<NewSegment, "firstPosition" | "types" | "ids">
  ) => Effect.Effect<boolean, LogCorrupt | LogUnavailable>
  readonly indexSize: Effect.Effect<IndexSize, LogCorrupt | LogUnavailable>
  /**
   * Returns once somebody else may have appended. Only asked of a store that another process
   * writes.
   */
  readonly awaitChange: Effect.Effect<void>
}
