/** Every test has an account of its own, so that their nonces do not meet on the one anvil they share. */
import { EventLog } from "@ovm/event-log/EventLog"
import { Anvil, layerAnvil } from "@ovm/l1/Anvil"
import { L1Client } from "@ovm/l1/L1Client"
import { FeeCapReached, type ManagerOptions, TransactionManager } from "@ovm/l1/TransactionManager"
import type { Address } from "@ovm/protocol/Primitives"
import { Context, Effect, Fiber, Layer, ManagedRuntime, Option } from "effect"
import { afterAll, assert, describe, it } from "vitest"
import { countOf, placeCounter, placeLooseCounter, signOutside, word } from "./support/Counter.ts"

const runtime = ManagedRuntime.make(layerAnvil({ mining: "manual", accounts: 30 }))
afterAll(() => runtime.dispose())

type Services = Anvil | L1Client | EventLog
let accounts = 0

/** A test with a log of its own, which outlives the managers that it starts on it. */
const test = (
  name: string,
  body: (from: Address) => Effect.Effect<unknown, unknown, Services>,
  timeout = 30_000
) =>
  it(
    name,
    () =>
      runtime.runPromise(
        Effect.gen(function* () {
          const anvil = yield* Anvil
          const from = anvil.accounts[++accounts]
          if (from === undefined) throw new Error("Expected an account for each test.")
          yield* Effect.provide(body(from), EventLog.layerMemory)
          // Nothing is left in the pool for the next test.
          yield* anvil.rpc("anvil_dropAllTransactions")
        })
      ),
    timeout
  )

const FINALITY = 12
const manual: ManagerOptions = {
  every: "manual",
  finalityBlocks: FINALITY,
  resubmitAfter: "0 millis"
}
const patient: ManagerOptions = { ...manual, resubmitAfter: "1 hour" }

const withManager =
  (options: ManagerOptions) =>
  <A, E, R>(use: (manager: TransactionManager["Type"]) => Effect.Effect<A, E, R>) =>
    Effect.scoped(
      Effect.flatMap(Layer.build(TransactionManager.layer(options)), (context) =>
        use(Context.get(context, TransactionManager))
      )
    )

const mine = (blocks = 1) => Effect.flatMap(Anvil, (anvil) => anvil.mine(blocks))
const statusOf = (manager: TransactionManager["Type"], id: string) =>
  Effect.map(manager.status(id), Option.getOrThrow)

describe("a request", () => {
  test("is sent once, and tells its outcome, now and later", (from) =>
    Effect.gen(function* () {
      const to = yield* placeCounter
      const asked = { id: "batch/0", from, to, data: word(0) }
      const first = yield* withManager(patient)((manager) =>
        Effect.gen(function* () {
          const waiting = yield* Effect.fork(manager.request(asked))
          yield* Effect.yieldNow()
          yield* manager.submit(asked)
          yield* manager.poll
          yield* mine()
          yield* manager.poll
          return yield* Fiber.join(waiting)
        })
      )
      assert.strictEqual(first._tag, "Confirmed")
      yield* mine(FINALITY)
      yield* withManager(patient)((manager) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* manager.request(asked), first)
          yield* manager.poll
          // Final by now, and forgotten but for its outcome.
          assert.isUndefined((yield* statusOf(manager, "batch/0")).pending)
          assert.deepStrictEqual(yield* manager.request(asked), first)
          const other = yield* Effect.flip(manager.submit({ ...asked, data: word(7) }))
          assert.strictEqual(other._tag, "RequestConflict")
        })
      )
      assert.strictEqual(yield* countOf(to), 1)
    }))

  test("goes out before those ahead of it are on L1, in their order", (from) =>
    withManager(patient)((manager) =>
      Effect.gen(function* () {
        const to = yield* placeCounter
        const ids = [0, 1, 2, 3]
        for (const index of ids) {
          yield* manager.submit({ id: `${index}`, from, to, data: word(index), gas: 100_000n })
        }
        yield* manager.poll
        yield* mine()
        yield* manager.poll
        for (const id of ids) {
          assert.strictEqual((yield* statusOf(manager, `${id}`)).outcome?._tag, "Confirmed")
        }
        assert.strictEqual(yield* countOf(to), ids.length)
      })
    ))

  test("that would revert ends with the reason, and takes no nonce", (from) =>
    withManager(patient)((manager) =>
      Effect.gen(function* () {
        const to = yield* placeCounter
        const waiting = yield* Effect.fork(manager.request({ id: "9", from, to, data: word(9) }))
        yield* Effect.yieldNow()
        yield* manager.submit({ id: "9", from, to, data: word(9) })
        yield* manager.poll
        const outcome = yield* Fiber.join(waiting)
        assert.strictEqual(outcome._tag, "Refused")
        const l1 = yield* L1Client
        assert.strictEqual(yield* l1.getNonce(from, "pending"), 0)
      })
    ))

  test("that reverts on L1 says so", (from) =>
    withManager(patient)((manager) =>
      Effect.gen(function* () {
        const to = yield* placeCounter
        yield* manager.submit({ id: "a", from, to, data: word(0), gas: 100_000n })
        yield* manager.submit({ id: "b", from, to, data: word(0), gas: 100_000n })
        yield* manager.poll
        yield* mine()
        yield* manager.poll
        assert.strictEqual((yield* statusOf(manager, "a")).outcome?._tag, "Confirmed")
        assert.strictEqual((yield* statusOf(manager, "b")).outcome?._tag, "Reverted")
      })
    ))

  test("is cancelled when another makes it revert, and those behind it go on", (from) =>
    withManager(patient)((manager) =>
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const l1 = yield* L1Client
        const to = yield* placeCounter
        const loose = yield* placeLooseCounter
        yield* manager.submit({ id: "late", from, to, data: word(0), gas: 100_000n })
        yield* manager.submit({ id: "behind", from, to: loose, data: "0x", gas: 100_000n })
        yield* manager.poll
        // Another account is first, in a block that does not take ours.
        const { pending } = yield* statusOf(manager, "late")
        yield* anvil.dropTransaction(pending?.attempts[0]?.hash ?? word(0))
        const [other = from] = anvil.accounts
        const nonce = yield* l1.getNonce(other)
        const { raw } = yield* signOutside({ from: other, nonce, to, data: word(0), feeGwei: 50n })
        yield* l1.sendRaw(raw)
        yield* mine()
        yield* manager.poll
        assert.isTrue((yield* statusOf(manager, "late")).pending?.attempts.at(-1)?.isCancellation)
        yield* mine()
        yield* manager.poll
        assert.strictEqual((yield* statusOf(manager, "late")).outcome?._tag, "Refused")
        assert.strictEqual((yield* statusOf(manager, "behind")).outcome?._tag, "Confirmed")
        assert.strictEqual(yield* countOf(to), 1)
        assert.strictEqual(yield* countOf(loose), 1)
      })
    ))

  test("of an account whose key nobody has is refused at once", () =>
    withManager(patient)((manager) =>
      Effect.gen(function* () {
        const from = `0x${"12".repeat(20)}` as const
        const error = yield* Effect.flip(manager.submit({ id: "x", from, to: from, data: "0x" }))
        assert.strictEqual(error._tag, "L1SignerMissing")
      })
    ))
})

describe("a nonce", () => {
  test("whose transaction the pool lost is used by it all the same", (from) =>
    withManager(patient)((manager) =>
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const to = yield* placeCounter
        yield* manager.submit({ id: "0", from, to, data: word(0), gas: 100_000n })
        yield* manager.submit({ id: "1", from, to, data: word(1), gas: 100_000n })
        yield* manager.poll
        yield* anvil.rpc("anvil_dropAllTransactions")
        yield* mine()
        assert.strictEqual(yield* countOf(to), 0)
        yield* manager.poll
        yield* mine()
        yield* manager.poll
        assert.strictEqual((yield* statusOf(manager, "1")).outcome?._tag, "Confirmed")
        assert.strictEqual(yield* countOf(to), 2)
      })
    ))

  test("that another used is given up for a new one, once that is final", (from) =>
    withManager(patient)((manager) =>
      Effect.gen(function* () {
        const l1 = yield* L1Client
        const to = yield* placeLooseCounter
        yield* manager.submit({ id: "mine", from, to, data: "0x01" })
        yield* manager.poll
        const { raw } = yield* signOutside({ from, nonce: 0, to: from, data: "0x", feeGwei: 90n })
        yield* l1.sendRaw(raw)
        yield* mine()
        yield* manager.poll
        assert.isDefined((yield* statusOf(manager, "mine")).pending?.takenOutsideAt)
        yield* mine(FINALITY)
        yield* manager.poll
        yield* mine()
        yield* manager.poll
        const { outcome, pending } = yield* statusOf(manager, "mine")
        assert.strictEqual(outcome?._tag, "Confirmed")
        assert.strictEqual(pending?.nonce, 1)
        assert.strictEqual(yield* countOf(to), 1)
      })
    ))

  test("that nobody uses any more is filled, so that those after it go on", (from) =>
    withManager(patient)((manager) =>
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const l1 = yield* L1Client
        const to = yield* placeLooseCounter
        const { hash, raw } = yield* signOutside({ from, nonce: 0, to, data: "0x", feeGwei: 5n })
        yield* l1.sendRaw(raw)
        yield* manager.submit({ id: "after", from, to, data: "0x" })
        yield* manager.poll
        assert.strictEqual((yield* statusOf(manager, "after")).pending?.nonce, 1)
        yield* anvil.dropTransaction(hash)
        yield* manager.poll
        yield* mine()
        yield* manager.poll
        assert.strictEqual((yield* statusOf(manager, "after")).outcome?._tag, "Confirmed")
        assert.strictEqual(yield* countOf(to), 1)
        assert.strictEqual(yield* l1.getNonce(from), 2)
      })
    ))
})

describe("fees", () => {
  const GWEI = 1_000_000_000n

  test("are raised while a transaction is stuck, up to the cap; then it waits until they fall", (from) =>
    withManager({ ...manual, maxFeePerGasWei: 40n * GWEI })((manager) =>
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const to = yield* placeCounter
        yield* anvil.setNextBaseFeeWei(GWEI)
        yield* mine()
        yield* manager.submit({ id: "0", from, to, data: word(0) })
        yield* manager.poll
        const [sent] = (yield* statusOf(manager, "0")).pending?.attempts ?? []
        yield* anvil.setNextBaseFeeWei(20n * GWEI)
        yield* mine()
        assert.strictEqual(yield* countOf(to), 0)
        yield* manager.poll
        const raised = (yield* statusOf(manager, "0")).pending?.attempts.at(-1)
        assert.isTrue((raised?.maxFeePerGasWei ?? 0n) * 8n >= (sent?.maxFeePerGasWei ?? 0n) * 9n)
        assert.isTrue((raised?.maxFeePerGasWei ?? 0n) > 20n * GWEI)

        yield* anvil.setNextBaseFeeWei(300n * GWEI)
        yield* mine()
        for (let round = 0; round < 10; round++) yield* manager.poll
        const { pending, waitingFor } = yield* statusOf(manager, "0")
        assert.instanceOf(waitingFor, FeeCapReached)
        assert.isTrue(pending?.attempts.every(({ maxFeePerGasWei: fee }) => fee <= 40n * GWEI))
        // A new one is not even signed.
        yield* manager.submit({ id: "1", from, to, data: word(1), gas: 100_000n })
        yield* manager.poll
        assert.isUndefined((yield* statusOf(manager, "1")).pending?.nonce)
        assert.instanceOf((yield* statusOf(manager, "1")).waitingFor, FeeCapReached)

        yield* anvil.setNextBaseFeeWei(GWEI)
        yield* mine()
        yield* manager.poll
        yield* mine()
        yield* manager.poll
        assert.strictEqual((yield* statusOf(manager, "1")).outcome?._tag, "Confirmed")
        assert.strictEqual(yield* countOf(to), 2)
      })
    ))
})

describe("a reorg", () => {
  for (const depth of [1, 2, 7, 20]) {
    test(`of ${depth} blocks under load loses nothing and repeats nothing`, (from) =>
      withManager({ ...patient, finalityBlocks: 64 })((manager) =>
        Effect.gen(function* () {
          const anvil = yield* Anvil
          const to = yield* placeCounter
          yield* mine(depth)
          const count = 12
          for (let index = 0; index < count; index++) {
            const id = `${depth}/${index}`
            yield* manager.submit({ id, from, to, data: word(index), gas: 100_000n })
            yield* manager.poll
            if (index % 2 === 1) yield* mine()
            if (index === 7) {
              yield* manager.poll
              yield* anvil.reorg({ depth })
            }
          }
          for (let round = 0; round < 4; round++) {
            yield* manager.poll
            yield* mine()
          }
          yield* manager.poll
          for (let index = 0; index < count; index++) {
            const { outcome } = yield* statusOf(manager, `${depth}/${index}`)
            assert.strictEqual(outcome?._tag, "Confirmed")
          }
          assert.strictEqual(yield* countOf(to), count)
        })
      ))
  }
})
