/** `ovm deploy`: puts a rollup's contracts on an L1, and writes the one file that all other commands start from. */
import { Command, Options } from "@effect/cli"
import * as BridgePredeploys from "@ovm/bridge/BridgePredeploys"
import * as Deploy from "@ovm/l1/Deploy"
import * as DeploymentFile from "@ovm/l1/DeploymentFile"
import * as Block from "@ovm/protocol/Block"
import type { L1Contracts, RollupParameters } from "@ovm/protocol/Deployment"
import * as Genesis from "@ovm/protocol/Genesis"
import { Address, Hex } from "@ovm/protocol/Primitives"
import * as GenesisState from "@ovm/sequencer/GenesisState"
import { EMPTY_ROOT } from "@ovm/state-manager/State"
import * as StateManager from "@ovm/state-manager/StateManager"
import { Console, Effect, HashMap, Option, Schema } from "effect"
import { formatEther, parseEther } from "viem"
import * as Devnet from "./Devnet.ts"

/** The first key of every devnet; everybody knows it. */
export const DEVNET_KEY: Hex = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

/** Chain ids of L1s whose ETH is worth nothing. */
const DEVNET_CHAIN_IDS: ReadonlySet<bigint> = new Set([31_337n, 1_337n])

/** The key that everybody knows was to be used where others could take what it owns. Recover by giving `--key`. */
export class KeyIsPublic extends Schema.TaggedError<KeyIsPublic>()("KeyIsPublic", {
  chainId: Schema.BigIntFromSelf
}) {
  override get message() {
    return `Expected a key of one's own on L1 chain ${this.chainId}, found the devnet key that everybody knows. Give --key.`
  }
}

/** A flag's value is not an amount of ETH. Recover by giving one, like 1.5. */
export class AmountMalformed extends Schema.TaggedError<AmountMalformed>()("AmountMalformed", {
  flag: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Expected ${this.flag} to be an amount of ETH like 1.5, found "${this.found}".`
  }
}

const DEFAULTS = Deploy.DEFAULT_PARAMETERS

const flags = {
  l1: Options.text("l1").pipe(
    Options.withDefault("http://127.0.0.1:8545"),
    Options.withDescription("URL of an L1 node's JSON-RPC.")
  ),
  key: Options.text("key").pipe(
    Options.withSchema(Schema.compose(Schema.Lowercase, Hex, { strict: false })),
    Options.withDefault(DEVNET_KEY),
    Options.withDescription(
      "Private key of the deployer. The default is every devnet's first, and works on devnets alone."
    )
  ),
  out: Options.text("out").pipe(
    Options.withDefault("rollup.json"),
    Options.withDescription("The file to write. One that exists is never overwritten.")
  ),
  l2ChainId: Options.integer("l2-chain-id").pipe(
    Options.withDefault(Number(Devnet.CHAIN_ID)),
    Options.withDescription("Chain id of L2.")
  ),
  challengePeriod: Options.integer("challenge-period").pipe(
    Options.withDefault(DEFAULTS.challengePeriodSeconds),
    Options.withDescription("Seconds that a claim can be disputed for.")
  ),
  forceWindow: Options.integer("force-window").pipe(
    Options.withDefault(DEFAULTS.forceInclusionWindowSeconds),
    Options.withDescription(
      "Seconds that a transaction sent on L1 may wait before anyone may force it."
    )
  ),
  claimBond: Options.text("claim-bond").pipe(
    Options.withDefault(formatEther(DEFAULTS.claimBondWei)),
    Options.withDescription("ETH that answers for a claim.")
  ),
  batcherBond: Options.text("batcher-bond").pipe(
    Options.withDefault(formatEther(DEFAULTS.batcherBondWei)),
    Options.withDescription("ETH that answers for batches. The deployer puts it up.")
  ),
  batcher: account("batcher", "Who may append batches. Default: the deployer."),
  guardian: account("guardian", "Who may pause for a while. Default: the deployer."),
  disputeGame: account("dispute-game", "Contract that may dispute claims. Default: none yet."),
  allocate: Options.keyValueMap("allocate").pipe(
    Options.withDefault(HashMap.empty<string, string>()),
    Options.withDescription(
      "ADDRESS=ETH that L2 starts with, any number of times. The deployer pays it into the bridge."
    )
  ),
  json: Options.boolean("json").pipe(
    Options.withDescription("Print one JSON object: the file and what is in it, genesis left out.")
  )
}

function account(name: string, description: string) {
  return Options.text(name).pipe(
    Options.withSchema(Schema.compose(Schema.Lowercase, Address, { strict: false })),
    Options.optional,
    Options.withDescription(description)
  )
}

/** Hash and state root of the block that a genesis gives. */
export const genesisBlock = Effect.fn("DeployCommand.genesisBlock")(function* (
  genesis: Genesis.Genesis
) {
  const state = yield* (yield* StateManager.StateManager).open(EMPTY_ROOT)
  const stateRoot = yield* GenesisState.write(state, genesis)
  return { hash: Block.headerHash(Genesis.header(genesis, stateRoot)), stateRoot }
}, Effect.provide(StateManager.layerMemory))

/** A genesis that knows its L1: the bridge's predeploys, and the L1 block it starts from. */
export const makeGenesis =
  (options: {
    readonly chainId: bigint
    readonly balances: Readonly<Record<Address, bigint>>
    /** Gets the priority fees. */
    readonly coinbase?: Address
  }) =>
  (contracts: L1Contracts, { hash, number, timestamp }: Deploy.L1Origin): Genesis.Genesis =>
    Devnet.genesis({
      ...options,
      timestamp,
      l1Origin: { number, hash },
      predeploys: BridgePredeploys.predeploys,
      allocations: BridgePredeploys.allocations(contracts)
    })

const etherOf = (flag: string, text: string): Effect.Effect<bigint, AmountMalformed> =>
  /^\d+(\.\d{1,18})?$/.test(text)
    ? Effect.succeed(parseEther(text))
    : Effect.fail(new AmountMalformed({ flag, found: text }))

const balancesOf = (allocate: HashMap.HashMap<string, string>) =>
  Effect.forEach(HashMap.toEntries(allocate), ([address, amount]) =>
    Effect.all([
      Schema.decodeUnknown(Address)(address.toLowerCase()),
      etherOf("--allocate", amount)
    ])
  ).pipe(Effect.map((entries) => Object.fromEntries(entries)))

const showProgress = (step: Deploy.DeployStep, done: number, of: number): Effect.Effect<void> =>
  Effect.sync(() => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${done} of ${of} steps: ${step}`)
  })

const clearProgress: Effect.Effect<void> = Effect.sync(() => {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
})

/** Deploys, writes the file, and says where everything is. */
export const deployCommand = Command.make("deploy", flags, (options) =>
  Effect.gen(function* () {
    // Before anything is paid for.
    yield* DeploymentFile.requireAbsent(options.out)
    const chosen: Partial<RollupParameters> = {
      ...Option.match(options.batcher, { onNone: () => ({}), onSome: (batcher) => ({ batcher }) }),
      ...Option.match(options.guardian, {
        onNone: () => ({}),
        onSome: (guardian) => ({ guardian })
      }),
      ...Option.match(options.disputeGame, {
        onNone: () => ({}),
        onSome: (disputeGame) => ({ disputeGame })
      })
    }
    const balances = yield* balancesOf(options.allocate)
    const claimBondWei = yield* etherOf("--claim-bond", options.claimBond)
    const batcherBondWei = yield* etherOf("--batcher-bond", options.batcherBond)
    const l1 = { url: options.l1, key: options.key }
    if (options.key === DEVNET_KEY) {
      const chainId = yield* Deploy.chainIdOf(l1)
      if (!DEVNET_CHAIN_IDS.has(chainId)) return yield* new KeyIsPublic({ chainId })
    }
    const deployment = yield* Deploy.deploy({
      l1,
      parameters: {
        ...chosen,
        challengePeriodSeconds: options.challengePeriod,
        forceInclusionWindowSeconds: options.forceWindow,
        claimBondWei,
        batcherBondWei
      },
      makeGenesis: makeGenesis({ chainId: BigInt(options.l2ChainId), balances }),
      genesisBlock,
      onProgress: showProgress
    }).pipe(Effect.ensuring(clearProgress))
    yield* DeploymentFile.write(options.out, deployment)
    const { contracts, deployedAt, genesisHash, l1ChainId } = deployment
    yield* Console.log(
      options.json
        ? JSON.stringify({
            file: options.out,
            l1ChainId: Number(l1ChainId),
            l1BlockNumber: Number(deployedAt.number),
            genesisHash,
            contracts
          })
        : [
            `Deployed to L1 chain ${l1ChainId} in block ${deployedAt.number}; written to ${options.out}.`,
            ...Object.entries(contracts).map(([name, address]) => `  ${name.padEnd(22)}${address}`)
          ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Deploys a rollup's contracts to an L1 and writes the deployment file. Examples: `ovm deploy` (a devnet on this machine); `ovm deploy --l1 https://l1.example --key 0x... --out rollup.json`; `ovm deploy --challenge-period 60 --force-window 30 --allocate 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266=100 --json`"
  )
)
