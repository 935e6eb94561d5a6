import { assert, describe, it } from "@effect/vitest"
import type { Address } from "@ovm/protocol/Primitives"
import { effectiveTip } from "@ovm/protocol/Transaction"
import { Either, HashMap, SortedSet } from "effect"
import * as fc from "fast-check"
import {
  AccountLimitExceeded,
  AlreadyKnown,
  PoolFull,
  ReplacementUnderpriced
} from "../src/AdmissionError.ts"
import * as Mempool from "../src/MempoolState.ts"
import { admitted, senderOf } from "./arbitraries.ts"

const ALICE = senderOf(0)
const BOB = senderOf(1)
const CAROL = senderOf(2)

const limits = { ...Mempool.defaultLimits, maxTransactions: 3, maxTransactionsPerSender: 2 }

const added = (
  state: Mempool.MempoolState,
  transaction: Mempool.AdmittedTransaction,
  nextNonce = 0n
) => Either.getOrThrow(Mempool.add(state, transaction, nextNonce))

const rejection = (
  state: Mempool.MempoolState,
  transaction: Mempool.AdmittedTransaction,
  nextNonce = 0n
) => Either.getOrThrow(Either.flip(Mempool.add(state, transaction, nextNonce)))

const poolOf = (
  transactions: ReadonlyArray<Mempool.AdmittedTransaction>,
  options: Parameters<typeof Mempool.empty>[0] = {}
) =>
  transactions.reduce(
    (state, transaction) => added(state, transaction).state,
    Mempool.empty(options)
  )

const readyNonces = (state: Mempool.MempoolState, sender: Address) =>
  (Mempool.executable(state).get(sender) ?? []).map(({ transaction }) => Number(transaction.nonce))

describe("MempoolState", () => {
  it("keeps a later nonce waiting until the gap before it is filled", () => {
    const gapped = poolOf([
      admitted({ sender: ALICE, nonce: 0, tip: 1 }),
      admitted({ sender: ALICE, nonce: 2, tip: 1 })
    ])
    assert.deepStrictEqual(readyNonces(gapped, ALICE), [0])
    assert.strictEqual(Mempool.pendingNonce(gapped, ALICE, 0n), 1n)
    const filled = added(gapped, admitted({ sender: ALICE, nonce: 1, tip: 1 })).state
    assert.deepStrictEqual(readyNonces(filled, ALICE), [0, 1, 2])
    assert.strictEqual(Mempool.pendingNonce(filled, ALICE, 0n), 3n)
  })

  it("knows what it has already", () => {
    const transaction = admitted({ sender: ALICE, nonce: 0, tip: 1 })
    assert.instanceOf(rejection(poolOf([transaction]), transaction), AlreadyKnown)
  })

  it("replaces at ten percent more on both fees, and not below", () => {
    const old = admitted({ sender: ALICE, nonce: 0, tip: 10, feeCap: 100 })
    const state = poolOf([old])
    for (const fees of [
      { tip: 11, feeCap: 109 },
      { tip: 10, feeCap: 110 }
    ]) {
      const error = rejection(state, admitted({ sender: ALICE, nonce: 0, ...fees }))
      assert.deepStrictEqual(
        error,
        new ReplacementUnderpriced({ nonce: 0n, requiredFeeCap: 110n, requiredTip: 11n })
      )
    }
    const better = admitted({ sender: ALICE, nonce: 0, tip: 11, feeCap: 110 })
    const { removed, state: replaced } = added(state, better)
    assert.deepStrictEqual(
      removed.map(({ hash }) => hash),
      [old.hash]
    )
    assert.strictEqual(HashMap.size(replaced.byHash), 1)
  })

  it("rounds the needed bump up, so that one wei is never enough for a replacement of nothing", () => {
    const state = poolOf([admitted({ sender: ALICE, nonce: 0, tip: 1, feeCap: 1 })])
    const same = admitted({ sender: ALICE, nonce: 0, tip: 1, feeCap: 1 })
    assert.instanceOf(rejection(state, same), ReplacementUnderpriced)
  })

  it("evicts the smallest tip of a full pool for one that pays more, and only for that", () => {
    const full = poolOf(
      [
        admitted({ sender: ALICE, nonce: 0, tip: 5 }),
        admitted({ sender: BOB, nonce: 0, tip: 3 }),
        admitted({ sender: CAROL, nonce: 0, tip: 4 })
      ],
      { limits }
    )
    const poor = admitted({ sender: senderOf(9), nonce: 0, tip: 3 })
    assert.deepStrictEqual(rejection(full, poor), new PoolFull({ limit: 3 }))
    const { removed } = added(full, admitted({ sender: senderOf(9), nonce: 0, tip: 4 }))
    assert.deepStrictEqual(
      removed.map(({ sender }) => sender),
      [BOB]
    )
  })

  it("counts a fee cap below the base fee as worth less than any tip above it", () => {
    const full = poolOf(
      [
        admitted({ sender: ALICE, nonce: 0, tip: 50, feeCap: 50 }),
        admitted({ sender: BOB, nonce: 0, tip: 1, feeCap: 200 }),
        admitted({ sender: CAROL, nonce: 0, tip: 1, feeCap: 200 })
      ],
      { limits, baseFeePerGas: 100n }
    )
    const { removed } = added(
      full,
      admitted({ sender: senderOf(9), nonce: 0, tip: 2, feeCap: 200 })
    )
    assert.deepStrictEqual(
      removed.map(({ sender }) => sender),
      [ALICE]
    )
    assert.isUndefined(Mempool.executable(full).get(ALICE))
  })

  it("lets no transaction behind a gap push out one that can run", () => {
    const full = poolOf(
      [ALICE, BOB, CAROL].map((sender) => admitted({ sender, nonce: 0, tip: 1 })),
      { limits }
    )
    const future = admitted({ sender: senderOf(9), nonce: 7, tip: 1_000 })
    assert.instanceOf(rejection(full, future), PoolFull)
  })

  it("bounds a sender, who can yet fill a gap at the cost of the last one behind it", () => {
    const state = poolOf(
      [
        admitted({ sender: ALICE, nonce: 1, tip: 1 }),
        admitted({ sender: ALICE, nonce: 2, tip: 1 })
      ],
      { limits }
    )
    const further = admitted({ sender: ALICE, nonce: 3, tip: 9 })
    const expected = new AccountLimitExceeded({ sender: ALICE, limit: 2 })
    assert.deepStrictEqual(rejection(state, further), expected)
    const filling = added(state, admitted({ sender: ALICE, nonce: 0, tip: 1 })).state
    assert.deepStrictEqual(readyNonces(filling, ALICE), [0, 1])
  })

  it("bounds the bytes of all transactions together", () => {
    const state = poolOf(
      [
        admitted({ sender: ALICE, nonce: 0, tip: 1, size: 400 }),
        admitted({ sender: BOB, nonce: 0, tip: 2, size: 400 })
      ],
      { limits: { ...limits, maxBytes: 1_000 } }
    )
    const { removed, state: next } = added(
      state,
      admitted({ sender: CAROL, nonce: 0, tip: 3, size: 700 })
    )
    assert.deepStrictEqual(
      removed.map(({ sender }) => sender),
      [ALICE, BOB]
    )
    assert.strictEqual(next.bytes, 700)
  })

  it("forgets what a block made stale and keeps what comes after", () => {
    const state = poolOf([0, 1, 2].map((nonce) => admitted({ sender: ALICE, nonce, tip: 1 })))
    const advanced = Mempool.advance(state, ALICE, 2n)
    assert.deepStrictEqual(readyNonces(advanced, ALICE), [2])
    assert.strictEqual(HashMap.size(Mempool.advance(advanced, ALICE, 3n).queues), 0)
  })

  it("sums what a sender's other transactions may cost", () => {
    const state = poolOf([
      admitted({ sender: ALICE, nonce: 0, tip: 1, feeCap: 2 }),
      admitted({ sender: ALICE, nonce: 1, tip: 1, feeCap: 3 })
    ])
    assert.strictEqual(Mempool.queuedCost(state, ALICE, 9n), 42_001n + 63_001n)
    assert.strictEqual(Mempool.queuedCost(state, ALICE, 1n), 42_001n)
  })
})

type Operation =
  | {
      readonly _tag: "add"
      readonly sender: number
      readonly nonce: number
      readonly tip: number
      readonly feeCap: number
      readonly size: number
    }
  | { readonly _tag: "advance"; readonly sender: number; readonly by: number }
  | { readonly _tag: "baseFee"; readonly fee: number }
  | { readonly _tag: "remove"; readonly nth: number }

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      _tag: fc.constant("add" as const),
      sender: fc.nat(4),
      nonce: fc.nat(7),
      tip: fc.nat(20),
      feeCap: fc.integer({ min: 1, max: 60 }),
      size: fc.integer({ min: 1, max: 300 })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      _tag: fc.constant("advance" as const),
      sender: fc.nat(4),
      by: fc.nat(3)
    })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("baseFee" as const), fee: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("remove" as const), nth: fc.nat(10) }) }
)

const bounds = {
  maxTransactions: 12,
  maxTransactionsPerSender: 4,
  maxBytes: 2_000,
  replacementBumpPercent: 10n
}

const assertSound = (state: Mempool.MempoolState, nonces: ReadonlyMap<Address, bigint>) => {
  const all = [...HashMap.values(state.queues)].flatMap(({ transactions }) => transactions)
  assert.strictEqual(all.length, HashMap.size(state.byHash))
  assert.isAtMost(all.length, bounds.maxTransactions)
  assert.strictEqual(
    all.reduce((sum, { raw }) => sum + raw.length, 0),
    state.bytes
  )
  assert.isAtMost(state.bytes, bounds.maxBytes)
  assert.sameMembers(
    [...SortedSet.values(state.lasts)].map(({ hash }) => hash),
    [...HashMap.values(state.queues)].map(({ transactions }) => transactions.at(-1)?.hash)
  )
  for (const [sender, { transactions }] of state.queues) {
    assert.isAtLeast(transactions.length, 1)
    assert.isAtMost(transactions.length, bounds.maxTransactionsPerSender)
    transactions.forEach((current, index) => {
      assert.strictEqual(current.sender, sender)
      const previous = transactions[index - 1]
      const floor =
        previous === undefined ? (nonces.get(sender) ?? 0n) - 1n : previous.transaction.nonce
      assert.isTrue(current.transaction.nonce > floor)
    })
  }
  for (const [sender, ready] of Mempool.executable(state)) {
    ready.forEach(({ transaction }, index) => {
      assert.strictEqual(transaction.nonce, (nonces.get(sender) ?? 0n) + BigInt(index))
      assert.isTrue(effectiveTip(transaction, state.baseFeePerGas) >= 0n)
    })
  }
}

describe("MempoolState under random use", () => {
  it("holds every bound, keeps nonce order, and offers only what can run", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const nonces = new Map<Address, bigint>()
        let state = Mempool.empty({ limits: bounds })
        for (const step of operations) {
          if (step._tag === "baseFee") state = Mempool.withBaseFee(state, BigInt(step.fee))
          if (step._tag === "remove") {
            const hash = [...HashMap.keys(state.byHash)][step.nth]
            if (hash !== undefined) state = Mempool.remove(state, hash)
          }
          if (step._tag === "advance") {
            const sender = senderOf(step.sender)
            nonces.set(sender, (nonces.get(sender) ?? 0n) + BigInt(step.by))
            state = Mempool.advance(state, sender, nonces.get(sender) ?? 0n)
          }
          if (step._tag === "add") {
            const sender = senderOf(step.sender)
            const next = nonces.get(sender) ?? 0n
            const { feeCap, nonce, size, tip } = step
            const transaction = admitted({
              sender,
              nonce: Number(next) + nonce,
              tip: Math.min(tip, feeCap),
              feeCap,
              size
            })
            const outcome = Mempool.add(state, transaction, next)
            if (Either.isRight(outcome)) {
              assert.isTrue(HashMap.has(outcome.right.state.byHash, transaction.hash))
              state = outcome.right.state
            }
          }
          assertSound(state, nonces)
        }
      }),
      { numRuns: 150 }
    )
  })

  it("never gives up a transaction that can run for one that pays no more", () => {
    const tip = fc.nat(20)
    fc.assert(
      fc.property(fc.array(tip, { minLength: 13, maxLength: 40 }), (tips) => {
        let state = Mempool.empty({ limits: { ...bounds, maxBytes: 1e6 } })
        tips.forEach((value, index) => {
          const outcome = Mempool.add(
            state,
            admitted({ sender: senderOf(index), nonce: 0, tip: value }),
            0n
          )
          if (Either.isRight(outcome)) state = outcome.right.state
        })
        const kept = [...HashMap.values(state.byHash)].map(({ transaction }) =>
          Number(effectiveTip(transaction, 0n))
        )
        const best = [...tips].sort((a, b) => b - a).slice(0, bounds.maxTransactions)
        assert.deepStrictEqual(
          kept.sort((a, b) => b - a),
          best
        )
      }),
      { numRuns: 60 }
    )
  })
})
