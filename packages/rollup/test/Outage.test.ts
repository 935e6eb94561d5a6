/** L1 down, L1 dear, garbage on L1, a sequencer that censors, a proposer that lies: the rollup goes on. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Batcher } from "@ovm/batcher/Batcher"
import { Proposer } from "@ovm/batcher/Proposer"
import * as Deposits from "@ovm/bridge/Deposits.ts"
import { Inbox, StateCommitmentChain } from "@ovm/contracts"
import { Derivation } from "@ovm/derivation/Derivation"
import * as L1ViewSource from "@ovm/derivation/L1ViewSource"
import { Verifier } from "@ovm/derivation/Verifier"
import * as L1View from "@ovm/l1/L1View"
import { L1Watcher } from "@ovm/l1/L1Watcher"
import { awaitReceipt } from "@ovm/l1/AwaitReceipt"
import { ZERO_HASH } from "@ovm/protocol/Primitives"
import { L1Source } from "@ovm/sequencer/L1Source"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { Effect, Layer, Option } from "effect"
import { createWalletClient, http, parseEther, parseGwei, toFunctionSelector } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { foundry } from "viem/chains"
import * as Actions from "./support/Actions.ts"
import { balanced } from "./support/Books.ts"
import { claimAll, eachOnce, oneChain, settle } from "./support/Checks.ts"
import {
  layerSequencer,
  layerVerifier,
  makeWorld,
  type Running,
  type SequencerOptions,
  type SequencerServices,
  start,
  until,
  type WorldOptions
} from "./support/World.ts"

const begin = (options: { world?: WorldOptions; sequencer?: SequencerOptions } = {}) =>
  Effect.gen(function* () {
    const world = yield* makeWorld(options.world)
    const sequencer = yield* start(layerSequencer(world, options.sequencer))
    const verifier = yield* start(layerVerifier(world))
    const players: Actions.Players = { world, sequencer, verifier, acknowledged: [] }
    const transfer = Actions.submit(players, world.users[0], { to: Actions.GHOST, value: 1n })
    return { world, sequencer, verifier, players, transfer }
  })

const step = Effect.flatMap(Batcher, (batcher) => batcher.step)
const executed = (node: Running<SequencerServices>, hash: `0x${string}`) =>
  node.run(Effect.flatMap(Sequencer, ({ transaction }) => transaction(hash)))
const verdictOf = <R>(node: Running<R | Derivation>, index: bigint) =>
  node.run(
    until(
      `batch ${index} derived`,
      Effect.flatMap(Derivation, ({ batch }) => batch(index)),
      Option.isSome
    ).pipe(Effect.map((batch) => Option.getOrThrow(batch).verdict))
  )

describe("an L1 that is down", () => {
  it.scopedLive(
    "stops the sequencer with a typed answer, and nothing else, until it is back",
    () =>
      Effect.gen(function* () {
        const directory = mkdtempSync(join(tmpdir(), "ovm-outage-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true })))
        const { players, sequencer, transfer, verifier, world } = yield* begin({
          world: { anvil: { stateFile: join(directory, "l1.json") }, mineEvery: "1 second" },
          sequencer: { maxL1LagSeconds: 3 }
        })
        yield* transfer
        yield* settle(world, sequencer, verifier)
        const sealed = yield* transfer
        yield* world.anvil.stop

        const error = yield* until(
          "back-pressure",
          Effect.either(transfer),
          ({ _tag }) => _tag === "Left"
        ).pipe(Effect.flatMap(Effect.flip))
        expect(error).toMatchObject({ _tag: "L1Lagging", limitSeconds: 3 })
        const status = yield* sequencer.run(Effect.flatMap(L1Watcher, (watcher) => watcher.status))
        expect(status).toMatchObject({ phase: "failing", error: { _tag: "L1Unavailable" } })
        // What was sealed is still answered, and posting fails as a value.
        expect(Option.isSome(yield* executed(sequencer, sealed.hash))).toBe(true)
        const posting = yield* Effect.flip(
          sequencer.run(Effect.flatMap(Batcher, ({ drain }) => drain))
        )
        expect(posting).toMatchObject({ _tag: "L1Unavailable" })

        yield* world.anvil.start
        yield* until("admission", Effect.either(transfer), ({ _tag }) => _tag === "Right")
        const deposit = yield* Actions.deposit(world.users[1], parseEther("1"))
        yield* until("the deposit", executed(sequencer, deposit.l2TransactionHash), Option.isSome)
        yield* Actions.bringBack(players)
        yield* oneChain(world, sequencer, verifier)
        yield* eachOnce(sequencer, players.acknowledged)
      }),
    180_000
  )
})

describe("an L1 that is dear", () => {
  it.scopedLive(
    "keeps the batcher waiting, until a block is too old to wait",
    () =>
      Effect.gen(function* () {
        const maxAgeSeconds = 7_200
        const dearBaseFeeWei = parseGwei("5")
        const { sequencer, transfer, verifier, world } = yield* begin({
          sequencer: { policy: { targetBytes: 1, maxAgeSeconds, dearBaseFeeWei } }
        })
        const spike = Effect.zipRight(
          world.anvil.setNextBaseFeeWei(parseGwei("100")),
          world.anvil.mine()
        )
        yield* transfer
        yield* spike
        expect(yield* sequencer.run(step)).toEqual(Option.none())

        yield* world.anvil.passTime(maxAgeSeconds)
        yield* spike
        const posted = yield* sequencer.run(until("posted by age", step, Option.isSome))
        const { l1TransactionHash } = Option.getOrThrow(posted)
        const receipt = Option.getOrThrow(yield* world.l1.getReceipt(l1TransactionHash))
        expect(receipt.effectiveGasPrice).toBeGreaterThan(dearBaseFeeWei)
        yield* oneChain(world, sequencer, verifier)
      }),
    120_000
  )
})

describe("garbage in the batcher's name", () => {
  it.scopedLive(
    "is skipped by all by the same rule, proven wrong on L1, and what it displaced is posted again",
    () =>
      Effect.gen(function* () {
        const { players, sequencer, transfer, verifier, world } = yield* begin()
        const { contracts } = world.deployment
        const inbox = { address: contracts.inbox, abi: Inbox.abi } as const
        const wallet = createWalletClient({
          ...{ chain: foundry, transport: http(world.anvil.url) },
          account: privateKeyToAccount(world.batcherKey)
        })
        const post = (index: bigint, queueEnd: bigint) =>
          Effect.promise(async () => {
            const hash = await wallet.writeContract({
              ...{ ...inbox, functionName: "appendBatch" },
              args: [index, { root: ZERO_HASH, blocks: 1, transactions: 1, queueEnd }, "0x02beef"]
            })
            const { status } = await awaitReceipt(world.client, { hash })
            expect(status).toBe("success")
          })
        yield* transfer
        yield* settle(world, sequencer, verifier)

        // Nothing of the queue: it makes no block at all.
        yield* transfer
        yield* post(1n, 0n)
        expect(yield* verdictOf(sequencer, 1n)).toBe("invalid")
        expect(yield* verdictOf(verifier, 1n)).toBe("invalid")
        yield* transfer
        yield* Actions.bringBack(players)
        yield* oneChain(world, sequencer, verifier)
        yield* eachOnce(sequencer, players.acknowledged)

        // With a deposit: that counts, and it alone. The transfer's block is displaced.
        yield* transfer
        const deposit = yield* Actions.deposit(world.users[1], parseEther("1"))
        const index = yield* world.l1.read({ ...inbox, functionName: "batchCount" })
        yield* post(index, 1n)
        expect(yield* verdictOf(sequencer, index)).toBe("invalid")
        expect(yield* verdictOf(verifier, index)).toBe("invalid")
        yield* Actions.bringBack(players)
        yield* oneChain(world, sequencer, verifier)
        yield* eachOnce(sequencer, [...players.acknowledged, deposit.l2TransactionHash])

        // Anyone proves it; the bond falls, and the batcher must put up another.
        const view = yield* sequencer.run(Effect.flatMap(L1View.L1View, ({ view }) => view))
        const { record } = Option.getOrThrow(L1View.batch(view, index))
        const proof = yield* Effect.promise(() =>
          world.stranger.bridge.wallet.writeContract({
            ...{ ...inbox, functionName: "proveBatchWrong", args: [record, "0x02beef"] },
            ...{ chain: foundry, account: world.stranger.wallet.account, gas: 16_777_216n }
          })
        )
        yield* Effect.promise(() => awaitReceipt(world.client, { hash: proof }))
        const voided = { ...inbox, functionName: "isVoided", args: [index] } as const
        expect(yield* world.l1.read(voided)).toBe(true)
        yield* transfer
        yield* Actions.bringBack(players)
        yield* oneChain(world, sequencer, verifier)
        expect(yield* world.l1.read({ ...inbox, functionName: "bond" })).toBe(
          world.deployment.parameters.batcherBondWei
        )
        yield* eachOnce(sequencer, players.acknowledged)
        yield* balanced(world, sequencer, [Actions.GHOST])
      }),
    180_000
  )
})

/** The sequencer's L1, as one sees it who takes nothing from the queue. */
const layerBlind = Layer.effect(
  L1Source,
  Effect.map(L1Source, (source) => L1Source.of({ ...source, queue: () => Effect.succeed([]) }))
).pipe(Layer.provide(L1ViewSource.layer({ confirmations: 0n })))

describe("a sequencer that ignores the queue", () => {
  it.scopedLive(
    "can't post past the deadline; anyone forces the queue, and an exit needs no help of its",
    () =>
      Effect.gen(function* () {
        const forceInclusionWindowSeconds = 3_600
        const { players, sequencer, transfer, verifier, world } = yield* begin({
          world: { parameters: { forceInclusionWindowSeconds, challengePeriodSeconds: 600 } },
          sequencer: { source: layerBlind, policy: { targetBytes: 1 } }
        })
        const { contracts } = world.deployment
        const amountWei = parseEther("7")
        const [, leaving] = world.users
        const asked = yield* Deposits.withdrawETH(leaving.bridge, { amountWei })
        yield* transfer
        yield* settle(world, sequencer, verifier, { ignoringQueue: true })
        expect(yield* executed(sequencer, asked.l2TransactionHash)).toEqual(Option.none())

        yield* world.anvil.passTime(forceInclusionWindowSeconds + 1)
        yield* transfer
        const refusal = yield* Effect.flip(sequencer.run(until("a try", step, Option.isSome)))
        expect(refusal).toMatchObject({ _tag: "BatchRejected" })
        expect(refusal.message).toContain(
          toFunctionSelector("ForcedTransactionOverdue(uint256,uint256)")
        )
        const inbox = { address: contracts.inbox, abi: Inbox.abi } as const
        const hash = yield* Effect.promise(() =>
          world.stranger.bridge.wallet.writeContract({
            ...{ ...inbox, functionName: "forceInclude", args: [1n] },
            ...{ chain: foundry, account: world.stranger.wallet.account }
          })
        )
        yield* Effect.promise(() => awaitReceipt(world.client, { hash }))
        expect(yield* verdictOf(sequencer, 1n)).toBe("forced")
        expect(yield* verdictOf(verifier, 1n)).toBe("forced")
        yield* until("it ran", executed(sequencer, asked.l2TransactionHash), Option.isSome)
        yield* Actions.bringBack(players)
        yield* oneChain(world, sequencer, verifier)
        yield* eachOnce(sequencer, [...players.acknowledged, asked.l2TransactionHash])

        yield* claimAll(verifier)
        const before = yield* world.l1.getBalance(leaving.wallet.address)
        // Somebody else brings the proof.
        expect(yield* Actions.finalize(players)).toBe(1)
        expect((yield* world.l1.getBalance(leaving.wallet.address)) - before).toBe(amountWei)
        yield* balanced(world, sequencer, [Actions.GHOST])
      }),
    180_000
  )
})

describe("a proposer that lies", () => {
  it.scopedLive(
    "is found out by the verifier, and nobody honest builds on its claim",
    () =>
      Effect.gen(function* () {
        const { sequencer, transfer, verifier, world } = yield* begin()
        const { contracts, parameters } = world.deployment
        yield* transfer
        const { header } = yield* settle(world, sequencer, verifier)
        const batchHash = yield* world.l1.read({
          ...{ address: contracts.inbox, abi: Inbox.abi },
          ...{ functionName: "batchHash", args: [0n] }
        })
        const lie = `0x${"11".repeat(32)}` as const
        const hash = yield* Effect.promise(() =>
          world.stranger.bridge.wallet.writeContract({
            ...{ address: contracts.stateCommitmentChain, abi: StateCommitmentChain.abi },
            ...{ functionName: "propose", value: parameters.claimBondWei },
            args: [
              1n,
              {
                ...{ blockNumber: header.number, blockHash: lie, stateRoot: lie },
                ...{ batchCount: 1n, batchHash }
              }
            ],
            ...{ chain: foundry, account: world.stranger.wallet.account }
          })
        )
        yield* Effect.promise(() => awaitReceipt(world.client, { hash }))
        const [mismatch] = yield* verifier.run(
          until(
            "the verifier's word",
            Effect.flatMap(Verifier, ({ mismatches }) => mismatches),
            ({ length }) => length === 1
          )
        )
        expect(mismatch).toMatchObject({
          _tag: "v1.RootMismatch",
          claimIndex: 1n,
          expected: { blockNumber: header.number, stateRoot: header.stateRoot },
          found: { stateRoot: lie }
        })
        yield* transfer
        yield* settle(world, sequencer, verifier)
        expect(yield* verifier.run(Effect.flatMap(Proposer, (proposer) => proposer.step))).toEqual({
          _tag: "Wait",
          reason: "parentIsWrong"
        })
      }),
    120_000
  )
})
