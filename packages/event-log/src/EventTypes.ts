/**
 * The events of one application: how they become payloads, and how payloads of any age become them
 * again.
 */
import { Either, Option, Schema } from "effect"
import * as Codec from "./Codec.ts"
import type { Event, NewEvent } from "./Event.ts"
import { ByteWriter, Unwritable } from "./internal/ByteWriter.ts"
import { taggedMembers } from "./internal/CodecCompiler.ts"
import { type VersionedPlan, versionedPlan } from "./internal/VersionedPlan.ts"
import { PAYLOAD_VERSION, type Tagged, type Upcaster } from "./Upcaster.ts"

/**
 * The stored event is none that this application knows, or its payload does not fit. Recover by
 * adding an upcaster.
 */
export class EventUndecodable extends Schema.TaggedError<EventUndecodable>()("EventUndecodable", {
  position: Schema.NonNegativeInt,
  type: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `Expected a readable event at position ${this.position}, but of type "${this.type}" ${this.reason}`
  }
}

/** What all events of one append have in common. */
export interface Origin {
  /** Id of the first event, so that the append can be repeated safely. */
  readonly id?: string | undefined
  readonly causationId?: string | undefined
  readonly correlationId?: string | undefined
}

export interface EventTypes<A extends Tagged> {
  /** Every persisted type that can be read: today's and the old ones. */
  readonly types: ReadonlySet<string>
  readonly encode: (
    events: ReadonlyArray<A>,
    origin?: Origin
  ) => Either.Either<ReadonlyArray<NewEvent>, Codec.ValueUnencodable>
  /** The event as it reads today: an old one has gone through its upcasters. */
  readonly decode: (event: Event) => Either.Either<Event<A>, EventUndecodable>
  readonly decodeAll: (
    events: ReadonlyArray<Event>
  ) => Either.Either<ReadonlyArray<Event<A>>, EventUndecodable>
}

/**
 * Works out the codec of every event type once. `schema` is a union of tagged classes or structs
 * whose `_tag` is the persisted type, `v1.SomethingHappened`. A mistake in it is a mistake in the
 * program, and is thrown at once.
 */
export const make = <A extends Tagged, I>(options: {
  readonly schema: Schema.Schema<A, I>
  readonly upcasters?: ReadonlyArray<Upcaster>
}): EventTypes<A> => {
  const codecs = codecsByType(options.schema)
  const writer = new ByteWriter()
  const upcasters = new Map(options.upcasters?.map((upcaster) => [upcaster.type, upcaster]))
  for (const type of upcasters.keys()) {
    if (codecs.has(type))
      throw new TypeError(`Expected an upcaster of a past type, found "${type}".`)
  }

  const decodePayload = (event: Event): Either.Either<A, EventUndecodable> => {
    const codec = codecs.get(event.type)
    if (codec === undefined) return decodeOld(event)
    const decoded = codec.decode(event.payload)
    return Either.isLeft(decoded)
      ? Either.left(unreadable(event, decoded.left))
      : Either.right(decoded.right)
  }

  const decodeOld = (event: Event): Either.Either<A, EventUndecodable> => {
    const first = upcasters.get(event.type)
    if (first === undefined) {
      return Either.left(
        undecodable(event, "no event is known here. Is the log of a newer release?")
      )
    }
    const decoded = first.decode(event.payload)
    if (Either.isLeft(decoded)) return Either.left(unreadable(event, decoded.left))
    let value = decoded.right
    // Each upcaster is used at most once, so a circle of them ends as well.
    for (let steps = upcasters.size; steps > 0; steps--) {
      const current = codecs.get(value._tag)
      if (current?.is(value)) return Either.right(value)
      const upcaster = Option.fromNullable(upcasters.get(value._tag))
      const next = Option.flatMap(upcaster, ({ step }) => step(value))
      if (Option.isNone(next)) break
      value = next.value
    }
    const reason = `the upcasters lead to "${value._tag}", which is no event of today.`
    return Either.left(undecodable(event, reason))
  }

  const decode = (event: Event): Either.Either<Event<A>, EventUndecodable> =>
    Either.map(decodePayload(event), (payload) => new DecodedEvent(event, payload))

  return {
    types: new Set([...codecs.keys(), ...upcasters.keys()]),
    encode: (events, origin = {}) => encodeEvents(codecs, writer, events, origin),
    decode,
    decodeAll: (events) => {
      const decoded: Array<Event<A>> = []
      for (const event of events) {
        const one = decode(event)
        if (Either.isLeft(one)) return Either.left(one.left)
        decoded.push(one.right)
      }
      return Either.right(decoded)
    }
  }
}

interface TypeCodec<A> extends VersionedPlan<A> {
  readonly is: (value: unknown) => value is A
}

const codecsByType = <A extends Tagged, I>(
  schema: Schema.Schema<A, I>
): ReadonlyMap<string, TypeCodec<A>> => {
  const codecs = new Map<string, TypeCodec<A>>()
  for (const [type, member] of taggedMembers(schema.ast)) {
    if (type === undefined || !/^v[1-9][0-9]*\./.test(type)) {
      const found = type === undefined ? String(member) : `_tag "${type}"`
      throw new TypeError(
        `Expected every event to have a literal _tag such as "v1.OrderPlaced", found ${found}.`
      )
    }
    if (codecs.has(type)) throw new TypeError(`Expected one event of type "${type}", found two.`)
    const one = Schema.make<A, I>(member)
    codecs.set(type, { ...versionedPlan(one, PAYLOAD_VERSION), is: Schema.is(one) })
  }
  return codecs
}

/** All payloads of an append are written into one buffer; each is a view of it. */
const encodeEvents = <A extends Tagged>(
  codecs: ReadonlyMap<string, TypeCodec<A>>,
  writer: ByteWriter,
  events: ReadonlyArray<A>,
  { causationId, correlationId, id }: Origin
): Either.Either<ReadonlyArray<NewEvent>, Codec.ValueUnencodable> => {
  const ends: Array<number> = []
  let bytes: Buffer
  try {
    writer.clear()
    for (const event of events) {
      codecFor(codecs, event).write(writer, event)
      ends.push(writer.length)
    }
    bytes = writer.take()
  } catch {
    return Either.left(firstUnencodable(codecs, writer, events))
  }
  const { buffer, byteOffset } = bytes
  let start = 0
  const encoded = events.map((event, index) => {
    const end = ends[index] ?? start
    const payload = new Uint8Array(buffer, byteOffset + start, end - start)
    start = end
    return {
      type: event._tag,
      payload,
      id: index === 0 ? id : undefined,
      causationId,
      correlationId
    }
  })
  return Either.right(encoded)
}

const codecFor = <A extends Tagged>(codecs: ReadonlyMap<string, TypeCodec<A>>, { _tag }: A) => {
  const codec = codecs.get(_tag)
  if (codec === undefined) throw new Unwritable(`one of ${[...codecs.keys()].join(", ")}`, _tag)
  return codec
}

/** Encodes the events one by one, to tell which of them it is that does not fit. */
const firstUnencodable = <A extends Tagged>(
  codecs: ReadonlyMap<string, TypeCodec<A>>,
  writer: ByteWriter,
  events: ReadonlyArray<A>
): Codec.ValueUnencodable => {
  let index = 0
  try {
    for (const event of events) {
      writer.clear()
      codecFor(codecs, event).write(writer, event)
      writer.take()
      index++
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new Codec.ValueUnencodable({ index, reason, cause })
  }
  const cause = new Error(
    "Expected events that can be encoded one by one to be encodable together."
  )
  return new Codec.ValueUnencodable({ index: 0, reason: cause.message, cause })
}

const undecodable = ({ position, type }: Event, reason: string): EventUndecodable =>
  new EventUndecodable({ position, type, reason })

const unreadable = (
  { position, type }: Event,
  cause: Codec.BytesUndecodable | Codec.CodecVersionMismatch
): EventUndecodable => {
  const reason = `the payload can't be read. ${cause.message}`
  return new EventUndecodable({ position, type, reason, cause })
}

/** The stored envelope around the event as it reads today. */
class DecodedEvent<A> implements Event<A> {
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly payload: A
  readonly id: string
  readonly causationId: string | undefined
  readonly correlationId: string | undefined
  readonly recordedAtMs: number
  readonly #stored: Event

  constructor(stored: Event, payload: A) {
    this.position = stored.position
    this.stream = stored.stream
    this.version = stored.version
    this.type = stored.type
    this.payload = payload
    this.id = stored.id
    this.causationId = stored.causationId
    this.correlationId = stored.correlationId
    this.recordedAtMs = stored.recordedAtMs
    this.#stored = stored
  }

  get hash() {
    return this.#stored.hash
  }

  get previousHash() {
    return this.#stored.previousHash
  }
}
