/** Times, and what is said of them: medians, so that one hiccup of a busy machine decides nothing. */
import { Effect, Schema } from "effect"

/** Both machines must have done the same work, or times mean nothing. */
export class WorkDiffers extends Schema.TaggedError<WorkDiffers>()("WorkDiffers", {
  workload: Schema.String,
  what: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.what} of ${this.workload} in the OVM to be ${this.expected} as in the EVM, found ${this.found}.`
  }
}

export const nowMs = (): number => performance.now()

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >>> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** Adds up where time goes, part by part, until it is read. */
export class Stopwatch<Part extends string> {
  readonly #spentMs = new Map<Part, number>()

  add(part: Part, elapsedMs: number): void {
    this.#spentMs.set(part, (this.#spentMs.get(part) ?? 0) + elapsedMs)
  }

  async promise<A>(part: Part, work: () => Promise<A>): Promise<A> {
    const started = nowMs()
    try {
      return await work()
    } finally {
      this.add(part, nowMs() - started)
    }
  }

  sync<A>(part: Part, work: () => A): A {
    const started = nowMs()
    try {
      return work()
    } finally {
      this.add(part, nowMs() - started)
    }
  }

  effect<A, E, R>(part: Part, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const started = nowMs()
      return Effect.ensuring(
        work,
        Effect.sync(() => this.add(part, nowMs() - started))
      )
    })
  }

  /** Milliseconds of a part since the last call for it. */
  take(part: Part): number {
    const spentMs = this.#spentMs.get(part) ?? 0
    this.#spentMs.delete(part)
    return spentMs
  }
}
