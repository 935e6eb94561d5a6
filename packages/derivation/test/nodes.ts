/** Nodes to test with: the real sequencer, manager, state and log; of L1 just the facts. */
import { EventLog } from "@ovm/event-log/EventLog"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import { L1View } from "@ovm/l1/L1View"
import * as Block from "@ovm/protocol/Block"
import type { Deployment } from "@ovm/protocol/Deployment"
import * as Genesis from "@ovm/protocol/Genesis"
import { ZERO_ADDRESS } from "@ovm/protocol/Primitives"
import { type Chain, layer as chainLayer } from "@ovm/sequencer/Chain"
import * as ChainLog from "@ovm/sequencer/ChainLog"
import * as GenesisState from "@ovm/sequencer/GenesisState"
import * as Mempool from "@ovm/sequencer/Mempool"
import * as Ordering from "@ovm/sequencer/Ordering"
import * as Sequencer from "@ovm/sequencer/Sequencer"
import { layerMemory as stateMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Chunk, Effect, Layer, Option, Stream } from "effect"
import { genesis, signed } from "../../sequencer/test/chain.ts"
import { deposit, INBOX } from "../../sequencer/test/l1.ts"
import * as Derivation from "../src/Derivation.ts"
import * as DeriveFromL1 from "../src/DeriveFromL1.ts"
import * as Follow from "../src/Follow.ts"
import * as L1ViewSource from "../src/L1ViewSource.ts"
import { enqueued, FactualL1 } from "./l1.ts"

const genesisHash = await Effect.gen(function* () {
  const manager = yield* StateManager
  const state = yield* manager.open(manager.emptyRoot)
  const stateRoot = yield* GenesisState.write(state, genesis)
  return Block.headerHash(Genesis.header(genesis, stateRoot))
}).pipe(Effect.provide(stateMemory), Effect.runPromise)

export const deployment: Deployment = {
  l1ChainId: 1n,
  deployedAt: { number: 1n, hash: new FactualL1().head.hash },
  contracts: {
    inbox: INBOX,
    stateCommitmentChain: ZERO_ADDRESS,
    bridge: ZERO_ADDRESS,
    messenger: ZERO_ADDRESS,
    transactionDecoder: ZERO_ADDRESS,
    batchVerifier: ZERO_ADDRESS
  },
  parameters: {
    batcher: ZERO_ADDRESS,
    guardian: ZERO_ADDRESS,
    disputeGame: ZERO_ADDRESS,
    challengePeriodSeconds: 60,
    forceInclusionWindowSeconds: 60,
    claimBondWei: 1n,
    batcherBondWei: 1n
  },
  genesis,
  genesisHash
}

const Execution = Layer.merge(stateMemory, layerReference())

/** A sequencer that follows L1, on the log that is provided. */
export const SequencerNode = Follow.layerManual({ deployment }).pipe(
  Layer.provideMerge(
    Sequencer.layer({ genesis, sealing: { _tag: "Manual" } }).pipe(
      Layer.provide([
        Mempool.layerDefault,
        Ordering.layerByFee,
        L1ViewSource.layer({ confirmations: 0n })
      ])
    )
  ),
  Layer.provideMerge(L1View.layer),
  Layer.provide(Layer.fresh(Execution))
)

/** A node without a sequencer, on the log that is provided. */
export const VerifierNode = Derivation.layerManual({ deployment }).pipe(
  Layer.provideMerge(chainLayer({ genesis })),
  Layer.provideMerge(L1View.layer),
  Layer.provide(Layer.fresh(Execution))
)

/** Lets the node see what is new on L1, and follow it. */
export const follow = (l1: FactualL1) =>
  Effect.gen(function* () {
    yield* l1.watchedBy(yield* EventLog)
    return yield* (yield* Derivation.Derivation).catchUp
  })

/** All of L2, from L1 alone, in a log of its own. */
export const derivedFrom = (l1: FactualL1) =>
  Effect.gen(function* () {
    yield* l1.watchedBy(yield* EventLog)
    const derived = yield* DeriveFromL1.derive({ deployment, upToL1Block: l1.head.number })
    return { derived, events: yield* survivors }
  }).pipe(
    Effect.provide(L1View.layer),
    Effect.provide(Layer.fresh(Execution)),
    Effect.provide(Layer.fresh(EventLog.layerMemory))
  )

/** The blocks that the log's chain has now, with every recorded outcome. */
export const survivors = Effect.map(Stream.runCollect(ChainLog.blocks), Chunk.toReadonlyArray)

export const blocksFrom = (chain: typeof Chain.Service, first: bigint) =>
  Effect.gen(function* () {
    const last = (yield* chain.head).header.number
    const numbers = Array.from({ length: Number(last - first) + 1 }, (_, at) => first + BigInt(at))
    return (yield* Effect.forEach(numbers, chain.block)).map(Option.getOrThrow)
  })

type Signer = Parameters<typeof signed>[0]

/** Each of these transactions in a block of its own. */
export const sealEach = (signer: Signer, nonces: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const sequencer = yield* Sequencer.Sequencer
    for (const nonce of nonces) {
      yield* sequencer.submit(yield* signed(signer, nonce))
      yield* sequencer.seal
    }
  })

export const minting = (from: Parameters<typeof deposit>[1]["from"], mint: bigint) =>
  enqueued((index) => deposit(index, { from, mint }))
