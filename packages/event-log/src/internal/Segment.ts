/**
 * The bytes of a segment and the hash chain over them.
 *
 *     segment = format | recordedAtMs | event…
 *     event   = (type << 3 | flags) | [id] | [causationId] | [correlationId] | payload size | payload | check
 *
 * Types, causation and correlation ids are numbers into a table of strings that grows as the events
 * are read: a number one past its end is followed by the string itself. Positions and versions
 * count up from the segment's first. An event's hash is SHA-256 over the previous segment's hash,
 * the segment's place and its bytes up to the end of the event, so that a segment needs to store
 * its last hash only. `check` tells which event of a segment is damaged, where the hash says only
 * that one is.
 */
import { createHash, type Hash as Sha256 } from "node:crypto"
import { defaultEventId, type Event, type Hash, type NewEvent } from "../Event.ts"
import type { Segment, StoredSegment } from "../SegmentStore.ts"
import { ByteReader, MalformedBytes } from "./ByteReader.ts"
import { ByteWriter } from "./ByteWriter.ts"
import { checkOf, viewOf } from "./Check.ts"

const FORMAT = 1
const HAS_ID = 1
const HAS_CAUSATION = 2
const HAS_CORRELATION = 4
const FLAGS = 8
const HASH_DOMAIN = Buffer.from("event-log segment 1\n")

/** Damage found in a stored segment, at a position. */
export interface SegmentDamage {
  readonly position: number
  readonly reason: string
}

// One writer for all segments: packing never yields, so no two are packed at once.
const writer = new ByteWriter()
const place = new ByteWriter()

/** The bytes of a segment, and what its indexes need to know. */
export interface PackedEvents {
  readonly bytes: Buffer
  readonly types: ReadonlySet<string>
  /** Ids that the writer gave, with the place of their event in the segment. */
  readonly ids: ReadonlyArray<readonly [id: string, index: number]>
}

/** Packs events into the bytes of one segment. */
export const packEvents = (events: ReadonlyArray<NewEvent>, recordedAtMs: number): PackedEvents => {
  const table = new Map<string, number>()
  const types = new Set<string>()
  const ids: Array<readonly [string, number]> = []
  let index = 0
  writer.clear()
  writer.byte(FORMAT)
  writer.varint(recordedAtMs)
  for (const { type, payload, id, causationId, correlationId } of events) {
    const start = writer.length
    const known = table.get(type)
    const flags =
      (id === undefined ? 0 : HAS_ID) +
      (causationId === undefined ? 0 : HAS_CAUSATION) +
      (correlationId === undefined ? 0 : HAS_CORRELATION)
    writer.varint((known ?? table.size) * FLAGS + flags)
    if (known === undefined) define(table, type)
    types.add(type)
    if (id !== undefined) {
      writer.string(id)
      ids.push([id, index])
    }
    if (causationId !== undefined) refer(table, causationId)
    if (correlationId !== undefined) refer(table, correlationId)
    writer.varint(payload.length)
    writer.bytes(payload)
    writer.uint16(writer.check(start))
    index++
  }
  return { bytes: writer.take(), types, ids }
}

const refer = (table: Map<string, number>, text: string): void => {
  const known = table.get(text)
  writer.varint(known ?? table.size)
  if (known === undefined) define(table, text)
}

const define = (table: Map<string, number>, text: string): void => {
  table.set(text, table.size)
  writer.string(text)
}

/** Hash of the last event of a segment that continues from `previousHash`. */
export const segmentHash = (segment: Omit<Segment, "hash">, previousHash: Hash): Hash =>
  `0x${startHash(segment, previousHash).update(segment.bytes).digest("hex")}`

const startHash = (segment: Omit<Segment, "hash">, previousHash: Hash): Sha256 => {
  place.clear()
  place.bytes(HASH_DOMAIN)
  place.hex(previousHash)
  place.varint(segment.firstPosition)
  place.string(segment.stream)
  place.varint(segment.firstVersion)
  return createHash("sha256").update(place.view())
}

/**
 * Reads the events of a segment, or tells where it is damaged. The hash is checked first, so
 * `events` are sound.
 */
export const unpackSegment = (
  segment: StoredSegment
): { readonly events: ReadonlyArray<Event> } | { readonly damage: SegmentDamage } => {
  const sound = segmentHash(segment, segment.previousHash) === segment.hash
  const chain = new SegmentChain(segment)
  const events: Array<Event> = []
  try {
    readEvents(segment, chain, events)
    if (events.length !== segment.eventCount) {
      throw new MalformedBytes(
        `${segment.eventCount} events, not ${events.length},`,
        segment.bytes.length
      )
    }
  } catch (error) {
    // Reading beyond a damaged length shows as a RangeError of the buffer.
    if (!(error instanceof MalformedBytes || error instanceof RangeError)) throw error
    return { damage: damageAt(segment, events.length, error.message) }
  }
  if (!sound) return { damage: damageAt(segment, 0, "its hash does not follow from its contents") }
  return { events }
}

const damageAt = (segment: Segment, index: number, reason: string): SegmentDamage => ({
  position: segment.firstPosition + Math.max(0, Math.min(index, segment.eventCount - 1)),
  reason
})

const readEvents = (segment: StoredSegment, chain: SegmentChain, events: Array<Event>): void => {
  const bytes = Buffer.from(
    segment.bytes.buffer,
    segment.bytes.byteOffset,
    segment.bytes.byteLength
  )
  const reader = new ByteReader(bytes)
  const view = viewOf(bytes)
  if (reader.byte() !== FORMAT) throw new MalformedBytes(`segment format ${FORMAT}`, 0)
  const recordedAtMs = reader.varint()
  const table: Array<string> = []
  const lookUp = (index: number): string => {
    if (index === table.length) table.push(reader.string())
    const text = table[index]
    if (text === undefined) throw new MalformedBytes("a known string", reader.position)
    return text
  }
  while (!reader.atEnd) {
    const start = reader.position
    const head = reader.varint()
    const flags = head % FLAGS
    const type = lookUp((head - flags) / FLAGS)
    const id = flags & HAS_ID ? reader.string() : undefined
    const causationId = flags & HAS_CAUSATION ? lookUp(reader.varint()) : undefined
    const correlationId = flags & HAS_CORRELATION ? lookUp(reader.varint()) : undefined
    const payload = reader.bytes(reader.varint())
    if (checkOf(view, start, reader.position) !== reader.uint16()) {
      throw new MalformedBytes("an undamaged event", start)
    }
    const event = { type, payload, id, causationId, correlationId }
    events.push(new LoggedEvent(segment, recordedAtMs, chain, events.length, event))
    chain.ends.push(reader.position)
  }
}

/** Works out the hashes inside a segment, when the first of them is asked for. */
class SegmentChain {
  readonly ends: Array<number> = []
  readonly #segment: StoredSegment
  #hashes: Array<Hash> | undefined

  constructor(segment: StoredSegment) {
    this.#segment = segment
  }

  /** Hash of the event at `index`; at -1, of the one before the segment. */
  hashAt(index: number): Hash {
    if (index === this.ends.length - 1) return this.#segment.hash
    this.#hashes ??= this.#all()
    return this.#hashes[index] ?? this.#segment.previousHash
  }

  #all(): Array<Hash> {
    const running = startHash(this.#segment, this.#segment.previousHash)
    let from = 0
    return this.ends.map((end) => {
      running.update(this.#segment.bytes.subarray(from, end))
      from = end
      return `0x${running.copy().digest("hex")}` as const
    })
  }
}

class LoggedEvent implements Event {
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly payload: Uint8Array
  readonly id: string
  readonly causationId: string | undefined
  readonly correlationId: string | undefined
  readonly recordedAtMs: number
  readonly #chain: SegmentChain
  readonly #index: number

  constructor(
    segment: Segment,
    recordedAtMs: number,
    chain: SegmentChain,
    index: number,
    event: NewEvent
  ) {
    this.position = segment.firstPosition + index
    this.stream = segment.stream
    this.version = segment.firstVersion + index
    this.type = event.type
    this.payload = event.payload
    this.id = event.id ?? defaultEventId(segment.stream, this.version)
    this.causationId = event.causationId
    this.correlationId = event.correlationId
    this.recordedAtMs = recordedAtMs
    this.#chain = chain
    this.#index = index
  }

  get hash(): Hash {
    return this.#chain.hashAt(this.#index)
  }

  get previousHash(): Hash {
    return this.#index === 0 ? this.#chain.hashAt(-1) : this.#chain.hashAt(this.#index - 1)
  }
}
