import type { L1Block, L1ContractEvent, L1Event } from "@ovm/protocol/L1Event"
import { L1BlocksObserved, L1HeadsAdvanced, L1Reorganized } from "@ovm/protocol/L1Event"
import { type Hash32, ZERO_ADDRESS, ZERO_HASH } from "@ovm/protocol/Primitives"
import { EventLog } from "@ovm/event-log/EventLog"
import * as L1View from "@ovm/l1/L1View"
import { Effect, Equal, HashMap, Option } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"

const word = (value: number | bigint): Hash32 => `0x${value.toString(16).padStart(64, "0")}`

/** What a chain of blocks says so far, so that every further word fits. */
interface Told {
  readonly queue: bigint
  readonly batches: bigint
  readonly claims: bigint
}
const nothing: Told = { queue: 0n, batches: 0n, claims: 0n }

/** An event that fits what was told, chosen by a number. */
const say = (told: Told, choice: number, number: bigint): [Told, L1ContractEvent] => {
  const kinds: Array<() => [Told, L1ContractEvent]> = [
    () => [
      { ...told, queue: told.queue + 1n },
      {
        _tag: "TransactionEnqueued",
        queueIndex: told.queue,
        from: ZERO_ADDRESS,
        gasLimit: 21_000n,
        raw: Uint8Array.of(choice % 256, Number(told.queue % 256n))
      }
    ],
    () => [
      { ...told, batches: told.batches + 1n },
      {
        _tag: "BatchAppended",
        record: {
          index: told.batches,
          root: word(choice),
          payloadHash: word(choice + 1),
          blocks: 1,
          transactions: 1,
          queueStart: 0n,
          queueEnd: told.queue,
          l1BlockNumber: number,
          l1Timestamp: number,
          l1ParentHash: ZERO_HASH,
          submitter: ZERO_ADDRESS
        },
        payload: Uint8Array.of(choice % 256),
        l1TransactionHash: word(choice)
      }
    ],
    () => [
      { ...told, claims: told.claims + 1n },
      {
        _tag: "ClaimProposed",
        index: told.claims,
        proposer: ZERO_ADDRESS,
        blockNumber: BigInt(choice),
        blockHash: word(choice),
        stateRoot: word(choice),
        batchCount: told.batches,
        batchHash: word(choice),
        finalAt: number
      }
    ]
  ]
  if (told.claims > 0n) {
    const index = BigInt(choice) % told.claims
    kinds.push(
      () => [told, { _tag: "ClaimDisputed", index }],
      () => [told, { _tag: "ClaimResumed", index, finalAt: number }],
      () => [told, { _tag: "ClaimFinalized", index }],
      () => [told, { _tag: "ClaimDefeated", index }]
    )
  }
  if (told.batches > 0n) {
    const index = BigInt(choice) % told.batches
    kinds.push(() => [told, { _tag: "BatchVoided", index, root: word(choice) }])
  }
  kinds.push(() => [
    told,
    { _tag: "WithdrawalFinalized", withdrawalHash: word(choice), success: true, value: 1n }
  ])
  return kinds[choice % kinds.length]?.() ?? [told, { _tag: "ClaimDisputed", index: 0n }]
}

interface Chained {
  readonly block: L1Block
  readonly told: Told
}

const grow = (chain: ReadonlyArray<Chained>, choices: ReadonlyArray<number>, salt: number) => {
  const last = chain.at(-1)
  const number = (last?.block.number ?? 99n) + 1n
  let told = last?.told ?? nothing
  const events = choices.map((choice) => {
    const [next, event] = say(told, choice, number)
    told = next
    return event
  })
  const hash = word(number * 1_000_000n + BigInt(salt))
  const parentHash = last?.block.hash ?? ZERO_HASH
  return [...chain, { block: { number, hash, parentHash, timestamp: number, events }, told }]
}

const Step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(fc.array(fc.nat(1_000), { maxLength: 4 }), { minLength: 1, maxLength: 4 })
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) }
)

const observed = (blocks: ReadonlyArray<L1Block>): ReadonlyArray<L1Event> => {
  const [first, ...rest] = blocks
  return first === undefined ? [] : [new L1BlocksObserved({ blocks: [first, ...rest] })]
}

/** Plays steps: the events of the whole history, and the chain that survives it. */
const play = (steps: ReadonlyArray<number | ReadonlyArray<ReadonlyArray<number>>>) => {
  let chain: ReadonlyArray<Chained> = grow([], [], 0)
  const events: Array<L1Event> = [...observed(chain.map(({ block }) => block))]
  steps.forEach((step, salt) => {
    const before = chain.length
    if (typeof step === "number") {
      const kept = Math.max(1, chain.length - step)
      const old = chain.at(-1)?.block
      const common = chain[kept - 1]?.block
      if (old === undefined || common === undefined) return
      events.push(
        new L1Reorganized({
          commonNumber: common.number,
          commonHash: common.hash,
          oldHeadNumber: old.number,
          oldHeadHash: old.hash
        })
      )
      chain = chain.slice(0, kept)
    } else {
      for (const choices of step) chain = grow(chain, choices, salt + 1)
      events.push(...observed(chain.slice(before).map(({ block }) => block)))
    }
  })
  return { events, chain: chain.map(({ block }) => block) }
}

const fold = (events: ReadonlyArray<L1Event>) =>
  events.reduce((view, event) => L1View.apply(view, event), L1View.empty)

const contents = (view: L1View.View) => ({
  head: view.head,
  queueLength: view.queueLength,
  queueTaken: view.queueTaken,
  batchCount: view.batchCount,
  claimCount: view.claimCount,
  queue: [...HashMap.values(view.queue)].sort((a, b) => Number(a.index - b.index)),
  batches: [...HashMap.values(view.batches)].sort((a, b) =>
    Number(a.record.index - b.record.index)
  ),
  claims: [...HashMap.values(view.claims)].sort((a, b) => Number(a.index - b.index)),
  withdrawals: [...HashMap.values(view.withdrawals)].sort((a, b) =>
    a.withdrawalHash.localeCompare(b.withdrawalHash)
  ),
  headers: [...HashMap.values(view.headers)].sort((a, b) => Number(a.number - b.number))
})

describe("the fold of what L1 showed", () => {
  it("is the fold of the chain that survived, whatever was reorganized", () => {
    fc.assert(
      fc.property(fc.array(Step, { maxLength: 25 }), (steps) => {
        const { chain, events } = play(steps)
        assert.deepStrictEqual(contents(fold(events)), contents(fold(observed(chain))))
      }),
      { numRuns: 100 }
    )
  })

  it("leaves older views as they were", () => {
    const { events } = play([[[0, 1, 2]], [[0], [1]]])
    const views: Array<L1View.View> = []
    for (const event of events) views.push(L1View.apply(views.at(-1) ?? L1View.empty, event))
    const [first] = views
    assert.strictEqual(first?.queueLength, 0n)
    assert.isTrue((views.at(-1)?.queueLength ?? 0n) > 0n)
    assert.isTrue(Equal.equals(first?.queue, HashMap.empty()))
  })

  it("never promises more than what is left after a reorg", () => {
    const { chain, events } = play([[[], [], []]])
    const top = chain.at(-1)?.number ?? 0n
    const common = chain[1]
    const view = fold([
      ...events,
      new L1HeadsAdvanced({ safeNumber: top, finalizedNumber: top - 1n }),
      new L1Reorganized({
        commonNumber: common?.number ?? 0n,
        commonHash: common?.hash ?? ZERO_HASH,
        oldHeadNumber: top,
        oldHeadHash: ZERO_HASH
      })
    ])
    assert.strictEqual(view.safeNumber, common?.number)
    assert.strictEqual(view.finalizedNumber, common?.number)
  })
})

describe("L1View on a log", () => {
  it("finds again the blocks and payloads that it no longer holds", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const log = yield* EventLog
        const view = yield* L1View.L1View
        const append = (events: ReadonlyArray<L1Event>) =>
          Effect.gen(function* () {
            const [first, ...rest] = yield* L1View.l1EventTypes.encode(events)
            if (first === undefined) return
            yield* log.append({ stream: "l1", expected: "any", events: [first, ...rest] })
          })
        const block = (number: bigint, salt: bigint, batches: boolean): L1Block => ({
          number,
          hash: word(number * 10n + salt),
          parentHash: ZERO_HASH,
          timestamp: number,
          events: batches ? [say({ ...nothing, batches: number / 100n }, 1, number)[1]] : []
        })
        const page = (from: bigint, salt: bigint) =>
          observed(
            Array.from({ length: 500 }, (_, index) => {
              const number = from + BigInt(index)
              return block(number, salt, number % 100n === 0n)
            })
          )
        for (let from = 0n; from < 3_000n; from += 500n) yield* append(page(from, 0n))
        // Blocks that were replaced once must be found as they are now.
        yield* append([
          new L1Reorganized({
            commonNumber: 2_099n,
            commonHash: ZERO_HASH,
            oldHeadNumber: 2_999n,
            oldHeadHash: ZERO_HASH
          })
        ])
        for (let from = 2_100n; from < 12_000n; from += 500n) yield* append(page(from, 1n))
        const now = yield* view.view
        assert.isTrue(Option.isNone(L1View.blockByNumber(now, 2_500n)))
        for (const [number, salt] of [
          [0n, 0n],
          [1_024n, 0n],
          [2_099n, 0n],
          [2_100n, 1n],
          [2_500n, 1n],
          [2_999n, 1n],
          [11_500n, 1n]
        ] as const) {
          const found = Option.getOrThrow(yield* view.blockByNumber(number))
          assert.strictEqual(found.hash, word(number * 10n + salt))
        }
        assert.isTrue(Option.isNone(yield* view.blockByNumber(99_999n)))
        assert.isUndefined(Option.getOrThrow(L1View.batch(now, 3n)).payload)
        assert.deepStrictEqual(Option.getOrThrow(yield* view.payload(3n)), Uint8Array.of(1))
        assert.isTrue(Option.isNone(yield* view.payload(9_999n)))
        const before = yield* view.viewAsOf(3)
        assert.strictEqual(before.head?.number, 1_499n)
      }).pipe(Effect.provide(L1View.L1View.layer), Effect.provide(EventLog.layerMemory))
    ))
})
