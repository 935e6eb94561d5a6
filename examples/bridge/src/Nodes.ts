/** Who takes part: an L1, a sequencer's node that posts, a verifier's node that claims; each with a log and a key of its own. */
import type { Batcher } from "@ovm/batcher/Batcher"
import type { Proposer } from "@ovm/batcher/Proposer"
import { deployer, sequencer, user } from "@ovm/example-uniswap/Actors"
import { heading, step } from "@ovm/example-uniswap/Output"
import { Anvil } from "@ovm/l1/Anvil"
import * as Deploy from "@ovm/l1/Deploy"
import { layerRpc } from "@ovm/l1/L1Client"
import type { Verifier } from "@ovm/derivation/Verifier"
import { genesisBlock, makeGenesis } from "@ovm/rollup/DeployCommand"
import * as Devnet from "@ovm/rollup/Devnet"
import * as Node from "@ovm/rollup/Node"
import type { Sequencer } from "@ovm/sequencer/Sequencer"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { parseEther } from "viem"

export type SequencerNode = Sequencer | Batcher | Node.NodeServices
export type VerifierNode = Verifier | Proposer | Node.NodeServices

/** Keys of anvil's accounts, which everybody knows. */
const DEPLOYER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
const BATCHER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
const BATCHER = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
const PROPOSER_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"

/** Wei that L2 starts with, paid into the bridge by who deploys it: for the liquidity. */
const balances = { [deployer.address]: parseEther("1000") }

/** Puts the rollup on L1. */
export const deploy = Effect.gen(function* () {
  yield* heading("An L1 of our own, and the rollup's contracts on it")
  const anvil = yield* Anvil
  yield* anvil.setBalance(user.address, parseEther("100"))
  // L1 goes on by itself, as every L1 does.
  yield* anvil.mine().pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.forkScoped)
  const deployment = yield* Deploy.deploy({
    l1: { url: anvil.url, key: DEPLOYER_KEY },
    parameters: { batcher: BATCHER },
    makeGenesis: makeGenesis({ chainId: Devnet.CHAIN_ID, balances, coinbase: sequencer.address }),
    genesisBlock
  })
  yield* step("deployed", `Inbox ${deployment.contracts.inbox}`)
  yield* step("", `StateCommitmentChain ${deployment.contracts.stateCommitmentChain}`)
  yield* step("", `L1Bridge ${deployment.contracts.bridge}`)
  return deployment
})

type Deployment = Effect.Effect.Success<typeof deploy>

const client = (key: `0x${string}`) =>
  Layer.unwrapEffect(Effect.map(Anvil, ({ url }) => layerRpc({ url, key: Redacted.make(key) })))

/** Seals, and posts what it seals. */
export const layerSequencer = (deployment: Deployment, logFile?: string) =>
  Node.layerBatcher({ deployment }).pipe(
    Layer.provide(Node.layerOutbox({ every: "250 millis" })),
    Layer.provideMerge(
      Node.layerSequencer({
        deployment,
        watchEvery: "250 millis",
        ...(logFile === undefined ? {} : { logFile })
      })
    ),
    Layer.provide(client(BATCHER_KEY))
  )

/** Derives from L1 alone, verifies, and claims. */
export const layerVerifier = (deployment: Deployment) =>
  Node.layerProposer({ deployment }).pipe(
    Layer.provide(Node.layerOutbox({ every: "250 millis" })),
    Layer.provideMerge(Node.layerVerifier({ deployment, watchEvery: "250 millis" })),
    Layer.provide(client(PROPOSER_KEY))
  )
