/**
 * Waits for what a transaction came to, with viem's client alone. viem's own wait asks once for each new block: on an L1 that
 * mines only on demand, a receipt that comes a moment after its block is never asked for again.
 */
import {
  type Hex,
  type PublicClient,
  type TransactionReceipt,
  WaitForTransactionReceiptTimeoutError
} from "viem"

export interface ReceiptOptions {
  readonly hash: Hex
  /** Milliseconds between two questions. Default: the client's own polling interval, at most 250. */
  readonly everyMs?: number
  /** Milliseconds after which it is given up. Default 180,000. */
  readonly timeoutMs?: number
}

/** Asks until the receipt is there; rejects with viem's own time-out error. A node that fails in between is asked again. */
export const awaitReceipt = async (
  client: Pick<PublicClient, "getTransactionReceipt" | "pollingInterval">,
  { everyMs, hash, timeoutMs = 180_000 }: ReceiptOptions
): Promise<TransactionReceipt> => {
  const pauseMs = everyMs ?? Math.min(client.pollingInterval, 250)
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += pauseMs) {
    const receipt = await client.getTransactionReceipt({ hash }).catch(() => undefined)
    if (receipt !== undefined) return receipt
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  throw new WaitForTransactionReceiptTimeoutError({ hash })
}
