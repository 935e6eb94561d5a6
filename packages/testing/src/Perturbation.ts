/**
 * Ways to shake a plain run's gas and nothing else. What an outcome loses under one of these hangs
 * on gas amounts, which the OVM does not promise to keep; what survives them all, it must keep.
 */

export interface Perturbation {
  readonly name: string
  /** The transaction's gas limit instead of the fixture's. */
  readonly gasLimit: (limit: bigint) => bigint
  /** Gas that a call asks for, instead of what the code put on the stack. */
  readonly callGas: (requested: bigint) => bigint
  /** Gas that a call or a creation hands on, of what is left, instead of at most 63/64. */
  readonly forward: (handed: bigint, left: bigint) => bigint
  /** Gas given on top of the 2,300 of a call with value. */
  readonly stipend: bigint
  /** What GAS answers, for the `count`-th GAS of the run. */
  readonly gasValue: (value: bigint, count: number) => bigint
}

const MAX_WORD = (1n << 256n) - 1n
const SUPPLY_CEILING = 400_000_000n
/** As much as the OVM has at most: what only so much gas makes happen must be seen. */
const AMPLE_GAS = 2_000_000_000n

/** What GAS counts down from, and by, where every stretch between two of them is to cost the same. */
const EVEN_START = 1n << 40n
const EVEN_STEP = 1000n

const same = <A>(value: A): A => value
const clamp = (value: bigint): bigint => (value < 0n ? 0n : value > MAX_WORD ? MAX_WORD : value)
const least = (one: bigint, other: bigint): bigint => (one < other ? one : other)
const scale = (factor: bigint) => (value: bigint) => clamp(value * factor)

const NONE: Perturbation = {
  name: "nothing",
  gasLimit: same,
  callGas: same,
  forward: same,
  stipend: 0n,
  gasValue: same
}

/** More gas for the transaction, but not so much that an endless loop keeps a machine for minutes. */
const supply =
  (factor: bigint, ceiling = SUPPLY_CEILING) =>
  (limit: bigint) => {
    const wanted = limit * factor
    if (wanted <= ceiling) return wanted
    return limit < ceiling ? ceiling : limit
  }

/** From the mildest to the roughest; each on its own first, then together as in the OVM. */
export const PERTURBATIONS: ReadonlyArray<Perturbation> = [
  { ...NONE, name: "the gas supply of the transaction (x2)", gasLimit: supply(2n) },
  { ...NONE, name: "the gas supply of the transaction (x40)", gasLimit: supply(40n) },
  {
    ...NONE,
    name: "the gas supply of the transaction (x1000)",
    gasLimit: supply(1000n, AMPLE_GAS)
  },
  { ...NONE, name: "the values that GAS returns (x3)", gasValue: scale(3n) },
  {
    ...NONE,
    name: "the values that GAS returns (falling faster)",
    gasValue: (value, count) => clamp(value - 977n * BigInt(count + 1))
  },
  {
    ...NONE,
    name: "the values that GAS returns (evenly spaced)",
    gasValue: (_, count) => EVEN_START - EVEN_STEP * BigInt(count)
  },
  {
    ...NONE,
    name: "the gas handed to calls (x64) and the gas supply (x40)",
    gasLimit: supply(40n),
    callGas: scale(64n)
  },
  {
    ...NONE,
    name: "the share of its gas that a frame may hand on (15/16)",
    forward: (handed, left) => least(handed, left - left / 16n)
  },
  {
    ...NONE,
    name: "the share of its gas that a frame may hand on (3/4)",
    forward: (handed, left) => least(handed, left - left / 4n)
  },
  {
    ...NONE,
    name: "the stipend of calls with value and the gas supply (x40)",
    gasLimit: supply(40n),
    stipend: 1_000_000n
  },
  {
    name: "the gas supply, GAS, and the gas of every call, all at once",
    gasLimit: supply(40n),
    callGas: () => MAX_WORD,
    forward: same,
    stipend: 1_000_000n,
    gasValue: scale(40n)
  }
]
