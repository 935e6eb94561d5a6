/** `ovm derive` and `ovm audit` on a real chain with a real L1, and on books that somebody cooked. */
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Batcher } from "@ovm/batcher/Batcher"
import { Proposer } from "@ovm/batcher/Proposer"
import * as Audit from "@ovm/bridge/Audit"
import * as Withdrawal from "@ovm/bridge/Withdrawal"
import { EventLog } from "@ovm/event-log/EventLog"
import * as EventTypes from "@ovm/event-log/EventTypes"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import * as DeploymentFile from "@ovm/l1/DeploymentFile"
import { layerRpc } from "@ovm/l1/L1Client"
import * as L1View from "@ovm/l1/L1View"
import { awaitReceipt } from "@ovm/l1/AwaitReceipt"
import type { Deployment } from "@ovm/protocol/Deployment"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import * as RollupEvent from "@ovm/protocol/RollupEvent"
import { Effect, HashMap, Option, Stream } from "effect"
import { hexToBytes, parseEther } from "viem"
import * as DeriveCommand from "../src/DeriveCommand.ts"
import * as Rollup from "../src/Rollup.ts"
import * as SupplyAudit from "../src/SupplyAudit.ts"
import * as Actions from "./support/Actions.ts"
import { settle } from "./support/Checks.ts"
import { layerSequencer, layerVerifier, makeWorld, start, until } from "./support/World.ts"

const OVM = fileURLToPath(new URL("../src/bin.ts", import.meta.url))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The real command line, in a process of its own. */
const ovm = (...args: ReadonlyArray<string>) =>
  Effect.promise<Ended>(
    () =>
      new Promise((resolve) => {
        const all = ["--import", "tsx", OVM, ...args]
        execFile(process.execPath, all, (error, stdout, stderr) => {
          const code = typeof error?.code === "number" ? error.code : error === null ? 0 : 1
          resolve({ code, stdout, stderr })
        })
      })
  )

const counted = (filename: string) =>
  SupplyAudit.count.pipe(Effect.provide(Rollup.layerReplay(filename)))

const types = EventTypes.make({ schema: RollupEvent.RollupEvent })

/** The same chain in a new log whose hash chain is whole, but one transaction of it used less gas. */
const forge = (from: string, to: string) =>
  Effect.gen(function* () {
    const original = yield* Effect.flatMap(EventLog, (log) =>
      log.read({ stream: "chain" }).pipe(
        Stream.mapEffect((event) => types.decode(event)),
        Stream.runCollect
      )
    ).pipe(Effect.provide(SqliteEventLog.layer({ filename: from, readonly: true })))
    let forged = false
    const events = [...original].map(({ payload }) => {
      if (forged || payload._tag !== "v1.TransactionExecuted") return payload
      forged = true
      return new RollupEvent.TransactionExecuted({ ...payload, gasUsed: payload.gasUsed - 1n })
    })
    const [first, ...rest] = yield* types.encode(events)
    if (first === undefined) return yield* Effect.dieMessage("an empty chain")
    yield* Effect.flatMap(EventLog, (log) =>
      log.append({ stream: "chain", expected: 0, events: [first, ...rest] })
    ).pipe(Effect.provide(SqliteEventLog.layer({ filename: to })))
  })

describe("a rollup's log and its L1", () => {
  it.scopedLive(
    "give the same chain twice, and all ETH",
    () =>
      Effect.gen(function* () {
        const folder = mkdtempSync(join(tmpdir(), "ovm-audit-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
        const file = (name: string) => join(folder, name)
        const log = file("node.sqlite")
        const world = yield* makeWorld({ parameters: { challengePeriodSeconds: 60 } })
        yield* DeploymentFile.write(file("rollup.json"), world.deployment)
        const sequencer = yield* start(layerSequencer(world, { logFile: log }))
        const verifier = yield* start(layerVerifier(world))
        const players = { world, sequencer, verifier, acknowledged: [] }
        const [alice, bob] = world.users
        const out = (target: `0x${string}`, ether: string) =>
          Actions.submit(players, alice, Withdrawal.request({ target, value: parseEther(ether) }))
        yield* Actions.deposit(bob, parseEther("3"))
        yield* out(alice.wallet.address, "2")
        // The Inbox takes no ETH that names no function: this one fails on L1.
        yield* out(world.deployment.contracts.inbox, "0.5")
        yield* settle(world, sequencer, verifier)
        yield* verifier.run(
          until(
            "a claim",
            Effect.flatMap(Proposer, ({ step }) => step),
            ({ _tag }) => _tag === "Proposed"
          )
        )
        expect(yield* Actions.finalize(players)).toBe(2)
        // Not finalized, and not posted.
        yield* out(alice.wallet.address, "1")
        yield* settle(world, sequencer, verifier)
        yield* sequencer.run(
          Effect.flatMap(L1View.L1View, (l1) =>
            l1.until(({ withdrawals }) => HashMap.size(withdrawals) === 2)
          )
        )
        const drained = yield* sequencer.run(Effect.flatMap(Batcher, ({ drain }) => drain))
        expect(drained).toEqual([])
        yield* sequencer.stop

        const books = yield* counted(log)
        const { facts, l1, l2 } = books
        if (facts === undefined || l1 === undefined) return yield* Effect.dieMessage("no L1")
        expect(facts).toMatchObject({
          pendingWithdrawalsWei: parseEther("1"),
          failedWithdrawalsWei: parseEther("0.5"),
          pendingDepositsWei: 0n
        })
        expect((yield* Audit.check(facts)).surplusWei).toBe(0n)

        const cli = ["--rollup", file("rollup.json"), "--json"]
        const derive = (name: string) =>
          ovm("derive", "--l1", world.anvil.url, "--log", file(name), ...cli)
        const deriveHere = (name: string, deployment = world.deployment) =>
          DeriveCommand.derive({ deployment, logFile: file(name) }).pipe(
            Effect.provide(layerRpc({ url: world.anvil.url, chainId: deployment.l1ChainId }))
          )
        const derived = yield* derive("derived.sqlite")
        expect(derived.stderr).toBe("")
        expect(JSON.parse(derived.stdout)).toMatchObject({
          blocks: l2.replayed.blocks,
          transactions: l2.replayed.transactions,
          skipped: 0,
          head: l2.replayed.hash,
          stateRoot: l2.replayed.header.stateRoot
        })
        const exists = yield* Effect.flip(deriveHere("derived.sqlite"))
        expect(exists).toMatchObject({ _tag: "LogExists", path: file("derived.sqlite") })

        const audited = yield* ovm("audit", log, "--json")
        expect(JSON.parse(audited.stdout)).toMatchObject({
          head: l2.replayed.hash,
          pendingWithdrawalsWei: parseEther("1").toString(),
          failedWithdrawalsWei: parseEther("0.5").toString(),
          bridgeWei: facts.l1BridgeWei.toString(),
          bridgeBalanceWei: null,
          surplusWei: "0"
        })

        // ETH that a destroyed contract forces on the bridge belongs to nobody, and harms nobody.
        const { wallet } = world.stranger.bridge
        const account = wallet.account
        if (account === undefined) return yield* Effect.dieMessage("no account")
        const sent = yield* Effect.promise(() =>
          wallet.sendTransaction({
            ...{ account, chain: wallet.chain, value: 7n },
            data: `0x73${world.deployment.contracts.bridge.slice(2)}ff`
          })
        )
        yield* Effect.promise(() => awaitReceipt(world.client, { hash: sent }))
        expect((yield* deriveHere("after.sqlite")).derived.hash).toBe(l2.replayed.hash)
        const withL1 = yield* ovm("audit", file("after.sqlite"), "--l1", world.anvil.url, ...cli)
        expect(withL1.stderr).toBe("")
        expect(JSON.parse(withL1.stdout)).toMatchObject({
          bridgeWei: facts.l1BridgeWei.toString(),
          bridgeBalanceWei: (facts.l1BridgeWei + 7n).toString(),
          surplusWei: "7"
        })

        // Cooked books.
        const batches = l1.batchCount
        const poorer = HashMap.map(l1.queue, (entry) => {
          if (!DepositTransaction.isDeposit(entry.raw)) return entry
          const deposit = Effect.runSync(DepositTransaction.decode(entry.raw))
          const mint = deposit.mint - 1n
          return { ...entry, raw: DepositTransaction.encode({ ...deposit, mint }) }
        })
        const short = yield* SupplyAudit.factsOf(l2, { ...l1, queue: poorer }, batches)
        expect(yield* Effect.flip(Audit.check(short))).toMatchObject({
          _tag: "SupplyViolation",
          expectedWei: facts.l1BridgeWei,
          actualWei: facts.l1BridgeWei - 1n
        })
        const dearer = HashMap.map(l1.withdrawals, (each) => ({ ...each, value: each.value + 1n }))
        const paid = yield* Effect.flip(
          SupplyAudit.factsOf(l2, { ...l1, withdrawals: dearer }, batches)
        )
        expect(paid._tag).toBe("WithdrawalUnknown")
        const richer = { ...l2, circulatingWei: l2.circulatingWei + 1n }
        expect((yield* Effect.flip(SupplyAudit.checkCap(richer)))._tag).toBe("CapViolation")
        const apart = yield* Effect.flip(SupplyAudit.factsOf(l2, l1, batches - 1n))
        expect(apart._tag).toBe("LayersApart")
        // L1 went back behind the block that L2 builds on, and L2 has not followed yet.
        const { l1Origin } = l2.replayed
        const origin = L1View.blockByNumber(l1, l1Origin.number - 1n)
        const back = { ...l1, head: Option.getOrUndefined(origin) }
        const forked = { ...l2.replayed, l1Origin: { ...l1Origin, hash: l2.replayed.hash } }
        for (const [replayed, view] of [[l2.replayed, back] as const, [forked, l1] as const]) {
          const error = yield* Effect.flip(SupplyAudit.factsOf({ ...l2, replayed }, view, batches))
          expect(error._tag).toBe("LayersApart")
        }

        // A chain with a whole hash chain and one false fact, and a log with one false byte.
        yield* forge(log, file("forged.sqlite"))
        const forged = yield* ovm("audit", file("forged.sqlite"))
        expect(forged).toMatchObject({ code: 1, stdout: "" })
        expect(forged.stderr).toContain("Expected gasUsed of transaction 0")
        const damaged = file("damaged.sqlite")
        const bytes = readFileSync(file("derived.sqlite"))
        // SQLite may keep old copies of a page: each of them is damaged.
        const root = hexToBytes(l2.replayed.header.stateRoot)
        let copies = 0
        for (let at = bytes.indexOf(root); at >= 0; at = bytes.indexOf(root, at + 1)) {
          bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
          copies++
        }
        expect(copies).toBeGreaterThan(0)
        writeFileSync(damaged, bytes)
        expect((yield* Effect.flip(counted(damaged)))._tag).toBe("LogCorrupt")

        // What can't be derived: readable, and no log left behind.
        const refused = (change: Partial<Deployment>) =>
          Effect.gen(function* () {
            const deployment = { ...world.deployment, ...change }
            const error = yield* Effect.flip(deriveHere("refused.sqlite", deployment))
            expect(existsSync(file("refused.sqlite"))).toBe(false)
            return error._tag
          })
        const { deployedAt, genesis } = world.deployment
        const { hash } = l2.replayed
        expect(yield* refused({ l1ChainId: 1n })).toBe("L1ChainMismatch")
        expect(yield* refused({ deployedAt: { ...deployedAt, hash } })).toBe("DeploymentNotOnL1")
        const other = { ...genesis, gasLimit: genesis.gasLimit - 1n }
        expect(yield* refused({ genesis: other })).toBe("DeploymentMismatch")
        yield* world.anvil.stop
        const down = yield* derive("refused.sqlite")
        expect(down).toMatchObject({ code: 1, stdout: "" })
        expect(down.stderr).toContain("error: Expected L1 to answer eth_chainId")
        expect(existsSync(file("refused.sqlite"))).toBe(false)
      }).pipe(Effect.provide(NodeContext.layer)),
    300_000
  )

  it.live(
    "shows its examples",
    () =>
      Effect.gen(function* () {
        for (const command of ["derive", "audit"]) {
          const { code, stdout } = yield* ovm(command, "--help")
          expect(code).toBe(0)
          expect(stdout.replace(/\s+/g, " ")).toContain(`Examples: \`ovm ${command}`)
        }
      }),
    60_000
  )
})
