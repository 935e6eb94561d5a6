/** The one `State`: plain maps over two tries, and a journal that undoes what a checkpoint saw. */
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import {
  type Account,
  EMPTY_CODE_HASH,
  EMPTY_ROOT,
  isEmptyAccount,
  type State,
  type StateDiff
} from "../State.ts"
import type { OpenTrie, PendingNodes, Trie } from "../Trie.ts"
import { AccountStorage } from "./AccountStorage.ts"
import { decodeAccount, encodeAccount, keccak } from "./Bytes.ts"
import { TransactionRecord } from "./TransactionRecord.ts"

/** What a state needs from below. Rejected promises hold a `StateError`. */
export interface Backing {
  readonly openTrie: OpenTrie
  readonly loadCode: (hash: Hash32) => Promise<Uint8Array>
  readonly store: (entries: ReadonlyMap<Hash32, Uint8Array>) => Promise<void>
}

/** What a state knows of one address. Empty accounts are `undefined`. */
interface Entry {
  account: Account | undefined
  storage: AccountStorage
  /** Set and left empty: when the transaction ends, its storage goes too (EIP-161). */
  isSwept: boolean
}

/** How to undo one write. */
type Undo =
  | { readonly kind: "entry"; readonly entry: Entry; readonly before: Entry }
  | {
      readonly kind: "slot"
      readonly storage: AccountStorage
      readonly slot: Hash32
      readonly before: Hash32
    }

/** Entries a state keeps for reading after a flush; past that many it starts afresh. */
const CLEAN_ENTRIES_MAX = 20_000
const CLEAN_SLOTS_MAX = 100_000

export class JournaledState implements State {
  readonly #backing: Backing
  readonly #pending: PendingNodes
  #accounts: Trie
  #entries = new Map<Address, Entry>()
  #slotReads = 0
  /** Code written and not stored yet. */
  readonly #codes = new Map<Hash32, Uint8Array>()
  /** Accounts that may differ from the trie's. */
  readonly #dirty = new Set<Address>()
  readonly #journal: Array<Undo> = []
  /** Length of the journal when each open checkpoint was opened. */
  readonly #checkpoints: Array<number> = []
  #record = new TransactionRecord()

  constructor(backing: Backing, root: Hash32, pending: PendingNodes = new Map()) {
    this.#backing = backing
    this.#pending = pending
    this.#accounts = backing.openTrie(root, pending)
  }

  async getAccount(address: Address): Promise<Account | undefined> {
    return (this.#find(address) ?? (await this.#load(address))).account
  }

  async setAccount(
    address: Address,
    { nonce, balance }: { readonly nonce: bigint; readonly balance: bigint }
  ): Promise<void> {
    const entry = this.#find(address) ?? (await this.#load(address))
    const codeHash = entry.account?.codeHash ?? EMPTY_CODE_HASH
    this.#writeAccount(address, entry, { nonce, balance, codeHash })
  }

  async getCode(address: Address): Promise<Uint8Array> {
    const { account } = this.#find(address) ?? (await this.#load(address))
    if (account === undefined || account.codeHash === EMPTY_CODE_HASH) return new Uint8Array()
    this.#record.readCode(account.codeHash)
    return this.#codes.get(account.codeHash) ?? this.#backing.loadCode(account.codeHash)
  }

  async setCode(address: Address, code: Uint8Array): Promise<void> {
    const entry = this.#find(address) ?? (await this.#load(address))
    const codeHash = keccak(code)
    if (codeHash !== EMPTY_CODE_HASH) {
      this.#codes.set(codeHash, code)
      this.#record.writeCode(codeHash, code)
    }
    const { nonce, balance } = entry.account ?? { nonce: 0n, balance: 0n }
    this.#writeAccount(address, entry, { nonce, balance, codeHash })
  }

  async getStorage(address: Address, slot: Hash32): Promise<Hash32> {
    const { storage } = this.#find(address) ?? (await this.#load(address))
    return this.#peekSlot(address, storage, slot) ?? this.#readSlot(address, storage, slot)
  }

  async setStorage(address: Address, slot: Hash32, value: Hash32): Promise<void> {
    const { storage } = this.#find(address) ?? (await this.#load(address))
    const before =
      this.#peekSlot(address, storage, slot) ?? (await this.#readSlot(address, storage, slot))
    if (before === value) return
    if (!this.#record.hasSlotBefore(address, slot)) {
      await this.#record.slotBefore(address, slot, storage)
    }
    if (this.#checkpoints.length > 0) this.#journal.push({ kind: "slot", storage, slot, before })
    storage.write(slot, value)
    this.#dirty.add(address)
  }

  async hasStorage(address: Address): Promise<boolean> {
    const { storage } = this.#find(address) ?? (await this.#load(address))
    return !(await storage.isEmpty())
  }

  async deleteAccount(address: Address): Promise<void> {
    const entry = this.#find(address) ?? (await this.#load(address))
    this.#noteEntry(address, entry)
    entry.account = undefined
    entry.isSwept = false
    this.#clearStorage(address, entry)
  }

  checkpoint(): void {
    this.#checkpoints.push(this.#journal.length)
  }

  commit(): void {
    this.#closeCheckpoint("commit")
    if (this.#checkpoints.length === 0) this.#journal.length = 0
  }

  revert(): void {
    const length = this.#closeCheckpoint("revert")
    while (this.#journal.length > length) {
      const undo = this.#journal.pop()
      if (undo?.kind === "slot") undo.storage.write(undo.slot, undo.before)
      else if (undo?.kind === "entry") Object.assign(undo.entry, undo.before)
    }
  }

  endTransaction(): StateDiff {
    this.#assertNoCheckpoint("endTransaction")
    const record = this.#record
    for (const address of record.writtenAccounts) this.#sweepIfEmpty(address, this.#known(address))
    this.#record = new TransactionRecord()
    return record.diff((address) => this.#known(address))
  }

  async root(): Promise<Hash32> {
    this.#assertNoCheckpoint("root")
    if (this.#dirty.size === 0) return this.#accounts.root
    const changes = new Map<Address, Uint8Array | undefined>()
    for (const address of this.#dirty) {
      changes.set(address, await this.#save(address, this.#known(address)))
    }
    this.#accounts = await this.#accounts.update(changes)
    this.#dirty.clear()
    return this.#accounts.root
  }

  async flush(): Promise<Hash32> {
    const root = await this.root()
    if (this.#pending.size > 0) {
      await this.#backing.store(this.#pending)
      this.#pending.clear()
    }
    this.#codes.clear()
    this.#forgetClean()
    return root
  }

  fork(): State {
    const pending = new Map(this.#pending)
    const copy = new JournaledState(this.#backing, this.#accounts.root, pending)
    for (const address of this.#dirty) {
      const { account, isSwept, storage } = this.#known(address)
      const forked = storage.fork(this.#backing.openTrie, pending)
      copy.#entries.set(address, { account, isSwept, storage: forked })
      copy.#dirty.add(address)
    }
    for (const [hash, code] of this.#codes) copy.#codes.set(hash, code)
    return copy
  }

  /** What is known of an address. Not async, so that reading again what was read costs little. */
  #find(address: Address): Entry | undefined {
    this.#record.touchAccount(address)
    return this.#entries.get(address)
  }

  async #load(address: Address): Promise<Entry> {
    const encoded = await this.#accounts.get(address)
    // Another read of the same address may have finished while this one waited.
    const raced = this.#entries.get(address)
    if (raced !== undefined) return raced
    const entry = encoded === undefined ? this.#absent() : this.#stored(encoded)
    this.#entries.set(address, entry)
    return entry
  }

  #absent(): Entry {
    return { account: undefined, storage: this.#emptyStorage(), isSwept: false }
  }

  #stored(encoded: Uint8Array): Entry {
    const { storageRoot, ...account } = decodeAccount(encoded)
    return {
      account: isEmptyAccount(account) ? undefined : account,
      storage: new AccountStorage(this.#backing.openTrie(storageRoot, this.#pending)),
      isSwept: false
    }
  }

  #emptyStorage(): AccountStorage {
    return new AccountStorage(this.#backing.openTrie(EMPTY_ROOT, this.#pending))
  }

  #known(address: Address): Entry {
    const entry = this.#entries.get(address)
    if (entry === undefined) throw new Error(`Expected ${address} to be known: it was written.`)
    return entry
  }

  #peekSlot(address: Address, storage: AccountStorage, slot: Hash32): Hash32 | undefined {
    this.#record.touchSlot(address, slot)
    return storage.values.get(slot)
  }

  async #readSlot(address: Address, storage: AccountStorage, slot: Hash32): Promise<Hash32> {
    this.#slotReads += 1
    // Clearing noted the slots it knew; this one was unknown to it.
    if (this.#record.isStorageReplaced(address)) {
      await this.#record.slotBefore(address, slot, storage)
    }
    return storage.read(slot)
  }

  #writeAccount(address: Address, entry: Entry, account: Account): void {
    this.#noteEntry(address, entry)
    entry.account = isEmptyAccount(account) ? undefined : account
    entry.isSwept = entry.account === undefined
  }

  /** Before an entry is written: notes how it was, for the journal, the diff and the flush. */
  #noteEntry(address: Address, entry: Entry): void {
    this.#record.accountBefore(address, entry.account)
    this.#dirty.add(address)
    if (this.#checkpoints.length > 0) {
      this.#journal.push({ kind: "entry", entry, before: { ...entry } })
    }
  }

  #clearStorage(address: Address, entry: Entry): void {
    this.#record.storageBefore(address, entry.storage)
    entry.storage = this.#emptyStorage()
  }

  #sweepIfEmpty(address: Address, entry: Entry): void {
    if (entry.isSwept) this.#clearStorage(address, entry)
    entry.isSwept = false
  }

  #closeCheckpoint(operation: string): number {
    const length = this.#checkpoints.pop()
    if (length === undefined) {
      throw new Error(`Expected an open checkpoint to ${operation}, found none.`)
    }
    return length
  }

  #assertNoCheckpoint(operation: string): void {
    if (this.#checkpoints.length > 0) {
      throw new Error(
        `Expected no open checkpoint at ${operation}, found ${this.#checkpoints.length}.`
      )
    }
  }

  /** Moves an entry's storage and code to where `flush` stores them, and answers its account. */
  async #save(address: Address, entry: Entry): Promise<Uint8Array | undefined> {
    this.#sweepIfEmpty(address, entry)
    const storageRoot = await entry.storage.save()
    const code = entry.account && this.#codes.get(entry.account.codeHash)
    if (entry.account !== undefined && code !== undefined) {
      this.#pending.set(entry.account.codeHash, code)
    }
    // Storage without an account is no product of execution, but some genesis states have it.
    if (entry.account === undefined && storageRoot === EMPTY_ROOT) return undefined
    const account = entry.account ?? { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE_HASH }
    return encodeAccount({ ...account, storageRoot })
  }

  /** Keeps a long-lived state from holding all it ever read. */
  #forgetClean(): void {
    const isFull = this.#entries.size > CLEAN_ENTRIES_MAX || this.#slotReads > CLEAN_SLOTS_MAX
    if (!isFull || !this.#record.isEmpty) return
    this.#entries = new Map()
    this.#slotReads = 0
  }
}
