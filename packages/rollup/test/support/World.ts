/** An L1 of one's own with a rollup on it, the people who use both, and the nodes that take part. */
import type { Batcher, BatcherOptions } from "@ovm/batcher/Batcher"
import type { Proposer, ProposerOptions } from "@ovm/batcher/Proposer"
import type { BridgeClient } from "@ovm/bridge/Deposits.ts"
import * as DerivedSafeChain from "@ovm/derivation/DerivedSafeChain"
import * as Follow from "@ovm/derivation/Follow"
import type { Verifier } from "@ovm/derivation/Verifier"
import { Anvil, type AnvilOptions, layerAnvil } from "@ovm/l1/Anvil"
import * as Deploy from "@ovm/l1/Deploy"
import { L1Client, layerRpc } from "@ovm/l1/L1Client"
import { L1View } from "@ovm/l1/L1View"
import type { ManagerOptions } from "@ovm/l1/TransactionManager"
import type { Deployment, RollupParameters } from "@ovm/protocol/Deployment"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import type { L1Source } from "@ovm/sequencer/L1Source"
import * as Mempool from "@ovm/sequencer/Mempool"
import * as Ordering from "@ovm/sequencer/Ordering"
import type { Sequencer } from "@ovm/sequencer/Sequencer"
import * as Sequencing from "@ovm/sequencer/Sequencer"
import {
  Context,
  type Duration,
  Effect,
  ExecutionStrategy,
  Exit,
  Layer,
  Redacted,
  Schedule,
  Scope
} from "effect"
import {
  createPublicClient,
  createWalletClient,
  http,
  type PublicClient,
  parseEther,
  type Transport
} from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { foundry } from "viem/chains"
import { genesisBlock, makeGenesis } from "../../src/DeployCommand.ts"
import * as Devnet from "../../src/Devnet.ts"
import * as Node from "../../src/Node.ts"
import * as Rollup from "../../src/Rollup.ts"
import * as Wallet from "../../src/Wallet.ts"
import * as Outbox from "./Outbox.ts"

export const COINBASE: Address = `0x${"c0".repeat(20)}`
export const WATCH_EVERY = "100 millis"
/** Anvil's accounts by what they do. */
const DEPLOYER = 0
const BATCHER = 1
const PROPOSER = 2
const FIRST_USER = 3
const USERS = 4
/** Each user's, at the start, on L2. */
export const START_WEI = parseEther("50")

export interface User {
  /** The same key on both layers. */
  readonly wallet: Wallet.Wallet
  readonly bridge: BridgeClient
}

export interface World {
  readonly anvil: typeof Anvil.Service
  readonly l1: typeof L1Client.Service
  readonly client: PublicClient<Transport, typeof foundry>
  readonly deployment: Deployment
  readonly batcherKey: Hex
  readonly proposerKey: Hex
  readonly users: readonly [User, User, User, User]
  /** A user who only anvil knows: nobody's work stands in the way of his nonces. */
  readonly stranger: User
}

export interface WorldOptions {
  readonly anvil?: AnvilOptions
  readonly parameters?: Partial<RollupParameters>
  /** Default 200 ms, in which L1's clock goes on by a second: faster than ours. */
  readonly mineEvery?: Duration.DurationInput
}

const clientOf = (url: string): PublicClient<Transport, typeof foundry> =>
  createPublicClient({ chain: foundry, transport: http(url), pollingInterval: 25, cacheTime: 0 })

/** Starts L1, puts the rollup on it, and keeps L1 going. */
export const makeWorld = (options: WorldOptions = {}) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(layerAnvil({ statesHeld: 2_000, ...options.anvil }))
    const anvil = Context.get(services, Anvil)
    const keys = anvil.keys.map(Redacted.value)
    const keyAt = (index: number): Hex => keys[index] ?? "0x"
    const wallets = keys.map(Wallet.make)
    const addressAt = (index: number): Address => wallets[index]?.address ?? COINBASE
    const players = Array.from({ length: USERS }, (_, at) => addressAt(FIRST_USER + at))
    const deployment = yield* Deploy.deploy({
      l1: { url: anvil.url, key: keyAt(DEPLOYER) },
      parameters: { batcher: addressAt(BATCHER), ...options.parameters },
      makeGenesis: makeGenesis({
        chainId: Devnet.CHAIN_ID,
        balances: Object.fromEntries(players.map((player) => [player, START_WEI])),
        coinbase: COINBASE
      }),
      genesisBlock
    })
    const client = clientOf(anvil.url)
    const userAt = (at: number): User => {
      const key = keyAt(FIRST_USER + at)
      const account = privateKeyToAccount(key)
      const wallet = createWalletClient({ chain: foundry, transport: http(anvil.url), account })
      return {
        wallet: Wallet.make(key),
        bridge: { client, wallet, contracts: deployment.contracts }
      }
    }
    const world: World = {
      anvil,
      l1: Context.get(services, L1Client),
      client,
      deployment,
      batcherKey: keyAt(BATCHER),
      proposerKey: keyAt(PROPOSER),
      users: [userAt(0), userAt(1), userAt(2), userAt(3)],
      stranger: userAt(USERS)
    }
    yield* keepMining(anvil, options.mineEvery ?? "200 millis")
    return world
  })

/** L1 goes on by itself, as every L1 does, even if it was down for a while. */
const keepMining = (anvil: typeof Anvil.Service, every: Duration.DurationInput) =>
  anvil.mine().pipe(Effect.ignore, Effect.repeat(Schedule.spaced(every)), Effect.forkScoped)

export type SequencerServices = Sequencer | Batcher | Node.NodeServices
export type VerifierServices = Verifier | Proposer | Node.NodeServices

export interface Running<R> {
  readonly services: Context.Context<R>
  readonly run: <A, E>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E>
  readonly stop: Effect.Effect<void>
}

/** Builds the layer, waits until it knows its L1, and keeps it until it is stopped, or the test ends. */
export const start = <R, E>(layer: Layer.Layer<R | L1View, E>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const services = yield* Layer.buildWithScope(layer, scope)
    yield* Context.get(services, L1View).until(({ head }) => head !== undefined)
    const running: Running<R | L1View> = {
      services,
      run: (effect) => Effect.provide(effect, services),
      stop: Scope.close(scope, Exit.void)
    }
    return running
  })

export const clientLayer = (world: World, key: Hex) =>
  Layer.orDie(layerRpc({ url: world.anvil.url, key: Redacted.make(key), retries: 1 }))

export interface SequencerOptions
  extends Partial<Omit<Node.SequencerNodeOptions, "deployment">>,
    Pick<BatcherOptions, "policy" | "every"> {
  /** What the sequencer knows of L1, if it is not what its node does. */
  readonly source?: Layer.Layer<L1Source, never, L1View>
  readonly outbox?: ManagerOptions
}

/** Seals at once, and posts when told. */
export const layerSequencer = (
  world: World,
  { every, outbox, policy, source, ...options }: SequencerOptions = {}
) => {
  const { deployment } = world
  return Node.layerBatcher({
    deployment,
    ...(policy === undefined ? {} : { policy }),
    ...(every === undefined ? {} : { every })
  }).pipe(
    Layer.provide(Outbox.layer(outbox)),
    Layer.provideMerge(
      source === undefined
        ? Node.layerSequencer({
            deployment,
            watchEvery: WATCH_EVERY,
            confirmations: 0n,
            ...options
          })
        : layerWithSource(deployment, source)
    ),
    Layer.provide(clientLayer(world, world.batcherKey))
  )
}

/** A sequencer's node in all but what its sequencer is told of L1. */
const layerWithSource = (deployment: Deployment, source: Layer.Layer<L1Source, never, L1View>) =>
  DerivedSafeChain.layer({ deployment }).pipe(
    Layer.provideMerge(Sequencing.layerChain),
    Layer.provideMerge(Follow.layer({ deployment })),
    Layer.provideMerge(
      Sequencing.layer({ genesis: deployment.genesis }).pipe(
        Layer.provide([Mempool.layerDefault, Ordering.layerByFee, source])
      )
    ),
    Layer.provideMerge(
      Layer.provideMerge(
        Node.layerL1Log({ deployment, watchEvery: WATCH_EVERY }),
        Rollup.layerExecution
      )
    )
  )

export interface VerifierOptions
  extends Partial<Omit<Node.NodeOptions, "deployment">>,
    Pick<ProposerOptions, "policy" | "every"> {
  readonly outbox?: ManagerOptions
}

/** Derives from L1 alone, judges claims, and claims when told. */
export const layerVerifier = (
  world: World,
  { every, outbox, policy, ...options }: VerifierOptions = {}
) => {
  const { deployment } = world
  return Node.layerProposer({
    deployment,
    ...(policy === undefined ? {} : { policy }),
    ...(every === undefined ? {} : { every })
  }).pipe(
    Layer.provide(Outbox.layer(outbox)),
    Layer.provideMerge(Node.layerVerifier({ watchEvery: WATCH_EVERY, ...options, deployment })),
    Layer.provide(clientLayer(world, world.proposerKey))
  )
}

/** Tries again until it is so, and answers what it was then. Names what never came. */
export const until = <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>,
  is: (value: A) => boolean
): Effect.Effect<A, E, R> => {
  let last: A | undefined
  const attempt: Effect.Effect<A, E, R> = Effect.flatMap(effect, (value) => {
    last = value
    return is(value)
      ? Effect.succeed(value)
      : Effect.zipRight(
          Effect.sleep("50 millis"),
          Effect.suspend(() => attempt)
        )
  })
  return Effect.flatMap(Effect.timeoutOption(attempt, "60 seconds"), (found) =>
    found._tag === "Some"
      ? Effect.succeed(found.value)
      : Effect.dieMessage(`Never came: ${what}. Last seen: ${show(last)}`)
  )
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "bigint" ? inner.toString() : inner
  )?.slice(0, 600) ?? "nothing"
