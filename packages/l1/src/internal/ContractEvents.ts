/** What the logs of our contracts say, in the words of L1Event; a batch's payload out of its calldata. */
import { IInbox, IL1Bridge, IStateCommitmentChain } from "@ovm/contracts"
import type { L1Contracts } from "@ovm/protocol/Deployment"
import type { L1ContractEvent } from "@ovm/protocol/L1Event"
import { type Address, type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import { Effect, Option, Schema } from "effect"
import { decodeEventLog, decodeFunctionData, hexToBytes, keccak256, toEventSelector } from "viem"
import type { L1ClientService, L1Log } from "../L1Client.ts"
import { L1AnswerMalformed, type L1Error } from "../L1Error.ts"
import { AnyAddress } from "./RpcAnswer.ts"

export const watchedAddresses = (contracts: L1Contracts): ReadonlyArray<Address> => [
  contracts.inbox,
  contracts.stateCommitmentChain,
  contracts.bridge
]

type Said = Exclude<L1ContractEvent, { readonly _tag: "BatchAppended" }>
type BatchAppended = Extract<L1ContractEvent, { readonly _tag: "BatchAppended" }>

/** The event that a log tells of; none if it tells of nothing that L2 follows. */
export const contractEvent = (
  l1: L1ClientService,
  contracts: L1Contracts,
  log: L1Log
): Effect.Effect<Option.Option<L1ContractEvent>, L1Error> =>
  Effect.gen(function* () {
    const decoded = yield* Effect.try({
      try: () => decodeLog(contracts, log),
      catch: (cause) => malformed(log, cause instanceof Error ? cause.message : String(cause))
    })
    if (decoded === undefined) return Option.none()
    if (decoded._tag !== "BatchAppended") return Option.some(decoded)
    return Option.some(yield* withPayload(l1, decoded, log))
  })

const malformed = (log: L1Log, issue: string) =>
  new L1AnswerMalformed({
    method: "eth_getLogs",
    issue: `log ${log.logIndex} of block ${log.blockHash} can't be read: ${issue}`
  })

const address = Schema.decodeSync(AnyAddress)

const selectors = (
  abi: typeof IInbox.abi | typeof IL1Bridge.abi | typeof IStateCommitmentChain.abi
) => new Set(abi.flatMap((item) => (item.type === "event" ? [toEventSelector(item)] : [])))
const INBOX = selectors(IInbox.abi)
const CHAIN = selectors(IStateCommitmentChain.abi)
const BRIDGE = selectors(IL1Bridge.abi)

/** Throws where a log of ours does not fit our own interface. */
const decodeLog = (
  contracts: L1Contracts,
  log: L1Log
): Said | Omit<BatchAppended, "payload" | "l1TransactionHash"> | undefined => {
  const [topic] = log.topics
  if (topic === undefined) return undefined
  if (log.address === contracts.inbox) return INBOX.has(topic) ? decodeInbox(log) : undefined
  if (log.address === contracts.stateCommitmentChain) {
    return CHAIN.has(topic) ? decodeChain(log) : undefined
  }
  return log.address === contracts.bridge && BRIDGE.has(topic) ? decodeBridge(log) : undefined
}

const topicsOf = ({ topics }: L1Log): [Hash32, ...Array<Hash32>] => {
  const [first = ZERO_HASH, ...rest] = topics
  return [first, ...rest]
}

const decodeInbox = (log: L1Log) => {
  const { args, eventName } = decodeEventLog({
    abi: IInbox.abi,
    data: log.data,
    topics: topicsOf(log)
  })
  switch (eventName) {
    case "TransactionEnqueued": {
      const { from, gasLimit, queueIndex, raw } = args
      return {
        _tag: "TransactionEnqueued",
        queueIndex,
        from: address(from),
        gasLimit,
        raw: hexToBytes(raw)
      } as const
    }
    case "BatchAppended": {
      const { record } = args
      return {
        _tag: "BatchAppended",
        record: { ...record, submitter: address(record.submitter) }
      } as const
    }
    case "BatchVoided":
      return { _tag: "BatchVoided", index: args.index, root: args.root } as const
    default:
      return undefined
  }
}

const decodeChain = (log: L1Log) => {
  const { args, eventName } = decodeEventLog({
    abi: IStateCommitmentChain.abi,
    data: log.data,
    topics: topicsOf(log)
  })
  switch (eventName) {
    case "ClaimProposed": {
      const { finalAt, index, proposal, proposer } = args
      return { _tag: eventName, index, proposer: address(proposer), ...proposal, finalAt } as const
    }
    case "ClaimDisputed":
      return { _tag: eventName, index: args.index } as const
    case "ClaimResumed":
      return { _tag: eventName, index: args.index, finalAt: args.finalAt } as const
    case "ClaimDefeated":
      return { _tag: eventName, index: args.index } as const
    case "ClaimFinalized":
      return { _tag: eventName, index: args.index } as const
    default:
      return undefined
  }
}

const decodeBridge = (log: L1Log) => {
  const { args, eventName } = decodeEventLog({
    abi: IL1Bridge.abi,
    data: log.data,
    topics: topicsOf(log)
  })
  switch (eventName) {
    case "ETHDeposited": {
      const { amount, from, queueIndex, to } = args
      return { _tag: eventName, from: address(from), to: address(to), amount, queueIndex } as const
    }
    case "WithdrawalFinalized": {
      const { success, value, withdrawalHash } = args
      return { _tag: eventName, withdrawalHash, success, value } as const
    }
    default:
      return undefined
  }
}

/** Reads the batch's payload from the transaction that posted it, and checks that it is the one. */
const withPayload = (
  l1: L1ClientService,
  { record }: Omit<BatchAppended, "payload" | "l1TransactionHash">,
  log: L1Log
): Effect.Effect<BatchAppended, L1Error> =>
  Effect.gen(function* () {
    const l1TransactionHash = log.transactionHash
    const appended = { _tag: "BatchAppended", record, l1TransactionHash } as const
    if (record.payloadHash === ZERO_HASH) return { ...appended, payload: new Uint8Array() }
    const found = yield* l1.getTransaction(l1TransactionHash)
    if (Option.isNone(found)) {
      return yield* malformed(log, `its transaction ${l1TransactionHash} is not there`)
    }
    const payload = yield* Effect.try({
      try: () => payloadOf(found.value.input),
      catch: (cause) => malformed(log, cause instanceof Error ? cause.message : String(cause))
    })
    const hash = keccak256(payload)
    if (hash !== record.payloadHash) {
      return yield* malformed(log, `its payload has hash ${hash}, not ${record.payloadHash}`)
    }
    return { ...appended, payload: hexToBytes(payload) }
  })

const payloadOf = (input: `0x${string}`): `0x${string}` => {
  const { args, functionName } = decodeFunctionData({ abi: IInbox.abi, data: input })
  if (functionName !== "appendBatch") throw new Error(`it calls ${functionName}, not appendBatch`)
  return args[2]
}
