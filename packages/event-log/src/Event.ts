/** The envelope: what the log knows about an event, whatever the event means. */

/** Position of an event in the whole log, 1-based and gap-free. 0 is "before the first event". */
export type Position = number

/**
 * An event as the log holds it. Position, versions and hashes are the log's; the rest was the
 * writer's.
 */
export interface Event<out A = Uint8Array> {
  readonly position: Position
  readonly stream: string
  /** Place in its stream, 1-based and gap-free. */
  readonly version: number
  /** The persisted tag: a version and a past-tense name, `v1.TransactionExecuted`. */
  readonly type: string
  readonly payload: A
  /** The writer's own id, or `stream@version` if it gave none. Never twice in a log. */
  readonly id: string
  /** Id of the command or event that this event follows from. */
  readonly causationId: string | undefined
  /** Id shared by everything that one outside request set off. */
  readonly correlationId: string | undefined
  /** Milliseconds since the Unix epoch, when the log took it. Never decides anything. */
  readonly recordedAtMs: number
  /** Hash of the event at the position before this one; zeros for the first. */
  readonly previousHash: Hash
  /** SHA-256 over `previousHash` and everything above. */
  readonly hash: Hash
}

/** A SHA-256 value, as lower-case hex. */
export type Hash = `0x${string}`

/** An event on its way into the log. */
export interface NewEvent {
  readonly type: string
  readonly payload: Uint8Array
  /**
   * Give one to be able to append again, after a lost answer, without appending twice. No `@` in
   * it.
   */
  readonly id?: string | undefined
  readonly causationId?: string | undefined
  readonly correlationId?: string | undefined
}

/** Where the log ends. An empty log ends at position 0 with a hash of zeros. */
export interface Head {
  readonly position: Position
  readonly hash: Hash
}

export const GENESIS_HASH: Hash = `0x${"00".repeat(32)}`
export const GENESIS: Head = { position: 0, hash: GENESIS_HASH }

/** The id of an event whose writer gave none. */
export const defaultEventId = (stream: string, version: number): string => `${stream}@${version}`
