/** Puts a rollup's contracts on L1, in the one order that lets each know the others, and says where they are. */
import {
  BatchVerifier,
  Inbox,
  L1Bridge,
  L1Messenger,
  StateCommitmentChain,
  TransactionDecoder
} from "@ovm/contracts"
import {
  type Deployment,
  ENQUEUE_GAS_DIVISOR,
  type L1Contracts,
  MAX_TRANSACTION_GAS,
  type RollupParameters
} from "@ovm/protocol/Deployment"
import type { Genesis } from "@ovm/protocol/Genesis"
import { L2_MESSENGER, MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import { Address, type Hash32, type Hex, ZERO_ADDRESS } from "@ovm/protocol/Primitives"
import { Effect, Schema } from "effect"
import {
  type Account,
  BaseError,
  type Chain,
  createPublicClient,
  createWalletClient,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  http,
  type PublicClient,
  parseEther,
  type TransactionReceipt,
  type Transport,
  type WalletClient
} from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { awaitReceipt } from "./AwaitReceipt.ts"

/** What a rollup is deployed with if nothing else is said; the accounts are the deployer's own. */
export const DEFAULT_PARAMETERS: Omit<RollupParameters, "batcher" | "guardian"> = {
  disputeGame: ZERO_ADDRESS,
  challengePeriodSeconds: 7 * 24 * 60 * 60,
  forceInclusionWindowSeconds: 12 * 60 * 60,
  claimBondWei: parseEther("0.1"),
  batcherBondWei: parseEther("1")
}

/** An L1 node and who deploys: by clients of viem, or by a URL and a private key. */
export type L1Access =
  | {
      readonly publicClient: PublicClient
      readonly walletClient: WalletClient<Transport, Chain | undefined, Account>
    }
  | { readonly url: string; readonly key: Hex }

/** The L1 block that L2's genesis names as its origin. */
export interface L1Origin {
  readonly number: bigint
  readonly hash: Hash32
  /** Seconds since the Unix epoch. */
  readonly timestamp: bigint
}

export type DeployStep = keyof L1Contracts | "bond"

export interface DeployOptions<E, R> {
  readonly l1: L1Access
  readonly parameters?: Partial<RollupParameters>
  /** L2's genesis, which holds L1 addresses. */
  readonly makeGenesis: (contracts: L1Contracts, l1Origin: L1Origin) => Genesis
  /** Hash and state root of block 0: what claim 0 holds. */
  readonly genesisBlock: (
    genesis: Genesis
  ) => Effect.Effect<{ readonly hash: Hash32; readonly stateRoot: Hash32 }, E, R>
  /** Whether the deployer puts up the batcher's bond. Default true: without one nothing can be appended. */
  readonly depositBatcherBond?: boolean
  /** Called when a step is on L1. */
  readonly onProgress?: (step: DeployStep, done: number, of: number) => Effect.Effect<void>
}

/** A step failed on L1. What was deployed before it is of no use; recover by removing the cause and deploying anew. */
export class DeployStepFailed extends Schema.TaggedError<DeployStepFailed>()("DeployStepFailed", {
  step: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `Expected L1 to carry out the step "${this.step}", but ${this.reason}. Remove the cause and deploy anew.`
  }
}

/** A contract came to another address than the rest was told. Recover by deploying from a key that nobody else uses meanwhile. */
export class UnexpectedAddress extends Schema.TaggedError<UnexpectedAddress>()(
  "UnexpectedAddress",
  { contract: Schema.String, expected: Schema.String, actual: Schema.String }
) {
  override get message() {
    return `Expected ${this.contract} at ${this.expected}, found it at ${this.actual}. Deploy anew from a key that nobody else uses meanwhile.`
  }
}

/** The deployer can't pay for what genesis gives out on L2 and the bond. Recover by funding it. */
export class DeployerTooPoor extends Schema.TaggedError<DeployerTooPoor>()("DeployerTooPoor", {
  account: Schema.String,
  requiredWei: Schema.BigIntFromSelf,
  availableWei: Schema.BigIntFromSelf
}) {
  override get message() {
    return `Expected the deployer ${this.account} to have more than ${this.requiredWei} wei, found ${this.availableWei}. Fund it, or allocate less in genesis.`
  }
}

/** A queue entry may ask for more gas than a block has: no sequencer could ever take it. Recover by giving blocks more gas. */
export class BlockGasTooLow extends Schema.TaggedError<BlockGasTooLow>()("BlockGasTooLow", {
  required: Schema.BigIntFromSelf,
  found: Schema.BigIntFromSelf
}) {
  override get message() {
    return `Expected L2 blocks to have at least ${this.required} gas, what one transaction may use, found ${this.found} in genesis. Raise genesis.gasLimit.`
  }
}

export type DeployError = DeployStepFailed | UnexpectedAddress | DeployerTooPoor | BlockGasTooLow

/** In this order: an address follows from the deployer's nonce. */
const ORDER = [
  "transactionDecoder",
  "batchVerifier",
  "inbox",
  "stateCommitmentChain",
  "bridge",
  "messenger"
] as const satisfies ReadonlyArray<keyof L1Contracts>

/** Wei that genesis gives out, and the bridge must hold. */
export const escrowOf = (genesis: Genesis): bigint =>
  genesis.accounts.reduce(
    (sum, { address, balance }) => (address === MESSAGE_PASSER ? sum : sum + balance),
    0n
  )

/** Where the contracts of a deployer come to stand whose next nonce is `nonce`. */
export const addressesFrom = (deployer: Address, nonce: number): L1Contracts => {
  const at = (contract: keyof L1Contracts): Address =>
    lower(getContractAddress({ from: deployer, nonce: BigInt(nonce + ORDER.indexOf(contract)) }))
  return {
    inbox: at("inbox"),
    stateCommitmentChain: at("stateCommitmentChain"),
    bridge: at("bridge"),
    messenger: at("messenger"),
    transactionDecoder: at("transactionDecoder"),
    batchVerifier: at("batchVerifier")
  }
}

/** Which L1 it is. */
export const chainIdOf = (l1: L1Access): Effect.Effect<bigint, DeployStepFailed> =>
  ask("chain id", () => clientsOf(l1).publicClient.getChainId()).pipe(Effect.map(BigInt))

const ask = <A>(step: string, request: () => Promise<A>) =>
  Effect.tryPromise({
    try: request,
    catch: (cause) => new DeployStepFailed({ step, reason: reasonOf(cause), cause })
  })

/** Deploys a rollup and answers all that a node must know of it. */
export const deploy = Effect.fn("Deploy.deploy")(function* <E, R>(options: DeployOptions<E, R>) {
  const { publicClient, walletClient } = clientsOf(options.l1)
  const deployer = lower(walletClient.account.address)
  const l1ChainId = BigInt(yield* ask("chain id", () => publicClient.getChainId()))
  const origin = yield* ask("latest block", () => publicClient.getBlock({ blockTag: "latest" }))
  const nonce = yield* ask("nonce", () =>
    publicClient.getTransactionCount({ address: deployer, blockTag: "pending" })
  )

  const contracts = addressesFrom(deployer, nonce)
  const parameters: RollupParameters = {
    batcher: deployer,
    guardian: deployer,
    ...DEFAULT_PARAMETERS,
    ...options.parameters
  }
  const genesis = options.makeGenesis(contracts, origin)
  if (genesis.gasLimit < MAX_TRANSACTION_GAS) {
    return yield* new BlockGasTooLow({ required: MAX_TRANSACTION_GAS, found: genesis.gasLimit })
  }
  const genesisBlock = yield* options.genesisBlock(genesis)
  const escrowWei = escrowOf(genesis)
  const depositBond = (options.depositBatcherBond ?? true) && parameters.batcherBondWei > 0n
  const requiredWei = escrowWei + (depositBond ? parameters.batcherBondWei : 0n)
  const availableWei = yield* ask("balance", () => publicClient.getBalance({ address: deployer }))
  if (availableWei <= requiredWei) {
    return yield* new DeployerTooPoor({ account: deployer, requiredWei, availableWei })
  }

  const codes = creationCodes({ contracts, parameters, genesis, genesisBlock })
  const steps = ORDER.length + (depositBond ? 1 : 0)
  const report = (step: DeployStep, done: number) =>
    options.onProgress?.(step, done, steps) ?? Effect.void
  const send = (step: DeployStep, transaction: { data: Hex; value: bigint; to?: Address }) =>
    ask(step, () =>
      walletClient.sendTransaction({ ...transaction, account: walletClient.account, chain: null })
    )
  const settle = Effect.fnUntraced(function* (step: DeployStep, hash: Hash32) {
    const receipt = yield* ask(step, () =>
      awaitReceipt(publicClient, { hash, everyMs: 250, timeoutMs: 600_000 })
    )
    if (receipt.status === "success") return receipt
    const reason = `its transaction ${hash} reverted`
    return yield* new DeployStepFailed({ step, reason })
  })

  const receipts: Array<TransactionReceipt> = []
  for (const [index, contract] of ORDER.entries()) {
    const value = contract === "bridge" ? escrowWei : 0n
    const receipt = yield* Effect.flatMap(
      send(contract, { data: codes[contract], value }),
      (hash) => settle(contract, hash)
    )
    const expected = contracts[contract]
    const actual = lower(receipt.contractAddress ?? ZERO_ADDRESS)
    if (actual !== expected) {
      return yield* new UnexpectedAddress({ contract, expected, actual })
    }
    receipts.push(receipt)
    yield* report(contract, index + 1)
  }
  if (depositBond) {
    const data = encodeFunctionData({ abi: Inbox.abi, functionName: "depositBond" })
    const bond = { data, to: contracts.inbox, value: parameters.batcherBondWei }
    yield* Effect.flatMap(send("bond", bond), (hash) => settle("bond", hash))
    yield* report("bond", steps)
  }

  const [first] = receipts
  if (first === undefined) return yield* Effect.dieMessage("nothing was deployed")
  const deployment: Deployment = {
    l1ChainId,
    deployedAt: { number: first.blockNumber, hash: first.blockHash },
    contracts,
    parameters,
    genesis,
    genesisHash: genesisBlock.hash
  }
  return deployment
})

interface Plan {
  readonly contracts: L1Contracts
  readonly parameters: RollupParameters
  readonly genesis: Genesis
  readonly genesisBlock: { readonly hash: Hash32; readonly stateRoot: Hash32 }
}

/** The data of each creation transaction. */
const creationCodes = (plan: Plan): Readonly<Record<keyof L1Contracts, Hex>> => {
  const { contracts, genesis, genesisBlock, parameters } = plan
  return {
    transactionDecoder: TransactionDecoder.bytecode,
    batchVerifier: BatchVerifier.bytecode,
    inbox: encodeDeployData({
      abi: Inbox.abi,
      bytecode: Inbox.bytecode,
      args: [
        {
          batcher: parameters.batcher,
          bridge: contracts.bridge,
          transactionDecoder: contracts.transactionDecoder,
          batchVerifier: contracts.batchVerifier,
          guardian: parameters.guardian,
          forceInclusionWindow: BigInt(parameters.forceInclusionWindowSeconds),
          batcherBond: parameters.batcherBondWei,
          // A batch may matter to a dispute for as long as a claim on it can be disputed.
          bondLockPeriod: BigInt(parameters.challengePeriodSeconds),
          l2ChainId: genesis.chainId,
          l2BlockGasLimit: genesis.gasLimit,
          maxTransactionGas: MAX_TRANSACTION_GAS,
          gasDivisor: ENQUEUE_GAS_DIVISOR
        }
      ]
    }),
    stateCommitmentChain: encodeDeployData({
      abi: StateCommitmentChain.abi,
      bytecode: StateCommitmentChain.bytecode,
      args: [
        contracts.inbox,
        parameters.disputeGame,
        parameters.guardian,
        BigInt(parameters.challengePeriodSeconds),
        parameters.claimBondWei,
        genesisBlock.hash,
        genesisBlock.stateRoot
      ]
    }),
    bridge: encodeDeployData({
      abi: L1Bridge.abi,
      bytecode: L1Bridge.bytecode,
      args: [contracts.inbox, contracts.stateCommitmentChain, parameters.guardian]
    }),
    messenger: encodeDeployData({
      abi: L1Messenger.abi,
      bytecode: L1Messenger.bytecode,
      args: [contracts.bridge, L2_MESSENGER]
    })
  }
}

type Clients = Extract<L1Access, { readonly publicClient: PublicClient }>

const clientsOf = (l1: L1Access): Clients => {
  if ("publicClient" in l1) return l1
  const transport = http(l1.url)
  return {
    publicClient: createPublicClient({ transport }),
    walletClient: createWalletClient({ transport, account: privateKeyToAccount(l1.key) })
  }
}

const lower = Schema.decodeUnknownSync(Schema.compose(Schema.Lowercase, Address, { strict: false }))

const reasonOf = (cause: unknown): string =>
  cause instanceof BaseError ? cause.shortMessage.replace(/\.$/, "") : String(cause)
