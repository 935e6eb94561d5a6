/** What leaves L2: a call with ETH that L1 carries out once the state it was sent in is final. */
import { L2ToL1MessagePasser } from "@ovm/contracts"
import { MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import { Address, type Hash32, Hex } from "@ovm/protocol/Primitives"
import { Option, Schema } from "effect"
import {
  decodeEventLog,
  encodeAbiParameters,
  encodeFunctionData,
  keccak256,
  parseAbiParameters,
  toEventSelector
} from "viem"

const Uint = Schema.NonNegativeBigInt

/** In the words of IL2ToL1MessagePasser.sol. */
export const Withdrawal = Schema.Struct({
  /** Counts all withdrawals of the chain. */
  nonce: Uint,
  /** Who asked on L2. */
  sender: Address,
  /** Whom L1 calls. */
  target: Address,
  /** Wei, taken on L2 and given on L1. */
  value: Uint,
  /** L1 gas units that the call has at least. */
  gasLimit: Uint,
  data: Hex
})
export type Withdrawal = typeof Withdrawal.Type

/** The part of a log, of L2 or as viem gives it, that is read here. */
export interface LogLike {
  readonly address: string
  readonly topics: ReadonlyArray<Hex>
  readonly data: Hex
}

/** Topic of `WithdrawalInitiated`, to ask a node for its logs. */
export const INITIATED_TOPIC: Hash32 = toEventSelector(
  "WithdrawalInitiated(uint256,address,address,uint256,uint256,bytes,bytes32)"
)

/** keccak256(abi.encode(nonce, sender, target, value, gasLimit, data)): its name on both layers. */
export const hash = (withdrawal: Withdrawal): Hash32 =>
  keccak256(
    encodeAbiParameters(parseAbiParameters("uint256, address, address, uint256, uint256, bytes"), [
      withdrawal.nonce,
      withdrawal.sender,
      withdrawal.target,
      withdrawal.value,
      withdrawal.gasLimit,
      withdrawal.data
    ])
  )

/** Where the message passer's `sentMessages`, its storage slot 0, holds the withdrawal. */
export const storageSlot = (withdrawalHash: Hash32): Hash32 =>
  keccak256(encodeAbiParameters(parseAbiParameters("bytes32, uint256"), [withdrawalHash, 0n]))

/** The withdrawal that a log of the message passer tells of; none for any other log. */
export const fromLog = (log: LogLike): Option.Option<Withdrawal> => {
  if (log.address.toLowerCase() !== MESSAGE_PASSER) return Option.none()
  const [topic, ...topics] = log.topics
  if (topic !== INITIATED_TOPIC) return Option.none()
  const { args } = decodeEventLog({
    abi: L2ToL1MessagePasser.abi,
    eventName: "WithdrawalInitiated",
    topics: [topic, ...topics],
    data: log.data
  })
  return Option.some({
    nonce: args.nonce,
    sender: lowerCase(args.sender),
    target: lowerCase(args.target),
    value: args.value,
    gasLimit: args.gasLimit,
    data: args.data
  })
}

/** All withdrawals that these logs tell of, in order. */
export const fromLogs = (logs: ReadonlyArray<LogLike>): ReadonlyArray<Withdrawal> =>
  logs.flatMap((log) => Option.toArray(fromLog(log)))

/** The L2 call that takes `value` wei out, for the L1 account `target`; whoever sends it sends the value along. */
export const request = (options: {
  readonly target: Address
  readonly value: bigint
  /** L1 gas units; what a contract's `receive` needs. */
  readonly gasLimit?: bigint
  readonly data?: Hex
}) => ({
  to: MESSAGE_PASSER,
  value: options.value,
  data: encodeFunctionData({
    abi: L2ToL1MessagePasser.abi,
    functionName: "initiateWithdrawal",
    args: [options.target, options.gasLimit ?? DEFAULT_GAS_LIMIT, options.data ?? "0x"]
  })
})

/** Enough for the receivers that are contracts; the same as `withdrawETH` on L1 asks for. */
const DEFAULT_GAS_LIMIT = 100_000n

const lowerCase = (address: Address): Address => `0x${address.slice(2).toLowerCase()}`
