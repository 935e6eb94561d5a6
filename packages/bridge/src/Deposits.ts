/** The bridge's calls on L1 for a plain account with viem: each tried first, sent once, and answered by what came of it. */
import { awaitReceipt } from "@ovm/l1/AwaitReceipt"
import { Inbox, L1Bridge, MerklePatricia, StateCommitmentChain } from "@ovm/contracts"
import type { L1Contracts } from "@ovm/protocol/Deployment"
import { Hash32, type Address, type Hex } from "@ovm/protocol/Primitives"
import { Effect, Schema } from "effect"
import {
  type Abi,
  BaseError,
  ContractFunctionRevertedError,
  erc20Abi,
  keccak256,
  parseEventLogs,
  type PublicClient,
  type TransactionReceipt,
  type WalletClient
} from "viem"

/** The contract refuses the call, and nothing was sent. Recover as the contract's error says. */
export class BridgeCallRefused extends Schema.TaggedError<BridgeCallRefused>()(
  "BridgeCallRefused",
  {
    call: Schema.String,
    /** Name of the contract's error: `Paused`, `ClaimNotFinal`, ... */
    error: Schema.String,
    args: Schema.Array(Schema.Unknown)
  }
) {
  override get message() {
    return `Expected ${this.call} to be accepted, found ${this.error}(${this.args.map(String).join(", ")}). Nothing was sent.`
  }
}

/** It was sent, and L1 reverted it after all: something changed in between. Recover by trying again. */
export class BridgeCallReverted extends Schema.TaggedError<BridgeCallReverted>()(
  "BridgeCallReverted",
  { call: Schema.String, l1TransactionHash: Hash32 }
) {
  override get message() {
    return `Expected ${this.call} to succeed in ${this.l1TransactionHash}, but it reverted. Try again.`
  }
}

/** The node or the wallet failed. Whether it was sent is not known: look before trying again. */
export class BridgeCallFailed extends Schema.TaggedError<BridgeCallFailed>()("BridgeCallFailed", {
  call: Schema.String,
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected L1 to take ${this.call}, found ${String(this.cause)}. Look for it on L1 before trying again.`
  }
}

export type BridgeCallError = BridgeCallRefused | BridgeCallReverted | BridgeCallFailed

/** Who calls, and where. */
export interface BridgeClient {
  readonly client: PublicClient
  /** With an account and a chain. */
  readonly wallet: WalletClient
  readonly contracts: Pick<L1Contracts, "bridge" | "inbox">
}

/** What the Inbox made of a deposit. */
export interface Enqueued {
  readonly l1TransactionHash: Hash32
  readonly queueIndex: bigint
  /** Hash of the deposit transaction, by which L2 will know it. */
  readonly l2TransactionHash: Hash32
}

/** ETH for the caller's own account on L2. */
export const depositETH = (bridge: BridgeClient, options: { readonly amountWei: bigint }) =>
  enqueueing(bridge, { functionName: "depositETH", args: [], value: options.amountWei })

/** ETH for anyone on L2, with a call if there is data. */
export const depositETHTo = (
  bridge: BridgeClient,
  options: {
    readonly to: Address
    readonly amountWei: bigint
    /** OVM gas units. */
    readonly gasLimit: bigint
    readonly data?: Hex
  }
) =>
  enqueueing(bridge, {
    functionName: "depositETHTo",
    args: [options.to, options.gasLimit, options.data ?? "0x"],
    value: options.amountWei
  })

/** Any L2 transaction in the caller's name, by the queue that L2 can't leave out. */
export const depositTransaction = (
  bridge: BridgeClient,
  options: {
    /** Undefined: a creation. */
    readonly to: Address | undefined
    /** Wei that come from L1. */
    readonly mintWei?: bigint
    /** Wei that the L2 transaction sends. */
    readonly valueWei?: bigint
    /** OVM gas units. */
    readonly gasLimit: bigint
    readonly data?: Hex
  }
) =>
  enqueueing(bridge, {
    functionName: "depositTransaction",
    args: [
      options.to === undefined,
      options.to ?? "0x0000000000000000000000000000000000000000",
      options.valueWei ?? 0n,
      options.gasLimit,
      options.data ?? "0x"
    ],
    value: options.mintWei ?? 0n
  })

/** Takes ETH out of L2 by a request on L1: the exit that can't be censored. */
export const withdrawETH = (bridge: BridgeClient, options: { readonly amountWei: bigint }) =>
  enqueueing(bridge, { functionName: "withdrawETH", args: [options.amountWei], value: 0n })

/** ERC-20 tokens for anyone on L2; approves the bridge first if it may not take so many. */
export const depositERC20 = Effect.fn("Deposits.depositERC20")(function* (
  bridge: BridgeClient,
  options: {
    readonly token: Address
    readonly to: Address
    readonly amount: bigint
    /** OVM gas units; the bridge raises it to what a deposit needs. */
    readonly gasLimit?: bigint
  }
) {
  const { contracts } = bridge
  const token = { address: options.token, abi: erc20Abi } as const
  const allowed = yield* reading("allowance", () =>
    bridge.client.readContract({
      ...token,
      functionName: "allowance",
      args: [accountOf(bridge), contracts.bridge]
    })
  )
  if (allowed < options.amount) {
    // Some tokens (USDT) take a new allowance only after the old one is zero, and return nothing.
    const approve = [{ ...APPROVE, inputs: [...APPROVE.inputs] }]
    for (const amount of allowed > 0n ? [0n, options.amount] : [options.amount]) {
      yield* sending(bridge, {
        ...{ address: options.token, abi: approve, functionName: "approve" },
        ...{ args: [contracts.bridge, amount], value: 0n }
      })
    }
  }
  return yield* enqueueing(bridge, {
    functionName: "depositERC20",
    args: [options.token, options.to, options.amount, options.gasLimit ?? 0n],
    value: 0n
  })
})

/** Pays out a withdrawal: `WithdrawalProof.encode` makes the proof. */
export const finalizeWithdrawal = Effect.fn("Deposits.finalizeWithdrawal")(function* (
  bridge: BridgeClient,
  options: { readonly proof: Hex }
) {
  const receipt = yield* sending(bridge, {
    address: bridge.contracts.bridge,
    abi: [...L1Bridge.abi, ...claimErrors],
    functionName: "finalizeWithdrawal",
    args: [options.proof],
    value: 0n
  })
  const [done] = parseEventLogs({
    abi: L1Bridge.abi,
    eventName: "WithdrawalFinalized",
    logs: receipt.logs
  })
  const l1TransactionHash = receipt.transactionHash
  if (done === undefined) {
    return yield* new BridgeCallReverted({ call: "finalizeWithdrawal", l1TransactionHash })
  }
  return { l1TransactionHash, gasUsed: receipt.gasUsed, ...done.args }
})

const APPROVE = {
  type: "function",
  name: "approve",
  stateMutability: "nonpayable",
  inputs: [
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" }
  ],
  outputs: []
} as const

interface L1Call {
  readonly address: Address
  readonly abi: Abi
  readonly functionName: string
  readonly args: ReadonlyArray<unknown>
  readonly value: bigint
}

const enqueueing = (
  bridge: BridgeClient,
  call: Omit<L1Call, "address" | "abi">
): Effect.Effect<Enqueued, BridgeCallError> =>
  Effect.gen(function* () {
    const receipt = yield* sending(bridge, {
      address: bridge.contracts.bridge,
      abi: [...L1Bridge.abi, ...inboxErrors],
      ...call
    })
    const [enqueued] = parseEventLogs({
      abi: Inbox.abi,
      eventName: "TransactionEnqueued",
      logs: receipt.logs
    })
    const l1TransactionHash = receipt.transactionHash
    if (enqueued === undefined) {
      return yield* new BridgeCallReverted({ call: call.functionName, l1TransactionHash })
    }
    return {
      l1TransactionHash,
      queueIndex: enqueued.args.queueIndex,
      l2TransactionHash: keccak256(enqueued.args.raw)
    }
  })

const isError = ({ type }: { readonly type: string }) => type === "error"

/** The bridge passes on what the Inbox refuses, and what the claims and the proofs do. */
const inboxErrors = Inbox.abi.filter(isError)
const claimErrors = [...StateCommitmentChain.abi, ...MerklePatricia.abi].filter(isError)

const sending = (
  { client, wallet }: BridgeClient,
  call: L1Call
): Effect.Effect<TransactionReceipt, BridgeCallError> =>
  Effect.gen(function* () {
    const name = call.functionName
    const account = wallet.account
    if (account === undefined) {
      return yield* new BridgeCallFailed({ call: name, cause: "a wallet without an account" })
    }
    yield* Effect.tryPromise({
      try: () => client.simulateContract({ ...call, account }),
      catch: (cause) => refusalOf(name, cause)
    })
    const hash = yield* reading(name, () =>
      wallet.writeContract({ ...call, account, chain: wallet.chain })
    )
    const receipt = yield* reading(name, () => awaitReceipt(client, { hash }))
    if (receipt.status === "success") return receipt
    return yield* new BridgeCallReverted({ call: name, l1TransactionHash: hash })
  })

const reading = <A>(call: string, read: () => Promise<A>): Effect.Effect<A, BridgeCallFailed> =>
  Effect.tryPromise({ try: read, catch: (cause) => new BridgeCallFailed({ call, cause }) })

const refusalOf = (call: string, cause: unknown): BridgeCallRefused | BridgeCallFailed => {
  const reverted =
    cause instanceof BaseError
      ? cause.walk((inner) => inner instanceof ContractFunctionRevertedError)
      : null
  if (!(reverted instanceof ContractFunctionRevertedError)) {
    return new BridgeCallFailed({ call, cause })
  }
  const error =
    reverted.data?.errorName ?? reverted.signature ?? reverted.reason ?? "a revert without data"
  return new BridgeCallRefused({ call, error, args: [...(reverted.data?.args ?? [])] })
}

const accountOf = ({ wallet }: BridgeClient): Address =>
  wallet.account?.address ?? "0x0000000000000000000000000000000000000000"
