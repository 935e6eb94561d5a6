/** What must hold whenever the dust has settled: one chain for all, each block on L1 once, no claim that lies. */
import { Batcher } from "@ovm/batcher/Batcher"
import { Proposer } from "@ovm/batcher/Proposer"
import { Inbox, StateCommitmentChain } from "@ovm/contracts"
import { Derivation } from "@ovm/derivation/Derivation"
import * as DeriveFromL1 from "@ovm/derivation/DeriveFromL1"
import { Verifier } from "@ovm/derivation/Verifier"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { queueEnd } from "@ovm/sequencer/ChainIndex"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { Effect, Layer, Option } from "effect"
import { decodeFunctionData, type Log, parseEventLogs } from "viem"
import * as Node from "../../src/Node.ts"
import * as Rollup from "../../src/Rollup.ts"
import {
  clientLayer,
  type Running,
  type SequencerServices,
  until,
  type VerifierServices,
  type World
} from "./World.ts"

const expectThat = (holds: boolean, what: string): Effect.Effect<void> =>
  holds ? Effect.void : Effect.dieMessage(what)

/** Until everything that the sequencer sealed is on L1 and was derived from there; answers the head. */
export const settle = (
  world: World,
  sequencer: Running<SequencerServices>,
  verifier?: Running<VerifierServices>,
  options: { readonly ignoringQueue?: boolean } = {}
) =>
  Effect.gen(function* () {
    const { head } = yield* sequencer.run(
      until(
        "a chain that is all on L1",
        Effect.gen(function* () {
          yield* (yield* Batcher).drain.pipe(
            // L1 may change its mind once more, or be late.
            Effect.catchAll((error) => Effect.logDebug(error.message)),
            Effect.timeoutOption("20 seconds")
          )
          const { derived, head } = yield* (yield* Derivation).heads
          const queueLength = yield* world.l1.read({
            address: world.deployment.contracts.inbox,
            abi: Inbox.abi,
            functionName: "queueLength"
          })
          return { head, derived, isTaken: queueEnd(head) === queueLength }
        }),
        ({ derived, head, isTaken }) =>
          derived.hash === head.hash && (isTaken || options.ignoringQueue === true)
      )
    )
    if (verifier !== undefined) {
      yield* verifier.run(
        until(
          "the verifier where the sequencer is",
          Effect.flatMap(Derivation, ({ heads }) => heads),
          ({ derived }) => derived.hash === head.hash
        )
      )
    }
    return head
  })

/** Until the newest derived block is claimed. */
export const claimAll = (verifier: Running<VerifierServices>) =>
  verifier.run(
    until(
      "nothing left to claim",
      Effect.flatMap(Proposer, ({ step }) => step).pipe(
        Effect.timeoutOption("20 seconds"),
        Effect.catchAll(() => Effect.succeedNone)
      ),
      (done) =>
        Option.isSome(done) && done.value._tag === "Wait" && done.value.reason === "nothingNew"
    )
  )

/** From L1 alone, and an empty log. */
export const deriveAfresh = (world: World) =>
  Effect.gen(function* () {
    const upToL1Block = yield* world.l1.blockNumber
    const { deployment } = world
    return yield* Effect.gen(function* () {
      const derived = yield* DeriveFromL1.derive({ deployment, upToL1Block })
      return derived
    }).pipe(
      Effect.provide(
        Node.layerL1Log({ deployment, watchEvery: "100 millis" }).pipe(
          Layer.provideMerge(Layer.fresh(Rollup.layerExecution)),
          Layer.provide(clientLayer(world, world.batcherKey))
        )
      )
    )
  })

/** One chain: the sequencer's, the verifier's, and what L1 alone gives. */
export const oneChain = (
  world: World,
  sequencer: Running<SequencerServices>,
  verifier: Running<VerifierServices>
) =>
  Effect.gen(function* () {
    const head = yield* settle(world, sequencer, verifier)
    const { derived } = yield* deriveAfresh(world)
    yield* expectThat(
      derived.hash === head.hash,
      `L1 alone gives block ${derived.header.number} ${derived.hash}, the sequencer has ${head.header.number} ${head.hash}`
    )
    // Each header holds its parent's hash: the last one stands for all.
    const claims = yield* verifier.run(Effect.flatMap(Verifier, ({ mismatches }) => mismatches))
    yield* expectThat(claims.length === 0, `${claims.length} claims were wrong`)
    return head
  })

/** The transactions that must be in the chain once, and are. */
export const eachOnce = (
  sequencer: Running<SequencerServices>,
  acknowledged: ReadonlyArray<Hash32>
) =>
  sequencer.run(
    Effect.gen(function* () {
      const counts = new Map<Hash32, number>()
      const { block, head } = yield* Sequencer
      const last = (yield* head).header.number
      for (let number = 1n; number <= last; number++) {
        const { transactions } = Option.getOrThrow(yield* block(number))
        for (const { hash } of transactions) counts.set(hash, (counts.get(hash) ?? 0) + 1)
      }
      const wrong = acknowledged.filter((hash) => counts.get(hash) !== 1)
      yield* expectThat(wrong.length === 0, `not in the chain exactly once: ${wrong.join(", ")}`)
      const twice = [...counts].filter(([, count]) => count > 1)
      yield* expectThat(twice.length === 0, `twice in the chain: ${twice.join(", ")}`)
    })
  )

export interface SentToL1 {
  readonly hash: Hash32
  readonly blockNumber: bigint
  readonly to: Address
  readonly input: Hex
  readonly succeeded: boolean
}

/** Every transaction of an account that L1 has. */
export const sentBy = ({ client }: World, account: Address) =>
  Effect.promise(async () => {
    const last = await client.getBlockNumber()
    const found: Array<SentToL1> = []
    for (let start = 0n; start <= last; start += 50n) {
      const numbers = Array.from({ length: 50 }, (_, at) => start + BigInt(at))
      const blocks = await Promise.all(
        numbers
          .filter((number) => number <= last)
          .map((blockNumber) => client.getBlock({ blockNumber, includeTransactions: true }))
      )
      for (const { number, transactions } of blocks) {
        for (const { from, hash, input, to } of transactions) {
          if (from.toLowerCase() !== account.toLowerCase() || to === null) continue
          const { status } = await client.getTransactionReceipt({ hash })
          found.push({ hash, blockNumber: number, to, input, succeeded: status === "success" })
        }
      }
    }
    return found
  })

/** All that our contracts ever said on L1 as it is now. */
const logsOf = async (world: World, address: Address): Promise<ReadonlyArray<Log>> =>
  world.client.getLogs({ address, fromBlock: 0n, toBlock: "latest" })

/** Each L2 block in exactly one batch, without a gap; no batch and no claim twice; none in vain. */
export const onceOnL1 = (
  world: World,
  options: { readonly lastBlock: bigint; readonly revertsAllowed?: number }
) =>
  Effect.gen(function* () {
    const { contracts, parameters } = world.deployment
    const appended = yield* Effect.promise(async () =>
      parseEventLogs({
        abi: Inbox.abi,
        eventName: "BatchAppended",
        logs: [...(await logsOf(world, contracts.inbox))]
      })
    )
    yield* expectThat(
      appended.every(({ args }, at) => args.index === BigInt(at)),
      `batch indexes with a gap: ${appended.map(({ args }) => args.index).join(", ")}`
    )
    const blocks = appended.reduce((sum, { args }) => sum + args.record.blocks, 0)
    yield* expectThat(
      BigInt(blocks) === options.lastBlock,
      `${blocks} blocks in batches, ${options.lastBlock} in the chain`
    )
    const posted = yield* sentBy(world, parameters.batcher)
    const payloads = posted.flatMap(({ input, succeeded, to }) => {
      if (to.toLowerCase() !== contracts.inbox || !succeeded) return []
      const call = decodeFunctionData({ abi: Inbox.abi, data: input })
      return call.functionName === "appendBatch" ? [call.args[2]] : []
    })
    yield* expectThat(new Set(payloads).size === payloads.length, "the same batch was posted twice")
    const proposed = yield* Effect.promise(async () =>
      parseEventLogs({
        abi: StateCommitmentChain.abi,
        logs: [...(await logsOf(world, contracts.stateCommitmentChain))]
      })
    )
    const claimed = proposed.flatMap((log) =>
      log.eventName === "ClaimProposed" ? [log.args.proposal.blockNumber] : []
    )
    yield* expectThat(
      new Set(claimed).size === claimed.length,
      `a block was claimed twice: ${claimed.join(", ")}`
    )
    const reverted = posted.filter(({ succeeded }) => !succeeded)
    yield* expectThat(
      reverted.length <= (options.revertsAllowed ?? 0),
      `${reverted.length} of the batcher's transactions reverted: ${reverted.map(({ hash }) => hash).join(", ")}`
    )
    return { batches: appended.length, claims: claimed.length, reverted: reverted.length }
  })
