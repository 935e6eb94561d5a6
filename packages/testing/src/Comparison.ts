/** Compares two outcomes word by word, with fees and the OVM's own bookkeeping set apart. */
import { BASE_FEE_VAULT, HISTORY_STORAGE } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"
import type { Outcome } from "./Outcome.ts"
import type { CaseEnvironment } from "./StateTestFixture.ts"
import { type AccountState, accountOf, isEmpty } from "./WorldState.ts"

/** One thing that the outcomes do not share. */
export interface Difference {
  /** Names the thing alone, such as `0x..1 slot 0x..0`: the same in every run of a case. */
  readonly key: string
  readonly expected: string
  readonly found: string
}

/** Everything that holds after a run, by name. What is missing is zero, empty or absent. */
export type Facts = ReadonlyMap<string, string>

/** Accounts in which the OVM keeps what the plain EVM keeps elsewhere, or burns. */
const BOOKKEEPING: ReadonlySet<Address> = new Set([BASE_FEE_VAULT, HISTORY_STORAGE])

export const factsOf = (outcome: Outcome, environment: CaseEnvironment): Facts => {
  const facts = new Map<string, string>()
  if (outcome._tag === "Rejected") {
    facts.set("transaction", "refused")
  } else {
    facts.set("status", outcome.success ? "success" : "failure")
    // What a successful creation returns is the account's code, which is compared as such.
    if (outcome.contractAddress === undefined) facts.set("return data", outcome.returnData)
    facts.set("created address", outcome.contractAddress ?? "none")
    facts.set("number of logs", `${outcome.logs.length}`)
    outcome.logs.forEach(({ address, data, topics }, index) => {
      facts.set(`log ${index}`, `${address} [${topics.join(", ")}] ${data}`)
    })
  }
  for (const address of [...outcome.state.keys()].sort()) {
    if (!BOOKKEEPING.has(address)) addAccount(facts, address, outcome, environment)
  }
  return facts
}

export const compareFacts = (expected: Facts, found: Facts): ReadonlyArray<Difference> => {
  const differences: Array<Difference> = []
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const here = expected.get(key) ?? "none"
    const there = found.get(key) ?? "none"
    if (here !== there) differences.push({ key, expected: here, found: there })
  }
  return differences
}

export const describeDifference = ({ expected, found, key }: Difference): string =>
  `${key}: expected ${shortened(expected)}, found ${shortened(found)}`

const addAccount = (
  facts: Map<string, string>,
  address: Address,
  outcome: Outcome,
  environment: CaseEnvironment
): void => {
  const found = accountOf(outcome.state, address)
  const account: AccountState = {
    ...found,
    balance: found.balance + setApart(address, outcome, environment)
  }
  if (isEmpty(account)) return
  const { balance, code, nonce, storage } = account
  if (nonce !== 0n) facts.set(`${address} nonce`, `${nonce}`)
  if (balance !== 0n) facts.set(`${address} balance`, `${balance}`)
  if (code !== "0x") facts.set(`${address} code`, code)
  for (const slot of [...storage.keys()].sort()) {
    facts.set(`${address} slot ${slot}`, storage.get(slot) ?? "none")
  }
}

/** Wei to add so that the balance is what it would be without fees. */
const setApart = (address: Address, outcome: Outcome, { coinbase }: CaseEnvironment): bigint => {
  if (outcome._tag === "Rejected") return 0n
  const { fee, sender, tip, topUp } = outcome
  return (address === sender ? fee - topUp : 0n) - (address === coinbase ? tip : 0n)
}

const LONGEST = 140

const shortened = (value: string): string =>
  value.length <= LONGEST
    ? value
    : `${value.slice(0, LONGEST / 2)}..${value.slice(-LONGEST / 2)} (${value.length} characters)`
