/** What L1 knows of one withdrawal, read as of one block so that no answer contradicts another. */
import { L1Bridge, StateCommitmentChain } from "@ovm/contracts"
import type { L1Contracts } from "@ovm/protocol/Deployment"
import { type Effect, Option } from "effect"
import { BaseError, ContractFunctionRevertedError, type PublicClient } from "viem"
import type { L1Facts, Obstacle, SentWithdrawal } from "../WithdrawalStatus.ts"
import { ask, type ChainUnreachable } from "./Reading.ts"

/** Claims that are asked for at once. */
const PAGE = 32n
/** In the order of `ClaimStatus` in IStateCommitmentChain.sol. */
const DISPUTED = 2
const DEFEATED = 3

type Contracts = Pick<L1Contracts, "bridge" | "stateCommitmentChain">

export const readL1 = (
  client: PublicClient,
  contracts: Contracts,
  { l2BlockNumber, withdrawalHash }: SentWithdrawal
): Effect.Effect<L1Facts, ChainUnreachable> =>
  ask("L1", "what it knows of the withdrawal", async () => {
    const block = await client.getBlock()
    const at = { blockNumber: block.number }
    const bridge = { address: contracts.bridge, abi: L1Bridge.abi, ...at } as const
    const scc = {
      address: contracts.stateCommitmentChain,
      abi: StateCommitmentChain.abi,
      ...at
    } as const
    const [challengePeriodSeconds, bridgePause, claimsPause, isFinalized] = await Promise.all([
      client.readContract({ ...scc, functionName: "challengePeriod" }),
      client.readContract({ ...bridge, functionName: "pausedUntil" }),
      client.readContract({ ...scc, functionName: "pausedUntil" }),
      client.readContract({ ...bridge, functionName: "isFinalized", args: [withdrawalHash] })
    ])
    const pausedUntil = BigInt(bridgePause) > claimsPause ? BigInt(bridgePause) : claimsPause
    const facts = { now: block.timestamp, challengePeriodSeconds, pausedUntil }
    if (isFinalized) {
      const success = await outcome(client, contracts, withdrawalHash, block.number)
      return { ...facts, finalized: Option.some({ success }), claim: Option.none() }
    }
    const claim = await firstCovering(client, scc, l2BlockNumber)
    if (claim === undefined) return { ...facts, finalized: Option.none(), claim: Option.none() }
    const obstacle = await obstacleTo(client, scc, claim.index)
    return { ...facts, finalized: Option.none(), claim: Option.some({ ...claim, obstacle }) }
  })

interface ClaimsAt {
  readonly address: `0x${string}`
  readonly abi: typeof StateCommitmentChain.abi
  readonly blockNumber: bigint
}

/** The claims that stand grow by block number, so the search goes back from the newest. */
const firstCovering = async (client: PublicClient, scc: ClaimsAt, l2BlockNumber: bigint) => {
  let first: Omit<Option.Option.Value<L1Facts["claim"]>, "obstacle"> | undefined
  let end = await client.readContract({ ...scc, functionName: "claimCount" })
  while (end > 0n) {
    const start = end > PAGE ? end - PAGE : 0n
    const indices = Array.from({ length: Number(end - start) }, (_, i) => end - 1n - BigInt(i))
    const claims = await Promise.all(
      indices.map((index) => client.readContract({ ...scc, functionName: "claim", args: [index] }))
    )
    for (const [i, { finalAt, proposal, status }] of claims.entries()) {
      if (status === DEFEATED) continue
      if (proposal.blockNumber < l2BlockNumber) return first
      const index = end - 1n - BigInt(i)
      first = { index, blockNumber: proposal.blockNumber, disputed: status === DISPUTED, finalAt }
    }
    end = start
  }
  return first
}

/** Asks the very question that the bridge asks. */
const obstacleTo = async (
  client: PublicClient,
  scc: ClaimsAt,
  index: bigint
): Promise<Obstacle> => {
  try {
    await client.readContract({ ...scc, functionName: "requireFinal", args: [index] })
    return { _tag: "None" }
  } catch (error) {
    const reverted =
      error instanceof BaseError
        ? error.walk((cause) => cause instanceof ContractFunctionRevertedError)
        : null
    if (!(reverted instanceof ContractFunctionRevertedError)) throw error
    const [, status, finalAt] = reverted.data?.args ?? []
    switch (reverted.data?.errorName) {
      case "ClaimNotFinal":
        return status === DISPUTED || typeof finalAt !== "bigint"
          ? { _tag: "Disputed" }
          : { _tag: "Clock", finalAt }
      case "TooManyClaims":
        return { _tag: "TooManyClaims" }
      // The pause is told apart already.
      case "Paused":
        return { _tag: "None" }
      default:
        throw error
    }
  }
}

/** Whether the target's call succeeded. */
const outcome = async (
  client: PublicClient,
  contracts: Contracts,
  withdrawalHash: `0x${string}`,
  toBlock: bigint
): Promise<boolean> => {
  const logs = await client.getContractEvents({
    address: contracts.bridge,
    abi: L1Bridge.abi,
    eventName: "WithdrawalFinalized",
    args: { withdrawalHash },
    fromBlock: 0n,
    toBlock,
    strict: true
  })
  const [log] = logs
  if (log === undefined) throw new Error(`no WithdrawalFinalized of ${withdrawalHash}`)
  return log.args.success
}
