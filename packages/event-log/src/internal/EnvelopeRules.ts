/** The rules that an append must keep whatever the store. */
import type { Append } from "../EventLog.ts"
import { BatchTooLarge, EventInvalid, EventTooLarge } from "../LogError.ts"
import { type LogLimits, MAX_NAME_LENGTH } from "../LogLimits.ts"

const TYPE = /^v[1-9][0-9]*\.[A-Za-z][A-Za-z0-9_]*$/
const LONE_SURROGATE = /\p{Surrogate}/u

/** The first rule that a batch breaks, if it breaks one. */
export const brokenRule = (
  { events, expected, stream }: Append,
  limits: LogLimits
): EventInvalid | EventTooLarge | BatchTooLarge | undefined => {
  if (!isName(stream)) return invalid(0, "a stream name", stream)
  if (expected !== "any" && !(Number.isSafeInteger(expected) && expected >= 0)) {
    return invalid(0, "an expected version of 0 or more", String(expected))
  }
  if (events.length === 0) return invalid(0, "at least one event", "none")
  const ids = new Set<string>()
  let bytes = 0
  let lastType = ""
  for (let index = 0; index < events.length; index++) {
    const event = events[index]
    if (event === undefined) return invalid(index, "an event", "a hole")
    const { causationId, correlationId, id, payload, type } = event
    if (type !== lastType) {
      if (type.length > MAX_NAME_LENGTH || !TYPE.test(type)) {
        return invalid(index, 'a versioned type such as "v1.OrderPlaced"', `type ${quote(type)}`)
      }
      lastType = type
    }
    if (id !== undefined) {
      if (!isName(id) || id.includes("@"))
        return invalid(index, "an id without @", `id ${quote(id)}`)
      if (ids.has(id)) return invalid(index, "an id once in a batch", `id ${quote(id)} again`)
      ids.add(id)
    }
    if (causationId !== undefined && !isName(causationId)) {
      return invalid(index, "a causation id", quote(causationId))
    }
    if (correlationId !== undefined && !isName(correlationId)) {
      return invalid(index, "a correlation id", quote(correlationId))
    }
    if (payload.length > limits.maxEventBytes) {
      const { maxEventBytes } = limits
      return new EventTooLarge({ index, bytes: payload.length, maxEventBytes })
    }
    bytes += payload.length
  }
  const { maxBatchBytes, maxBatchEvents } = limits
  return events.length > maxBatchEvents || bytes > maxBatchBytes
    ? new BatchTooLarge({ events: events.length, bytes, maxBatchEvents, maxBatchBytes })
    : undefined
}

const isName = (text: string): boolean =>
  text.length > 0 && text.length <= MAX_NAME_LENGTH && !LONE_SURROGATE.test(text)

const invalid = (index: number, expected: string, found: string): EventInvalid =>
  new EventInvalid({ index, expected, found })

const quote = (text: string): string =>
  text.length > MAX_NAME_LENGTH
    ? `one of ${text.length} characters (at most ${MAX_NAME_LENGTH} are allowed)`
    : JSON.stringify(text)
