import { assert, describe, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import * as Transaction from "@ovm/protocol/Transaction"
import { Chain } from "@ovm/sequencer/Chain"
import * as ChainLog from "@ovm/sequencer/ChainLog"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { Effect, Layer, Option } from "effect"
import { addressOf, alice, bob, DAVE, ETHER, signed } from "../../sequencer/test/chain.ts"
import { Derivation } from "../src/Derivation.ts"
import { batched, enqueued, FactualL1, forced } from "./l1.ts"
import {
  blocksFrom,
  derivedFrom,
  follow,
  minting,
  SequencerNode,
  sealEach,
  survivors,
  VerifierNode
} from "./nodes.ts"

/** What L1 alone gives is what the log has: every block, root, receipt and skipped item. */
const assertDerivable = (l1: FactualL1) =>
  Effect.gen(function* () {
    const { derived, events } = yield* derivedFrom(l1)
    assert.deepStrictEqual(events, yield* survivors)
    return derived
  })

const balance = (number: bigint) =>
  Effect.gen(function* () {
    const state = yield* (yield* Sequencer).stateAt(number)
    return (yield* Effect.promise(() => state.getAccount(DAVE)))?.balance ?? 0n
  })

describe("Derivation", () => {
  it.effect("gives the sequencer's blocks, roots and receipts from L1 alone", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1()
      const sequencer = yield* Sequencer
      l1.mine(
        minting(DAVE, ETHER),
        enqueued(() => Uint8Array.of(1, 2, 3), 21_000n)
      )
      yield* follow(l1)
      yield* sealEach(alice, [0, 1])
      const early = yield* signed(bob, 5)
      l1.mine(
        minting(addressOf(bob), 7n),
        enqueued(() => early, 21_000n)
      )
      yield* follow(l1)
      yield* sealEach(alice, [2])
      const first = yield* blocksFrom(sequencer, 1n)
      assert.deepStrictEqual(
        first.map(({ queuedCount }) => queuedCount),
        [2, 0, 2]
      )
      l1.mine(batched(first))
      // The deposit used Bob's first nonce.
      yield* sealEach(bob, [1, 2])
      l1.mine()
      l1.mine(batched(yield* blocksFrom(sequencer, 4n)))
      const version = yield* (yield* EventLog).streamVersion(ChainLog.STREAM)
      const heads = yield* follow(l1)
      // The sequencer's own blocks became safe; nothing was built again.
      assert.strictEqual(yield* (yield* EventLog).streamVersion(ChainLog.STREAM), version)
      assert.deepStrictEqual(heads.derived, yield* sequencer.head)
      const derived = yield* assertDerivable(l1)
      assert.strictEqual(derived.head.hash, heads.head.hash)
      assert.deepStrictEqual([derived.blocks, derived.transactions, derived.skipped], [5, 7, 2])
      const derivation = yield* Derivation
      const second = Option.getOrThrow(yield* derivation.batchOf(4n))
      assert.deepInclude(second, { index: 1n, verdict: "valid", firstBlock: 4n, lastBlock: 5n })
      assert.isTrue(Option.isNone(yield* derivation.batchOf(0n)))
      assert.isTrue(Option.isNone(yield* derivation.batchOf(6n)))
    }).pipe(Effect.provide(SequencerNode), Effect.provide(EventLog.layerMemory))
  )

  it.effect("tells which blocks L1 calls safe and final", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1()
      const sequencer = yield* Sequencer
      yield* sealEach(alice, [0])
      l1.mine(batched(yield* blocksFrom(sequencer, 1n)))
      yield* sealEach(alice, [1])
      l1.mine(batched(yield* blocksFrom(sequencer, 2n)))
      yield* sealEach(alice, [2])
      l1.mine(batched(yield* blocksFrom(sequencer, 3n)))
      yield* sealEach(alice, [3])
      l1.promise(3n, 2n)
      const { derived, finalized, head, safe } = yield* follow(l1)
      const numbers = [head, derived, safe, finalized].map(({ header }) => header.number)
      assert.deepStrictEqual(numbers, [4n, 3n, 2n, 1n])
    }).pipe(Effect.provide(SequencerNode), Effect.provide(EventLog.layerMemory))
  )

  it.effect("takes just the queue entries of a batch whose bytes are wrong, and goes on", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1()
      const sequencer = yield* Sequencer
      l1.mine(minting(DAVE, 5n))
      yield* follow(l1)
      yield* sealEach(alice, [0, 1])
      const payload = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 9 ? byte ^ 1 : byte))
      l1.mine(batched(yield* blocksFrom(sequencer, 1n), { payload }))
      const { derived, head } = yield* follow(l1)
      assert.strictEqual(derived.hash, head.hash)
      assert.strictEqual(head.header.number, 1n)
      assert.strictEqual(yield* balance(1n), 5n)
      const { reason, verdict } = Option.getOrThrow(yield* (yield* Derivation).batch(0n))
      assert.strictEqual(verdict, "invalid")
      assert.isDefined(reason)
      // Alice's transactions wait again, and the next batch is as good as any.
      const block = Option.getOrThrow(yield* sequencer.seal)
      assert.deepStrictEqual(
        block.transactions.map(({ sender }) => sender),
        [addressOf(alice), addressOf(alice)]
      )
      l1.mine(batched([block]))
      const after = yield* follow(l1)
      assert.strictEqual(after.derived.hash, block.hash)
      yield* assertDerivable(l1)
    }).pipe(Effect.provide(SequencerNode), Effect.provide(EventLog.layerMemory))
  )

  it.effect("lets nobody's batch that breaks a rule put in a user's transaction", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1()
      const sequencer = yield* Sequencer
      yield* sealEach(alice, [0])
      const own = yield* blocksFrom(sequencer, 1n)
      for (const record of [{ blocks: 2 }, { transactions: 3 }, { root: l1.head.hash }]) {
        l1.mine(batched(own, { record }))
        const { derived, head } = yield* follow(l1)
        assert.deepStrictEqual([head.header.number, derived.header.number], [1n, 0n])
      }
      const nothing = yield* derivedFrom(l1)
      assert.deepStrictEqual([nothing.derived.blocks, nothing.derived.batchCount], [0, 3n])
      // Nothing on L1 contradicts the block: it can be posted again, rightly.
      l1.mine(batched(own))
      assert.strictEqual((yield* follow(l1)).derived.hash, own[0]?.hash)
      yield* assertDerivable(l1)
    }).pipe(Effect.provide(SequencerNode), Effect.provide(EventLog.layerMemory))
  )

  it.effect("puts a forced batch in front of what the sequencer had promised", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1()
      const sequencer = yield* Sequencer
      yield* sealEach(alice, [0])
      const taken = yield* signed(alice, 0, { value: 9n })
      l1.mine(
        enqueued(() => taken, 21_000n),
        minting(DAVE, 3n)
      )
      l1.mine(forced(2n))
      const { derived, head } = yield* follow(l1)
      assert.strictEqual(head.hash, derived.hash)
      assert.strictEqual(head.queuedCount, 2)
      assert.strictEqual(head.context.l1Origin.hash, l1.head.parentHash)
      assert.strictEqual(yield* balance(1n), 12n)
      // What Alice had sent has a nonce that is used now, and she can find that out.
      assert.isTrue(Option.isNone(yield* sequencer.seal))
      const own = yield* signed(alice, 0)
      const rejection = yield* sequencer.rejection(Transaction.hash(own))
      assert.strictEqual(Option.getOrThrow(rejection)._tag, "NonceTooLow")
      yield* assertDerivable(l1)
    }).pipe(Effect.provide(SequencerNode), Effect.provide(EventLog.layerMemory))
  )

  it.effect("moves back with L1, and ends where a node that saw no reorg begins", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1()
      const sequencer = yield* Sequencer
      yield* sealEach(alice, [0])
      l1.mine(batched(yield* blocksFrom(sequencer, 1n)))
      l1.mine(minting(DAVE, 100n))
      yield* follow(l1)
      yield* sealEach(alice, [1])
      l1.mine(batched(yield* blocksFrom(sequencer, 2n)))
      yield* sealEach(alice, [2])
      yield* follow(l1)
      assert.strictEqual(yield* balance(3n), 103n)
      // The deposit, the batch that took it and what was built on them are gone; block 1 stays.
      l1.reorganize(2)
      l1.mine(minting(DAVE, 1_000n))
      l1.mine()
      const { derived, head } = yield* follow(l1)
      assert.deepStrictEqual([head.header.number, derived.header.number], [1n, 1n])
      const block = Option.getOrThrow(yield* sequencer.seal)
      assert.deepStrictEqual([block.queuedCount, block.items.length], [1, 3])
      assert.strictEqual(yield* balance(2n), 1_003n)
      l1.mine(batched([block]))
      yield* follow(l1)
      yield* assertDerivable(l1)
    }).pipe(Effect.provide(SequencerNode), Effect.provide(EventLog.layerMemory))
  )

  it.effect("keeps a sequencer's blocks whose batch alone was reorganized away", () =>
    Effect.gen(function* () {
      const l1 = new FactualL1()
      const sequencer = yield* Sequencer
      yield* sealEach(alice, [0, 1])
      const own = yield* blocksFrom(sequencer, 1n)
      l1.mine(batched(own))
      yield* follow(l1)
      l1.reorganize(1)
      l1.mine()
      const unsafe = yield* follow(l1)
      assert.deepStrictEqual([unsafe.head.header.number, unsafe.derived.header.number], [2n, 0n])
      l1.mine(batched(own))
      const safe = yield* follow(l1)
      assert.strictEqual(safe.derived.hash, own[1]?.hash)
      yield* assertDerivable(l1)
    }).pipe(Effect.provide(SequencerNode), Effect.provide(EventLog.layerMemory))
  )
})

describe("A node without a sequencer", () => {
  const promised = Effect.gen(function* () {
    const l1 = new FactualL1()
    const sequencer = yield* Sequencer
    l1.mine(minting(DAVE, ETHER))
    yield* follow(l1)
    yield* sealEach(alice, [0, 1, 2])
    const blocks = yield* blocksFrom(sequencer, 1n)
    l1.mine(batched(blocks.slice(0, 1)))
    return { l1, blocks }
  }).pipe(Effect.provide(SequencerNode), Effect.provide(Layer.fresh(EventLog.layerMemory)))

  it.effect("goes on where it was after a restart, and finds again which batch made what", () =>
    Effect.gen(function* () {
      const { blocks, l1 } = yield* promised
      const before = yield* follow(l1).pipe(Effect.provide(VerifierNode))
      assert.strictEqual(before.head.hash, blocks[0]?.hash)
      l1.mine(batched(blocks.slice(1)))
      yield* Effect.gen(function* () {
        const derivation = yield* Derivation
        assert.strictEqual((yield* derivation.heads).batchCount, 1n)
        const after = yield* follow(l1)
        assert.strictEqual(after.head.hash, blocks[2]?.hash)
        assert.deepInclude(Option.getOrThrow(yield* derivation.batchOf(3n)), { index: 1n })
      }).pipe(Effect.provide(Layer.fresh(VerifierNode)))
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("makes good a stop between the chain's append and its own", () =>
    Effect.gen(function* () {
      const { blocks, l1 } = yield* promised
      const version = yield* Effect.gen(function* () {
        const chain = yield* Chain
        const genesis = yield* chain.head
        const [block] = blocks
        assert(block !== undefined)
        // As far as a node gets that is killed there.
        const { l1Origin, timestamp } = block.context
        const raws = block.items.map(({ raw }) => raw)
        yield* chain.adopt({
          after: { number: 0n, hash: genesis.hash },
          inputs: [{ timestamp, l1Origin, queued: raws.slice(0, 1), transactions: raws.slice(1) }],
          reason: "batch 0"
        })
        return yield* (yield* EventLog).streamVersion(ChainLog.STREAM)
      }).pipe(Effect.provide(VerifierNode))
      yield* follow(l1).pipe(Effect.provide(Layer.fresh(VerifierNode)))
      assert.strictEqual(yield* (yield* EventLog).streamVersion(ChainLog.STREAM), version)
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("keeps no block that L1 does not give", () =>
    Effect.gen(function* () {
      const { l1 } = yield* promised
      yield* follow(l1)
      l1.reorganize(1)
      l1.mine()
      const { derived, head } = yield* follow(l1)
      assert.deepStrictEqual([head.header.number, derived.header.number], [0n, 0n])
      l1.mine(minting(DAVE, 1n))
      l1.mine(forced(2n))
      const after = yield* follow(l1)
      assert.deepStrictEqual([after.head.header.number, after.head.queuedCount], [1n, 2])
      const { events } = yield* derivedFrom(l1)
      assert.deepStrictEqual(events, yield* survivors)
    }).pipe(Effect.provide(VerifierNode), Effect.provide(EventLog.layerMemory))
  )
})
