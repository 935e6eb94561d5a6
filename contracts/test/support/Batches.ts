/** Batches written from the rules alone, byte by byte, so that neither the batcher's code nor L1's judges itself. */
import type { Hash32, Hex } from "@ovm/protocol/Primitives"
import {
  bytesToHex,
  concat,
  encodeAbiParameters,
  hexToBytes,
  keccak256,
  parseAbiParameters
} from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { L2_CHAIN_ID } from "./L1Node.ts"

export interface Block {
  readonly timestamp: bigint
  readonly origin: bigint
  /** Hashes of the queued transactions, which come first. */
  readonly queued?: ReadonlyArray<Hash32>
  /** Raw user transactions. */
  readonly user?: ReadonlyArray<Hex>
}

const varint = (value: bigint): ReadonlyArray<number> =>
  value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)]

export const payloadOf = (blocks: ReadonlyArray<Block>): Hex => {
  const parts: Array<Uint8Array> = [Uint8Array.of(0)]
  let [timestamp, origin] = [0n, 0n]
  for (const { queued = [], user = [], ...block } of blocks) {
    const counts = [...varint(BigInt(queued.length)), ...varint(BigInt(user.length))]
    parts.push(
      Uint8Array.from([
        ...varint(block.timestamp - timestamp),
        ...varint(block.origin - origin),
        ...counts
      ])
    )
    for (const raw of user) {
      const bytes = hexToBytes(raw)
      parts.push(Uint8Array.from(varint(BigInt(bytes.length))), bytes)
    }
    timestamp = block.timestamp
    origin = block.origin
  }
  return bytesToHex(Buffer.concat(parts))
}

const LEAF = parseAbiParameters("uint256, uint256, uint256, uint256, uint256, bool, bytes32")

export const leavesOf = (blocks: ReadonlyArray<Block>): ReadonlyArray<Hash32> =>
  blocks.flatMap(({ origin, queued = [], timestamp, user = [] }, blockIndex) =>
    [...queued, ...user.map((raw) => keccak256(raw))].map((hash, index, all) =>
      keccak256(
        encodeAbiParameters(LEAF, [
          BigInt(blockIndex),
          BigInt(all.length),
          timestamp,
          origin,
          BigInt(index),
          index < queued.length,
          hash
        ])
      )
    )
  )

const above = (nodes: ReadonlyArray<Hash32>): ReadonlyArray<Hash32> =>
  nodes.flatMap((node, index) => {
    const right = nodes[index + 1]
    if (index % 2 === 1) return []
    return right === undefined ? [node] : [keccak256(concat([node, right]))]
  })

export const rootOf = (leaves: ReadonlyArray<Hash32>): Hash32 =>
  leaves.length > 1 ? rootOf(above(leaves)) : (leaves[0] ?? `0x${"00".repeat(32)}`)

export const siblingsOf = (leaves: ReadonlyArray<Hash32>, index: number): ReadonlyArray<Hash32> => {
  if (leaves.length <= 1) return []
  const sibling = leaves[index ^ 1]
  const rest = siblingsOf(above(leaves), index >> 1)
  return sibling === undefined ? rest : [sibling, ...rest]
}

export const headerOf = (blocks: ReadonlyArray<Block>, queueEnd: bigint) => {
  const leaves = leavesOf(blocks)
  return { root: rootOf(leaves), blocks: blocks.length, transactions: leaves.length, queueEnd }
}

const signer = privateKeyToAccount(
  "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
)
export const SENDER = signer.address

/** An ERC-20 transfer, as a wallet signs it. */
export const transfer = (
  nonce: number,
  options: { gas?: bigint; chainId?: number; data?: Hex } = {}
) =>
  signer.signTransaction({
    type: "eip1559",
    chainId: options.chainId ?? Number(L2_CHAIN_ID),
    nonce,
    gas: options.gas ?? 60_000n,
    maxFeePerGas: 2_000_000_000n,
    maxPriorityFeePerGas: 1_000_000n,
    to: "0x4200000000000000000000000000000000000006",
    data:
      options.data ??
      `0xa9059cbb${"00".repeat(12)}${keccak256(`0x${nonce.toString(16).padStart(8, "0")}`).slice(26)}${(10n ** 17n + BigInt(nonce)).toString(16).padStart(64, "0")}`
  })
