/** The story's L1: the rollup is deployed there before it, and posted on and derived from there after it. */
import { Batcher } from "@ovm/batcher/Batcher"
import * as Derivation from "@ovm/derivation/Derivation"
import * as DerivedSafeChain from "@ovm/derivation/DerivedSafeChain"
import * as DeriveFromL1 from "@ovm/derivation/DeriveFromL1"
import { Anvil, layerAnvil } from "@ovm/l1/Anvil"
import * as Deploy from "@ovm/l1/Deploy"
import { L1Client } from "@ovm/l1/L1Client"
import type { Deployment } from "@ovm/protocol/Deployment"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { DEVNET_KEY, genesisBlock, makeGenesis } from "@ovm/rollup/DeployCommand"
import * as Devnet from "@ovm/rollup/Devnet"
import * as Node from "@ovm/rollup/Node"
import * as Rollup from "@ovm/rollup/Rollup"
import * as Chain from "@ovm/sequencer/Chain"
import { Effect, Layer } from "effect"
import { parseEther } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { balances, sequencer } from "./Actors.ts"
import { check, heading, step } from "./Output.ts"
import { short } from "./Render.ts"

/** Deploys, and posts the batches: the same account does both here. */
const ACCOUNT = privateKeyToAddress(DEVNET_KEY)

/** A process of its own, gone with the story. */
export const layer = layerAnvil()

/** Puts the rollup on L1. What L2 starts with is paid into the bridge. */
export const deploy = Effect.gen(function* () {
  const { setBalance, url } = yield* Anvil
  yield* setBalance(`0x${ACCOUNT.slice(2).toLowerCase()}`, parseEther("20000"))
  return yield* Deploy.deploy({
    l1: { url, key: DEVNET_KEY },
    makeGenesis: makeGenesis({ chainId: Devnet.CHAIN_ID, balances, coinbase: sequencer.address }),
    genesisBlock
  })
})

export interface Recorded {
  readonly deployment: Deployment
  readonly logFile: string
  /** Hash of the last block. */
  readonly hash: Hash32
}

/** The recorded chain, which can't be written here; what L1 does with it stands in a log of its own. */
const layerBatcher = ({ deployment, logFile }: Recorded) => {
  const { genesis } = deployment
  return Node.layerBatcher({ deployment }).pipe(
    Layer.provide(Node.layerOutbox({ every: "100 millis" })),
    Layer.provide(DerivedSafeChain.layer({ deployment })),
    Layer.provide(Derivation.layer({ deployment, keepsUnsafe: true })),
    Layer.provide(Node.layerL1Log({ deployment, watchEvery: "100 millis" })),
    Layer.provide(Chain.layer({ genesis }).pipe(Layer.provide(Rollup.layerReplay(logFile))))
  )
}

/** Posts every block of the log. */
const post = (recorded: Recorded) =>
  Effect.gen(function* () {
    const posted = yield* Effect.flatMap(Batcher, ({ drain }) => drain)
    for (const { firstBlock, index, l1GasUsed, lastBlock, payloadBytes, transactions } of posted) {
      yield* step(
        `batch ${index}: blocks ${firstBlock} to ${lastBlock}`,
        `${transactions} transactions · ${payloadBytes} bytes · ${l1GasUsed} L1 gas`
      )
    }
    return {
      batches: posted.length,
      transactions: posted.reduce((sum, { transactions }) => sum + transactions, 0),
      bytes: posted.reduce((sum, { payloadBytes }) => sum + payloadBytes, 0),
      l1Gas: posted.reduce((sum, { l1GasUsed }) => sum + l1GasUsed, 0n)
    }
  }).pipe(Effect.provide(layerBatcher(recorded)))

/** L1 and an empty log: nothing of the story's. */
const derive = ({ deployment, hash: expected }: Recorded) =>
  Effect.gen(function* () {
    const upToL1Block = yield* Effect.flatMap(L1Client, ({ blockNumber }) => blockNumber)
    const { blocks, derived } = yield* DeriveFromL1.derive({ deployment, upToL1Block }).pipe(
      Effect.provide(Layer.provideMerge(Node.layerL1Log({ deployment }), Rollup.layerExecution))
    )
    const { hash } = derived
    yield* check(`all ${blocks} blocks derived from L1: identical`, expected, hash, short(hash))
    return { blocks, identical: expected === hash }
  })

/** The closing section. */
export const postAndDerive = (recorded: Recorded) =>
  Effect.gen(function* () {
    yield* heading("Everything posted on L1, and derived from it again")
    const { inbox } = recorded.deployment.contracts
    yield* step("the rollup is on an L1 of our own", `Inbox ${inbox}`)
    const l1 = yield* post(recorded)
    const derived = yield* derive(recorded)
    return { l1, derived }
  })
