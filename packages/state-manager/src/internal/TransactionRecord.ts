/** Notes of one transaction: what it touched, and how everything it wrote was at its start. */
import { type Address, type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import {
  type Account,
  type AccountChange,
  EMPTY_ROOT,
  type SlotChange,
  type StateDiff
} from "../State.ts"
import type { AccountStorage } from "./AccountStorage.ts"

/** An account and its storage as of now. */
export interface Current {
  readonly account: Account | undefined
  readonly storage: AccountStorage
}

export class TransactionRecord {
  readonly #accountsBefore = new Map<Address, Account | undefined>()
  readonly #slotsBefore = new Map<Address, Map<Hash32, Hash32>>()
  /** The storage an account began with, where it has been replaced by an empty one since. */
  readonly #storagesBefore = new Map<Address, AccountStorage>()
  readonly #codesWritten = new Map<Hash32, Uint8Array>()
  readonly #accounts = new Set<Address>()
  readonly #slots = new Map<Address, Set<Hash32>>()
  readonly #codesRead = new Set<Hash32>()

  /** Whether nothing was read or written yet. */
  get isEmpty(): boolean {
    return this.#accounts.size === 0
  }

  /** Accounts whose own fields were written. */
  get writtenAccounts(): Iterable<Address> {
    return this.#accountsBefore.keys()
  }

  touchAccount(address: Address): void {
    this.#accounts.add(address)
  }

  touchSlot(address: Address, slot: Hash32): void {
    const slots = this.#slots.get(address)
    if (slots === undefined) this.#slots.set(address, new Set([slot]))
    else slots.add(slot)
  }

  readCode(hash: Hash32): void {
    if (!this.#codesWritten.has(hash)) this.#codesRead.add(hash)
  }

  writeCode(hash: Hash32, code: Uint8Array): void {
    this.#codesWritten.set(hash, code)
  }

  accountBefore(address: Address, before: Account | undefined): void {
    if (!this.#accountsBefore.has(address)) this.#accountsBefore.set(address, before)
  }

  hasSlotBefore(address: Address, slot: Hash32): boolean {
    return this.#slotsBefore.get(address)?.has(slot) === true
  }

  /** Notes a slot's value before it is written; `current` is where it is about to be written. */
  async slotBefore(address: Address, slot: Hash32, current: AccountStorage): Promise<void> {
    if (this.hasSlotBefore(address, slot)) return
    // A slot first written after the storage was cleared began with what the old storage held.
    const first = this.#storagesBefore.get(address) ?? current
    this.#noteSlot(address, slot, await first.read(slot))
  }

  isStorageReplaced(address: Address): boolean {
    return this.#storagesBefore.has(address)
  }

  /** Notes that `storage` is about to be replaced by an empty one. */
  storageBefore(address: Address, storage: AccountStorage): void {
    if (this.#storagesBefore.has(address)) return
    this.#storagesBefore.set(address, storage)
    for (const [slot, value] of storage.values) {
      if (value !== ZERO_HASH && !this.hasSlotBefore(address, slot)) {
        this.#noteSlot(address, slot, value)
      }
    }
  }

  /** What the transaction changed, given how things are now. */
  diff(current: (address: Address) => Current): StateDiff {
    const accounts = this.#accountChanges(current)
    const codes = new Map<Hash32, Uint8Array>()
    for (const { before, after } of accounts.values()) {
      const code = after && this.#codesWritten.get(after.codeHash)
      if (code && before?.codeHash !== after.codeHash) codes.set(after.codeHash, code)
    }
    const storageCleared = new Set<Address>()
    for (const [address, before] of this.#storagesBefore) {
      const isReplaced = current(address).storage !== before
      if (isReplaced && this.#beganWithStorage(address, before)) storageCleared.add(address)
    }
    return {
      accounts,
      storage: this.#slotChanges(current, storageCleared),
      storageCleared,
      codes,
      touched: { accounts: this.#accounts, slots: this.#slots, codes: this.#codesRead }
    }
  }

  #beganWithStorage(address: Address, before: AccountStorage): boolean {
    if (before.root !== EMPTY_ROOT) return true
    const slots = this.#slotsBefore.get(address) ?? new Map<Hash32, Hash32>()
    return [...slots.values()].some((value) => value !== ZERO_HASH)
  }

  #noteSlot(address: Address, slot: Hash32, before: Hash32): void {
    const slots = this.#slotsBefore.get(address)
    if (slots === undefined) this.#slotsBefore.set(address, new Map([[slot, before]]))
    else slots.set(slot, before)
  }

  #accountChanges(current: (address: Address) => Current): Map<Address, AccountChange> {
    const changes = new Map<Address, AccountChange>()
    for (const [address, before] of this.#accountsBefore) {
      const after = current(address).account
      if (!sameAccount(before, after)) {
        changes.set(address, { ...(before && { before }), ...(after && { after }) })
      }
    }
    return changes
  }

  #slotChanges(
    current: (address: Address) => Current,
    storageCleared: ReadonlySet<Address>
  ): Map<Address, ReadonlyMap<Hash32, SlotChange>> {
    const changes = new Map<Address, ReadonlyMap<Hash32, SlotChange>>()
    for (const [address, slots] of this.#slotsBefore) {
      const { storage } = current(address)
      const changed = new Map<Hash32, SlotChange>()
      for (const [slot, before] of slots) {
        // A slot that was written is known; if it is not, the storage is a new, empty one.
        const after = storage.values.get(slot) ?? ZERO_HASH
        const isSetAgain = after !== ZERO_HASH && storageCleared.has(address)
        if (before !== after || isSetAgain) changed.set(slot, { before, after })
      }
      if (changed.size > 0) changes.set(address, changed)
    }
    return changes
  }
}

const sameAccount = (left: Account | undefined, right: Account | undefined): boolean =>
  left?.nonce === right?.nonce &&
  left?.balance === right?.balance &&
  left?.codeHash === right?.codeHash
