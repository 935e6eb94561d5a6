/** The L1 client over viem's HTTP transport: batches, time limits, retries, strict answers. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import {
  Array as Arr,
  Duration,
  Effect,
  Option,
  ParseResult,
  Redacted,
  Schedule,
  Schema
} from "effect"
import {
  type Abi,
  type ContractFunctionArgs,
  type ContractFunctionName,
  type ContractFunctionReturnType,
  createPublicClient,
  decodeFunctionResult,
  encodeFunctionData,
  http,
  keccak256,
  RpcRequestError
} from "viem"
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"
import {
  type BlockTag,
  type L1Call,
  type L1ClientService,
  L1Client,
  type LogFilter,
  type RpcOptions,
  type UnsignedTransaction
} from "../L1Client.ts"
import {
  L1AnswerMalformed,
  L1ChainMismatch,
  type L1Error,
  L1RequestRejected,
  L1SignerMissing,
  L1Unavailable
} from "../L1Error.ts"
import * as Answer from "./RpcAnswer.ts"

const BACK_OFF_MAX = Duration.seconds(5)
/** Answers that tell of the node's state rather than of the request: asked again. */
const TRANSIENT_CODES: ReadonlySet<number> = new Set([-32005, 429])

export const makeRpcClient = (
  options: RpcOptions
): Effect.Effect<L1ClientService, L1Error | L1ChainMismatch> =>
  Effect.gen(function* () {
    const accounts = accountsOf(options)
    const request = requester(options)
    const chainId = yield* request("eth_chainId", [], Answer.Quantity)
    if (options.chainId !== undefined && options.chainId !== chainId) {
      return yield* new L1ChainMismatch({ expected: options.chainId, found: chainId })
    }
    const call = (transaction: L1Call, block: BlockTag = "latest") =>
      request("eth_call", [callParameter(transaction), blockParameter(block)], Answer.AnyHex)
    return L1Client.of({
      chainId,
      accounts: accounts.map(addressOf),
      request,
      call,
      blockNumber: request("eth_blockNumber", [], Answer.Quantity),
      getBlock: (block) => getBlock(request, block),
      getHeaders: (numbers) =>
        Effect.map(
          Effect.forEach(numbers, (number) => getBlock(request, number), {
            concurrency: "unbounded"
          }),
          Arr.getSomes
        ),
      getLogs: (filter) => getLogs(request, filter),
      getTransaction: (hash) =>
        orNone(request, "eth_getTransactionByHash", [hash], Answer.Transaction),
      getReceipt: (hash) => orNone(request, "eth_getTransactionReceipt", [hash], Answer.Receipt),
      getBalance: (account, block = "latest") =>
        request("eth_getBalance", [account, blockParameter(block)], Answer.Quantity),
      getNonce: (account, block = "latest") =>
        Effect.map(
          request("eth_getTransactionCount", [account, blockParameter(block)], Answer.Quantity),
          Number
        ),
      getCode: (account, block = "latest") =>
        request("eth_getCode", [account, blockParameter(block)], Answer.AnyHex),
      read: (view) => readView(call, view),
      estimateGas: (transaction, block = "latest") =>
        request(
          "eth_estimateGas",
          [callParameter(transaction), blockParameter(block)],
          Answer.Quantity
        ),
      fees: fees(request),
      sign: (transaction) => sign(accounts, chainId, transaction),
      sendRaw: (raw) => sendRaw(request, raw)
    })
  })

type Request = L1ClientService["request"]

const addressOf = ({ address }: PrivateKeyAccount): Address =>
  Schema.decodeSync(Answer.AnyAddress)(address)

const accountsOf = ({ key, keys = [] }: RpcOptions): ReadonlyArray<PrivateKeyAccount> =>
  [...(key === undefined ? [] : [key]), ...keys].map((secret) =>
    privateKeyToAccount(Redacted.value(secret))
  )

/** One request, tried again while L1 does not answer, its answer checked. */
export const requester = (options: RpcOptions): Request => {
  const { backOff = "100 millis", maxBatch = 100, retries = 3, timeout = "10 seconds" } = options
  const { request } = createPublicClient({
    transport: http(options.url, {
      batch: { batchSize: maxBatch, wait: 0 },
      retryCount: 0,
      timeout: Duration.toMillis(timeout)
    })
  })
  // viem types each method; ours are told apart by the schema of the answer instead.
  const ask = request as (body: {
    readonly method: string
    readonly params: ReadonlyArray<unknown>
  }) => Promise<unknown>
  const again = Schedule.exponential(backOff).pipe(
    Schedule.modifyDelay((_, delay) => Duration.min(delay, BACK_OFF_MAX)),
    Schedule.jittered,
    Schedule.intersect(Schedule.recurs(retries))
  )
  return (method, params, answer) => {
    const decode = Schema.decodeUnknown(answer)
    return Effect.tryPromise({
      try: () => ask({ method, params }),
      catch: (cause) => failureOf(method, retries + 1, cause)
    }).pipe(
      Effect.retry({ schedule: again, while: ({ _tag }) => _tag === "L1Unavailable" }),
      Effect.flatMap((found) =>
        Effect.mapError(
          decode(found),
          (issue) =>
            new L1AnswerMalformed({
              method,
              issue: ParseResult.TreeFormatter.formatErrorSync(issue)
            })
        )
      ),
      Effect.withSpan("L1Client.request", { attributes: { method } })
    )
  }
}

/** The node's own error, wherever viem has put it, or that there was no answer. */
const failureOf = (
  method: string,
  attempts: number,
  cause: unknown
): L1Unavailable | L1RequestRejected => {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if (error instanceof RpcRequestError && !TRANSIENT_CODES.has(error.code)) {
      const { code, details: reason } = error
      const data = revertData(error.data)
      return new L1RequestRejected({
        ...{ method, code, reason },
        ...(data === undefined ? {} : { data })
      })
    }
  }
  const reason = cause instanceof Error && "shortMessage" in cause ? cause.shortMessage : cause
  return new L1Unavailable({ method, attempts, reason: String(reason), cause })
}

/** Nodes give a revert's data as a string, or in an object. */
const revertData = (data: unknown): Hex | undefined => {
  const found =
    typeof data === "object" && data !== null && "data" in data ? data.data : (data as unknown)
  return Option.getOrUndefined(Schema.decodeUnknownOption(Answer.AnyHex)(found))
}

const quantity = (value: bigint): Hex => `0x${value.toString(16)}`

const blockParameter = (block: BlockTag): unknown =>
  typeof block === "bigint"
    ? quantity(block)
    : typeof block === "string"
      ? block
      : { blockHash: block.hash }

const callParameter = ({
  data,
  from,
  gas,
  to,
  value
}: { readonly to?: Address | undefined } & Omit<L1Call, "to">) => ({
  ...(from === undefined ? {} : { from }),
  ...(to === undefined ? {} : { to }),
  ...(data === undefined ? {} : { data }),
  ...(value === undefined ? {} : { value: quantity(value) }),
  ...(gas === undefined ? {} : { gas: quantity(gas) })
})

const orNone = <A, I>(
  request: Request,
  method: string,
  params: ReadonlyArray<unknown>,
  answer: Schema.Schema<A, I>
) => Effect.map(request(method, params, Schema.NullOr(answer)), Option.fromNullable)

const getBlock = (request: Request, block: BlockTag) =>
  typeof block === "object"
    ? orNone(request, "eth_getBlockByHash", [block.hash, false], Answer.Header)
    : orNone(request, "eth_getBlockByNumber", [blockParameter(block), false], Answer.Header)

const getLogs = (request: Request, { addresses, blocks }: LogFilter) => {
  const where =
    "hash" in blocks
      ? { blockHash: blocks.hash }
      : { fromBlock: quantity(blocks.from), toBlock: quantity(blocks.to) }
  return Effect.map(
    request("eth_getLogs", [{ address: addresses, ...where }], Schema.Array(Answer.Log)),
    (logs) =>
      logs
        .filter(({ removed }) => !removed)
        .toSorted((a, b) =>
          a.blockNumber === b.blockNumber
            ? Number(a.logIndex - b.logIndex)
            : Number(a.blockNumber - b.blockNumber)
        )
  )
}

const readView = <
  const abi extends Abi,
  name extends ContractFunctionName<abi, "view" | "pure">,
  const args extends ContractFunctionArgs<abi, "view" | "pure", name>
>(
  call: L1ClientService["call"],
  view: {
    readonly address: Address
    readonly abi: abi
    readonly functionName: name
    readonly args?: args
    readonly block?: BlockTag
  }
): Effect.Effect<ContractFunctionReturnType<abi, "view" | "pure", name, args>, L1Error> => {
  // viem's types of these two can't be followed through a generic ABI; its functions take any.
  const abi: Abi = view.abi
  const functionName: string = view.functionName
  const args: ReadonlyArray<unknown> = Array.isArray(view.args) ? view.args : []
  const data = encodeFunctionData({ abi, functionName, args })
  return call({ to: view.address, data }, view.block).pipe(
    Effect.flatMap((answer) =>
      Effect.try({
        try: () =>
          decodeFunctionResult({
            abi,
            functionName,
            args,
            data: answer
          }) as ContractFunctionReturnType<abi, "view" | "pure", name, args>,
        catch: (cause) =>
          new L1AnswerMalformed({
            method: `eth_call (${functionName})`,
            issue: cause instanceof Error ? cause.message : String(cause)
          })
      })
    )
  )
}

const fees = (request: Request) =>
  Effect.gen(function* () {
    const [history, priorityFeeWei] = yield* Effect.all(
      [
        request(
          "eth_feeHistory",
          ["0x1", "latest", []],
          Schema.Struct({ baseFeePerGas: Schema.NonEmptyArray(Answer.Quantity) })
        ),
        request("eth_maxPriorityFeePerGas", [], Answer.Quantity)
      ],
      { concurrency: "unbounded" }
    )
    return { baseFeeWei: Arr.lastNonEmpty(history.baseFeePerGas), priorityFeeWei }
  })

const sign = (
  accounts: ReadonlyArray<PrivateKeyAccount>,
  chainId: bigint,
  transaction: UnsignedTransaction
) =>
  Effect.gen(function* () {
    const { from, gas, nonce, to } = transaction
    const account = accounts.find((candidate) => addressOf(candidate) === from)
    if (account === undefined) return yield* new L1SignerMissing({ account: from })
    // Deterministic signatures (RFC 6979): signing again after a crash gives the same hash.
    const raw = yield* Effect.promise(() =>
      account.signTransaction({
        type: "eip1559",
        chainId: Number(chainId),
        nonce,
        gas,
        data: transaction.data,
        value: transaction.valueWei,
        maxFeePerGas: transaction.maxFeePerGasWei,
        maxPriorityFeePerGas: transaction.maxPriorityFeePerGasWei,
        ...(to === undefined ? {} : { to })
      })
    )
    return { raw, hash: keccak256(raw) }
  })

/** Words by which nodes say that they have this very transaction. */
const KNOWN = /already (known|imported|in)|known transaction/i

const sendRaw = (request: Request, raw: Hex): Effect.Effect<Hash32, L1Error> =>
  Effect.catchIf(
    request("eth_sendRawTransaction", [raw], Answer.AnyHash),
    (error) => error._tag === "L1RequestRejected" && KNOWN.test(error.reason),
    () => Effect.succeed(keccak256(raw))
  )
