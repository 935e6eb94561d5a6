/** Nodes killed at every step of their work go on where they were: nothing is lost, nothing is done twice. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Inbox, StateCommitmentChain } from "@ovm/contracts"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import { DeploymentJson } from "@ovm/protocol/Deployment"
import * as Transaction from "@ovm/protocol/Transaction"
import * as ChainLog from "@ovm/sequencer/ChainLog"
import { Chunk, Effect, Exit, Schema, Scope, Stream } from "effect"
import { hexToBytes, parseEther } from "viem"
import { SeededRandom } from "../../testing/src/internal/SeededRandom.ts"
import * as Actions from "./support/Actions.ts"
import { deriveAfresh, onceOnL1, sentBy } from "./support/Checks.ts"
import { type NodeProcess, nextEvent, startProcess } from "./support/Processes.ts"
import { makeWorld, until, type World } from "./support/World.ts"

/** Where each node is killed, run by run. */
const KILLS: ReadonlyArray<readonly [sequencer: string, verifier: string]> = [
  ["v1.BlockSealed", "v1.BlockSealed"],
  ["v1.L1TransactionRequested", "v1.BatchDerived"],
  ["v1.L1TransactionSent", "v1.L1TransactionRequested"],
  ["v1.L1TransactionIncluded", "v1.L1TransactionSent"]
]

const Head = Schema.parseJson(
  Schema.Struct({ number: Schema.Number, hash: Schema.String, derived: Schema.String })
)

const headOf = (node: NodeProcess) =>
  Effect.map(node.ask("head"), (answer) =>
    answer?.ok === true ? Schema.decodeUnknownSync(Head)(answer.text) : undefined
  )

/** Signs transfers one after the other, and sends each until somebody says that it is taken. */
const makeSender = (world: World) => {
  const [alice, bob] = world.users
  const acknowledged: Array<`0x${string}`> = []
  let nonce = 0
  let raw: `0x${string}` | undefined
  const send = (node: NodeProcess) =>
    Effect.gen(function* () {
      raw ??= yield* Effect.promise(() =>
        alice.wallet.account.signTransaction({
          type: "eip1559",
          chainId: Number(world.deployment.genesis.chainId),
          nonce,
          gas: 100_000n,
          maxFeePerGas: parseEther("0.00000001"),
          maxPriorityFeePerGas: 1n,
          to: bob.wallet.address,
          value: 1n
        })
      )
      const answer = yield* node.ask(`submit ${raw}`)
      // The node died of it: whether it was sealed before is for the next one to say.
      if (answer === undefined) return
      // Just started, it has not seen L1 yet.
      if (answer.text.includes("L1Lagging")) return
      expect(answer.ok || answer.text.includes("already known"), answer.text).toBe(true)
      acknowledged.push(Transaction.hash(hexToBytes(raw)))
      nonce++
      raw = undefined
    })
  return { acknowledged, send }
}

describe("nodes that are killed", () => {
  it.scopedLive(
    "lose nothing and do nothing twice, whatever they were about",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld()
        const directory = mkdtempSync(join(tmpdir(), "ovm-crash-"))
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
        )
        const deploymentFile = join(directory, "deployment.json")
        writeFileSync(deploymentFile, Schema.encodeSync(DeploymentJson)(world.deployment))
        const url = world.anvil.url
        const sequencer = {
          ...{ role: "sequencer", url, key: world.batcherKey, deploymentFile },
          logFile: join(directory, "sequencer.log")
        }
        const verifier = {
          ...{ role: "verifier", url, key: world.proposerKey, deploymentFile },
          logFile: join(directory, "verifier.log")
        }
        const random = new SeededRandom(7)
        const { acknowledged, send } = makeSender(world)

        for (const [sequencerDiesAt, verifierDiesAt] of KILLS) {
          const scope = yield* Scope.make()
          const [first, second] = yield* Effect.all(
            [startProcess(sequencer), startProcess(verifier)],
            { concurrency: 2 }
          ).pipe(Scope.extend(scope))
          const killAt = (node: NodeProcess, logFile: string, type: string) =>
            nextEvent(logFile, type).pipe(
              // At once, or a little later: in the midst of what comes next.
              Effect.zipRight(Effect.sleep(`${random.below(2) * random.below(200)} millis`)),
              Effect.zipRight(node.kill)
            )
          // Without a sequencer that posts, there is nothing to derive and to claim.
          const killing = Effect.zipRight(
            killAt(second, verifier.logFile, verifierDiesAt),
            killAt(first, sequencer.logFile, sequencerDiesAt)
          )
          const working = Effect.gen(function* () {
            yield* Actions.deposit(world.stranger, 1_000n)
            yield* send(first)
          }).pipe(Effect.zipRight(Effect.sleep("100 millis")), Effect.forever)
          yield* Effect.raceFirst(
            working,
            Effect.timeoutFail(killing, {
              duration: "20 seconds",
              onTimeout: () => new Error(`no ${sequencerDiesAt} or no ${verifierDiesAt}`)
            })
          )
          yield* Scope.close(scope, Exit.void)
        }

        const first = yield* startProcess(sequencer)
        const second = yield* startProcess(verifier)
        const sent = acknowledged.length + 1
        yield* until("one more", send(first), () => acknowledged.length === sent)
        const inbox = { address: world.deployment.contracts.inbox, abi: Inbox.abi } as const
        const head = yield* until(
          "everything on L1, and derived by both",
          Effect.all([
            headOf(first),
            headOf(second),
            world.l1.read({ ...inbox, functionName: "queueTaken" }),
            world.l1.read({ ...inbox, functionName: "queueLength" })
          ]),
          ([own, other, taken, length]) =>
            taken === length && own?.hash === own?.derived && own?.hash === other?.derived
        )
        const last = BigInt(head[0]?.number ?? 0)
        const chain = {
          address: world.deployment.contracts.stateCommitmentChain,
          abi: StateCommitmentChain.abi
        } as const
        yield* until(
          "the last block claimed",
          Effect.promise(() =>
            world.client.getContractEvents({ ...chain, eventName: "ClaimProposed", fromBlock: 0n })
          ),
          (claims) => claims.at(-1)?.args.proposal?.blockNumber === last
        )
        expect(yield* second.ask("mismatches")).toEqual({ ok: true, text: "0" })
        const { derived } = yield* deriveAfresh(world)
        expect(derived.hash).toBe(head[0]?.hash)

        const blocks = yield* Stream.runCollect(ChainLog.blocks).pipe(
          Effect.provide(SqliteEventLog.layer({ filename: sequencer.logFile, readonly: true }))
        )
        const inChain = Chunk.toReadonlyArray(blocks).flatMap(({ items, opened }) =>
          items.slice(opened.queuedCount).map(({ raw }) => Transaction.hash(raw))
        )
        expect(inChain).toEqual(acknowledged)
        yield* onceOnL1(world, { lastBlock: last })
        for (const account of [world.batcherKey, world.proposerKey]) {
          const sent = yield* sentBy(world, Actions.addressOf(account))
          expect(sent.filter(({ succeeded }) => !succeeded)).toEqual([])
        }
      }),
    180_000
  )
})
