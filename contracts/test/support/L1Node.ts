/** A real L1 for one test file: anvil with Osaka's limits, the contracts on it, and words to act and to ask with. */
import * as contracts from "@ovm/contracts"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import {
  type Abi,
  createPublicClient,
  createTestClient,
  createWalletClient,
  decodeErrorResult,
  decodeEventLog,
  encodeFunctionData,
  http,
  keccak256
} from "viem"
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"
import { foundry } from "viem/chains"
import { startAnvil } from "./AnvilProcess.ts"

/** Anvil's own accounts: everybody knows their keys. */
const account = (key: Hex) => privateKeyToAccount(key)
export const batcher = account("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
export const alice = account("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
export const bob = account("0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a")
export const guardian = account(
  "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"
)
/** Speaks for the dispute game and for the bridge, where the test is not about those. */
export const game = account("0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a")
export const bridge = account("0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba")

export const WINDOW = 3_600n
export const BATCHER_BOND = 1_000_001n
export const BOND_LOCK = 10_000n
export const CHALLENGE_PERIOD = 600n
export const CLAIM_BOND = 1_001n
export const L2_CHAIN_ID = 420n
export const L2_BLOCK_GAS = 30_000_000n
export const GENESIS_HASH: Hash32 = keccak256("0x01")
export const GENESIS_ROOT: Hash32 = keccak256("0x02")

/** EIP-7825: gas of one L1 transaction. */
export const TRANSACTION_GAS_MAX = 2n ** 24n
/** What nodes accept as one transaction, in bytes. */
export const TRANSACTION_SIZE_MAX = 131_072

const everyAbi: Abi = Object.values(contracts).flatMap(({ abi }) => [...abi] as Abi)

export interface Call {
  readonly to: Address
  readonly abi: Abi
  readonly name: string
  readonly args?: ReadonlyArray<unknown>
  readonly from?: PrivateKeyAccount
  readonly value?: bigint
  readonly gas?: bigint
  /** Seconds since the Unix epoch, of the L1 block that it shall be in. */
  readonly at?: bigint
}

export interface Seen {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
}

export interface Done {
  readonly hash: Hash32
  readonly blockNumber: bigint
  readonly timestamp: bigint
  readonly gasUsed: bigint
  readonly calldataBytes: number
  readonly events: ReadonlyArray<Seen>
}

/** `timestamp`: seconds since the Unix epoch, of the first block. Default: now. */
export const startL1Node = async (options: { readonly timestamp?: bigint } = {}) => {
  const { stop, url } = await startAnvil(
    options.timestamp === undefined ? [] : ["--timestamp", String(options.timestamp)]
  )
  const transport = http(url, { timeout: 60_000 })
  const client = createPublicClient({ chain: foundry, transport, pollingInterval: 10 })
  const node = createTestClient({ chain: foundry, mode: "anvil", transport })
  const wallet = createWalletClient({ chain: foundry, transport })

  /** Asks until it is there: the node mines at once, but may tell of it a moment later. */
  const settled = async (hash: Hash32) => {
    for (let tries = 0; tries < 3_000; tries++) {
      const receipt = await client.getTransactionReceipt({ hash }).catch(() => undefined)
      if (receipt !== undefined) return receipt
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`Not mined: ${hash}`)
  }

  const deploy = async (
    { abi, bytecode }: { readonly abi: Abi; readonly bytecode: Hex },
    args: ReadonlyArray<unknown> = []
  ): Promise<Address> => {
    const hash = await wallet.deployContract({ account: alice, abi, bytecode, args })
    const { contractAddress, status } = await settled(hash)
    if (!contractAddress || status !== "success") throw new Error("The creation failed.")
    return contractAddress.toLowerCase() as Address
  }

  const errorOf = (data: Hex) => {
    if (data === "0x") return { error: "nothing", args: [] }
    const { args = [], errorName } = decodeErrorResult({ abi: everyAbi, data })
    return { error: errorName, args }
  }

  /** Sends a transaction whose outcome is not asked for before; it gets an L1 block of its own. */
  const attempt = async (call: Call) => {
    const data = encodeFunctionData({
      abi: call.abi,
      functionName: call.name,
      args: call.args ?? []
    })
    if (call.at !== undefined) await node.setNextBlockTimestamp({ timestamp: call.at })
    const hash = await wallet.sendTransaction({
      account: call.from ?? alice,
      to: call.to,
      data,
      value: call.value ?? 0n,
      gas: call.gas ?? TRANSACTION_GAS_MAX
    })
    const receipt = await settled(hash)
    const size = (data.length - 2) / 2
    if (size >= TRANSACTION_SIZE_MAX)
      throw new Error(`Calldata of ${size} bytes fits no transaction.`)
    return { receipt, hash, calldataBytes: size }
  }

  /** Does what must succeed. */
  const act = async (call: Call): Promise<Done> => {
    const { calldataBytes, hash, receipt } = await attempt(call)
    if (receipt.status !== "success") {
      throw new Error(`${call.name} failed: ${text(await revertOf(hash))}`)
    }
    const { timestamp } = await client.getBlock({ blockNumber: receipt.blockNumber })
    const events = receipt.logs.map(({ data, topics }): Seen => {
      const { args, eventName } = decodeEventLog({ abi: everyAbi, data, topics })
      return { name: eventName ?? "", args: (args ?? {}) as unknown as Record<string, unknown> }
    })
    const { blockNumber, gasUsed } = receipt
    return { hash, blockNumber, timestamp, gasUsed, calldataBytes, events }
  }

  const revertOf = async (hash: Hash32) => {
    const trace = (await client.request({
      method: "debug_traceTransaction" as never,
      params: [hash, { tracer: "callTracer" }] as never
    })) as { readonly output?: Hex }
    return errorOf(trace.output ?? "0x")
  }

  /** Does what must revert, on L1 and not just in an estimate, and says with which error. */
  const refusal = async (call: Call) => {
    const { hash, receipt } = await attempt(call)
    if (receipt.status === "success") throw new Error(`Expected ${call.name} to revert.`)
    return revertOf(hash)
  }

  const read = (call: Call): Promise<unknown> =>
    client.readContract({
      address: call.to,
      abi: call.abi,
      functionName: call.name,
      args: call.args ?? [],
      account: call.from
    })

  const now = async () => (await client.getBlock()).timestamp

  return {
    act,
    attempt,
    client,
    deploy,
    node,
    now,
    read,
    refusal,
    revertOf,
    settled,
    stop,
    url,
    wallet
  }
}
export type L1Node = Awaited<ReturnType<typeof startL1Node>>

const text = (value: unknown) =>
  JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? `${inner}` : inner))

/** Puts one raw transaction into the queue many times, several to an L1 block. */
export const fillQueue = async (l1: L1Node, chain: Chain, raw: Hex, entries: number) => {
  await l1.node.setAutomine(false)
  const base = await l1.client.getTransactionCount({ address: alice.address })
  const { abi, args, name, to } = chain.inbox("enqueue", [raw])
  const data = encodeFunctionData({ abi, functionName: name, args })
  for (let nonce = base; nonce < base + entries; nonce++) {
    await l1.wallet.sendTransaction({ account: alice, to, data, gas: 200_000n, nonce })
  }
  await l1.node.mine({ blocks: 6 })
  await l1.node.setAutomine(true)
}

/** Inbox and claims on an L1, with known accounts in every role. */
export const deployChain = async (l1: L1Node, bridgeAddress: Address = bridge.address) => {
  const transactionDecoder = await l1.deploy(contracts.TransactionDecoder)
  const batchVerifier = await l1.deploy(contracts.BatchVerifier)
  const inbox = await l1.deploy(contracts.Inbox, [
    {
      batcher: batcher.address,
      bridge: bridgeAddress,
      transactionDecoder,
      batchVerifier,
      guardian: guardian.address,
      forceInclusionWindow: WINDOW,
      batcherBond: BATCHER_BOND,
      bondLockPeriod: BOND_LOCK,
      l2ChainId: L2_CHAIN_ID,
      l2BlockGasLimit: L2_BLOCK_GAS,
      maxTransactionGas: 14_000_000n,
      gasDivisor: 32n
    }
  ])
  const claims = await l1.deploy(contracts.StateCommitmentChain, [
    inbox,
    game.address,
    guardian.address,
    CHALLENGE_PERIOD,
    CLAIM_BOND,
    GENESIS_HASH,
    GENESIS_ROOT
  ])
  const receiver = await l1.deploy(contracts.HostileReceiver)
  const of =
    (to: Address, abi: Abi) =>
    (name: string, args: ReadonlyArray<unknown> = []) => ({
      to,
      abi,
      name,
      args
    })
  return {
    addresses: { inbox, claims, receiver, batchVerifier },
    inbox: of(inbox, contracts.Inbox.abi),
    claims: of(claims, contracts.StateCommitmentChain.abi),
    receiver: of(receiver, contracts.HostileReceiver.abi)
  }
}
export type Chain = Awaited<ReturnType<typeof deployChain>>
