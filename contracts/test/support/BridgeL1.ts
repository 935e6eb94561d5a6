/** A real L1 with Inbox, StateCommitmentChain, bridge and messenger on it. */
import * as contracts from "@ovm/contracts"
import { type Address, type Hash32, type Hex, ZERO_ADDRESS } from "@ovm/protocol/Primitives"
import {
  type Abi,
  createPublicClient,
  createTestClient,
  createWalletClient,
  decodeErrorResult,
  decodeEventLog,
  encodeFunctionData,
  getContractAddress,
  http,
  keccak256,
  numberToHex,
  type TransactionReceipt
} from "viem"
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"
import { foundry } from "viem/chains"
import { startAnvil } from "./AnvilProcess.ts"

/** Anvil's own accounts: everybody knows their keys. */
const KEYS = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
  "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
] as const
const [deployer, alice, guardian, disputeGame] = KEYS.map((key) => privateKeyToAccount(key))
if (!deployer || !alice || !guardian || !disputeGame) throw new Error("Expected four keys.")
export const accounts = { deployer, alice, guardian, disputeGame }

export const CHALLENGE_PERIOD = 600n
/** Wei. */
export const CLAIM_BOND = 1_000n
export const L2_CHAIN_ID = 420n
/** Wei that genesis gave out on L2, and the bridge holds from the start. */
export const ESCROW = 5n * 10n ** 18n
const L2_MESSENGER: Address = "0x4200000000000000000000000000000000000007"

/** Everything that any of the contracts can say or refuse. */
const everyAbi: Abi = Object.values(contracts).flatMap(({ abi }) => [...abi] as Abi)

export interface Call {
  readonly to: Address
  readonly abi: Abi
  readonly functionName: string
  readonly args?: ReadonlyArray<unknown>
  readonly value?: bigint
  readonly gas?: bigint
  readonly from?: PrivateKeyAccount
}

export interface Failure {
  readonly error: string
  readonly args: ReadonlyArray<unknown>
}

export interface SeenEvent {
  readonly name: string
  readonly address: Address
  readonly args: Readonly<Record<string, unknown>>
}

/** Starts a node and deploys everything. Stop it when the tests are over. */
export const startBridgeL1 = async (options: { readonly genesisStateRoot?: Hash32 } = {}) => {
  const { stop, url } = await startAnvil(["--prune-history", "256"])
  const transport = http(url, { timeout: 60_000 })
  const client = createPublicClient({ chain: foundry, transport, pollingInterval: 20 })
  const node = createTestClient({ chain: foundry, mode: "anvil", transport })
  const wallet = createWalletClient({ chain: foundry, transport })

  /** Asks for the receipt until it is there: the node mines at once. */
  const settled = async (hash: Hex): Promise<TransactionReceipt> => {
    for (let tries = 0; tries < 400; tries++) {
      const receipt = await client.getTransactionReceipt({ hash }).catch(() => undefined)
      if (receipt !== undefined) return receipt
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const pool = await node.getTxpoolContent()
    throw new Error(`Not mined: ${JSON.stringify([hash, pool], bigints)}`)
  }

  const deploy = async (
    { abi, bytecode }: { readonly abi: Abi; readonly bytecode: Hex },
    args: ReadonlyArray<unknown> = [],
    value = 0n
  ): Promise<Address> => {
    const hash = await wallet.deployContract({
      account: accounts.deployer,
      abi,
      bytecode,
      args,
      value
    })
    const { contractAddress, status } = await settled(hash)
    if (!contractAddress || status !== "success") throw new Error("The creation failed.")
    return contractAddress.toLowerCase() as Address
  }

  const nonce = await client.getTransactionCount({ address: accounts.deployer.address })
  const later = (steps: number): Address =>
    getContractAddress({ from: accounts.deployer.address, nonce: BigInt(nonce + steps) })
  const decoder = await deploy(contracts.TransactionDecoder)
  const inbox = await deploy(contracts.Inbox, [
    {
      batcher: accounts.deployer.address,
      bridge: later(3),
      transactionDecoder: decoder,
      // Nobody proves a batch wrong here.
      batchVerifier: ZERO_ADDRESS,
      guardian: accounts.guardian.address,
      forceInclusionWindow: 3_600n,
      batcherBond: 0n,
      bondLockPeriod: 600n,
      l2ChainId: L2_CHAIN_ID,
      l2BlockGasLimit: 30_000_000n,
      maxTransactionGas: 14_000_000n,
      gasDivisor: 32n
    }
  ])
  const stateCommitmentChain = await deploy(contracts.StateCommitmentChain, [
    inbox,
    accounts.disputeGame.address,
    accounts.guardian.address,
    CHALLENGE_PERIOD,
    CLAIM_BOND,
    keccak256("0x00"),
    options.genesisStateRoot ?? keccak256("0x01")
  ])
  const bridge = await deploy(
    contracts.L1Bridge,
    [inbox, stateCommitmentChain, accounts.guardian.address],
    ESCROW
  )
  const messenger = await deploy(contracts.L1Messenger, [bridge, L2_MESSENGER])

  const encode = ({ abi, args = [], functionName }: Call) =>
    encodeFunctionData({ abi, functionName, args })

  /** Sends without asking first whether it will succeed, and says how it went. */
  const send = async (call: Call): Promise<TransactionReceipt> => {
    const account = call.from ?? accounts.alice
    const hash = await wallet.sendTransaction({
      account,
      to: call.to,
      data: encode(call),
      value: call.value ?? 0n,
      gas: call.gas ?? 8_000_000n
    })
    return settled(hash)
  }
  const read = async (call: Call): Promise<unknown> =>
    client.readContract({
      address: call.to,
      abi: call.abi,
      functionName: call.functionName,
      args: call.args ?? []
    })

  /** Sends what must succeed, and gives what the contracts said, in order. */
  const events = async (call: Call): Promise<ReadonlyArray<SeenEvent>> => {
    const receipt = await send(call)
    if (receipt.status !== "success") {
      throw new Error(
        `${call.functionName} failed: ${JSON.stringify(await failure(call), bigints)}`
      )
    }
    return eventsOf(receipt)
  }

  /** Why a call fails: the contract's own words. */
  const failure = async (call: Call): Promise<Failure> => {
    try {
      await client.call({
        account: call.from ?? accounts.alice,
        to: call.to,
        data: encode(call),
        value: call.value ?? 0n,
        gas: call.gas ?? 8_000_000n
      })
    } catch (cause) {
      const data = revertDataOf(cause)
      if (data === undefined || data === "0x") return { error: "no data", args: [] }
      return decodeFailure(data)
    }
    return { error: "none", args: [] }
  }

  let proposed = 0n
  /** Posts a batch and claims that L2 has this state after it. */
  const propose = async (stateRoot: Hash32): Promise<bigint> => {
    const batches = await client.readContract({
      address: inbox,
      abi: contracts.Inbox.abi,
      functionName: "batchCount"
    })
    const queueEnd = await client.readContract({
      address: inbox,
      abi: contracts.Inbox.abi,
      functionName: "queueLength"
    })
    await events({
      to: inbox,
      abi: contracts.Inbox.abi,
      functionName: "appendBatch",
      args: [batches, { root: keccak256("0x"), blocks: 1, transactions: 1, queueEnd }, "0x00"],
      from: accounts.deployer
    })
    const batchHash = await client.readContract({
      address: inbox,
      abi: contracts.Inbox.abi,
      functionName: "batchHash",
      args: [batches]
    })
    const index = await client.readContract({
      address: stateCommitmentChain,
      abi: contracts.StateCommitmentChain.abi,
      functionName: "claimCount"
    })
    proposed++
    await events({
      to: stateCommitmentChain,
      abi: contracts.StateCommitmentChain.abi,
      functionName: "propose",
      args: [
        index,
        {
          blockNumber: proposed,
          blockHash: keccak256(numberToHex(proposed)),
          stateRoot,
          batchCount: batches + 1n,
          batchHash
        }
      ],
      value: CLAIM_BOND,
      from: accounts.deployer
    })
    return index
  }

  const travel = async (seconds: bigint) => {
    await node.increaseTime({ seconds: Number(seconds) })
    await node.mine({ blocks: 1 })
  }

  return {
    ...{ client, node, wallet, url, stop },
    ...{ inbox, stateCommitmentChain, bridge, messenger },
    ...{ deploy, send, read, events, failure, propose, travel, settled }
  }
}
export type BridgeL1 = Awaited<ReturnType<typeof startBridgeL1>>

export const decodeFailure = (data: Hex): Failure => {
  try {
    const { args = [], errorName } = decodeErrorResult({ abi: everyAbi, data })
    return { error: errorName, args }
  } catch {
    return { error: data, args: [] }
  }
}

/** What the contracts said in a transaction, in order; other contracts' words are left out. */
export const eventsOf = (receipt: TransactionReceipt): ReadonlyArray<SeenEvent> =>
  receipt.logs.flatMap(({ address, data, topics }) => {
    try {
      const event = decodeEventLog({ abi: everyAbi, data, topics })
      const args = { ...event.args } as Readonly<Record<string, unknown>>
      return [{ name: event.eventName ?? "", address: address.toLowerCase() as Address, args }]
    } catch {
      return []
    }
  })

const bigints = (_: string, value: unknown) =>
  typeof value === "bigint" ? value.toString() : value

const revertDataOf = (error: unknown): Hex | undefined => {
  for (let cause = error; typeof cause === "object" && cause !== null; ) {
    if ("data" in cause && typeof cause.data === "string" && cause.data.startsWith("0x")) {
      return `0x${cause.data.slice(2)}`
    }
    cause = "cause" in cause ? cause.cause : undefined
  }
  return undefined
}
