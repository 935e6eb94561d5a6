/** What `withdrawalStatus` must know of L2, asked of any node over RPC. */
import { MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Effect, Option } from "effect"
import { type PublicClient, TransactionReceiptNotFoundError } from "viem"
import { ask, type ChainUnreachable } from "./internal/Reading.ts"
import * as Withdrawal from "./Withdrawal.ts"
import type { L2Source, SentWithdrawal } from "./WithdrawalStatus.ts"

/** L2 blocks whose logs are asked for at once. */
const PAGE = 5_000n

/**
 * L2 through viem. A transaction's hash is one question; a withdrawal's hash is searched for in the
 * logs, newest first. The node's "safe" block must be the last that its batches on L1 hold.
 */
export const fromClient = (client: PublicClient): L2Source<ChainUnreachable> => ({
  find: Effect.fn("L2Source.find")(function* (hash: Hash32) {
    const byTransaction = yield* ask("L2", "eth_getTransactionReceipt", () =>
      ofTransaction(client, hash)
    )
    if (byTransaction !== undefined) return Option.some(byTransaction)
    return Option.fromNullable(yield* ask("L2", "eth_getLogs", () => ofHash(client, hash)))
  }),
  lastBatchedBlock: ask("L2", 'eth_getBlockByNumber("safe")', async () => {
    const { number } = await client.getBlock({ blockTag: "safe" })
    return number
  })
})

/** The first withdrawal that these logs of one L2 block tell of. */
export const firstSent = (
  logs: ReadonlyArray<Withdrawal.LogLike>,
  l2BlockNumber: bigint
): SentWithdrawal | undefined => {
  const [withdrawal] = Withdrawal.fromLogs(logs)
  if (withdrawal === undefined) return undefined
  return { withdrawal, withdrawalHash: Withdrawal.hash(withdrawal), l2BlockNumber }
}

const ofTransaction = async (client: PublicClient, hash: Hash32) => {
  try {
    const receipt = await client.getTransactionReceipt({ hash })
    return firstSent(receipt.logs, receipt.blockNumber)
  } catch (error) {
    if (error instanceof TransactionReceiptNotFoundError) return undefined
    throw error
  }
}

const ofHash = async (client: PublicClient, hash: Hash32) => {
  let end = (await client.getBlockNumber()) + 1n
  while (end > 0n) {
    const start = end > PAGE ? end - PAGE : 0n
    const logs = await client.getLogs({
      address: MESSAGE_PASSER,
      fromBlock: start,
      toBlock: end - 1n
    })
    for (const log of logs) {
      const sent = firstSent([log], log.blockNumber)
      if (sent?.withdrawalHash === hash) return sent
    }
    end = start
  }
  return undefined
}
