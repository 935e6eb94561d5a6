import { FastCheck as fc } from "effect"
import { bytesToHex, concat, keccak256 } from "viem"
import { describe, expect, it } from "vitest"
import * as BatchTree from "../src/BatchTree.ts"
import { noise } from "./support/Batches.ts"

const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, seed) => bytesToHex(noise(seed, 32)))

describe("the tree", () => {
  it("hashes a leaf's seven words", () => {
    const leaf = {
      blockIndex: 1,
      blockTransactions: 2,
      timestamp: 3n,
      l1OriginNumber: 4n,
      indexInBlock: 5,
      queued: true,
      transactionHash: bytesToHex(noise(1, 32))
    }
    const words = [1, 2, 3, 4, 5, 1].map(
      (word) => `0x${word.toString(16).padStart(64, "0")}` as const
    )
    expect(BatchTree.hashLeaf(leaf)).toBe(keccak256(concat([...words, leaf.transactionHash])))
  })

  it("has the root zero without leaves, and its leaf with one", () => {
    expect(BatchTree.root([])).toBe(`0x${"00".repeat(32)}`)
    const [leaf] = leavesOf(1)
    expect(leaf && BatchTree.root([leaf])).toBe(leaf)
  })

  it("moves an odd last node up as it is", () => {
    const [a, b, c] = leavesOf(3)
    if (a === undefined || b === undefined || c === undefined) throw new Error("No leaves.")
    const ab = keccak256(concat([a, b]))
    expect(BatchTree.root([a, b, c])).toBe(keccak256(concat([ab, c])))
    expect(BatchTree.proof([a, b, c], 2)).toEqual([ab])
  })

  it("proves every leaf at its place, for every count up to 40", () => {
    for (let leafCount = 1; leafCount <= 40; leafCount++) {
      const leaves = leavesOf(leafCount)
      const root = BatchTree.root(leaves)
      for (const [leafIndex, leaf] of leaves.entries()) {
        const siblings = BatchTree.proof(leaves, leafIndex) ?? []
        expect(BatchTree.verify({ root, leaf, leafIndex, leafCount, siblings })).toBe(true)
      }
      expect(BatchTree.proof(leaves, leafCount)).toBe(undefined)
    }
  })

  it("proves no leaf at another place, and with no other siblings", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 40 }),
        fc.nat(39),
        fc.nat(45),
        (leafCount, from, to) => {
          const leafIndex = from % leafCount
          const leaves = leavesOf(leafCount)
          const leaf = leaves[leafIndex] ?? "0x"
          const root = BatchTree.root(leaves)
          const siblings = BatchTree.proof(leaves, leafIndex) ?? []
          const proves = (fields: object) =>
            BatchTree.verify({ root, leaf, leafIndex, leafCount, siblings, ...fields })
          if (to !== leafIndex) expect(proves({ leafIndex: to })).toBe(false)
          expect(proves({ siblings: [...siblings, root] })).toBe(false)
          expect(proves({ siblings: siblings.slice(1) })).toBe(false)
        }
      ),
      { numRuns: 200, seed: 1 }
    )
  })
})
