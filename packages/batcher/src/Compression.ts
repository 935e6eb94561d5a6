/**
 * LZ in whole bytes, made to be undone by a contract. Entropy coders save little on signatures and amounts,
 * and cost hundreds of gas a symbol; here L1 pays per sequence, not per byte.
 */
import { Either, Schema } from "effect"
import { MAX_PLAINTEXT_BYTES, MAX_SEQUENCES } from "./BatchLimits.ts"

/** The bytes are no payload. Whoever posted them is proven wrong with them; a reader falls back (BatchRules). */
export class MalformedPayload extends Schema.TaggedError<MalformedPayload>()("MalformedPayload", {
  /** Where it went wrong: bytes from the start of what was decoded. */
  offset: Schema.NonNegativeInt,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.expected} at byte ${this.offset}, found ${this.found}. Treat the batch as invalid: it counts as a forced batch.`
  }
}

/** A token is literal code (4 bits), source (2 bits), match code (2 bits). */
const LITERAL_SHIFT = 4
const SOURCE_SHIFT = 2
/** Counts of literals with a code of their own: 20 bytes are an address, 64 or 65 a signature. */
const LITERAL_CODES: ReadonlyArray<number> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 64, 65]
/** The code of any other count, whose excess over the lowest such count stands behind the token. */
const LITERALS_EXTENDED = 15
const EXTENDED_LITERALS_MIN = 12
const MATCH_MIN = 2
/** The code of a match whose excess over the lowest such length stands behind the token. */
const MATCH_EXTENDED = 3
const EXTENDED_MATCH_MIN = MATCH_MIN + MATCH_EXTENDED
/** The first byte of an excess that two more bytes hold. */
const TWO_BYTES = 255
const EXCESS_MAX = 65_535
const MATCH_MAX = EXTENDED_MATCH_MIN + EXCESS_MAX
/** Distances up to it take two bytes, others three. */
const SHORT_DISTANCE_MAX = 1 << 15

/** Positions that the search looks at, newest first, before it is content. */
const SEARCH_DEPTH = 24
/** A match of that many bytes is taken at once. */
const NICE_MATCH = 192
const HASH_BITS = 15
const INFINITE = 0x7fffffff

const excessBytes = (excess: number): number => (excess < TWO_BYTES ? 1 : 3)

const literalBytes: Uint8Array = Uint8Array.from({ length: 66 }, (_, count) =>
  LITERAL_CODES.includes(count) ? 0 : 1
)
/** Bytes behind the token that a count of literals takes. */
const literalExtension = (count: number): number =>
  literalBytes[count] ?? excessBytes(count - EXTENDED_LITERALS_MIN)

const matchExtension = (length: number): number =>
  length < EXTENDED_MATCH_MIN ? 0 : excessBytes(length - EXTENDED_MATCH_MIN)

const distanceBytes = (distance: number): number => (distance <= SHORT_DISTANCE_MAX ? 2 : 3)

/** What it takes to arrive at each position most cheaply, and the last three distances if one does. */
interface Paths {
  readonly cost: Int32Array
  readonly from: Int32Array
  /** Distance of the match that arrives; 0 for a literal. */
  readonly distance: Int32Array
  readonly literals: Int32Array
  readonly recent: readonly [Int32Array, Int32Array, Int32Array]
}

const makePaths = (length: number): Paths => {
  const make = () => new Int32Array(length + 1)
  const cost = make().fill(INFINITE)
  cost[0] = 0
  return {
    cost,
    from: make(),
    distance: make(),
    literals: make(),
    recent: [make(), make(), make()]
  }
}

const arrive = (paths: Paths, at: number, length: number, distance: number, price: number) => {
  const target = at + length
  const cost = (paths.cost[at] ?? 0) + price
  if (cost >= (paths.cost[target] ?? 0)) return
  const [first, second, third] = paths.recent
  const a = first[at] ?? 0
  const b = second[at] ?? 0
  paths.cost[target] = cost
  paths.from[target] = at
  paths.distance[target] = distance
  if (distance === 0) {
    paths.literals[target] = (paths.literals[at] ?? 0) + 1
    first[target] = a
    second[target] = b
    third[target] = third[at] ?? 0
    return
  }
  paths.literals[target] = 0
  // Move to front.
  first[target] = distance
  second[target] = distance === a ? b : a
  third[target] = distance === a || distance === b ? (third[at] ?? 0) : b
}

const matchLength = (bytes: Uint8Array, at: number, distance: number, limit: number): number => {
  // A match never overlaps what it makes, so that a contract copies it at once.
  const end = at + Math.min(limit, distance, MATCH_MAX)
  let cursor = at
  while (cursor < end && bytes[cursor] === bytes[cursor - distance]) cursor++
  return cursor - at
}

/** Offers every useful length of a match, and gives the longest. */
const offer = (paths: Paths, at: number, distance: number, longest: number, price: number) => {
  if (longest >= NICE_MATCH) {
    arrive(paths, at, longest, distance, price + matchExtension(longest))
    return
  }
  for (let length = MATCH_MIN; length <= longest; length++) {
    arrive(paths, at, length, distance, price + matchExtension(length))
  }
}

const hashAt = (bytes: Uint8Array, at: number): number => {
  const word =
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  return Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS)
}

/** The cheapest way to every position, by looking forward from each once. */
const findPaths = (bytes: Uint8Array): Paths => {
  const length = bytes.length
  const paths = makePaths(length)
  const heads = new Int32Array(1 << HASH_BITS).fill(-1)
  const previous = new Int32Array(length)
  let skipTo = 0
  for (let at = 0; at < length; at++) {
    const bucket = hashAt(bytes, at)
    const candidate = heads[bucket] ?? -1
    previous[at] = candidate
    heads[bucket] = at
    if (at < skipTo || paths.cost[at] === INFINITE) continue
    const run = (paths.literals[at] ?? 0) + 1
    const step = literalExtension(run) - literalExtension(run - 1)
    arrive(paths, at, 1, 0, 1 + step)
    let longest = 0
    for (const { [at]: distance = 0 } of paths.recent) {
      if (distance === 0) continue
      const found = matchLength(bytes, at, distance, length - at)
      offer(paths, at, distance, found, 1)
      if (found > longest) longest = found
    }
    const fresh = searchChain({ bytes, at, candidate, previous, paths, longest })
    if (fresh >= NICE_MATCH) skipTo = at + fresh
  }
  return paths
}

const searchChain = (search: {
  readonly bytes: Uint8Array
  readonly at: number
  readonly candidate: number
  readonly previous: Int32Array
  readonly paths: Paths
  readonly longest: number
}): number => {
  const { at, bytes, paths, previous } = search
  let { candidate, longest } = search
  const limit = bytes.length - at
  for (let depth = 0; candidate >= 0 && depth < SEARCH_DEPTH && longest < NICE_MATCH; depth++) {
    let distance = at - candidate
    // Unless the byte behind the best match so far is right too, it is no better.
    while (bytes[at - distance + longest] === bytes[at + longest]) {
      const found = matchLength(bytes, at, distance, limit)
      if (found > longest) {
        offer(paths, at, distance, found, 1 + distanceBytes(distance))
        longest = found
      }
      // What repeats from here to there may repeat twice as far away, with room for twice as much.
      if (found < distance || 2 * distance > at || longest >= NICE_MATCH * 8) break
      distance *= 2
    }
    candidate = previous[candidate] ?? -1
  }
  return longest
}

interface Sequence {
  /** Where its literals start. */
  readonly start: number
  readonly literals: number
  readonly distance: number
  readonly match: number
}

const sequencesOf = (paths: Paths, length: number): ReadonlyArray<Sequence> => {
  const sequences: Array<Sequence> = []
  let at = length
  while (at > 0) {
    const distance = paths.distance[at] ?? 0
    const matchStart = distance === 0 ? at : (paths.from[at] ?? 0)
    const start = matchStart - (paths.literals[matchStart] ?? 0)
    sequences.push({ start, literals: matchStart - start, distance, match: at - matchStart })
    at = start
  }
  return sequences.reverse()
}

/** Bytes that grow. */
interface Sink {
  bytes: Uint8Array
  length: number
}

const put = (sink: Sink, byte: number) => {
  sink.bytes[sink.length++] = byte
}

const putExcess = (sink: Sink, excess: number) => {
  if (excess < TWO_BYTES) put(sink, excess)
  else {
    put(sink, TWO_BYTES)
    put(sink, excess >> 8)
    put(sink, excess & 255)
  }
}

const putDistance = (sink: Sink, distance: number) => {
  const stored = distance - 1
  if (distance <= SHORT_DISTANCE_MAX) put(sink, stored >> 8)
  else {
    put(sink, 0x80 | (stored >> 16))
    put(sink, (stored >> 8) & 255)
  }
  put(sink, stored & 255)
}

/**
 * Compresses at most MAX_PLAINTEXT_BYTES; undefined if there are more, or if a contract would need more than
 * MAX_SEQUENCES steps to undo it. The same bytes give the same result everywhere.
 */
export const compress = (bytes: Uint8Array): Uint8Array | undefined => {
  if (bytes.length > MAX_PLAINTEXT_BYTES) return undefined
  const sequences = sequencesOf(findPaths(bytes), bytes.length)
  if (sequences.length > MAX_SEQUENCES) return undefined
  // A sequence takes at most 10 bytes besides its literals.
  const sink = { bytes: new Uint8Array(bytes.length + 10 * sequences.length), length: 0 }
  const recent: [number, number, number] = [0, 0, 0]
  for (const sequence of sequences) writeSequence(sink, bytes, sequence, recent)
  return sink.bytes.slice(0, sink.length)
}

const writeSequence = (
  sink: Sink,
  bytes: Uint8Array,
  { distance, literals, match, start }: Sequence,
  recent: [number, number, number]
) => {
  const known = LITERAL_CODES.indexOf(literals)
  const literalCode = known < 0 ? LITERALS_EXTENDED : known
  const source = match === 0 ? 0 : recent.indexOf(distance) + 1
  const matchCode = match === 0 ? 0 : Math.min(match - MATCH_MIN, MATCH_EXTENDED)
  put(sink, (literalCode << LITERAL_SHIFT) | (source << SOURCE_SHIFT) | matchCode)
  if (known < 0) putExcess(sink, literals - EXTENDED_LITERALS_MIN)
  sink.bytes.set(bytes.subarray(start, start + literals), sink.length)
  sink.length += literals
  if (match === 0) return
  if (source === 0) putDistance(sink, distance)
  if (matchCode === MATCH_EXTENDED) putExcess(sink, match - EXTENDED_MATCH_MIN)
  recent.splice(source === 0 ? 2 : source - 1, 1)
  recent.unshift(distance)
}

/** Undoes `compress`, and takes nothing that a contract would not take. Reads `input` from `start` on. */
export const decompress = (
  input: Uint8Array,
  start = 0
): Either.Either<Uint8Array, MalformedPayload> => {
  const output = new Uint8Array(MAX_PLAINTEXT_BYTES)
  let at = start
  let written = 0
  let sequences = 0
  let recent: readonly [number, number, number] = [0, 0, 0]

  const byte = (): number => input[at++] ?? 0
  const excess = (): number => {
    const first = byte()
    return first < TWO_BYTES ? first : byte() * 256 + byte()
  }
  const farDistance = (): number => {
    const first = byte()
    const second = first < 0x80 ? first * 256 : ((first & 0x7f) * 256 + byte()) * 256
    return second + byte() + 1
  }
  const malformed = (offset: number, expected: string, found: string) =>
    Either.left(new MalformedPayload({ offset, expected, found }))

  while (at < input.length) {
    const offset = at
    if (++sequences > MAX_SEQUENCES) {
      return malformed(offset, `at most ${MAX_SEQUENCES} sequences`, "one more")
    }
    const token = byte()
    const code = token >> LITERAL_SHIFT
    const literals = LITERAL_CODES[code] ?? EXTENDED_LITERALS_MIN + excess()
    if (at + literals > input.length) {
      return malformed(offset, `${literals} literals`, `${input.length - at} bytes`)
    }
    if (written + literals > MAX_PLAINTEXT_BYTES) {
      return malformed(offset, `at most ${MAX_PLAINTEXT_BYTES} bytes of plaintext`, "more")
    }
    output.set(input.subarray(at, at + literals), written)
    at += literals
    written += literals
    // A new distance can't be missing, so a token without any is one of literals alone.
    if (at === input.length && (token & 15) === 0) break
    const source = (token >> SOURCE_SHIFT) & 3
    const distance = source === 0 ? farDistance() : (recent[source - 1] ?? 0)
    const matchCode = token & 3
    const match =
      matchCode === MATCH_EXTENDED ? EXTENDED_MATCH_MIN + excess() : MATCH_MIN + matchCode
    if (at > input.length) {
      return malformed(offset, "a whole match", "the end of the payload")
    }
    if (distance > written || match > distance) {
      const range = `a match of at most its distance, which is at most ${written}`
      return malformed(offset, range, `${match} bytes at distance ${distance}`)
    }
    if (written + match > MAX_PLAINTEXT_BYTES) {
      return malformed(offset, `at most ${MAX_PLAINTEXT_BYTES} bytes of plaintext`, "more")
    }
    output.copyWithin(written, written - distance, written - distance + match)
    written += match
    recent = moveToFront(recent, source === 0 ? 3 : source, distance)
  }
  return Either.right(output.slice(0, written))
}

/** The distance to the front, where `from` is its 1-based place so far; the last one is dropped for a new one. */
const moveToFront = (
  [first, second, third]: readonly [number, number, number],
  from: number,
  distance: number
): readonly [number, number, number] => {
  if (from === 1) return [distance, second, third]
  return [distance, first, from === 2 ? third : second]
}
