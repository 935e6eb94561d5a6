import { assert, describe, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import { StreamConflict } from "@ovm/event-log/LogError"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import { layerMemory as freshState } from "@ovm/state-manager/StateManager"
import { Effect, Layer, Option } from "effect"
import * as ChainLog from "../src/ChainLog.ts"
import { GenesisMismatch, Sequencer } from "../src/Sequencer.ts"
import { addressOf, alice, bob, DAVE, Foundation, genesis, sequencerWith, signed } from "./chain.ts"

const Execution = layerReference()

const history = Effect.gen(function* () {
  const sequencer = yield* Sequencer
  const head = yield* sequencer.head
  const blocks = yield* Effect.forEach(
    Array.from({ length: Number(head.header.number) + 1 }, (_, number) => BigInt(number)),
    sequencer.block
  )
  return blocks.map(Option.getOrThrow)
})

const twoBlocks = Effect.gen(function* () {
  const sequencer = yield* Sequencer
  yield* sequencer.submit(yield* signed(alice, 0))
  yield* sequencer.submit(yield* signed(alice, 1))
  return yield* history
})

const continues = Effect.gen(function* () {
  const sequencer = yield* Sequencer
  const before = yield* history
  yield* sequencer.submit(yield* signed(alice, 2))
  const state = yield* sequencer.stateAt(3n)
  const dave = yield* Effect.promise(() => state.getAccount(DAVE))
  return { before, dave: dave?.balance }
})

describe("A sequencer that starts on the log of another", () => {
  it.effect("has the same blocks, receipts and state, and goes on", () =>
    Effect.gen(function* () {
      const blocks = yield* twoBlocks.pipe(Effect.provide(sequencerWith()))
      const { before, dave } = yield* continues.pipe(Effect.provide(sequencerWith()))
      assert.deepStrictEqual(before, blocks)
      assert.strictEqual(dave, 3n)
    }).pipe(Effect.provide(Foundation))
  )

  it.effect("makes the tries again if they are lost", () =>
    Effect.gen(function* () {
      const anew = () => sequencerWith().pipe(Layer.provide([Layer.fresh(freshState), Execution]))
      const blocks = yield* twoBlocks.pipe(Effect.provide(anew()))
      const { before, dave } = yield* continues.pipe(Effect.provide(anew()))
      assert.deepStrictEqual(before, blocks)
      assert.strictEqual(dave, 3n)
    }).pipe(Effect.provide(EventLog.layerMemory))
  )

  it.effect("refuses the log of another chain", () =>
    Effect.gen(function* () {
      yield* twoBlocks.pipe(Effect.provide(sequencerWith()))
      const other = { ...genesis, chainId: 421n, gasLimit: 1_000_000n }
      const error = yield* Effect.flip(
        history.pipe(Effect.provide(sequencerWith({ genesis: other })))
      )
      assert.instanceOf(error, GenesisMismatch)
    }).pipe(Effect.provide(Foundation))
  )

  it.effect("loses a race without harm: the block that came second is not in the chain", () =>
    Effect.gen(function* () {
      const raw = yield* signed(bob, 0)
      const stale = Effect.gen(function* () {
        const sequencer = yield* Sequencer
        // A second writer appends behind this one's back.
        yield* twoBlocks.pipe(Effect.provide(Layer.fresh(sequencerWith())))
        const error = yield* Effect.flip(sequencer.submit(raw))
        return { error, head: (yield* sequencer.head).header.number }
      })
      const { error, head } = yield* stale.pipe(Effect.provide(sequencerWith()))
      assert.instanceOf(error, StreamConflict)
      assert.strictEqual(head, 0n)
      const blocks = yield* history.pipe(Effect.provide(sequencerWith()))
      assert.deepStrictEqual(
        blocks.flatMap(({ transactions }) => transactions.map(({ sender }) => sender)),
        [addressOf(alice), addressOf(alice)]
      )
    }).pipe(Effect.provide(Foundation))
  )

  it.effect("writes a block as one append, readable as whole blocks only", () =>
    Effect.gen(function* () {
      yield* twoBlocks.pipe(Effect.provide(sequencerWith()))
      const log = yield* EventLog
      const { events } = yield* log.page({ stream: ChainLog.STREAM })
      assert.deepStrictEqual(
        events.map(({ type }) => type),
        [
          "v1.ChainStarted",
          "v1.BlockOpened",
          "v1.TransactionExecuted",
          "v1.BlockSealed",
          "v1.BlockOpened",
          "v1.TransactionExecuted",
          "v1.BlockSealed"
        ]
      )
    }).pipe(Effect.provide(Foundation))
  )
})
