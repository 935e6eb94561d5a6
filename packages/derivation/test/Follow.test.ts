import { assert, describe, it } from "@effect/vitest"
import { SafeChain } from "@ovm/batcher/SafeChain"
import { EventLog } from "@ovm/event-log/EventLog"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import { L1View } from "@ovm/l1/L1View"
import * as Mempool from "@ovm/sequencer/Mempool"
import * as Ordering from "@ovm/sequencer/Ordering"
import * as Sequencer from "@ovm/sequencer/Sequencer"
import { layerMemory as stateMemory } from "@ovm/state-manager/StateManager"
import { Clock, Effect, Layer, Option, TestContext } from "effect"
import * as fc from "fast-check"
import { alice, bob, DAVE, genesis, signed } from "../../sequencer/test/chain.ts"
import * as DerivedSafeChain from "../src/DerivedSafeChain.ts"
import * as Follow from "../src/Follow.ts"
import * as L1ViewSource from "../src/L1ViewSource.ts"
import { batched, FactualL1, forced } from "./l1.ts"
import {
  blocksFrom,
  deployment,
  derivedFrom,
  follow,
  minting,
  SequencerNode,
  survivors
} from "./nodes.ts"

type Move =
  | { readonly _tag: "seal" | "deposit" | "post" | "postWrong" | "force" }
  | { readonly _tag: "reorg"; readonly depth: number }

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ _tag: "seal" } as const) },
  { weight: 2, arbitrary: fc.constant({ _tag: "deposit" } as const) },
  { weight: 2, arbitrary: fc.constant({ _tag: "post" } as const) },
  { weight: 1, arbitrary: fc.constant({ _tag: "postWrong" } as const) },
  { weight: 1, arbitrary: fc.constant({ _tag: "force" } as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("reorg" as const),
      depth: fc.integer({ min: 1, max: 20 })
    })
  }
)

/** Whatever happens, once all is posted, L1 alone gives the sequencer's chain. */
const run = (moves: ReadonlyArray<Move>) =>
  Effect.gen(function* () {
    const l1 = new FactualL1()
    const sequencer = yield* Sequencer.Sequencer
    const post = (isWrong: boolean) =>
      Effect.gen(function* () {
        const { derived } = yield* follow(l1)
        const blocks = yield* blocksFrom(sequencer, derived.header.number + 1n)
        const lie = { payload: (bytes: Uint8Array) => bytes.slice(0, -1) }
        if (blocks.length > 0) l1.mine(batched(blocks, isWrong ? lie : {}))
        yield* follow(l1)
      })
    for (const [at, next] of moves.entries()) {
      const { _tag } = next
      if (_tag === "seal") {
        const sender = at % 2 === 0 ? alice : bob
        const nonce = yield* sequencer.nextNonce(`0x${sender.address.slice(2).toLowerCase()}`)
        yield* sequencer.submit(yield* signed(sender, Number(nonce), { value: BigInt(at) }))
        yield* sequencer.seal
      } else if (_tag === "deposit") l1.mine(minting(DAVE, BigInt(at + 1)))
      else if (next._tag === "reorg") {
        l1.reorganize(next.depth)
        l1.mine()
      } else if (_tag === "force") {
        const { queueLength, queueTaken } = l1.view
        if (queueLength > queueTaken) l1.mine(forced(1n))
      } else yield* post(_tag === "postWrong")
      if (at % 2 === 0) yield* follow(l1)
    }
    yield* follow(l1)
    yield* sequencer.seal
    yield* post(false)
    const { derived, head } = yield* follow(l1)
    assert.strictEqual(head.hash, derived.hash)
    const { events } = yield* derivedFrom(l1)
    assert.deepStrictEqual(events, yield* survivors)
  }).pipe(
    Effect.provide(SequencerNode),
    Effect.provide(EventLog.layerMemory),
    Effect.provide(TestContext.TestContext),
    Effect.runPromise
  )

describe("A sequencer that follows L1", () => {
  it("has the chain that L1 alone gives, whatever was posted, forced and reorganized", async () => {
    const moves = fc.array(move, { minLength: 6, maxLength: 14 })
    await fc.assert(fc.asyncProperty(moves, run), { numRuns: 12 })
  }, 60_000)

  const Node = DerivedSafeChain.layer({ deployment }).pipe(
    Layer.provideMerge(Follow.layer({ deployment })),
    Layer.provideMerge(Sequencer.layerChain),
    Layer.provideMerge(
      Sequencer.layer({ genesis }).pipe(
        Layer.provide([
          Mempool.layerDefault,
          Ordering.layerByFee,
          L1ViewSource.layer({ confirmations: 1n })
        ])
      )
    ),
    Layer.provideMerge(L1View.layer),
    Layer.provide(Layer.merge(stateMemory, layerReference())),
    Layer.provideMerge(EventLog.layerMemory)
  )

  it.live("does so by itself, and tells the batcher where L1 is", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1(Math.floor((yield* Clock.currentTimeMillis) / 1000) - 60)
      const log = yield* EventLog
      const sequencer = yield* Sequencer.Sequencer
      const safe = yield* SafeChain
      assert.deepInclude(yield* safe.head, { batchCount: 0n, batchHash: undefined })
      yield* Effect.sleep("50 millis")
      l1.mine(minting(DAVE, 3n))
      l1.mine()
      yield* l1.watchedBy(log)
      // The deposit is deep enough: it needs nobody to ask for it.
      const block = yield* sequencer.head.pipe(
        Effect.tap(() => Effect.yieldNow()),
        Effect.repeat({ until: ({ header }) => header.number === 1n })
      )
      assert.strictEqual(block.queuedCount, 1)
      l1.mine(batched([block]))
      yield* l1.watchedBy(log)
      const head = yield* safe.until(({ batchCount }) => batchCount === 1n)
      assert.deepInclude(head, { queueTaken: 1n, l1BlockNumber: l1.head.number })
      assert.strictEqual(head.block.hash, block.hash)
      assert.deepStrictEqual(yield* safe.after(1n), Option.some(head))
      assert.isTrue(Option.isNone(yield* safe.after(2n)))
      l1.reorganize(1)
      l1.mine()
      yield* l1.watchedBy(log)
      const before = yield* safe.until(({ batchCount }) => batchCount === 0n)
      assert.strictEqual(before.block.number, 0n)
      assert.strictEqual((yield* sequencer.head).hash, block.hash)
    }).pipe(Effect.provide(Node))
  )
})
