/** The first trie: the node types and codec of @ethereumjs/mpt, with updates in one walk. */
import {
  BranchMPTNode,
  isRawMPTNode,
  LeafMPTNode,
  type MPTNode,
  type Nibbles,
  type NodeReferenceOrRawMPTNode
} from "@ethereumjs/mpt"
import type { Hash32, Hex } from "@ovm/protocol/Primitives"
import { Layer } from "effect"
import { BoundedCache } from "./internal/BoundedCache.ts"
import { bytesToHex, hexToBytes, keccakBytes } from "./internal/Bytes.ts"
import { NodeReader } from "./internal/NodeReader.ts"
import { applyChanges, byPath, resolve, sharedLength } from "./internal/TrieUpdate.ts"
import { EMPTY_ROOT } from "./State.ts"
import { type NodeSource, type OpenTrie, type Trie, TrieFactory } from "./Trie.ts"

/** A decoded branch takes about 2 kB, so this bounds the cache at some 80 MB. */
const CACHED_NODES_MAX = 40_000
const CACHED_PATHS_MAX = 40_000

/** A factory whose tries, for each source, share a cache of at most `cachedNodesMax` nodes. */
export const make = ({
  cachedNodesMax = CACHED_NODES_MAX
}: {
  readonly cachedNodesMax?: number
} = {}): typeof TrieFactory.Service => {
  const paths = new BoundedCache<Hex, Nibbles>(CACHED_PATHS_MAX)
  const pathOf = (key: Hex): Nibbles => {
    const cached = paths.get(key)
    if (cached !== undefined) return cached
    const path = nibblesOf(keccakBytes(hexToBytes(key)))
    paths.set(key, path)
    return path
  }
  return {
    over: (source: NodeSource): OpenTrie => {
      const cache = new BoundedCache<Hash32, MPTNode>(cachedNodesMax)
      return (root, pending) => openAt(root, new NodeReader(source, cache, pending), pathOf)
    }
  }
}

export const layer: Layer.Layer<TrieFactory> = Layer.sync(TrieFactory, () => make())

const openAt = (root: Hash32, nodes: NodeReader, pathOf: (key: Hex) => Nibbles): Trie => ({
  root,
  get: (key) => find(nodes, root, pathOf(key)),
  prove: async (key) => {
    const proof: Array<Uint8Array> = []
    await find(nodes, root, pathOf(key), (node) => proof.push(node.serialize()))
    return proof
  },
  update: async (changes) => {
    const inOrder = Array.from(changes, ([key, value]) => ({ path: pathOf(key), value }))
    inOrder.sort(byPath)
    const before = root === EMPTY_ROOT ? null : await nodes.read(root)
    const after = await applyChanges(nodes, before, 0, inOrder)
    if (after === null) return openAt(EMPTY_ROOT, nodes, pathOf)
    if (after === before) return openAt(root, nodes, pathOf)
    return openAt(bytesToHex(nodes.add(after, after.serialize())), nodes, pathOf)
  }
})

/**
 * The value at `path`. Shows `onNode` every node on the way that has a hash of its own: one kept
 * inside its parent is proven with it, and stands in no proof, as in Ethereum clients.
 */
const find = async (
  nodes: NodeReader,
  root: Hash32,
  path: Nibbles,
  onNode?: (node: MPTNode) => void
): Promise<Uint8Array | undefined> => {
  if (root === EMPTY_ROOT) return undefined
  let depth = 0
  let reference: NodeReferenceOrRawMPTNode = hexToBytes(root)
  while (true) {
    const found = resolve(nodes, reference)
    const node = found instanceof Promise ? await found : found
    if (!isRawMPTNode(reference)) onNode?.(node)
    if (node instanceof BranchMPTNode) {
      const child = node.getBranch(path[depth] ?? 0)
      if (child === null) return undefined
      reference = child
      depth += 1
      continue
    }
    const length = node.keyLength()
    if (sharedLength(path, depth, node.key()) < length) return undefined
    if (node instanceof LeafMPTNode) return node.value()
    reference = node.value()
    depth += length
  }
}

const nibblesOf = (bytes: Uint8Array): Nibbles => {
  const nibbles: Nibbles = []
  for (const byte of bytes) nibbles.push(byte >> 4, byte & 15)
  return nibbles
}
