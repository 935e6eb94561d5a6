import { assert, describe, it } from "@effect/vitest"
import { EventLog } from "@ovm/event-log/EventLog"
import { ExecutionFault } from "@ovm/execution-manager/ExecutionError"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import * as Transaction from "@ovm/protocol/Transaction"
import * as NodeStore from "@ovm/state-manager/NodeStore"
import { NodeStoreFailed } from "@ovm/state-manager/State"
import { layerEthereumJs, layerMemory as stateManagerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer, Option } from "effect"
import { replay } from "../src/ChainReplay.ts"
import { Sequencer } from "../src/Sequencer.ts"
import { addressOf, alice, bob, sequencerWith, signed } from "./chain.ts"

const Execution = layerReference()

/** The real store on a disk that can be full. */
const storeOn = (disk: { isFull: boolean }) =>
  layerEthereumJs.pipe(
    Layer.provide(
      Layer.effect(
        NodeStore.NodeStore,
        Effect.map(NodeStore.NodeStore, (store) => ({
          get: store.get,
          putMany: (entries) =>
            Effect.suspend(() =>
              disk.isFull
                ? Effect.fail(new NodeStoreFailed({ operation: "putMany", cause: "full" }))
                : store.putMany(entries)
            )
        }))
      )
    ),
    Layer.provide(NodeStore.layerMemory)
  )

/** The real manager over a state that can't be read for a while. */
const unreadable = (disk: { isReadable: boolean }) =>
  Layer.effect(
    ExecutionManager,
    Effect.map(ExecutionManager, (manager) => ({
      ...manager,
      executeTransaction: (run) =>
        Effect.suspend(() =>
          disk.isReadable
            ? manager.executeTransaction(run)
            : new ExecutionFault({
                reason: "the state can't be read",
                revertData: "0x",
                cause: new NodeStoreFailed({ operation: "get", cause: "unplugged" })
              })
        )
    }))
  ).pipe(Layer.provide(Execution))

/** The real manager, but for one transaction that tears it. */
const tornBy = (raw: Uint8Array) =>
  Layer.effect(
    ExecutionManager,
    Effect.map(ExecutionManager, (manager) => ({
      ...manager,
      executeTransaction: (run) =>
        Transaction.hash(run.transaction) === Transaction.hash(raw)
          ? // What it wrote before it failed must not reach the block.
            Effect.zipRight(
              Effect.promise(() =>
                run.state.setAccount(addressOf(bob), { nonce: 99n, balance: 1n })
              ),
              new ExecutionFault({ reason: "torn", revertData: "0x" })
            )
          : manager.executeTransaction(run)
    }))
  ).pipe(Layer.provide(Execution))

const manual = sequencerWith({ sealing: { _tag: "Manual" } })

const keepsWaiting = (setWorking: (works: boolean) => void) =>
  Effect.gen(function* () {
    const sequencer = yield* Sequencer
    const hash = yield* sequencer.submit(yield* signed(alice, 0))
    setWorking(false)
    const error = yield* sequencer.seal.pipe(Effect.asVoid, Effect.flip)
    assert.strictEqual(error._tag, "NodeStoreFailed")
    assert.strictEqual((yield* sequencer.head).header.number, 0n)
    setWorking(true)
    assert.isTrue(Option.isSome(yield* sequencer.seal))
    assert.isTrue(Option.isSome(yield* sequencer.transaction(hash)))
  })

describe("A sequencer whose parts fail", () => {
  it.effect("keeps transactions while the state can't be stored, and seals them after", () => {
    const disk = { isFull: false }
    return keepsWaiting((works) => {
      disk.isFull = !works
    }).pipe(
      Effect.provide(manual.pipe(Layer.provide([EventLog.layerMemory, storeOn(disk), Execution])))
    )
  })

  it.effect("keeps transactions while the state can't be read, and seals them after", () => {
    const disk = { isReadable: true }
    return keepsWaiting((works) => {
      disk.isReadable = works
    }).pipe(
      Effect.provide(
        manual.pipe(Layer.provide([EventLog.layerMemory, stateManagerMemory, unreadable(disk)]))
      )
    )
  })

  it.effect("drops a transaction that no manager can run, and leaves no trace of it", () =>
    Effect.gen(function* () {
      const tip = { maxPriorityFeePerGas: 5n * 10n ** 9n }
      const poison = yield* signed(bob, 0, tip)
      yield* Effect.gen(function* () {
        const sequencer = yield* Sequencer
        yield* sequencer.submit(yield* signed(alice, 0))
        const hash = yield* sequencer.submit(poison)
        const block = Option.getOrThrow(yield* sequencer.seal)
        assert.deepStrictEqual(
          block.transactions.map(({ sender }) => sender),
          [addressOf(alice)]
        )
        const reason = Option.getOrThrow(yield* sequencer.rejection(hash))
        assert.strictEqual(reason._tag, "ExecutionFault")
        assert.strictEqual(yield* sequencer.nextNonce(addressOf(bob)), 0n)
      }).pipe(Effect.provide(manual.pipe(Layer.provide([stateManagerMemory, tornBy(poison)]))))
      const { blocks } = yield* replay().pipe(
        Effect.provide(Layer.merge(stateManagerMemory, Execution))
      )
      assert.strictEqual(blocks, 1)
    }).pipe(Effect.provide(EventLog.layerMemory))
  )
})
