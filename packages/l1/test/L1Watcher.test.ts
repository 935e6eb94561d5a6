/** Real contracts on a real L1; each test starts a watcher on a log of its own. */
import { EventLog } from "@ovm/event-log/EventLog"
import { Anvil, layerAnvil } from "@ovm/l1/Anvil"
import { L1Client } from "@ovm/l1/L1Client"
import * as L1View from "@ovm/l1/L1View"
import { L1Watcher, type WatcherOptions } from "@ovm/l1/L1Watcher"
import type { Deployment } from "@ovm/protocol/Deployment"
import { ZERO_HASH } from "@ovm/protocol/Primitives"
import { Effect, HashMap, Layer, ManagedRuntime, Option, Stream } from "effect"
import { bytesToHex, keccak256 } from "viem"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { headOf } from "./support/Counter.ts"
import { batchData, countsOf, depositData, deployRollup, sendAs } from "./support/Rollup.ts"

const runtime = ManagedRuntime.make(layerAnvil({ mining: "manual", slotsInAnEpoch: 4 }))
let deployment: Deployment
beforeAll(async () => {
  deployment = await runtime.runPromise(deployRollup)
})
afterAll(() => runtime.dispose())

type Services = Anvil | L1Client | L1Watcher | L1View.L1View | EventLog

const watching = (options: Partial<WatcherOptions> = {}) =>
  Effect.provide(
    Layer.suspend(() => L1Watcher.layer({ deployment, every: "manual", ...options })).pipe(
      Layer.provideMerge(L1View.L1View.layer),
      Layer.provideMerge(EventLog.layerMemory)
    )
  )

const test = (
  name: string,
  body: Effect.Effect<unknown, unknown, Services>,
  options: Partial<WatcherOptions> = {}
) => it(name, () => runtime.runPromise(body.pipe(watching(options))))

const depositFrom = (index: number) =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    const from = l1.accounts[index] ?? deployment.contracts.inbox
    const nonce = yield* l1.getNonce(from, "pending")
    yield* sendAs(from, nonce, deployment.contracts.bridge, depositData, 1_000n)
  })

const appendNext = (payload: `0x${string}`) =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    const { batcher } = deployment.parameters
    const { batches, queue } = yield* countsOf(deployment)
    const nonce = yield* l1.getNonce(batcher, "pending")
    yield* sendAs(batcher, nonce, deployment.contracts.inbox, batchData(batches, queue, payload))
  })

/** The view is L1's own: same head, same hash of every block, same counts as the contracts tell. */
const assertFollows = Effect.gen(function* () {
  const l1 = yield* L1Client
  const { view } = yield* L1View.L1View
  const now = yield* view
  const head = yield* headOf
  assert.strictEqual(now.head?.hash, head.hash)
  const first = deployment.deployedAt.number
  const numbers = Array.from(
    { length: Number(head.number - first) + 1 },
    (_, i) => first + BigInt(i)
  )
  for (const { hash, number } of yield* l1.getHeaders(numbers)) {
    assert.strictEqual(Option.getOrThrow(L1View.blockByNumber(now, number)).hash, hash)
  }
  const counts = yield* countsOf(deployment)
  assert.deepStrictEqual({ queue: now.queueLength, batches: now.batchCount }, counts)
})

describe("the watcher", () => {
  test(
    "records what the contracts said, the batch's payload out of its calldata",
    Effect.gen(function* () {
      const anvil = yield* Anvil
      const watcher = yield* L1Watcher
      yield* depositFrom(1)
      yield* anvil.mine()
      yield* appendNext("0x00c0ffee")
      yield* anvil.mine()
      const { observed, reorganized } = yield* watcher.poll
      assert.isTrue(observed > 0)
      assert.isFalse(reorganized)
      yield* assertFollows
      const view = yield* (yield* L1View.L1View).view
      const batch = Option.getOrThrow(L1View.batch(view, view.batchCount - 1n))
      assert.strictEqual(bytesToHex(batch.payload ?? new Uint8Array()), "0x00c0ffee")
      assert.strictEqual(batch.record.payloadHash, keccak256("0x00c0ffee"))
      const entry = Option.getOrThrow(L1View.queueEntry(view, view.queueLength - 1n))
      assert.strictEqual(entry.raw[0], 0x7e)
      assert.isTrue(Option.isSome(L1View.deposit(view, entry.index)))
      assert.strictEqual((yield* watcher.status).phase, "following")
    })
  )

  test(
    "tells latest, safe and finalized apart",
    Effect.gen(function* () {
      const anvil = yield* Anvil
      yield* anvil.mine(12)
      yield* (yield* L1Watcher).poll
      const view = yield* (yield* L1View.L1View).view
      const { finalizedNumber = 0n, head, safeNumber = 0n } = view
      assert.isTrue(finalizedNumber < safeNumber)
      assert.isTrue(safeNumber < (head?.number ?? 0n))
    })
  )

  test(
    "catches up from far behind in pages",
    Effect.gen(function* () {
      const anvil = yield* Anvil
      for (let round = 0; round < 6; round++) {
        yield* depositFrom(2)
        yield* anvil.mine(60)
      }
      yield* (yield* L1Watcher).poll
      yield* assertFollows
      const events = yield* Stream.runCollect((yield* EventLog).read({ stream: "l1" }))
      assert.isTrue(events.length > 6)
    }),
    { pageBlocks: 50 }
  )

  for (const depth of [1, 3, 20]) {
    test(
      `follows a reorg of ${depth} blocks under load, by appending`,
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const watcher = yield* L1Watcher
        for (let block = 0; block < 22; block++) {
          yield* depositFrom(3)
          if (block % 5 === 0) yield* appendNext(`0x00${block.toString(16).padStart(2, "0")}`)
          yield* anvil.mine()
          if (block % 7 === 0) yield* watcher.poll
        }
        yield* watcher.poll
        const before = (yield* (yield* L1View.L1View).view).head
        yield* anvil.reorg({ depth })
        yield* depositFrom(4)
        yield* anvil.mine()
        assert.isTrue((yield* watcher.poll).reorganized)
        yield* assertFollows
        // The other branch is still in the log.
        const log = yield* EventLog
        const events = yield* Stream.runCollect(log.read({ stream: "l1" }))
        const blocks = Array.from(events).flatMap((event) => {
          const { payload } = Effect.runSync(L1View.l1EventTypes.decode(event))
          return payload._tag === "v1.L1BlocksObserved" ? payload.blocks : []
        })
        assert.isTrue(blocks.some(({ hash }) => hash === before?.hash))
      })
    )
  }

  test(
    "says so when a reorg is deeper than it may be",
    Effect.gen(function* () {
      const anvil = yield* Anvil
      const watcher = yield* L1Watcher
      yield* anvil.mine(10)
      yield* watcher.poll
      yield* anvil.reorg({ depth: 8 })
      yield* anvil.mine()
      const error = yield* Effect.flip(watcher.poll)
      assert.strictEqual(error._tag, "ReorgTooDeep")
      assert.strictEqual((yield* watcher.status).phase, "failing")
    }),
    { windowBlocks: 4n }
  )

  for (const pageBlocks of [3, 500]) {
    it(`reads again when L1 changes between its answers, ${pageBlocks} blocks at a time`, () =>
      runtime.runPromise(
        Effect.gen(function* () {
          const anvil = yield* Anvil
          const l1 = yield* L1Client
          let asked = 0
          // Headers were read already: their logs are asked for after the change.
          const unsteady = Layer.succeed(L1Client, {
            ...l1,
            getLogs: (filter) =>
              Effect.zipRight(
                asked++ === 0 ? anvil.reorg({ depth: 5 }) : Effect.void,
                l1.getLogs(filter)
              )
          })
          for (let block = 0; block < 4; block++) {
            yield* depositFrom(6)
            yield* anvil.mine()
          }
          yield* Effect.gen(function* () {
            const watcher = yield* L1Watcher
            yield* Effect.retry(watcher.poll, {
              times: 5,
              while: ({ _tag }) => _tag === "L1Inconsistent"
            })
            yield* watcher.poll
            yield* assertFollows
          }).pipe(watching({ pageBlocks }), Effect.provide(unsteady))
        })
      ))
  }

  test(
    "goes on where the log stands when it is started again",
    Effect.gen(function* () {
      const anvil = yield* Anvil
      const view = yield* L1View.L1View
      yield* (yield* L1Watcher).poll
      yield* depositFrom(5)
      yield* anvil.mine(3)
      const observed = yield* Effect.flatMap(L1Watcher, ({ poll }) => poll).pipe(
        Effect.provide(L1Watcher.layer({ deployment, every: "manual" }))
      )
      assert.strictEqual(observed.observed, 3)
      assert.strictEqual(HashMap.size((yield* view.view).headers) > 3, true)
      yield* assertFollows
    })
  )

  it("refuses an L1 that does not have the deployment", () => {
    const { contracts, deployedAt, l1ChainId } = deployment
    const other = { contracts, l1ChainId, deployedAt: { ...deployedAt, hash: ZERO_HASH } }
    return runtime.runPromise(
      Effect.gen(function* () {
        const error = yield* Effect.flip((yield* L1Watcher).poll)
        assert.strictEqual(error._tag, "DeploymentNotOnL1")
      }).pipe(watching({ deployment: other }))
    )
  })
})
