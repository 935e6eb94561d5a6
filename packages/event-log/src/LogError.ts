/** Everything that can go wrong between a writer or reader and the log, as values. */
import { Schema } from "effect"

const Position = Schema.NonNegativeInt

/**
 * Another writer appended to the stream first.
 * Recover by reading the stream up to `actual` and deciding again.
 */
export class StreamConflict extends Schema.TaggedError<StreamConflict>()("StreamConflict", {
  stream: Schema.String,
  expected: Schema.NonNegativeInt,
  actual: Schema.NonNegativeInt
}) {
  override get message() {
    return `Expected stream "${this.stream}" to end at version ${this.expected}, but it ends at ${this.actual}. Read it again and decide again.`
  }
}

/**
 * An event id is already taken by an event that differs from the one given.
 * Recover by finding the event with that id: it is what really happened.
 */
export class EventIdConflict extends Schema.TaggedError<EventIdConflict>()("EventIdConflict", {
  id: Schema.String,
  /** Where the event is that has this id. */
  position: Position
}) {
  override get message() {
    return `Expected event id "${this.id}" to be new or to name the same event again, but position ${this.position} holds another event under it. Read that event, or choose a new id.`
  }
}

/** The envelope breaks a rule of the log. Recover by fixing the caller. */
export class EventInvalid extends Schema.TaggedError<EventInvalid>()("EventInvalid", {
  /** Place of the event in the batch, 0-based. */
  index: Schema.NonNegativeInt,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.expected}, but event ${this.index} of the batch has ${this.found}.`
  }
}

/**
 * One payload is larger than the log accepts. Recover by splitting the fact, or raise
 * `maxEventBytes`.
 */
export class EventTooLarge extends Schema.TaggedError<EventTooLarge>()("EventTooLarge", {
  index: Schema.NonNegativeInt,
  bytes: Schema.NonNegativeInt,
  maxEventBytes: Schema.NonNegativeInt
}) {
  override get message() {
    return `Expected a payload of at most ${this.maxEventBytes} bytes, but event ${this.index} of the batch has ${this.bytes}.`
  }
}

/** One batch is larger than the log accepts. Recover by appending it in parts. */
export class BatchTooLarge extends Schema.TaggedError<BatchTooLarge>()("BatchTooLarge", {
  events: Schema.NonNegativeInt,
  bytes: Schema.NonNegativeInt,
  maxBatchEvents: Schema.NonNegativeInt,
  maxBatchBytes: Schema.NonNegativeInt
}) {
  override get message() {
    return `Expected at most ${this.maxBatchEvents} events and ${this.maxBatchBytes} bytes in a batch, but it has ${this.events} events and ${this.bytes} bytes.`
  }
}

/** The log was opened for reading only. Recover by appending through the process that writes it. */
export class LogReadOnly extends Schema.TaggedError<LogReadOnly>()("LogReadOnly", {
  log: Schema.String
}) {
  override get message() {
    return `Expected a log that can be written, but ${this.log} was opened read-only.`
  }
}

/**
 * What is stored is not what was written. Recover by restoring the log from a copy; positions below
 * `position` are sound.
 */
export class LogCorrupt extends Schema.TaggedError<LogCorrupt>()("LogCorrupt", {
  log: Schema.String,
  /** The first bad position, or 0 if the file as a whole can't be read. */
  position: Position,
  reason: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    const where = this.position === 0 ? "" : ` at position ${this.position}`
    return `Expected ${this.log} to be intact, but${where} ${this.reason}. Restore it from a copy; it was not changed.`
  }
}

/** The store failed or is closed. The append may or may not be kept: give ids, and append again. */
export class LogUnavailable extends Schema.TaggedError<LogUnavailable>()("LogUnavailable", {
  log: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `Expected ${this.log} to be usable, but ${this.reason}.`
  }
}

/**
 * Another process (or layer) writes this log. Recover by stopping it, or open the log read-only.
 */
export class LogLocked extends Schema.TaggedError<LogLocked>()("LogLocked", {
  log: Schema.String
}) {
  override get message() {
    return `Expected to be the only writer of ${this.log}, but another one holds its lock. Stop that writer, or open the log read-only.`
  }
}

/** A newer release wrote this log. Recover by running that release; the file was not changed. */
export class LogVersionUnsupported extends Schema.TaggedError<LogVersionUnsupported>()(
  "LogVersionUnsupported",
  { log: Schema.String, found: Schema.Int, supported: Schema.Int }
) {
  override get message() {
    return `Expected log format ${this.supported} or older, but ${this.log} has format ${this.found}. Open it with the release that made it; it was not changed.`
  }
}

/**
 * The file is something else, or missing where one must exist. Recover by giving the right path.
 */
export class NotALog extends Schema.TaggedError<NotALog>()("NotALog", {
  log: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.log} to be an event log, but found ${this.found}. Check the path; nothing was changed.`
  }
}

export type ReadError = LogCorrupt | LogUnavailable

export type AppendError =
  | StreamConflict
  | EventIdConflict
  | EventInvalid
  | EventTooLarge
  | BatchTooLarge
  | LogReadOnly
  | ReadError

export type OpenError = LogLocked | LogVersionUnsupported | NotALog | ReadError
