/** What our contracts said, out of L1's logs; and a batch's payload, out of the transaction that posted it. */
import { Inbox, L1Bridge, StateCommitmentChain } from "@ovm/contracts"
import type { L1Contracts } from "@ovm/protocol/Deployment"
import { L1ContractEvent } from "@ovm/protocol/L1Event"
import { type Hash32, type Hex, ZERO_HASH } from "@ovm/protocol/Primitives"
import { Option, Schema } from "effect"
import { decodeEventLog, decodeFunctionData, hexToBytes, keccak256 } from "viem"
import type { L1Log, L1Transaction } from "../L1Client.ts"

const abi = [...Inbox.abi, ...StateCommitmentChain.abi, ...L1Bridge.abi] as const

/** An event that says where its payload is, but does not hold it. */
export type Said =
  | L1ContractEvent
  | {
      readonly _tag: "BatchPosted"
      readonly record: unknown
      readonly payloadHash: Hash32
      readonly transactionHash: Hash32
    }

/** None for an event that no node needs. */
export const read = (log: L1Log, contracts: L1Contracts): Option.Option<Said> => {
  const ours: ReadonlyArray<string> = [
    contracts.inbox,
    contracts.stateCommitmentChain,
    contracts.bridge
  ]
  const [signature, ...topics] = log.topics
  if (!ours.includes(log.address) || signature === undefined) return Option.none()
  const decoded = Option.liftThrowable(() =>
    decodeEventLog({ abi, data: log.data, topics: [signature, ...topics] })
  )()
  return Option.flatMap(decoded, (event): Option.Option<Said> => {
    switch (event.eventName) {
      case "TransactionEnqueued": {
        const { from, gasLimit, queueIndex, raw } = event.args
        return said({ _tag: event.eventName, queueIndex, from, gasLimit, raw: hexToBytes(raw) })
      }
      case "BatchAppended": {
        const { record } = event.args
        const { transactionHash } = log
        const { payloadHash } = record
        return Option.some({ _tag: "BatchPosted", record, payloadHash, transactionHash })
      }
      case "BatchVoided":
        return said({ _tag: event.eventName, index: event.args.index, root: event.args.root })
      case "ClaimProposed": {
        const { finalAt, index, proposal, proposer } = event.args
        return said({ _tag: event.eventName, ...proposal, index, proposer, finalAt })
      }
      case "ClaimDisputed":
      case "ClaimFinalized":
      case "ClaimDefeated":
        return said({ _tag: event.eventName, index: event.args.index })
      case "ClaimResumed":
        return said({ _tag: event.eventName, ...event.args })
      case "ETHDeposited":
        return said({ _tag: event.eventName, ...event.args })
      case "WithdrawalFinalized":
        return said({ _tag: event.eventName, ...event.args })
      default:
        return Option.none()
    }
  })
}

/** The batch with its payload; none if the transaction doesn't hold what the record says. */
export const withPayload = (
  said: Extract<Said, { readonly _tag: "BatchPosted" }>,
  transaction: L1Transaction | undefined
): Option.Option<L1ContractEvent> => {
  const payload =
    said.payloadHash === ZERO_HASH
      ? Option.some<Hex>("0x")
      : Option.flatMap(Option.fromNullable(transaction), ({ input }) => payloadOf(input))
  return Option.flatMap(payload, (bytes) =>
    said.payloadHash !== ZERO_HASH && keccak256(bytes) !== said.payloadHash
      ? Option.none()
      : onlyTypes({
          _tag: "BatchAppended",
          record: said.record,
          payload: hexToBytes(bytes),
          l1TransactionHash: said.transactionHash
        })
  )
}

const payloadOf = (input: Hex): Option.Option<Hex> =>
  Option.flatMap(
    Option.liftThrowable(() => decodeFunctionData({ abi: Inbox.abi, data: input }))(),
    (call) => (call.functionName === "appendBatch" ? Option.some(call.args[2]) : Option.none())
  )

/** viem gives checksummed addresses, and numbers for small integers. */
const normal = (value: unknown): unknown => {
  if (typeof value === "string") return /^0x[0-9a-fA-F]*$/.test(value) ? value.toLowerCase() : value
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, normal(field)]))
}

/** Our own contracts' words always fit: that they don't is a bug, not something to pass over. */
const onlyTypes = (event: unknown): Option.Option<L1ContractEvent> =>
  Option.some(Schema.validateSync(L1ContractEvent)(normal(event)))

const said: (event: unknown) => Option.Option<Said> = onlyTypes
