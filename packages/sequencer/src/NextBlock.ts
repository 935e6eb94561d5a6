/** The context of the block to come. All of it but the time and the L1 origin follows from the parent. */
import type { BlockHeader } from "@ovm/protocol/Block"
import type { BlockContext, L1Origin } from "@ovm/protocol/BlockContext"
import * as Genesis from "@ovm/protocol/Genesis"
import { nextBaseFee } from "./FeeMarket.ts"

export interface NextBlockOptions {
  readonly genesis: Genesis.Genesis
  readonly parent: BlockHeader
  readonly l1Origin: L1Origin
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number
}

/**
 * Time never runs backwards, whatever the clock does. Blocks of the same second share their
 * timestamp: a block sealed for each transaction must not push L2 time ahead of L1's.
 */
export const nextContext = ({
  genesis,
  l1Origin,
  nowMs,
  parent
}: NextBlockOptions): BlockContext => {
  const now = BigInt(Math.floor(nowMs / 1000))
  const number = parent.number + 1n
  return {
    chainId: genesis.chainId,
    number,
    timestamp: now > parent.timestamp ? now : parent.timestamp,
    gasLimit: genesis.gasLimit,
    baseFeePerGas: nextBaseFee(parent),
    coinbase: genesis.coinbase,
    prevRandao: Genesis.prevRandao(genesis.chainId, number),
    blobBaseFee: 1n,
    l1Origin,
    protocolVersion: genesis.protocolVersion
  }
}

/** The L1 origin of a block, given its parent's and the one it asks for: origins never move back. */
export const laterOrigin = (parent: L1Origin, asked: L1Origin): L1Origin =>
  asked.number > parent.number ? { number: asked.number, hash: asked.hash } : parent
