/** `pnpm soak --seed N --minutes M`: a rollup on a real L1, and everything that can happen to it, in a random order. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Command, Options } from "@effect/cli"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Inbox } from "@ovm/contracts"
import { Clock, Console, Effect, Either, Option, Scope } from "effect"
import { createWalletClient, http, parseGwei } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { foundry } from "viem/chains"
import * as Actions from "../../rollup/test/support/Actions.ts"
import { balanced } from "../../rollup/test/support/Books.ts"
import { claimAll, eachOnce, oneChain, settle } from "../../rollup/test/support/Checks.ts"
import {
  layerSequencer,
  layerVerifier,
  makeWorld,
  start,
  until,
  type World
} from "../../rollup/test/support/World.ts"
import { SeededRandom } from "../src/internal/SeededRandom.ts"

const seed = Options.integer("seed").pipe(
  Options.optional,
  Options.withDescription("What happens, and in which order. Default: from the clock.")
)
const minutes = Options.integer("minutes").pipe(
  Options.withDefault(3),
  Options.withDescription("How long things go on happening, before the last checks.")
)

/**
 * Words of failures that a fault explains: what was to be done is done later, or not at all.
 */
const EXPLAINED = /L1 to answer|Expected news of L1|L1 to take|fetch failed|HTTP request failed/

const isExplained = (message: string): boolean =>
  Actions.isExplained(message) || EXPLAINED.test(message)

/** Bytes that no batch can be, in the batcher's name. */
const postGarbage = ({ anvil, batcherKey, client, deployment, l1 }: World) =>
  Effect.gen(function* () {
    const inbox = { address: deployment.contracts.inbox, abi: Inbox.abi } as const
    const read = <Name extends "batchCount" | "queueTaken" | "bond">(functionName: Name) =>
      l1.read({ ...inbox, functionName })
    if ((yield* read("bond")) < deployment.parameters.batcherBondWei) return
    const [index, queueEnd] = [yield* read("batchCount"), yield* read("queueTaken")]
    const wallet = createWalletClient({
      ...{ chain: foundry, transport: http(anvil.url) },
      account: privateKeyToAccount(batcherKey)
    })
    const root = `0x${"00".repeat(32)}` as const
    const header = { root, blocks: 1, transactions: 1, queueEnd }
    yield* Effect.tryPromise(async () => {
      const args = [index, header, "0x02beef"] as const
      const hash = await wallet.writeContract({ ...inbox, functionName: "appendBatch", args })
      await client.waitForTransactionReceipt({ hash })
    })
  })

/** An anvil that was started again mixes up blocks if it replaces some from before: those stay. */
const withoutOldReorgs = (world: World) => {
  const { anvil, l1 } = world
  let oldest = 0n
  const reorg: typeof anvil.reorg = ({ depth }) =>
    Effect.flatMap(l1.blockNumber, (head) => {
      const allowed = Number(head - oldest) - 2
      return allowed < 1 ? Effect.void : anvil.reorg({ depth: Math.min(depth, allowed) })
    })
  const start = Effect.zipRight(
    anvil.start,
    Effect.map(Effect.option(l1.blockNumber), (head) => {
      oldest = Option.getOrElse(head, () => oldest)
    })
  )
  const careful = { ...anvil, reorg, start }
  return { anvil: careful, world: { ...world, anvil: careful } }
}

const soak = (options: { readonly seed: number; readonly minutes: number }) =>
  Effect.gen(function* () {
    const directory = mkdtempSync(join(tmpdir(), "ovm-soak-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true })))
    const random = new SeededRandom(options.seed)
    const made = yield* makeWorld({
      anvil: { stateFile: join(directory, "l1.json"), statesHeld: 512 },
      parameters: { challengePeriodSeconds: 600 }
    })
    const { anvil, world } = withoutOldReorgs(made)
    const scope = yield* Effect.scope
    const startSequencer = start(
      layerSequencer(world, { logFile: join(directory, "sequencer.log") })
    ).pipe(Scope.extend(scope))
    const startVerifier = start(
      layerVerifier(world, { logFile: join(directory, "verifier.log") })
    ).pipe(Scope.extend(scope))
    let players: Actions.Players = {
      ...{ world, sequencer: yield* startSequencer, verifier: yield* startVerifier },
      acknowledged: []
    }
    const counts = new Map<string, number>()
    const restartSequencer = Effect.gen(function* () {
      yield* players.sequencer.stop
      players = { ...players, sequencer: yield* startSequencer }
    })
    const restartVerifier = Effect.gen(function* () {
      yield* players.verifier.stop
      players = { ...players, verifier: yield* startVerifier }
    })
    const outage = Effect.gen(function* () {
      const before = yield* world.l1.getBlock("latest")
      yield* anvil.stop
      yield* Effect.sleep(500 + random.below(2_500))
      yield* anvil.start
      // It forgot that time was passed, and no L1's time runs back.
      const seconds = Math.ceil((yield* Clock.currentTimeMillis) / 1_000)
      const ahead = Option.match(before, {
        onNone: () => 0,
        onSome: ({ timestamp }) => Number(timestamp) - seconds
      })
      if (ahead > 0) yield* anvil.passTime(ahead + 5)
    })
    const spike = Effect.suspend(() =>
      anvil.setNextBaseFeeWei(parseGwei(`${1 + random.below(200)}`))
    )
    const deepReorg = Effect.suspend(() => anvil.reorg({ depth: 1 + random.below(20) }))
    const faults: ReadonlyArray<
      readonly [number, readonly [string, Effect.Effect<unknown, unknown>]]
    > = [
      [6, ["deep reorg", deepReorg]],
      [3, ["fee spike", spike]],
      [2, ["sequencer restarted", restartSequencer]],
      [2, ["verifier restarted", restartVerifier]],
      [1, ["outage", outage]],
      [1, ["garbage", postGarbage(world)]]
    ]
    const nothing = ["nothing", Effect.void] as const
    let doing = "nothing"
    const begin = (name: string) => {
      doing = name
    }
    const once = Effect.suspend(() => {
      if (!random.chance(8)) return Actions.act(players, random, begin)
      const [name, fault] = random.weighted<readonly [string, Effect.Effect<unknown, unknown>]>(
        faults,
        nothing
      )
      begin(name)
      return Effect.as(
        Effect.mapError(fault, (error) => ({ message: String(error) })),
        name
      )
    })

    const startedMs = yield* Clock.currentTimeMillis
    let toldMs = startedMs
    let nowMs = startedMs
    for (let step = 0; nowMs < startedMs + options.minutes * 60_000; step++) {
      const done = yield* Effect.either(once.pipe(Effect.timeout("30 seconds")))
      if (Either.isLeft(done) && !isExplained(done.left.message)) {
        yield* Console.log([...counts].map(([what, count]) => `${what} ${count}`).join(", "))
        return yield* Effect.dieMessage(
          `seed ${options.seed}, step ${step}, ${doing}: ${done.left.message}`
        )
      }
      const name = Either.isLeft(done) ? "put off" : done.right
      counts.set(name, (counts.get(name) ?? 0) + 1)
      yield* balanced(world, players.sequencer, [Actions.GHOST])
      yield* Effect.sleep("20 millis")
      nowMs = yield* Clock.currentTimeMillis
      if (nowMs < toldMs + 10_000) continue
      toldMs = nowMs
      const seconds = Math.round((nowMs - startedMs) / 1_000)
      const mebibytes = Math.round(process.memoryUsage().rss / 2 ** 20)
      yield* Console.log(
        `${seconds} s: ${step} steps, L1 block ${yield* world.l1.blockNumber}, ${mebibytes} MiB`
      )
    }
    yield* Console.log([...counts].map(([name, count]) => `${name} ${count}`).join(", "))

    const { acknowledged, sequencer, verifier } = players
    yield* settle(world, sequencer, verifier)
    yield* Actions.bringBack(players)
    yield* settle(world, sequencer, verifier)
    yield* claimAll(verifier)
    yield* Actions.finalize(players)
    const head = yield* oneChain(world, sequencer, verifier)
    yield* eachOnce(sequencer, acknowledged)
    yield* until(
      "every withdrawal done",
      balanced(world, sequencer, [Actions.GHOST]),
      ({ pendingWithdrawalsWei }) => pendingWithdrawalsWei === 0n
    )
    yield* Console.log(
      `all checks held: block ${head.header.number} for all, ${acknowledged.length} acknowledged transactions in it once, all ETH accounted for`
    )
  }).pipe(Effect.scoped)

const command = Command.make("soak", { seed, minutes }, (options) =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const chosen = Option.getOrElse(options.seed, () => now % 1_000_000_000)
    yield* Console.log(`seed ${chosen}, ${options.minutes} minutes`)
    yield* soak({ ...options, seed: chosen })
  })
)

Command.run(command, { name: "soak", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
