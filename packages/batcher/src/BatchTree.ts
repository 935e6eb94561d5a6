/** The Merkle tree over a batch's transactions: with it L1 checks any single one against the batch's root. */
import { type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import { concat, encodeAbiParameters, keccak256, parseAbiParameters } from "viem"

/** What a leaf commits to: a transaction, its place and its block's context. */
export interface Leaf {
  /** 0-based, in the batch. */
  readonly blockIndex: number
  /** How many transactions the block has, queued ones included. */
  readonly blockTransactions: number
  /** Seconds since the Unix epoch, as the batch gives it. */
  readonly timestamp: bigint
  readonly l1OriginNumber: bigint
  readonly indexInBlock: number
  /** Whether it comes from the queue. */
  readonly queued: boolean
  /** keccak-256 of the raw bytes. */
  readonly transactionHash: Hash32
}

const LEAF = parseAbiParameters("uint256, uint256, uint256, uint256, uint256, bool, bytes32")

export const hashLeaf = (leaf: Leaf): Hash32 =>
  keccak256(
    encodeAbiParameters(LEAF, [
      BigInt(leaf.blockIndex),
      BigInt(leaf.blockTransactions),
      leaf.timestamp,
      leaf.l1OriginNumber,
      BigInt(leaf.indexInBlock),
      leaf.queued,
      leaf.transactionHash
    ])
  )

const hashNode = (left: Hash32, right: Hash32): Hash32 => keccak256(concat([left, right]))

/** Every second node with its neighbour; an odd last one moves up as it is. */
const levelAbove = (nodes: ReadonlyArray<Hash32>): ReadonlyArray<Hash32> => {
  const above: Array<Hash32> = []
  for (let index = 0; index < nodes.length; index += 2) {
    const left = nodes[index] ?? ZERO_HASH
    const right = nodes[index + 1]
    above.push(right === undefined ? left : hashNode(left, right))
  }
  return above
}

/** The root; zero for no leaves. */
export const root = (leaves: ReadonlyArray<Hash32>): Hash32 => {
  let nodes = leaves
  while (nodes.length > 1) nodes = levelAbove(nodes)
  return nodes[0] ?? ZERO_HASH
}

/** The siblings from the leaf up, undefined if there is no such leaf. Levels on which it has none are left out. */
export const proof = (
  leaves: ReadonlyArray<Hash32>,
  leafIndex: number
): ReadonlyArray<Hash32> | undefined => {
  if (leaves[leafIndex] === undefined) return undefined
  const siblings: Array<Hash32> = []
  let index = leafIndex
  for (let nodes = leaves; nodes.length > 1; nodes = levelAbove(nodes)) {
    const sibling = nodes[index ^ 1]
    if (sibling !== undefined) siblings.push(sibling)
    index >>= 1
  }
  return siblings
}

/** Whether the leaf is the `leafIndex`-th of `leafCount` below `root`. Too many siblings are as wrong as too few. */
export const verify = (options: {
  readonly root: Hash32
  readonly leaf: Hash32
  readonly leafIndex: number
  readonly leafCount: number
  readonly siblings: ReadonlyArray<Hash32>
}): boolean => {
  if (options.leafIndex < 0 || options.leafIndex >= options.leafCount) return false
  let node = options.leaf
  let index = options.leafIndex
  let used = 0
  for (let count = options.leafCount; count > 1; count = (count + 1) >> 1) {
    if ((index ^ 1) < count) {
      const sibling = options.siblings[used++]
      if (sibling === undefined) return false
      node = index % 2 === 0 ? hashNode(node, sibling) : hashNode(sibling, node)
    }
    index >>= 1
  }
  return used === options.siblings.length && node === options.root
}
