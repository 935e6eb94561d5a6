/** Which blocks make the next batch, and whether it is time to post it: size, age, price of L1 gas. Pure. */

/** When a channel of blocks is cut into a batch. */
export interface CutPolicy {
  /** Payload bytes at which a batch is worth its own L1 transaction, whatever its age. */
  readonly targetBytes: number
  /** Seconds after which the oldest block is posted, whatever it costs. */
  readonly maxAgeSeconds: number
  /** Wei per gas: L1 at or below this base fee is cheap enough to post a half full batch. */
  readonly cheapBaseFeeWei: bigint
  /** Wei per gas: above it nothing is posted before its age demands it. */
  readonly dearBaseFeeWei: bigint
}

export const defaultPolicy: CutPolicy = {
  targetBytes: 96_000,
  maxAgeSeconds: 300,
  cheapBaseFeeWei: 1_000_000_000n,
  dearBaseFeeWei: 100_000_000_000n
}

/** What is known of the channel when the question comes up. */
export interface ChannelState {
  /** Bytes of the payload that the next batch would have. */
  readonly payloadBytes: number
  /** Blocks wait that the next batch has no room for. */
  readonly isFull: boolean
  /** Seconds since the Unix epoch of the oldest block in it. */
  readonly oldestTimestamp: bigint
  /** Seconds since the Unix epoch, on L1. */
  readonly now: bigint
  /** Wei per gas, of L1's next block. */
  readonly baseFeeWei: bigint
}

/** Why a batch is cut now, or what it waits for. */
export type Cut =
  | { readonly _tag: "Cut"; readonly reason: "full" | "size" | "age" | "price" }
  | { readonly _tag: "Wait"; readonly reason: "small" | "dear" }

/** Age beats price, price beats size: what is late goes out, what is dear waits, what is large enough goes. */
export const decide = (channel: ChannelState, policy: CutPolicy): Cut => {
  const age = channel.now - channel.oldestTimestamp
  if (age >= BigInt(policy.maxAgeSeconds)) return { _tag: "Cut", reason: "age" }
  if (channel.baseFeeWei > policy.dearBaseFeeWei) return { _tag: "Wait", reason: "dear" }
  if (channel.isFull) return { _tag: "Cut", reason: "full" }
  if (channel.payloadBytes >= policy.targetBytes) return { _tag: "Cut", reason: "size" }
  const isCheap = channel.baseFeeWei <= policy.cheapBaseFeeWei
  if (isCheap && channel.payloadBytes * 2 >= policy.targetBytes) {
    return { _tag: "Cut", reason: "price" }
  }
  return { _tag: "Wait", reason: "small" }
}

/**
 * The longest prefix of `items` that `fits`, found by halving: `fits` compresses, so it is asked as rarely as
 * can be. It must hold for every prefix of one that it holds for.
 */
export const longestPrefix = <A, B>(
  items: ReadonlyArray<A>,
  fits: (prefix: ReadonlyArray<A>) => B | undefined
): { readonly count: number; readonly value: B } | undefined => {
  const whole = fits(items)
  if (whole !== undefined) return { count: items.length, value: whole }
  let best: { readonly count: number; readonly value: B } | undefined
  let low = 1
  let high = items.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const value = fits(items.slice(0, middle))
    if (value === undefined) high = middle - 1
    else {
      best = { count: middle, value }
      low = middle + 1
    }
  }
  return best
}
