/** The linear sweep that tells live instructions, jump destinations and dead bytes apart. */
import { immediateBytes, isTerminator, JUMPDEST } from "../Opcode.ts"

export interface Sweep {
  /** Offsets of the live instructions, ascending. */
  readonly live: ReadonlyArray<number>
  /** Offsets of the JUMPDESTs that the EVM's own analysis finds, ascending. All are live. */
  readonly jumpDests: ReadonlyArray<number>
  /** Ranges [start, end) that no execution can reach: data, metadata. */
  readonly dead: ReadonlyArray<readonly [start: number, end: number]>
}

export const sweep = (code: Uint8Array): Sweep => {
  const live: Array<number> = []
  const jumpDests: Array<number> = []
  const dead: Array<readonly [number, number]> = []
  let deadFrom = -1
  let at = 0
  while (at < code.length) {
    const opcode = code[at] ?? 0
    if (opcode === JUMPDEST) {
      jumpDests.push(at)
      if (deadFrom >= 0 && deadFrom < at) dead.push([deadFrom, at])
      deadFrom = -1
    }
    const next = at + 1 + immediateBytes(opcode)
    if (deadFrom < 0) {
      live.push(at)
      if (isTerminator(opcode)) deadFrom = next
    }
    at = next
  }
  if (deadFrom >= 0 && deadFrom < code.length) dead.push([deadFrom, code.length])
  return { live, jumpDests, dead }
}

/** What the PUSH at `at` pushes, big-endian without leading zeros; missing bytes count as zeros. */
export const pushedBytes = (code: Uint8Array, at: number): Uint8Array => {
  const size = immediateBytes(code[at] ?? 0)
  const first = at + 1
  const end = Math.min(first + size, code.length)
  let from = first
  while (from < end && code[from] === 0) from++
  if (from === end) return NOTHING
  const value = new Uint8Array(first + size - from)
  value.set(code.subarray(from, end))
  return value
}

/** The pushed value if it has at most two bytes (so it may be an offset in code). */
export const asOffset = (value: Uint8Array): number | undefined =>
  value.length > 2 ? undefined : value.reduce((sum, byte) => sum * 256 + byte, 0)

const NOTHING = new Uint8Array(0)
