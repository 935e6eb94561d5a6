/**
 * The waiting transactions as a value: nonce queues per sender under bounds on everything that can
 * grow. Pure, so that every rule can be tested by itself.
 */
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { effectiveTip, feeCap, type Transaction, tipCap } from "@ovm/protocol/Transaction"
import { Data, Either, HashMap, Option, Order, SortedSet } from "effect"
import {
  AccountLimitExceeded,
  AlreadyKnown,
  PoolFull,
  ReplacementUnderpriced
} from "./AdmissionError.ts"

/** A transaction whose signature was checked. */
export interface AdmittedTransaction {
  readonly hash: Hash32
  readonly raw: Uint8Array
  readonly sender: Address
  readonly transaction: Transaction
}

export interface PooledTransaction extends AdmittedTransaction {
  /** Grows with every transaction that enters; earlier ones win ties. */
  readonly arrival: number
  /** Wei per gas for the coinbase, at the base fee as it was when the transaction entered. */
  readonly worth: bigint
}

export interface MempoolLimits {
  readonly maxTransactions: number
  readonly maxTransactionsPerSender: number
  /** Raw bytes of all waiting transactions together. */
  readonly maxBytes: number
  /** How much more, in percent, both fees must offer to replace a transaction. */
  readonly replacementBumpPercent: bigint
}

export const defaultLimits: MempoolLimits = {
  maxTransactions: 10_000,
  maxTransactionsPerSender: 128,
  maxBytes: 64 * 1024 * 1024,
  replacementBumpPercent: 10n
}

interface SenderQueue {
  /** The account's nonce as of the last block. */
  readonly nextNonce: bigint
  /** In ascending order of nonce, at most one each. Never empty. */
  readonly transactions: ReadonlyArray<PooledTransaction>
}

export interface MempoolState {
  readonly limits: MempoolLimits
  /** Wei per gas in the next block. */
  readonly baseFeePerGas: bigint
  readonly byHash: HashMap.HashMap<Hash32, PooledTransaction>
  readonly queues: HashMap.HashMap<Address, SenderQueue>
  /**
   * The last transaction of every sender, the least worth first. Only these are ever evicted, so that
   * no gap is torn; kept in order, so that a full pool stays quick.
   */
  readonly lasts: SortedSet.SortedSet<Last>
  readonly bytes: number
  readonly arrivals: number
}

interface Last {
  readonly hash: Hash32
  /** It stands behind a gap: worth less than any that can run. */
  readonly waits: boolean
  readonly worth: bigint
  readonly arrival: number
}

const byWorth: Order.Order<Last> = Order.combineAll([
  Order.mapInput(Order.reverse(Order.boolean), ({ waits }: Last) => waits),
  Order.mapInput(Order.bigint, ({ worth }: Last) => worth),
  Order.mapInput(Order.reverse(Order.number), ({ arrival }: Last) => arrival)
])

export type AddError = AlreadyKnown | ReplacementUnderpriced | AccountLimitExceeded | PoolFull

export interface Added {
  readonly state: MempoolState
  /** What had to go: the replaced transaction, or the cheapest ones of a full pool. */
  readonly removed: ReadonlyArray<PooledTransaction>
}

export const empty = (
  options: { readonly limits?: MempoolLimits; readonly baseFeePerGas?: bigint } = {}
): MempoolState => ({
  limits: options.limits ?? defaultLimits,
  baseFeePerGas: options.baseFeePerGas ?? 0n,
  byHash: HashMap.empty(),
  queues: HashMap.empty(),
  lasts: SortedSet.empty(byWorth),
  bytes: 0,
  arrivals: 0
})

/** Takes a transaction in, if its fees earn it a place. `nextNonce` is its sender's account nonce. */
export const add = (
  state: MempoolState,
  admitted: AdmittedTransaction,
  nextNonce: bigint
): Either.Either<Added, AddError> => {
  if (HashMap.has(state.byHash, admitted.hash)) {
    return Either.left(new AlreadyKnown({ hash: admitted.hash }))
  }
  const newcomer: PooledTransaction = {
    ...admitted,
    arrival: state.arrivals,
    worth: effectiveTip(admitted.transaction, state.baseFeePerGas)
  }
  const place = findPlace(state, newcomer)
  if (Either.isLeft(place)) return Either.left(place.left)
  const cleared = place.right === undefined ? state : remove(state, place.right.hash)
  const inserted = insert(cleared, newcomer, nextNonce)
  const { evicted, state: fitting } = shrink(inserted)
  if (!HashMap.has(fitting.byHash, newcomer.hash)) {
    return Either.left(new PoolFull({ limit: state.limits.maxTransactions }))
  }
  const removed = place.right === undefined ? evicted : [place.right, ...evicted]
  return Either.right({ state: fitting, removed })
}

/** The state without that transaction; later ones of its sender stay and wait for its nonce. */
export const remove = (state: MempoolState, hash: Hash32): MempoolState => {
  const found = Option.getOrUndefined(HashMap.get(state.byHash, hash))
  if (found === undefined) return state
  const queue = queueOf(state, found.sender)
  const transactions = queue.transactions.filter((other) => other.hash !== hash)
  const without = withQueue(state, found.sender, { ...queue, transactions })
  return {
    ...without,
    byHash: HashMap.remove(state.byHash, hash),
    bytes: state.bytes - found.raw.length
  }
}

/** A block moved the sender's account to `nextNonce`: what lies below can never run again. */
export const advance = (state: MempoolState, sender: Address, nextNonce: bigint): MempoolState => {
  const queue = queueOf(state, sender)
  if (queue.transactions.length === 0) return state
  const stale = queue.transactions.filter(({ transaction }) => transaction.nonce < nextNonce)
  const cleaned = stale.reduce((current, { hash }) => remove(current, hash), state)
  return withQueue(cleaned, sender, { ...queueOf(cleaned, sender), nextNonce })
}

export const withBaseFee = (state: MempoolState, baseFeePerGas: bigint): MempoolState => ({
  ...state,
  baseFeePerGas
})

/** What could run in the next block: each sender's unbroken run of nonces that pays the base fee. */
export const executable = (
  state: MempoolState
): ReadonlyMap<Address, ReadonlyArray<PooledTransaction>> => {
  const out = new Map<Address, ReadonlyArray<PooledTransaction>>()
  for (const [sender, queue] of state.queues) {
    const unbroken = withoutGap(queue)
    const poor = unbroken.findIndex(({ transaction }) => feeCap(transaction) < state.baseFeePerGas)
    const ready = poor < 0 ? unbroken : unbroken.slice(0, poor)
    if (ready.length > 0) out.set(sender, ready)
  }
  return out
}

/** The nonce that the sender's next transaction should have: behind its unbroken run. */
export const pendingNonce = (state: MempoolState, sender: Address, nextNonce: bigint): bigint => {
  const queue = queueOf(state, sender)
  return queue.transactions.length === 0
    ? nextNonce
    : queue.nextNonce + BigInt(withoutGap(queue).length)
}

/** Wei that the sender's waiting transactions may cost, leaving out the one at `exceptNonce`. */
export const queuedCost = (state: MempoolState, sender: Address, exceptNonce: bigint): bigint =>
  queueOf(state, sender)
    .transactions.filter(({ transaction }) => transaction.nonce !== exceptNonce)
    .reduce((sum, { transaction }) => sum + maximalCost(transaction), 0n)

/** Wei that the sender must have: all gas at the highest price, and the value. */
export const maximalCost = (transaction: Transaction): bigint =>
  transaction.gasLimit * feeCap(transaction) + transaction.value

/** The transaction that must make room for `newcomer`, if one must, or why it may not. */
const findPlace = (
  state: MempoolState,
  newcomer: PooledTransaction
): Either.Either<PooledTransaction | undefined, AddError> => {
  const { transactions } = queueOf(state, newcomer.sender)
  const { nonce } = newcomer.transaction
  const old = transactions.find(({ transaction }) => transaction.nonce === nonce)
  if (old !== undefined) return mayReplace(state, old, newcomer)
  const limit = state.limits.maxTransactionsPerSender
  if (transactions.length < limit) return Either.right(undefined)
  const last = transactions.at(-1)
  // A sender whose queue is full of later nonces must still be able to fill the gap before them.
  return last !== undefined && last.transaction.nonce > nonce
    ? Either.right(last)
    : Either.left(new AccountLimitExceeded({ sender: newcomer.sender, limit }))
}

const mayReplace = (
  state: MempoolState,
  old: PooledTransaction,
  newcomer: PooledTransaction
): Either.Either<PooledTransaction, ReplacementUnderpriced> => {
  const bumped = (fee: bigint) => (fee * (100n + state.limits.replacementBumpPercent) + 99n) / 100n
  const requiredFeeCap = bumped(feeCap(old.transaction))
  const requiredTip = bumped(tipCap(old.transaction))
  const { transaction } = newcomer
  return feeCap(transaction) >= requiredFeeCap && tipCap(transaction) >= requiredTip
    ? Either.right(old)
    : Either.left(
        new ReplacementUnderpriced({ nonce: transaction.nonce, requiredFeeCap, requiredTip })
      )
}

const insert = (
  state: MempoolState,
  newcomer: PooledTransaction,
  nextNonce: bigint
): MempoolState => {
  const { transactions } = queueOf(state, newcomer.sender)
  const behind = transactions.findIndex(
    ({ transaction }) => transaction.nonce > newcomer.transaction.nonce
  )
  const at = behind < 0 ? transactions.length : behind
  const inOrder = [...transactions.slice(0, at), newcomer, ...transactions.slice(at)]
  return {
    ...withQueue(state, newcomer.sender, { nextNonce, transactions: inOrder }),
    arrivals: state.arrivals + 1,
    byHash: HashMap.set(state.byHash, newcomer.hash, newcomer),
    bytes: state.bytes + newcomer.raw.length
  }
}

/** Drops the cheapest until the bounds hold. */
const shrink = (
  state: MempoolState
): { readonly state: MempoolState; readonly evicted: ReadonlyArray<PooledTransaction> } => {
  const evicted: Array<PooledTransaction> = []
  let current = state
  while (
    HashMap.size(current.byHash) > state.limits.maxTransactions ||
    current.bytes > state.limits.maxBytes
  ) {
    const victim = Option.flatMap(cheapest(current), ({ hash }) =>
      HashMap.get(current.byHash, hash)
    )
    if (Option.isNone(victim)) break
    evicted.push(victim.value)
    current = remove(current, victim.value.hash)
  }
  return { state: current, evicted }
}

/** One behind a gap before one that can run, then the smaller tip, then the later arrival. */
const cheapest = ({ lasts }: MempoolState): Option.Option<Last> => {
  for (const last of SortedSet.values(lasts)) return Option.some(last)
  return Option.none()
}

/** The queue's transactions up to the first missing nonce. */
const withoutGap = ({ nextNonce, transactions }: SenderQueue): ReadonlyArray<PooledTransaction> => {
  const broken = transactions.findIndex(
    ({ transaction }, index) => transaction.nonce !== nextNonce + BigInt(index)
  )
  return broken < 0 ? transactions : transactions.slice(0, broken)
}

const NO_QUEUE: SenderQueue = { nextNonce: 0n, transactions: [] }

const queueOf = (state: MempoolState, sender: Address): SenderQueue =>
  Option.getOrElse(HashMap.get(state.queues, sender), () => NO_QUEUE)

/** The state with another queue of that sender; without it, if it is empty. */
const withQueue = (state: MempoolState, sender: Address, queue: SenderQueue): MempoolState => {
  const old = lastOf(queueOf(state, sender))
  const last = lastOf(queue)
  const lasts = old === undefined ? state.lasts : SortedSet.remove(state.lasts, old)
  if (last === undefined) {
    return { ...state, lasts, queues: HashMap.remove(state.queues, sender) }
  }
  return {
    ...state,
    lasts: SortedSet.add(lasts, last),
    queues: HashMap.set(state.queues, sender, queue)
  }
}

const lastOf = (queue: SenderQueue): Last | undefined => {
  const last = queue.transactions.at(-1)
  if (last === undefined) return undefined
  const { arrival, hash, worth } = last
  const waits = withoutGap(queue).length < queue.transactions.length
  // Data, because the sorted set finds what it removes by value.
  return Data.struct({ hash, worth, arrival, waits })
}
