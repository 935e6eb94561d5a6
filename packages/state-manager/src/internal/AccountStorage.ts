/** One account's storage as a state sees it: the trie of some root, and over it what was written. */
import { type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import { EMPTY_ROOT } from "../State.ts"
import type { OpenTrie, PendingNodes, Trie } from "../Trie.ts"
import { decodeWord, encodeWord } from "./Bytes.ts"

export class AccountStorage {
  #trie: Trie
  /** Values as of now, written or only read. */
  readonly #values = new Map<Hash32, Hash32>()
  /** Slots that may differ from the trie's. */
  readonly #written = new Set<Hash32>()

  constructor(trie: Trie) {
    this.#trie = trie
  }

  /** Root of the trie below; what was written since the last `save` is not in it. */
  get root(): Hash32 {
    return this.#trie.root
  }

  get values(): ReadonlyMap<Hash32, Hash32> {
    return this.#values
  }

  async read(slot: Hash32): Promise<Hash32> {
    const known = this.#values.get(slot)
    if (known !== undefined) return known
    const value = decodeWord(await this.#trie.get(slot))
    this.#values.set(slot, value)
    return value
  }

  write(slot: Hash32, value: Hash32): void {
    this.#values.set(slot, value)
    this.#written.add(slot)
  }

  /** Whether all slots are zero. */
  async isEmpty(): Promise<boolean> {
    for (const value of this.#values.values()) if (value !== ZERO_HASH) return false
    if (this.#trie.root === EMPTY_ROOT) return true
    if (this.#written.size === 0) return false
    return (await this.#updatedTrie()).root === EMPTY_ROOT
  }

  /** Moves what was written into the trie and answers its root. */
  async save(): Promise<Hash32> {
    if (this.#written.size > 0) {
      this.#trie = await this.#updatedTrie()
      this.#written.clear()
    }
    return this.#trie.root
  }

  /** The same storage over tries of another state. */
  fork(open: OpenTrie, pending: PendingNodes): AccountStorage {
    const copy = new AccountStorage(open(this.#trie.root, pending))
    for (const slot of this.#written) copy.write(slot, this.#values.get(slot) ?? ZERO_HASH)
    return copy
  }

  #updatedTrie(): Promise<Trie> {
    const changes = new Map<Hash32, Uint8Array | undefined>()
    for (const slot of this.#written) {
      changes.set(slot, encodeWord(this.#values.get(slot) ?? ZERO_HASH))
    }
    return this.#trie.update(changes)
  }
}
