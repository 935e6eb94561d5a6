/** Which original instruction stands where in the transpiled code, asked in either direction. */

export interface SourceMap {
  /** [old offset, new offset] of every original instruction that was emitted, ascending in both. */
  readonly pairs: ReadonlyArray<readonly [oldOffset: number, newOffset: number]>
  /** Where the original instruction at exactly `oldOffset` begins now; undefined if it was dropped. */
  readonly oldToNew: (oldOffset: number) => number | undefined
  /** The original instruction that the byte at `newOffset` stands for; undefined inside stubs. */
  readonly newToOld: (newOffset: number) => number | undefined
}

export const make = (options: {
  readonly pairs: ReadonlyArray<readonly [oldOffset: number, newOffset: number]>
  /** Offset just behind the last byte that stands for an original instruction. */
  readonly end: number
}): SourceMap => {
  const { end, pairs } = options
  return {
    pairs,
    oldToNew: (oldOffset) => {
      const pair = pairs[lastAtMost(pairs, 0, oldOffset)]
      return pair?.[0] === oldOffset ? pair[1] : undefined
    },
    newToOld: (newOffset) =>
      newOffset < end ? pairs[lastAtMost(pairs, 1, newOffset)]?.[0] : undefined
  }
}

/** Index of the last pair whose `side` is at most `offset`, or -1. */
const lastAtMost = (
  pairs: ReadonlyArray<readonly [number, number]>,
  side: 0 | 1,
  offset: number
): number => {
  let low = 0
  let high = pairs.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((pairs[middle]?.[side] ?? 0) <= offset) low = middle + 1
    else high = middle
  }
  return low - 1
}
