/** Why transactions fell out of the mempool, for those who ask later; the oldest are forgotten. */
import type { Hash32 } from "@ovm/protocol/Primitives"
import type { Rejection } from "./FillBlock.ts"

const REMEMBERED_MAX = 10_000

export class Rejections {
  readonly #reasons = new Map<Hash32, Rejection>()

  get(hash: Hash32): Rejection | undefined {
    return this.#reasons.get(hash)
  }

  remember(rejected: ReadonlyMap<Hash32, Rejection>): void {
    for (const [hash, reason] of rejected) this.#reasons.set(hash, reason)
    for (const hash of this.#reasons.keys()) {
      if (this.#reasons.size <= REMEMBERED_MAX) return
      this.#reasons.delete(hash)
    }
  }

  /** The transaction was admitted again: its case is open. */
  forget(hash: Hash32): void {
    this.#reasons.delete(hash)
  }
}
