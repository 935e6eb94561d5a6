import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { layerAnvil, Anvil } from "@ovm/l1/Anvil"
import { L1Client, layerRpc } from "@ovm/l1/L1Client"
import { Effect, Exit, Option, Schedule } from "effect"
import { assert, describe, it } from "vitest"

const run = <A, E>(effect: Effect.Effect<A, E, Anvil | L1Client>, options = {}) =>
  Effect.runPromise(Effect.provide(effect, layerAnvil({ mining: "manual", ...options })))

describe("layerAnvil", () => {
  it("starts an L1 that mines when told, and ends it with the scope", async () => {
    const url = await run(
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const l1 = yield* L1Client
        yield* anvil.mine(3)
        assert.strictEqual(yield* l1.blockNumber, 3n)
        assert.strictEqual(l1.chainId, 31337n)
        assert.deepStrictEqual(l1.accounts, anvil.accounts)
        const before = Option.getOrThrow(yield* l1.getBlock("latest"))
        yield* anvil.passTime(3_600)
        const after = Option.getOrThrow(yield* l1.getBlock("latest"))
        assert.isTrue(after.timestamp - before.timestamp >= 3_600n)
        return anvil.url
      })
    )
    const gone = await Effect.runPromise(
      Effect.flip(Effect.provide(Effect.void, layerRpc({ url, retries: 1, backOff: "10 millis" })))
    )
    assert.strictEqual(gone._tag, "L1Unavailable")
  })

  it("replaces blocks, up to as deep as states are held", () =>
    run(
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const l1 = yield* L1Client
        yield* anvil.mine(30)
        const before = yield* l1.getHeaders([10n, 11n, 30n])
        yield* anvil.reorg({ depth: 20 })
        const after = yield* l1.getHeaders([10n, 11n, 30n])
        assert.strictEqual(after[0]?.hash, before[0]?.hash)
        assert.notStrictEqual(after[1]?.hash, before[1]?.hash)
        assert.notStrictEqual(after[2]?.hash, before[2]?.hash)
      })
    ))

  it("keeps its chain in a file while it is down", () => {
    const stateFile = join(mkdtempSync(join(tmpdir(), "ovm-anvil-")), "l1.json")
    return run(
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const l1 = yield* L1Client
        yield* anvil.mine(5)
        const [before] = yield* l1.getHeaders([5n])
        yield* anvil.stop
        assert.isTrue(existsSync(stateFile))
        const down = yield* Effect.flip(l1.blockNumber)
        assert.strictEqual(down._tag, "L1Unavailable")
        yield* anvil.start
        assert.deepStrictEqual((yield* l1.getHeaders([5n]))[0], before)
      }),
      { stateFile, retries: 0 }
    )
  })

  it("leaves no process behind when its program is killed", async () => {
    const program = `
      import { Anvil, layerAnvil } from "@ovm/l1/Anvil"
      import { Effect } from "effect"
      Effect.runPromise(Effect.provide(Effect.flatMap(Anvil, ({ url }) =>
        Effect.zipRight(Effect.sync(() => process.stdout.write(url)), Effect.never)), layerAnvil()))
    `
    const cwd = fileURLToPath(new URL("..", import.meta.url))
    const args = ["--import", "tsx", "--input-type=module", "-e", program]
    const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "inherit"] })
    const [url] = await once(child.stdout, "data")
    child.kill("SIGKILL")
    await once(child, "exit")
    const isGone = Effect.flip(
      Effect.provide(Effect.void, layerRpc({ url: String(url), retries: 0 }))
    )
    const error = await Effect.runPromise(Effect.retry(isGone, Schedule.spaced("50 millis")))
    assert.strictEqual(error._tag, "L1Unavailable")
  })

  it("says why it can't start", async () => {
    const exit = await Effect.runPromiseExit(
      Effect.provide(Effect.void, layerAnvil({ hardfork: "no such fork" }))
    )
    assert.isTrue(Exit.isFailure(exit))
    assert.match(String(exit), /AnvilFailed|no such fork/)
  })

  it("refuses an L1 of another chain", () =>
    run(
      Effect.gen(function* () {
        const { url } = yield* Anvil
        const error = yield* Effect.flip(
          Effect.provide(Effect.void, layerRpc({ url, chainId: 1n }))
        )
        assert.strictEqual(error._tag, "L1ChainMismatch")
      })
    ))
})
