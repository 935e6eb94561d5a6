/**
 * Applies many changes to a trie in one walk, so that each changed node is encoded and hashed once.
 * (`MerklePatriciaTrie.put` hashes the whole path for every key, and takes a missing node for absence.)
 */
import {
  BranchMPTNode,
  decodeRawMPTNode,
  ExtensionMPTNode,
  isRawMPTNode,
  LeafMPTNode,
  type MPTNode,
  type Nibbles,
  type NodeReferenceOrRawMPTNode
} from "@ethereumjs/mpt"
import { bytesToHex } from "./Bytes.ts"
import type { NodeReader } from "./NodeReader.ts"

/** A key's new value, or `undefined` to delete it. `path` holds the nibbles of the hashed key. */
export interface Change {
  readonly path: Nibbles
  readonly value: Uint8Array | undefined
}

interface Put extends Change {
  readonly value: Uint8Array
}

/** A branch's child: as stored, or already read and perhaps changed. */
type Child = NodeReferenceOrRawMPTNode | MPTNode | null

/** The node with `changes` (in order of path, no path twice) applied; itself if they change nothing. */
export const applyChanges = async (
  nodes: NodeReader,
  node: MPTNode | null,
  depth: number,
  changes: ReadonlyArray<Change>
): Promise<MPTNode | null> => {
  if (changes.length === 0) return node
  if (node === null) return build(nodes, depth, changes.filter(isPut))
  if (node instanceof LeafMPTNode) return applyToLeaf(nodes, node, depth, changes)
  if (node instanceof ExtensionMPTNode) return applyToExtension(nodes, node, depth, changes)
  const children = Array.from({ length: 16 }, (_, nibble): Child => node.getBranch(nibble))
  const changed = await applyToChildren(nodes, children, depth, changes)
  return changed ? fromChildren(nodes, children) : node
}

/** Reads what a parent refers to: a node kept apart by its hash, or a small one kept inside. */
export const resolve = (
  nodes: NodeReader,
  reference: NodeReferenceOrRawMPTNode
): MPTNode | Promise<MPTNode> =>
  isRawMPTNode(reference) ? decodeRawMPTNode(reference) : nodes.read(bytesToHex(reference))

/** A new subtree that holds exactly `puts`. */
const build = (nodes: NodeReader, depth: number, puts: ReadonlyArray<Put>): MPTNode | null => {
  const first = puts[0]
  const last = puts[puts.length - 1]
  if (first === undefined || last === undefined) return null
  if (puts.length === 1) return new LeafMPTNode(first.path.slice(depth), first.value)
  // Paths are in order, so what the first and the last share, all share.
  const shared = sharedLength(last.path, depth, first.path.slice(depth))
  const branch = new BranchMPTNode()
  groupByNibble(puts, depth + shared).forEach((group, nibble) => {
    const child = build(nodes, depth + shared + 1, group)
    if (child !== null) branch.setBranch(nibble, referTo(nodes, child))
  })
  return prefixed(nodes, first.path.slice(depth, depth + shared), branch)
}

const applyToLeaf = (
  nodes: NodeReader,
  leaf: LeafMPTNode,
  depth: number,
  changes: ReadonlyArray<Change>
): MPTNode | null => {
  const nibbles = leaf.key()
  const own = changes.find(({ path }) => sharedLength(path, depth, nibbles) === nibbles.length)
  if (own?.value !== undefined && equalBytes(own.value, leaf.value())) {
    if (!changes.some((change) => change !== own && isPut(change))) return leaf
  }
  const puts = changes.filter(isPut)
  if (own !== undefined) return build(nodes, depth, puts)
  if (puts.length === 0) return leaf
  const prefix = puts[0]?.path.slice(0, depth) ?? []
  puts.push({ path: [...prefix, ...nibbles], value: leaf.value() })
  return build(nodes, depth, puts.sort(byPath))
}

const applyToExtension = async (
  nodes: NodeReader,
  extension: ExtensionMPTNode,
  depth: number,
  changes: ReadonlyArray<Change>
): Promise<MPTNode | null> => {
  const nibbles = extension.key()
  const sharedBy = (change: Change) => sharedLength(change.path, depth, nibbles)
  // A delete of what the extension does not lead to finds nothing.
  const relevant = changes.filter((change) => isPut(change) || sharedBy(change) === nibbles.length)
  if (relevant.length === 0) return extension
  const shared = Math.min(...relevant.map(sharedBy))

  if (shared === nibbles.length) {
    const child = await resolve(nodes, extension.value())
    const next = await applyChanges(nodes, child, depth + shared, relevant)
    if (next === child) return extension
    return next === null ? null : prefixed(nodes, nibbles, next)
  }

  const rest = nibbles.slice(shared + 1)
  const children = new Array<Child>(16).fill(null)
  children[nibbles[shared] ?? 0] =
    rest.length === 0 ? extension.value() : new ExtensionMPTNode(rest, extension.value())
  await applyToChildren(nodes, children, depth + shared, relevant)
  const split = await fromChildren(nodes, children)
  return split === null ? null : prefixed(nodes, nibbles.slice(0, shared), split)
}

/** Applies the changes to `children` in place and tells whether any is another node now. */
const applyToChildren = async (
  nodes: NodeReader,
  children: Array<Child>,
  depth: number,
  changes: ReadonlyArray<Change>
): Promise<boolean> => {
  let changed = false
  for (const [nibble, group] of groupByNibble(changes, depth)) {
    const before = await readChild(nodes, children[nibble] ?? null)
    const after = await applyChanges(nodes, before, depth + 1, group)
    if (after === before) continue
    children[nibble] = after
    changed = true
  }
  return changed
}

/** The node that stands for these children: a branch only if at least two are left. */
const fromChildren = async (
  nodes: NodeReader,
  children: ReadonlyArray<Child>
): Promise<MPTNode | null> => {
  const present = children.flatMap((child, nibble) => (child === null ? [] : [{ child, nibble }]))
  const only = present[0]
  if (only === undefined) return null
  if (present.length === 1) {
    const child = await readChild(nodes, only.child)
    return child === null ? null : prefixed(nodes, [only.nibble], child)
  }
  const branch = new BranchMPTNode()
  for (const { child, nibble } of present) {
    branch.setBranch(nibble, isNode(child) ? referTo(nodes, child) : child)
  }
  return branch
}

const readChild = (nodes: NodeReader, child: Child): MPTNode | null | Promise<MPTNode> =>
  child === null || isNode(child) ? child : resolve(nodes, child)

/** Puts `nibbles` before what `node` leads to; leaves and extensions take them in. */
const prefixed = (nodes: NodeReader, nibbles: Nibbles, node: MPTNode): MPTNode => {
  if (nibbles.length === 0) return node
  if (node instanceof LeafMPTNode) return new LeafMPTNode([...nibbles, ...node.key()], node.value())
  if (node instanceof ExtensionMPTNode) {
    return new ExtensionMPTNode([...nibbles, ...node.key()], node.value())
  }
  // Only paths that share 50 nibbles of a hash could make a branch small enough to be kept inside.
  return new ExtensionMPTNode(nibbles, nodes.add(node, node.serialize()))
}

/** How a parent refers to `node`: by hash, or, if it is shorter than one, by holding it. */
const referTo = (nodes: NodeReader, node: MPTNode): NodeReferenceOrRawMPTNode => {
  const encoded = node.serialize()
  if (encoded.length >= 32 || node instanceof BranchMPTNode) return nodes.add(node, encoded)
  return node.raw()
}

const groupByNibble = <C extends Change>(
  changes: ReadonlyArray<C>,
  depth: number
): Map<number, Array<C>> => {
  const groups = new Map<number, Array<C>>()
  for (const change of changes) {
    const nibble = change.path[depth] ?? 0
    const group = groups.get(nibble)
    if (group === undefined) groups.set(nibble, [change])
    else group.push(change)
  }
  return groups
}

/** How many of `nibbles` the path shows from `depth` on. */
export const sharedLength = (path: Nibbles, depth: number, nibbles: Nibbles): number => {
  let shared = 0
  while (shared < nibbles.length && path[depth + shared] === nibbles[shared]) shared++
  return shared
}

/** Orders changes for `applyChanges`. */
export const byPath = (left: Change, right: Change): number => {
  const shared = sharedLength(left.path, 0, right.path)
  return (left.path[shared] ?? 0) - (right.path[shared] ?? 0)
}

const isPut = (change: Change): change is Put => change.value !== undefined

const isNode = (child: Child): child is MPTNode =>
  child instanceof LeafMPTNode ||
  child instanceof ExtensionMPTNode ||
  child instanceof BranchMPTNode

const equalBytes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && left.every((byte, index) => byte === right[index])
