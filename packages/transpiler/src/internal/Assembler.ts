/** Writes code front to back and fills in addresses afterwards; every address is a PUSH2. */
import { PUSH0, PUSH2 } from "../Opcode.ts"

/** A number names an original JUMPDEST by its old offset, a string a place that T made up. */
export type Label = number | string

/** A place to come back to, when what was written since turns out too large. */
export interface Mark {
  readonly length: number
  readonly fixups: number
}

export class Assembler {
  private buffer = new Uint8Array(1024)
  private readonly labels = new Map<Label, number>()
  private readonly fixups: Array<readonly [at: number, label: Label]> = []
  /** Bytes written so far; also the offset of the next one. */
  length = 0

  emit(bytes: ArrayLike<number>): void {
    const end = this.length + bytes.length
    if (end > this.buffer.length) {
      const grown = new Uint8Array(end * 2)
      grown.set(this.buffer)
      this.buffer = grown
    }
    this.buffer.set(bytes, this.length)
    this.length = end
  }

  /** The shortest push of a big-endian value that has no leading zeros. */
  push(value: ArrayLike<number>): void {
    this.emit([PUSH0 + value.length])
    this.emit(value)
  }

  pushLabel(label: Label): void {
    this.fixups.push([this.length + 1, label])
    this.emit([PUSH2, 0, 0])
  }

  place(label: Label): void {
    this.labels.set(label, this.length)
  }

  offsetOf(label: Label): number {
    const offset = this.labels.get(label)
    // A defect of T itself: every label that is pushed is placed, whatever the input.
    if (offset === undefined) throw new Error(`label ${label} was pushed but never placed`)
    return offset
  }

  mark(): Mark {
    return { length: this.length, fixups: this.fixups.length }
  }

  /** Forgets what was written since `mark`. Labels placed since must be placed again before use. */
  rewind(mark: Mark): void {
    this.length = mark.length
    this.fixups.length = mark.fixups
  }

  /** The finished code. Its length must be below 65,536, or the addresses don't fit. */
  finish(): Uint8Array {
    const code = this.buffer.slice(0, this.length)
    for (const [at, label] of this.fixups) {
      const offset = this.offsetOf(label)
      code[at] = offset >> 8
      code[at + 1] = offset & 0xff
    }
    return code
  }
}

/** Big-endian bytes of `value` without leading zeros. */
export const minimalBytes = (value: bigint | number): Array<number> => {
  const bytes: Array<number> = []
  for (let rest = BigInt(value); rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn))
  return bytes
}
