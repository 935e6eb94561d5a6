/**
 * The trail of a run: what every operation of the manager was, and a checksum of what it was asked and
 * answered. Three bytes an operation, kept in the log, so that a replay that goes astray can name the
 * very operation where it did.
 */
import { type Operation, operations } from "@ovm/protocol/generated/GasSchedule"
import type { Address } from "@ovm/protocol/Primitives"
import type { EngineListener, EngineMessage, EngineMessageResult } from "./Engine.ts"

/** Bytes of one operation: its opcode and 16 bits of checksum. */
export const ENTRY_BYTES = 3

const selectorNumber = (selector: string): number => Number.parseInt(selector.slice(2), 16)
const BY_SELECTOR: ReadonlyMap<number, Operation> = new Map(
  operations.map((operation) => [selectorNumber(operation.selector), operation])
)
const BY_OPCODE: ReadonlyMap<number, Operation> = new Map(
  operations.map((operation) => [operation.opcode, operation])
)

/** The operation that a message asks of the manager, if it does. */
export const operationOf = (message: EngineMessage, manager: Address): Operation | undefined => {
  const { data } = message
  if (message.kind !== "call" || message.depth === 0 || message.to !== manager || data.length < 4) {
    return undefined
  }
  const [a = 0, b = 0, c = 0, d = 0] = data
  return BY_SELECTOR.get(((a << 24) | (b << 16) | (c << 8) | d) >>> 0)
}

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** FNV-1a: finds accidents, not attacks; the state roots find those. */
const fold = (seed: number, bytes: Uint8Array): number => {
  let hash = seed
  for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME)
  return hash >>> 0
}

export interface Recorder {
  readonly listener: EngineListener
  /** The trail so far. An operation stands where it ended, so the innermost cause comes first. */
  readonly trail: () => Uint8Array
}

export const recorder = (manager: Address): Recorder => {
  const entries: Array<number> = []
  const open: Array<{ readonly opcode: number; readonly asked: number } | undefined> = []
  return {
    listener: {
      onMessage: (message) => {
        const operation = operationOf(message, manager)
        open.push(
          operation === undefined
            ? undefined
            : { opcode: operation.opcode, asked: fold(FNV_OFFSET, message.data) }
        )
      },
      onResult: ({ returnData, success }: EngineMessageResult) => {
        const ended = open.pop()
        if (ended === undefined) return
        const answered = fold(Math.imul(ended.asked ^ (success ? 1 : 0), FNV_PRIME), returnData)
        const checksum = (answered >>> 16) ^ (answered & 0xffff)
        entries.push(ended.opcode, checksum >>> 8, checksum & 0xff)
      }
    },
    trail: () => Uint8Array.from(entries)
  }
}

/** Where two trails part. */
export interface Parting {
  /** How many operations ended before it. */
  readonly index: number
  /** Opcode names; none where a trail has ended already. */
  readonly expected: string | undefined
  readonly found: string | undefined
}

/** The first operation in which two trails differ, if they do. */
export const firstDifference = (expected: Uint8Array, found: Uint8Array): Parting | undefined => {
  const length = Math.max(expected.length, found.length)
  for (let offset = 0; offset < length; offset += ENTRY_BYTES) {
    const differs = [0, 1, 2].some((byte) => expected[offset + byte] !== found[offset + byte])
    if (!differs) continue
    return {
      index: offset / ENTRY_BYTES,
      expected: nameAt(expected, offset),
      found: nameAt(found, offset)
    }
  }
  return undefined
}

const nameAt = (trail: Uint8Array, offset: number): string | undefined => {
  const opcode = trail[offset]
  return opcode === undefined
    ? undefined
    : (BY_OPCODE.get(opcode)?.name ?? `0x${opcode.toString(16)}`)
}
