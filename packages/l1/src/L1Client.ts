/** One way to an L1 node: reads, signatures and raw sends, with every failure a value. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import {
  Context,
  type Duration,
  type Effect,
  Layer,
  type Option,
  type Redacted,
  type Schema
} from "effect"
import type {
  Abi,
  ContractFunctionArgs,
  ContractFunctionName,
  ContractFunctionReturnType
} from "viem"
import type * as Answer from "./internal/RpcAnswer.ts"
import { makeRpcClient } from "./internal/RpcClient.ts"
import type { L1ChainMismatch, L1Error, L1SignerMissing } from "./L1Error.ts"

/** Header of an L1 block. */
export type L1BlockHeader = typeof Answer.Header.Type
export type L1Log = typeof Answer.Log.Type
export type L1Transaction = typeof Answer.Transaction.Type
export type L1Receipt = typeof Answer.Receipt.Type

/** Which block to look at: a number, a hash, or L1's own word for one. */
export type BlockTag =
  | bigint
  | { readonly hash: Hash32 }
  | "latest"
  | "safe"
  | "finalized"
  | "pending"
  | "earliest"

export interface L1Call {
  readonly to: Address
  readonly data?: Hex | undefined
  readonly from?: Address | undefined
  readonly value?: bigint | undefined
  readonly gas?: bigint | undefined
}

export interface LogFilter {
  readonly addresses: ReadonlyArray<Address>
  /** Either a range of blocks, both ends in it, or one block by its hash. */
  readonly blocks: { readonly from: bigint; readonly to: bigint } | { readonly hash: Hash32 }
}

/** An EIP-1559 transaction on its way to be signed. */
export interface UnsignedTransaction {
  readonly from: Address
  readonly nonce: number
  /** Undefined: a creation. */
  readonly to: Address | undefined
  readonly data: Hex
  readonly valueWei: bigint
  readonly gas: bigint
  readonly maxFeePerGasWei: bigint
  readonly maxPriorityFeePerGasWei: bigint
}

export interface L1Fees {
  /** Of the block after the newest. */
  readonly baseFeeWei: bigint
  readonly priorityFeeWei: bigint
}

export interface L1ClientService {
  readonly chainId: bigint
  /** Accounts whose keys are known; the first is the default sender. */
  readonly accounts: ReadonlyArray<Address>
  /** Any JSON-RPC method, its answer read by a schema. */
  readonly request: <A, I>(
    method: string,
    params: ReadonlyArray<unknown>,
    answer: Schema.Schema<A, I>
  ) => Effect.Effect<A, L1Error>
  readonly blockNumber: Effect.Effect<bigint, L1Error>
  /** None where L1 has no such block. */
  readonly getBlock: (block: BlockTag) => Effect.Effect<Option.Option<L1BlockHeader>, L1Error>
  /** The headers that L1 has of these numbers, asked for together. */
  readonly getHeaders: (
    numbers: ReadonlyArray<bigint>
  ) => Effect.Effect<ReadonlyArray<L1BlockHeader>, L1Error>
  /** In the order of the chain. */
  readonly getLogs: (filter: LogFilter) => Effect.Effect<ReadonlyArray<L1Log>, L1Error>
  /** Of the pool too; none if neither chain nor pool has it. */
  readonly getTransaction: (hash: Hash32) => Effect.Effect<Option.Option<L1Transaction>, L1Error>
  readonly getReceipt: (hash: Hash32) => Effect.Effect<Option.Option<L1Receipt>, L1Error>
  readonly getBalance: (account: Address, block?: BlockTag) => Effect.Effect<bigint, L1Error>
  /** The account's next nonce as of a block. Default: the newest. */
  readonly getNonce: (account: Address, block?: BlockTag) => Effect.Effect<number, L1Error>
  readonly getCode: (account: Address, block?: BlockTag) => Effect.Effect<Hex, L1Error>
  /** Runs a call and returns its data; a revert is an `L1RequestRejected` with the revert's data. */
  readonly call: (call: L1Call, block?: BlockTag) => Effect.Effect<Hex, L1Error>
  /** Calls a view of a contract. */
  readonly read: <
    const abi extends Abi,
    name extends ContractFunctionName<abi, "view" | "pure">,
    const args extends ContractFunctionArgs<abi, "view" | "pure", name>
  >(options: {
    readonly address: Address
    readonly abi: abi
    readonly functionName: name
    readonly args?: args
    readonly block?: BlockTag
  }) => Effect.Effect<ContractFunctionReturnType<abi, "view" | "pure", name, args>, L1Error>
  readonly estimateGas: (
    call: Omit<L1Call, "to"> & { readonly to?: Address | undefined },
    block?: BlockTag
  ) => Effect.Effect<bigint, L1Error>
  /** What a transaction has to pay now. */
  readonly fees: Effect.Effect<L1Fees, L1Error>
  /** Signs; the same transaction always gives the same bytes and hash. */
  readonly sign: (
    transaction: UnsignedTransaction
  ) => Effect.Effect<{ readonly raw: Hex; readonly hash: Hash32 }, L1SignerMissing>
  /** Hands a signed transaction over. A node that has it already is content. */
  readonly sendRaw: (raw: Hex) => Effect.Effect<Hash32, L1Error>
}

export interface ClientOptions {
  /** Attempts after the first where L1 does not answer. Default 3. */
  readonly retries?: number
  /** Time before the first further attempt; it doubles each time, up to 5 s. Default 100 ms. */
  readonly backOff?: Duration.DurationInput
  /** How long one attempt may take. Default 10 s. */
  readonly timeout?: Duration.DurationInput
  /** Most requests in one HTTP body. Default 100. */
  readonly maxBatch?: number
}

export interface RpcOptions extends ClientOptions {
  readonly url: string
  /** Private key of the default sender. */
  readonly key?: Redacted.Redacted<Hex> | undefined
  /** Private keys of further senders. */
  readonly keys?: ReadonlyArray<Redacted.Redacted<Hex>>
  /** Refuse a node of any other chain. Default: take the node's. */
  readonly chainId?: bigint | undefined
}

export class L1Client extends Context.Tag("@ovm/l1/L1Client")<L1Client, L1ClientService>() {}

/** Any node that speaks JSON-RPC over HTTP. */
export const layerRpc = (options: RpcOptions): Layer.Layer<L1Client, L1Error | L1ChainMismatch> =>
  Layer.effect(L1Client, makeRpcClient(options))
