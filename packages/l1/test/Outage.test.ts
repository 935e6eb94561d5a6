/** L1 goes away under the watcher, which bears it, tells its lag, and catches up by itself. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EventLog } from "@ovm/event-log/EventLog"
import { Anvil, layerAnvil } from "@ovm/l1/Anvil"
import { L1View } from "@ovm/l1/L1View"
import { L1Watcher } from "@ovm/l1/L1Watcher"
import { ZERO_ADDRESS } from "@ovm/protocol/Primitives"
import { Effect, Layer, Schedule, Stream } from "effect"
import { assert, it } from "vitest"
import { headOf } from "./support/Counter.ts"

const nowhere = {
  inbox: ZERO_ADDRESS,
  stateCommitmentChain: ZERO_ADDRESS,
  bridge: ZERO_ADDRESS,
  messenger: ZERO_ADDRESS,
  transactionDecoder: ZERO_ADDRESS,
  batchVerifier: ZERO_ADDRESS
}

/** Waits until there is none: on a busy machine a look at L1 takes its time. */
const noLag = ({ lagSeconds }: typeof L1Watcher.Service) =>
  Effect.repeat(lagSeconds, {
    until: (seconds) => seconds < 1,
    schedule: Schedule.spaced("10 millis")
  })

it("an L1 that was down is caught up with by itself, and the lag told meanwhile", () => {
  const stateFile = join(mkdtempSync(join(tmpdir(), "ovm-l1-")), "l1.json")
  const watching = Layer.unwrapEffect(
    Effect.map(headOf, ({ hash, number }) =>
      L1Watcher.layer({
        deployment: { l1ChainId: 31337n, contracts: nowhere, deployedAt: { number, hash } },
        every: "20 millis",
        backOffMax: "100 millis"
      })
    )
  ).pipe(
    Layer.provideMerge(L1View.layer),
    Layer.provideMerge(EventLog.layerMemory),
    Layer.provideMerge(
      layerAnvil({ mining: "manual", stateFile, retries: 0, timeout: "2 seconds" })
    )
  )
  return Effect.gen(function* () {
    const anvil = yield* Anvil
    const watcher = yield* L1Watcher
    const view = yield* L1View
    yield* anvil.mine(3)
    yield* view.until(({ head }) => (head?.number ?? 0n) >= 3n)
    yield* noLag(watcher)

    yield* anvil.stop
    yield* Effect.sleep("1200 millis")
    assert.isTrue((yield* watcher.lagSeconds) >= 1)
    const { error, phase } = yield* watcher.status
    assert.strictEqual(phase, "failing")
    assert.strictEqual(error?._tag, "L1Unavailable")

    yield* anvil.start
    yield* anvil.mine(40)
    const caughtUp = yield* view.until(({ head }) => (head?.number ?? 0n) >= 43n)
    assert.strictEqual(caughtUp.head?.number, 43n)
    yield* watcher.statuses.pipe(
      Stream.takeUntil(({ phase }) => phase === "following"),
      Stream.runDrain
    )
    yield* noLag(watcher)
  }).pipe(Effect.provide(watching), Effect.runPromise)
})
