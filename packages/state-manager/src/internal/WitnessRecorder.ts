/** Finds what a transaction needs of a state: makes its reads and changes again and notes what they load. */
import type { Hash32 } from "@ovm/protocol/Primitives"
import type { StateDiff } from "../State.ts"
import { applyDiff } from "../StateDiff.ts"
import type { Witness } from "../StateProof.ts"
import type { NodeSource, TrieFactory } from "../Trie.ts"
import { codeReader } from "./CodeReader.ts"
import { JournaledState } from "./JournaledState.ts"

export const recordWitness = async ({
  diff,
  root,
  source,
  tries
}: {
  readonly source: NodeSource
  readonly tries: typeof TrieFactory.Service
  readonly root: Hash32
  readonly diff: StateDiff
}): Promise<Witness> => {
  const nodes = new Map<Hash32, Uint8Array>()
  const codes = new Map<Hash32, Uint8Array>()
  const loadCode = codeReader(recording(source, codes))
  // A factory of its own source has a cache of its own, empty, so that every node is loaded once.
  const openTrie = tries.over(recording(source, nodes))
  const state = new JournaledState({ openTrie, loadCode, store: async () => {} }, root)

  for (const hash of diff.touched.codes) await loadCode(hash)
  for (const address of diff.touched.accounts) await state.getAccount(address)
  for (const [address, slots] of diff.touched.slots) {
    for (const slot of slots) await state.getStorage(address, slot)
  }
  await applyDiff(state, diff)
  await state.root()
  return { root, nodes: [...nodes.values()], codes: [...codes.values()] }
}

const recording = (source: NodeSource, seen: Map<Hash32, Uint8Array>): NodeSource => ({
  load: async (hash) => {
    const bytes = await source.load(hash)
    if (bytes !== undefined) seen.set(hash, bytes)
    return bytes
  }
})
