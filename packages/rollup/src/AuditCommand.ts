/** `ovm audit LOG`: whether a log is whole, its chain what it says, and all ETH where it should be. */
import { Args, Command, Options } from "@effect/cli"
import * as Audit from "@ovm/bridge/Audit"
import { DeploymentMismatch } from "@ovm/derivation/Derivation"
import * as DeploymentFile from "@ovm/l1/DeploymentFile"
import { L1Client, layerRpc } from "@ovm/l1/L1Client"
import type { Deployment } from "@ovm/protocol/Deployment"
import { Console, Effect, Option } from "effect"
import { formatEther } from "viem"
import * as Rollup from "./Rollup.ts"
import * as SupplyAudit from "./SupplyAudit.ts"

/** What the bridge really holds, as of the L1 block at which the log's view ends. */
const realBalance = Effect.fn("AuditCommand.realBalance")(function* (
  { l1, l2 }: SupplyAudit.Books,
  deployment: Deployment
) {
  const { genesisHash } = deployment
  if (l2.genesisHash !== genesisHash) {
    return yield* new DeploymentMismatch({ expected: genesisHash, found: l2.genesisHash })
  }
  const head = l1?.head
  if (head === undefined) {
    return yield* new SupplyAudit.LayersApart({
      expected: "a log that has seen L1, to compare the bridge's balance with",
      found: "nothing of L1 in it"
    })
  }
  const client = yield* L1Client
  // Blocks after it may have changed the balance, and the log does not know of them.
  if (Option.isNone(yield* client.getBlock({ hash: head.hash }))) {
    return yield* new SupplyAudit.LayersApart({
      expected: `L1 to have block ${head.number} (${head.hash}), the last that the log has seen`,
      found: "no such block"
    })
  }
  return yield* client.getBalance(deployment.contracts.bridge, { hash: head.hash })
})

const eth = (wei: bigint): string => `${formatEther(wei)} ETH`

const args = Args.text({ name: "LOG" }).pipe(
  Args.withDescription("The log of a node, a SQLite file. It is opened read-only.")
)
const flags = {
  l1: Options.text("l1").pipe(
    Options.optional,
    Options.withDescription("URL of an L1 node: the bridge's real balance is held to the log, too.")
  ),
  rollup: Options.text("rollup").pipe(
    Options.withDefault("rollup.json"),
    Options.withDescription("With --l1: the deployment file, which says where the bridge is.")
  ),
  json: Options.boolean("json").pipe(
    Options.withDescription("Print one JSON object; wei as decimal strings.")
  )
}

/** Fails with what is violated; else says what is where. */
export const auditCommand = Command.make("audit", { log: args, ...flags }, (options) =>
  Effect.gen(function* () {
    const books = yield* SupplyAudit.count.pipe(Effect.provide(Rollup.layerReplay(options.log)))
    const { events, facts, l1, l2 } = books
    const held = yield* facts === undefined ? SupplyAudit.checkCap(l2) : Audit.check(facts)
    const real = yield* Option.match(options.l1, {
      onNone: () => Effect.succeed(undefined),
      onSome: (url) =>
        Effect.gen(function* () {
          const deployment = yield* DeploymentFile.read(options.rollup)
          return yield* realBalance(books, deployment).pipe(
            Effect.provide(layerRpc({ url, chainId: deployment.l1ChainId }))
          )
        })
    })
    const { surplusWei } =
      real === undefined || facts === undefined
        ? held
        : yield* Audit.check({ ...facts, l1BridgeWei: real })
    const { replayed } = l2
    const { hash, header } = replayed
    if (options.json) {
      const wei = (amount: bigint | undefined) => amount?.toString() ?? null
      return yield* Console.log(
        JSON.stringify({
          events,
          blocks: replayed.blocks,
          transactions: replayed.transactions,
          head: hash,
          stateRoot: header.stateRoot,
          l1BlockNumber: l1?.head === undefined ? null : Number(l1.head.number),
          circulatingWei: wei(l2.circulatingWei),
          reserveWei: wei(l2.reserveWei),
          pendingDepositsWei: wei(facts?.pendingDepositsWei),
          pendingWithdrawalsWei: wei(facts?.pendingWithdrawalsWei),
          failedWithdrawalsWei: wei(facts?.failedWithdrawalsWei),
          bridgeWei: wei(facts?.l1BridgeWei),
          bridgeBalanceWei: wei(real),
          surplusWei: facts === undefined ? null : wei(surplusWei)
        })
      )
    }
    const lines = [
      `${events} events: the hash chain is whole.`,
      `${replayed.blocks} blocks, ${replayed.transactions} transactions run again: identical. Head ${hash}.`,
      `On L2 ${eth(l2.circulatingWei)}; with the reserve all that there is.`
    ]
    if (facts === undefined) lines.push("Nothing of L1 in this log: the bridge was not looked at.")
    else {
      lines.push(
        `Under way: ${eth(facts.pendingDepositsWei)} in, ${eth(facts.pendingWithdrawalsWei)} out; ${eth(facts.failedWithdrawalsWei)} of failed withdrawals.`,
        `In the bridge ${eth(real ?? facts.l1BridgeWei)} as of L1 block ${l1?.head?.number}${real === undefined ? ", by the log" : ""}: ${surplusWei === 0n ? "exactly what is owed" : `${eth(surplusWei)} more than is owed`}.`
      )
    }
    yield* Console.log(lines.join("\n"))
  })
).pipe(
  Command.withDescription(
    "Verifies a log's hash chain, runs its chain again, and counts all ETH of both layers at the log's end. Examples: `ovm audit node.sqlite`; `ovm audit node.sqlite --l1 http://127.0.0.1:8545 --rollup rollup.json --json`"
  )
)
