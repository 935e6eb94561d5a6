/** Random numbers that a seed repeats on every machine; nothing here is secret. */

export class SeededRandom {
  private state: number

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring streams: mix before the first draw.
    this.state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0
    this.uint32()
    this.uint32()
  }

  /** Marsaglia's xorshift over a Weyl step, so that state zero is no trap. */
  uint32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** An integer from 0 up to, not including, `end`. */
  below(end: number): number {
    return this.uint32() % end
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<A>(choices: readonly [A, ...ReadonlyArray<A>]): A {
    return choices[this.below(choices.length)] ?? choices[0]
  }

  /** One of the choices, each as likely as its weight says. */
  weighted<A>(choices: ReadonlyArray<readonly [number, A]>, fallback: A): A {
    let left = this.below(choices.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, choice] of choices) {
      if (left < weight) return choice
      left -= weight
    }
    return fallback
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256))
  }
}
