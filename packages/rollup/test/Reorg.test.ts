/** L1 changes its mind while everybody is at work: all nodes follow, and nothing is lost that L1 still has. */
import { describe, expect, it } from "@effect/vitest"
import { Batcher } from "@ovm/batcher/Batcher"
import { Proposer } from "@ovm/batcher/Proposer"
import { Derivation } from "@ovm/derivation/Derivation"
import { EventLog } from "@ovm/event-log/EventLog"
import { L1_STREAM } from "@ovm/l1/L1View"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { Chunk, Effect, Option, Stream } from "effect"
import { parseEther } from "viem"
import { SeededRandom } from "../../testing/src/internal/SeededRandom.ts"
import * as Actions from "./support/Actions.ts"
import { balanced } from "./support/Books.ts"
import { claimAll, eachOnce, oneChain, onceOnL1, settle } from "./support/Checks.ts"
import {
  layerSequencer,
  layerVerifier,
  makeWorld,
  type Running,
  type SequencerServices,
  start,
  until
} from "./support/World.ts"

const typesOf = (node: Running<SequencerServices>, stream: string) =>
  node.run(
    Effect.gen(function* () {
      const log = yield* EventLog
      const events = yield* Stream.runCollect(log.read({ stream }))
      return Chunk.toReadonlyArray(Chunk.map(events, ({ type }) => type))
    })
  )

const executed = (node: Running<SequencerServices>, hash: `0x${string}`) =>
  node.run(Effect.flatMap(Sequencer, ({ transaction }) => transaction(hash)))

describe("a reorg of L1", () => {
  it.scopedLive(
    "takes the deposits that it dropped off L2, and brings users' transactions back",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld()
        const sequencer = yield* start(layerSequencer(world))
        const verifier = yield* start(layerVerifier(world))
        const [alice, bob, carol] = world.users
        const players: Actions.Players = { world, sequencer, verifier, acknowledged: [] }

        const kept = yield* Actions.deposit(carol, parseEther("3"))
        yield* until(
          "the deposit on L2",
          executed(sequencer, kept.l2TransactionHash),
          Option.isSome
        )
        yield* settle(world, sequencer, verifier)
        yield* world.anvil.mine(8)

        const dropped = yield* Actions.deposit(alice, parseEther("5"))
        yield* until(
          "the other, too",
          executed(sequencer, dropped.l2TransactionHash),
          Option.isSome
        )
        const sent = yield* Actions.submit(players, bob, {
          to: alice.wallet.address,
          value: parseEther("1")
        })
        // In flight: batches hold both, and a claim the batches.
        yield* sequencer.run(Effect.flatMap(Batcher, ({ drain }) => drain))
        yield* verifier.run(
          until(
            "the verifier has it",
            Effect.flatMap(Derivation, ({ heads }) => heads),
            ({ derived }) => derived.header.number >= sent.blockNumber
          )
        )
        const blockNumber = yield* world.l1.blockNumber
        const receipt = yield* world.l1.getReceipt(dropped.l1TransactionHash)
        const depth = Number(blockNumber - Option.getOrThrow(receipt).blockNumber) + 1
        yield* world.anvil.reorg({ depth: depth + 1 })

        yield* until(
          "the deposit off L2 again",
          executed(sequencer, dropped.l2TransactionHash),
          Option.isNone
        )
        const again = yield* until(
          "the transfer in a block again",
          executed(sequencer, sent.hash),
          Option.isSome
        )
        expect(Option.getOrThrow(again).receipt.status).toBe(1)
        yield* oneChain(world, sequencer, verifier)
        expect(yield* executed(sequencer, dropped.l2TransactionHash)).toEqual(Option.none())
        expect(Option.isSome(yield* executed(sequencer, kept.l2TransactionHash))).toBe(true)
        yield* eachOnce(sequencer, [...players.acknowledged, kept.l2TransactionHash])
        yield* balanced(world, sequencer)
        expect(yield* typesOf(sequencer, L1_STREAM)).toContain("v1.L1Reorganized")
        expect(yield* typesOf(sequencer, "chain")).toContain("v1.ChainRolledBack")
      }),
    120_000
  )

  it.scopedLive.each([1, 2, 3])(
    "of 1 to 20 blocks, again and again under load, leaves all nodes with one chain (seed %i)",
    (seed) =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ parameters: { challengePeriodSeconds: 600 } })
        const sequencer = yield* start(layerSequencer(world))
        const verifier = yield* start(layerVerifier(world))
        const players: Actions.Players = { world, sequencer, verifier, acknowledged: [] }
        const random = new SeededRandom(seed)
        yield* world.anvil.mine(20)
        for (const depth of [1, 1 + random.below(5), 6 + random.below(7), 20]) {
          // Batches and claims are under way while L1 changes its mind.
          const posting = yield* Effect.fork(
            sequencer.run(Effect.flatMap(Batcher, ({ drain }) => Effect.ignore(drain)))
          )
          const claiming = yield* Effect.fork(
            verifier.run(Effect.flatMap(Proposer, ({ step }) => Effect.ignore(step)))
          )
          for (let count = 0; count < 6; count++) {
            // A deposit takes a nonce, too: without it, its sender's next transaction waits for that nonce.
            const [alice, bob, carol, dave] = world.users
            const amount = BigInt(1 + random.below(1_000)) * 1_000_000_000n
            if (random.chance(40)) {
              yield* Actions.deposit(random.pick([carol, dave]), amount)
            } else {
              const from = random.pick([alice, bob])
              yield* Actions.submit(players, from, { to: Actions.GHOST, value: amount })
            }
          }
          yield* world.anvil.reorg({ depth })
          yield* Effect.all([posting.await, claiming.await])
        }
        yield* oneChain(world, sequencer, verifier)
        yield* Actions.bringBack(players)
        yield* settle(world, sequencer, verifier)
        yield* claimAll(verifier)
        const head = yield* oneChain(world, sequencer, verifier)
        yield* eachOnce(sequencer, players.acknowledged)
        yield* balanced(world, sequencer, [Actions.GHOST])
        expect(yield* typesOf(sequencer, L1_STREAM)).toContain("v1.L1Reorganized")
        yield* onceOnL1(world, { lastBlock: head.header.number, revertsAllowed: 4 })
      }),
    120_000
  )
})
