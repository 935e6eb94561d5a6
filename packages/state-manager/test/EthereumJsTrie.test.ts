import { MerklePatriciaTrie, verifyMerkleProof } from "@ethereumjs/mpt"
import { it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import type { Hash32, Hex } from "@ovm/protocol/Primitives"
import fc from "fast-check"
import { describe } from "vitest"
import * as EthereumJsTrie from "../src/EthereumJsTrie.ts"
import { bytesToHex, hexToBytes, keccak } from "../src/internal/Bytes.ts"
import { EMPTY_ROOT, StateCorrupted, TrieNodeMissing } from "../src/State.ts"
import type { Trie } from "../src/Trie.ts"
import { rejection, word } from "./utilities.ts"

const openEmpty = (pending = new Map<Hash32, Uint8Array>()): Trie =>
  EthereumJsTrie.make().over({ load: async () => undefined })(EMPTY_ROOT, pending)

/** What @ethereumjs/mpt itself makes of the same content, key by key. */
const oracleOf = async (content: ReadonlyMap<Hex, Uint8Array>): Promise<MerklePatriciaTrie> => {
  const trie = new MerklePatriciaTrie({ useKeyHashing: true })
  for (const [key, value] of content) await trie.put(hexToBytes(key), value)
  return trie
}

const valueOf = (seed: number) => new Uint8Array((seed % 40) + 1).fill((seed % 127) + 1)

/** Two slots whose keccak-256 begin with the same 8 nibbles, so that their leaves fit into a branch. */
const NEIGHBOURS = [word(40_364), word(105_566)] as const

/** Keys whose hashes begin alike, so that a few of them make extensions, and split and join them. */
const CROWDED: ReadonlyArray<Hash32> = Array.from({ length: 20_000 }, (_, key) => ({
  key: word(key),
  hash: keccak(hexToBytes(word(key)))
}))
  .filter(({ hash }) => hash.startsWith("0x12") || hash.startsWith("0x9"))
  .sort((left, right) => (left.hash < right.hash ? -1 : 1))
  .slice(0, 60)
  .map(({ key }) => key)

/** A trie of 200 keys, read back from what it stored. */
const openStored = async (tamper: (stored: Map<Hash32, Uint8Array>) => void) => {
  const stored = new Map<Hash32, Uint8Array>()
  const filled = await openEmpty(stored).update(contentOf(200))
  tamper(stored)
  const open = EthereumJsTrie.make().over({ load: async (hash) => stored.get(hash) })
  return { trie: open(filled.root, new Map()), stored }
}

const contentOf = (keys: number): ReadonlyMap<Hex, Uint8Array> =>
  new Map(Array.from({ length: keys }, (_, key) => [word(key), valueOf(key)]))

const verify = async (trie: Trie, key: Hex): Promise<Uint8Array | undefined> => {
  const root = hexToBytes(trie.root)
  const proof = await trie.prove(key)
  const value = await verifyMerkleProof(hexToBytes(key), [...proof], { useKeyHashing: true, root })
  return value ?? undefined
}

describe("EthereumJsTrie", () => {
  it("has the known root without keys", () => {
    strictEqual(openEmpty().root, EMPTY_ROOT)
    strictEqual(keccak(Uint8Array.of(0x80)), EMPTY_ROOT)
  })

  it("has the root @ethereumjs/mpt computes key by key, whatever the batches were", async () => {
    const key = fc.nat({ max: CROWDED.length - 1 }).map((index) => CROWDED[index] ?? word(0))
    const seed = fc.option(fc.nat({ max: 1_000 }), { freq: 2 })
    const batches = fc.array(fc.array(fc.tuple(key, seed), { maxLength: 6 }), {
      minLength: 2,
      maxLength: 12
    })
    await fc.assert(
      fc.asyncProperty(batches, async (all) => {
        let trie = openEmpty()
        const content = new Map<Hex, Uint8Array>()
        for (const batch of all) {
          const changes = new Map<Hex, Uint8Array | undefined>()
          for (const [key, seed] of batch) {
            const value = seed === null ? undefined : valueOf(seed)
            changes.set(key, value)
            if (value === undefined) content.delete(key)
            else content.set(key, value)
          }
          trie = await trie.update(changes)
          strictEqual(trie.root, bytesToHex((await oracleOf(content)).root()))
        }
        for (const key of CROWDED) deepStrictEqual(await trie.get(key), content.get(key))
      }),
      { numRuns: 150 }
    )
  })

  it("keeps a short leaf inside its branch, and takes it out again", async () => {
    const [left, right] = NEIGHBOURS
    const one = Uint8Array.of(1)
    const both = await openEmpty().update(
      new Map<Hex, Uint8Array>([
        [left, one],
        [right, one]
      ])
    )
    const proof = await both.prove(left)
    strictEqual(proof.length, 2, "an extension and a branch; both leaves are in the branch")
    deepStrictEqual(await both.get(right), one)
    deepStrictEqual(await verify(both, right), one)

    const alone = await both.update(new Map([[right, undefined]]))
    strictEqual(alone.root, bytesToHex((await oracleOf(new Map([[left, one]]))).root()))
    const none = await alone.update(new Map([[left, undefined]]))
    strictEqual(none.root, EMPTY_ROOT)
  })

  it("hashes each node of an update once, however many keys change below it", async () => {
    const pending = new Map<Hash32, Uint8Array>()
    const trie = await openEmpty(pending).update(contentOf(200))
    const reachable = new Set<string>()
    for (const key of contentOf(200).keys()) {
      for (const node of await trie.prove(key)) reachable.add(keccak(node))
    }
    deepStrictEqual(new Set<string>(pending.keys()), reachable)
  })

  it("changes nothing when an update changes nothing", async () => {
    const { trie } = await openStored(() => {})
    const same = await trie.update(new Map([...contentOf(50), [word(5_000), undefined]]))
    strictEqual(same.root, trie.root)
  })

  it("keeps earlier versions readable", async () => {
    const first = await openEmpty().update(new Map([[word(1), valueOf(1)]]))
    const second = await first.update(new Map([[word(1), valueOf(2)]]))
    deepStrictEqual(await first.get(word(1)), valueOf(1))
    deepStrictEqual(await second.get(word(1)), valueOf(2))
  })

  it("proves presence and absence to @ethereumjs/mpt", async () => {
    const { trie } = await openStored(() => {})
    for (const key of [0, 7, 199]) deepStrictEqual(await verify(trie, word(key)), valueOf(key))
    for (const key of [200, 201, 999_999]) strictEqual(await verify(trie, word(key)), undefined)
    deepStrictEqual(await openEmpty().prove(word(1)), [])
  })

  it("rejects reads and updates that need a node which is gone", async () => {
    let gone: Hash32 = EMPTY_ROOT
    const { trie } = await openStored((stored) => {
      // Nodes are stored children first, so the first is a leaf.
      gone = [...stored.keys()][0] ?? gone
      stored.delete(gone)
    })
    const missing = new TrieNodeMissing({ hash: gone, kind: "node" })
    const failures: Array<unknown> = []
    for (const key of contentOf(200).keys()) {
      await trie.get(key).catch((error) => failures.push(error))
    }
    deepStrictEqual(failures, [missing])
    const deletions = new Map(Array.from(contentOf(200).keys(), (key) => [key, undefined]))
    deepStrictEqual(await rejection(trie.update(deletions)), missing)
  })

  it("rejects a node whose bytes were changed, and one that is no node", async () => {
    const { trie } = await openStored((stored) => {
      for (const bytes of stored.values()) bytes[5] = (bytes[5] ?? 0) ^ 1
    })
    const error = await rejection(trie.get(word(1)))
    strictEqual(error instanceof StateCorrupted && error.expected === trie.root, true)
    strictEqual(error instanceof StateCorrupted && error.actual !== trie.root, true)

    const text = new TextEncoder().encode("no trie node")
    const root = keccak(text)
    const open = EthereumJsTrie.make().over({ load: async () => text })
    const wrongKind = new StateCorrupted({
      expected: root,
      actual: root,
      reason: "it is no trie node"
    })
    deepStrictEqual(await rejection(open(root, new Map()).get(word(1))), wrongKind)
  })

  it("works with a cache too small for its nodes", async () => {
    const stored = new Map<Hash32, Uint8Array>()
    const source = { load: async (hash: Hash32) => stored.get(hash) }
    const open = EthereumJsTrie.make({ cachedNodesMax: 2 }).over(source)
    const trie = await open(EMPTY_ROOT, stored).update(contentOf(100))
    strictEqual(trie.root, (await openEmpty().update(contentOf(100))).root)
    for (const [key, value] of contentOf(100)) deepStrictEqual(await trie.get(key), value)
  })
})
