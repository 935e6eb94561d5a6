/** How far everything that can grow may grow. */

export interface LogLimits {
  /** Bytes of one payload. */
  readonly maxEventBytes: number
  readonly maxBatchEvents: number
  /** Bytes of all payloads of one batch. */
  readonly maxBatchBytes: number
  readonly maxPageEvents: number
  /** Bytes of stored segments behind one page (one segment is read whole, however large). */
  readonly maxPageBytes: number
  /** Appends that share one commit. */
  readonly maxGroupAppends: number
  /** Bytes of stored segments that share one commit. */
  readonly maxGroupBytes: number
  /** Streams whose version the writer remembers; others are looked up. */
  readonly maxKnownStreams: number
}

export const defaultLimits: LogLimits = {
  maxEventBytes: 4 * 1024 * 1024,
  maxBatchEvents: 100_000,
  maxBatchBytes: 64 * 1024 * 1024,
  maxPageEvents: 1_000,
  maxPageBytes: 8 * 1024 * 1024,
  maxGroupAppends: 256,
  maxGroupBytes: 16 * 1024 * 1024,
  maxKnownStreams: 10_000
}

/** Longest stream name, event type, event id, causation id and correlation id, in characters. */
export const MAX_NAME_LENGTH = 256
