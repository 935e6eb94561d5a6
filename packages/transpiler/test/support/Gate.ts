/**
 * The far end of the gate, for watching the stubs alone: it logs the slots and the input, and answers
 * as it is told. (The manager itself is tested against these stubs where both meet.)
 */
import { bytesToBigInt, hexToBytes } from "viem"
import { assemble, type Token } from "./Assemble.ts"
import type { Outcome } from "./Evm.ts"

const SLOTS = 5
const FILLER = BigInt(`0x${"ee".repeat(32)}`)

export interface Answer {
  /** Left in slot 0. */
  readonly result: bigint
  /** How many bytes of 0xee are returned. */
  readonly replyBytes: number
}

export const gate = (answers: Readonly<Record<number, Answer>>): Uint8Array => {
  const record = Array.from({ length: SLOTS }, (_, slot): ReadonlyArray<Token> => {
    return [slot, "TLOAD", slot * 32, "MSTORE"]
  })
  const input = ["CALLDATASIZE", 0, SLOTS * 32, "CALLDATACOPY"]
  const log = ["CALLDATASIZE", SLOTS * 32, "ADD", 0, "LOG0"]
  const cases = Object.entries(answers).map(([opcode]): ReadonlyArray<Token> => {
    return [0, "TLOAD", Number(opcode), "EQ", `@answer${opcode}`, "JUMPI"]
  })
  const bodies = Object.entries(answers).map(([opcode, { replyBytes, result }]) => {
    const reply = [FILLER, 0, "MSTORE", replyBytes, 0, "RETURN"]
    return [`:answer${opcode}`, result, 0, "TSTORE", ...reply] satisfies ReadonlyArray<Token>
  })
  return assemble(...record.flat(), ...input, ...log, ...cases.flat(), "INVALID", ...bodies.flat())
}

export interface Passage {
  readonly opcode: number
  /** Slots 1 to 4. */
  readonly slots: ReadonlyArray<bigint>
  readonly input: string
}

/** What passed the gate, in order. */
export const passages = (outcome: Outcome): ReadonlyArray<Passage> =>
  outcome.logsOfCalls.map((data) => {
    const bytes = hexToBytes(`0x${data.slice(2)}`)
    const words = Array.from({ length: SLOTS }, (_, slot) =>
      bytesToBigInt(bytes.subarray(slot * 32, slot * 32 + 32))
    )
    return {
      opcode: Number(words[0]),
      slots: words.slice(1),
      input: `0x${data.slice(2 + SLOTS * 64)}`
    }
  })
