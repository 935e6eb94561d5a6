/** Random bytecode and random transactions, plain EVM against OVM: the same seed, the same case. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { Effect } from "effect"
import { bytesToHex } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { judge, type Machines } from "./Equivalence.ts"
import type { CaseVerdict, Verdict } from "./EquivalenceReport.ts"
import { assemble, hexOf, listing, type Program } from "./internal/Assembly.ts"
import { generateProgram } from "./internal/ProgramGenerator.ts"
import { SeededRandom } from "./internal/SeededRandom.ts"
import type { CaseEnvironment, CaseTransaction, StateTestCase } from "./StateTestFixture.ts"
import { type AccountState, EMPTY_ACCOUNT, word } from "./WorldState.ts"

/** A random case before it is assembled, so that instructions can still be taken out of it. */
export interface FuzzCase {
  readonly seed: number
  /** Contracts at `contractAddress(0)` and on; each calls later ones only. */
  readonly contracts: ReadonlyArray<Program>
  /** Initcode, if the transaction creates; otherwise it calls the first contract. */
  readonly initCode: Program | undefined
  readonly type: 0 | 1 | 2
  /** Wei. */
  readonly value: bigint
  readonly data: Hex
}

export interface FuzzFinding {
  readonly verdict: CaseVerdict
  readonly found: FuzzCase
  readonly minimal: FuzzCase
}

export interface FuzzSummary {
  readonly runs: number
  readonly verdicts: Readonly<Record<Verdict, number>>
  readonly findings: ReadonlyArray<FuzzFinding>
}

const KEY: Hash32 = `0x${"45".repeat(32)}`
const SENDER = lowerCase(privateKeyToAddress(KEY))
const COINBASE: Address = `0x${"c0".repeat(20)}`
const RICH: Address = `0x${"b1".repeat(20)}`
const ABSENT: Address = `0x${"b2".repeat(20)}`
const CONTRACTS_MAX = 4
const ETHER = 10n ** 18n

export const contractAddress = (index: number): Address =>
  `0x${(0xc0de00 + index).toString(16).padStart(40, "0")}`

const ENVIRONMENT: CaseEnvironment = {
  coinbase: COINBASE,
  number: 3n,
  timestamp: 1_700_000_000n,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  prevRandao: word(0xfeedn),
  excessBlobGas: 0n,
  chainId: 1n
}

export const generateCase = (seed: number): FuzzCase => {
  const random = new SeededRandom(seed)
  const count = 1 + random.below(CONTRACTS_MAX)
  const bystanders = [SENDER, COINBASE, RICH, ABSENT]
  const addresses = Array.from({ length: count }, (_, index) => contractAddress(index))
  const size = random.pick([4, 10, 10, 30])
  const program = (callees: ReadonlyArray<Address>) =>
    generateProgram({ random, callees, everyone: addresses, bystanders, nesting: 2, size })
  return {
    seed,
    contracts: addresses.map((_, index) => program(addresses.slice(index + 1))),
    initCode: random.chance(15) ? program(addresses) : undefined,
    type: random.pick([0, 1, 2]),
    value: random.chance(40) ? BigInt(random.below(1000)) : 0n,
    data: bytesToHex(random.bytes(random.below(100)))
  }
}

/** The case as both machines take it. There is no fixture: the plain EVM alone is the oracle. */
export const stateTestOf = (fuzzCase: FuzzCase): StateTestCase => {
  const { contracts, seed } = fuzzCase
  const contract = (program: Program): AccountState => ({
    nonce: 1n,
    balance: 1000n,
    code: hexOf(program),
    storage: new Map([[word(1n), word(0xabcdn)]])
  })
  return {
    identity: { file: "fuzz", test: `seed ${seed}`, index: 0 },
    fork: "Cancun",
    environment: ENVIRONMENT,
    pre: new Map<Address, AccountState>([
      [SENDER, { ...EMPTY_ACCOUNT, balance: ETHER }],
      [RICH, { ...EMPTY_ACCOUNT, balance: 77n }],
      ...contracts.map((program, index) => [contractAddress(index), contract(program)] as const)
    ]),
    transaction: transactionOf(fuzzCase),
    expectation: undefined
  }
}

const transactionOf = ({ data, initCode, type, value }: FuzzCase): CaseTransaction => ({
  type,
  nonce: 0n,
  gasPrice: 10n,
  maxFeePerGas: 20n,
  maxPriorityFeePerGas: 3n,
  gasLimit: 8_000_000n,
  to: initCode === undefined ? contractAddress(0) : undefined,
  value,
  data: initCode === undefined ? data : bytesToHex(assemble(initCode)),
  accessList: type === 0 ? [] : [{ address: RICH, storageKeys: [word(0n)] }],
  secretKey: KEY,
  sender: SENDER,
  replayProtected: true,
  raw: undefined
})

/** Judges `runs` cases from `seed` on; each is made from its own number, so any can be repeated. */
export const runFuzz = Effect.fn("Fuzz.runFuzz")(function* (options: {
  readonly machines: Machines
  readonly seed: number
  readonly runs: number
  readonly onVerdict?: (verdict: CaseVerdict, done: number) => void
}) {
  const { machines, onVerdict, runs, seed } = options
  const verdicts = { ...NO_VERDICTS }
  const findings: Array<FuzzFinding> = []
  for (let run = 0; run < runs; run++) {
    const found = generateCase(seed + run)
    const verdict = yield* judgeFuzzCase(machines, found)
    verdicts[verdict.verdict]++
    if (isFinding(verdict)) {
      findings.push({ verdict, found, minimal: yield* minimize(machines, found) })
    }
    onVerdict?.(verdict, run + 1)
  }
  return { runs, verdicts, findings } satisfies FuzzSummary
})

const NO_VERDICTS: Readonly<Record<Verdict, number>> = {
  identical: 0,
  different: 0,
  gasDependent: 0,
  oversize: 0,
  unsupported: 0,
  invalidOracle: 0
}

/** Without a fixture an oracle can only be invalid by breaking down, which is a finding too. */
const isFinding = ({ verdict }: CaseVerdict) =>
  verdict === "different" || verdict === "invalidOracle"

const judgeFuzzCase = (machines: Machines, fuzzCase: FuzzCase): Effect.Effect<CaseVerdict> =>
  judge(machines, { _tag: "Runnable", stateTest: stateTestOf(fuzzCase) })

const MINIMIZING_RUNS_MAX = 400

/** Takes instructions out, large pieces first, as long as the machines still disagree. */
export const minimize = (machines: Machines, found: FuzzCase): Effect.Effect<FuzzCase> =>
  Effect.gen(function* () {
    let best = found
    let left = MINIMIZING_RUNS_MAX
    const improves = (candidate: FuzzCase) =>
      Effect.map(judgeFuzzCase(machines, candidate), (verdict) => isFinding(verdict))
    let smaller = true
    while (smaller && left > 0) {
      smaller = false
      for (const candidate of reductionsOf(best)) {
        if (left-- <= 0) break
        if (!(yield* improves(candidate))) continue
        best = candidate
        smaller = true
        break
      }
    }
    return best
  })

/** Every way to make the case one step smaller, the boldest first. */
function* reductionsOf(fuzzCase: FuzzCase): Generator<FuzzCase> {
  if (fuzzCase.value !== 0n) yield { ...fuzzCase, value: 0n }
  if (fuzzCase.data !== "0x") yield { ...fuzzCase, data: "0x" }
  if (fuzzCase.type !== 0) yield { ...fuzzCase, type: 0 }
  const { contracts, initCode } = fuzzCase
  for (const smaller of initCode === undefined ? [] : cutsOf(initCode)) {
    yield { ...fuzzCase, initCode: smaller }
  }
  for (const [index, program] of contracts.entries()) {
    for (const smaller of cutsOf(program)) {
      const changed = contracts.map((other, at) => (at === index ? smaller : other))
      yield { ...fuzzCase, contracts: changed }
    }
  }
}

function* cutsOf(program: Program): Generator<Program> {
  const { data, instructions } = program
  for (let size = instructions.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start + size <= instructions.length; start += size) {
      const kept = [...instructions.slice(0, start), ...instructions.slice(start + size)]
      yield { instructions: kept, data }
    }
  }
  for (const [index, blob] of data.entries()) {
    const emptied = data.map((other, at) => (at === index ? new Uint8Array(0) : other))
    if (blob.length > 0) yield { instructions, data: emptied }
  }
}

/** A finding as a person reads it: what differs, the smallest program that still does, how to repeat it. */
export const describeFinding = ({ found, minimal, verdict }: FuzzFinding): string => {
  const programs = minimal.contracts.map(
    (program, index) =>
      `contract ${contractAddress(index)} = ${hexOf(program)}\n${indented(listing(program))}`
  )
  const { initCode } = minimal
  const creation =
    initCode === undefined ? [] : [`initcode = ${hexOf(initCode)}\n${indented(listing(initCode))}`]
  return [
    `${verdict.verdict}: ${verdict.what}`,
    ...creation,
    ...programs,
    `transaction: type ${minimal.type}, value ${minimal.value}, data ${minimal.data}`,
    `repeat with: pnpm fuzz --seed ${found.seed} --runs 1`
  ].join("\n")
}

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n")

function lowerCase(address: Hex): Address {
  return `0x${address.slice(2).toLowerCase()}`
}
