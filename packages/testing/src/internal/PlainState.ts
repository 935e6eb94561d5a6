/**
 * The plain VM's state in maps: a fixture carries no post storage, so the outcome must be read off
 * the state word by word, which a trie with hashed keys cannot do. The root checks it.
 */
import type { StateManagerInterface } from "@ethereumjs/common"
import { createMPT } from "@ethereumjs/mpt"
import {
  Account,
  type Address as EthAddress,
  bytesToHex,
  hexToBytes,
  KECCAK256_NULL,
  KECCAK256_RLP
} from "@ethereumjs/util"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { keccak256, toRlp } from "viem"
import { type AccountState, type WorldState, word } from "../WorldState.ts"

interface Entry {
  readonly nonce: bigint
  readonly balance: bigint
  readonly codeHash: Uint8Array
}
type Slots = Map<Hash32, Uint8Array>
type AccountFields = Parameters<StateManagerInterface["modifyAccountFields"]>[1]

const NO_BYTES = new Uint8Array(0)
const NO_ACCOUNT: Entry = { nonce: 0n, balance: 0n, codeHash: KECCAK256_NULL }
/** Any root but the empty one tells the VM that storage is not empty (EIP-7610). */
const SOME_STORAGE_ROOT = new Uint8Array(32).fill(1)

export class PlainState implements StateManagerInterface {
  private accounts = new Map<Address, Entry>()
  private storage = new Map<Address, Slots>()
  private readonly codes = new Map<Hash32, Uint8Array>()
  /** Undoes every change so far, newest last; a checkpoint is a height of it. */
  private undo: Array<() => void> = []
  private heights: Array<number> = []
  private originals = new Map<string, Uint8Array>()

  /** What a slot held when the transaction began, for the refund rules of EIP-2200. */
  readonly originalStorageCache = {
    get: async (address: EthAddress, key: Uint8Array): Promise<Uint8Array> => {
      const name = `${addressOf(address)}${slotOf(key)}`
      const known = this.originals.get(name)
      if (known !== undefined) return known
      const value = await this.getStorage(address, key)
      this.originals.set(name, value)
      return value
    },
    clear: () => {
      this.originals = new Map()
    }
  }

  /** Forgets everything and starts from `state`. */
  reset(state: WorldState): void {
    this.accounts = new Map()
    this.storage = new Map()
    this.originals = new Map()
    this.undo = []
    this.heights = []
    for (const [address, { balance, code, nonce, storage }] of state) {
      const bytes = hexToBytes(code)
      const codeHash = bytes.length === 0 ? KECCAK256_NULL : keccak256(bytes, "bytes")
      this.codes.set(slotOf(codeHash), bytes)
      this.accounts.set(address, { nonce, balance, codeHash })
      const slots = Array.from(storage, ([slot, value]) => [slot, trimmed(value)] as const)
      if (slots.length > 0) this.storage.set(address, new Map(slots))
    }
  }

  /** Everything there is, as plain values. */
  dump(): WorldState {
    const state = new Map<Address, AccountState>()
    for (const [address, { balance, codeHash, nonce }] of this.accounts) {
      const slots = this.storage.get(address) ?? new Map<Hash32, Uint8Array>()
      const storage = new Map(Array.from(slots, ([slot, value]) => [slot, slotOf(value)] as const))
      state.set(address, { nonce, balance, code: hexOf(this.codeOf(codeHash)), storage })
    }
    return state
  }

  async getAccount(address: EthAddress): Promise<Account | undefined> {
    const name = addressOf(address)
    const entry = this.accounts.get(name)
    if (entry === undefined) return undefined
    const slots = this.storage.get(name)
    const empty = slots === undefined || slots.size === 0
    const root = empty ? KECCAK256_RLP : SOME_STORAGE_ROOT
    return new Account(entry.nonce, entry.balance, root, entry.codeHash)
  }

  async putAccount(address: EthAddress, account?: Account): Promise<void> {
    if (account === undefined) return this.deleteAccount(address)
    const { balance, codeHash, nonce } = account
    this.set(this.accounts, addressOf(address), { nonce, balance, codeHash })
  }

  async deleteAccount(address: EthAddress): Promise<void> {
    this.set(this.accounts, addressOf(address), undefined)
    await this.clearStorage(address)
  }

  async modifyAccountFields(address: EthAddress, fields: AccountFields): Promise<void> {
    const name = addressOf(address)
    const { balance, codeHash, nonce } = this.accounts.get(name) ?? NO_ACCOUNT
    this.set(this.accounts, name, {
      nonce: fields.nonce ?? nonce,
      balance: fields.balance ?? balance,
      codeHash: fields.codeHash ?? codeHash
    })
  }

  async putCode(address: EthAddress, value: Uint8Array): Promise<void> {
    const codeHash = keccak256(value, "bytes")
    this.codes.set(slotOf(codeHash), value)
    await this.modifyAccountFields(address, { codeHash })
  }

  async getCode(address: EthAddress): Promise<Uint8Array> {
    const entry = this.accounts.get(addressOf(address))
    return entry === undefined ? NO_BYTES : this.codeOf(entry.codeHash)
  }

  async getCodeSize(address: EthAddress): Promise<number> {
    return (await this.getCode(address)).length
  }

  async getStorage(address: EthAddress, key: Uint8Array): Promise<Uint8Array> {
    return this.storage.get(addressOf(address))?.get(slotOf(key)) ?? NO_BYTES
  }

  async putStorage(address: EthAddress, key: Uint8Array, value: Uint8Array): Promise<void> {
    const name = addressOf(address)
    const slots = this.storage.get(name) ?? new Map<Hash32, Uint8Array>()
    this.storage.set(name, slots)
    const stored = trimmed(slotOf(value))
    this.set(slots, slotOf(key), stored.length === 0 ? undefined : stored)
  }

  async clearStorage(address: EthAddress): Promise<void> {
    this.set(this.storage, addressOf(address), undefined)
  }

  async checkpoint(): Promise<void> {
    this.heights.push(this.undo.length)
  }

  async commit(): Promise<void> {
    this.heights.pop()
  }

  async revert(): Promise<void> {
    const height = this.heights.pop() ?? 0
    while (this.undo.length > height) this.undo.pop()?.()
  }

  async getStateRoot(): Promise<Uint8Array> {
    return hexToBytes(await stateRootOf(this.dump()))
  }

  async setStateRoot(): Promise<void> {
    throw new Error("the plain state has one root only: expected no caller, found one")
  }

  async hasStateRoot(): Promise<boolean> {
    return false
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    const copy = new PlainState()
    copy.reset(this.dump())
    return copy
  }

  private codeOf(codeHash: Uint8Array): Uint8Array {
    return this.codes.get(slotOf(codeHash)) ?? NO_BYTES
  }

  /** The one place where maps change, so that nothing escapes the undo list. */
  private set<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const before = map.get(key)
    this.undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)))
    if (value === undefined) map.delete(key)
    else map.set(key, value)
  }
}

/** The Merkle Patricia root of `state`. */
export const stateRootOf = async (state: WorldState): Promise<Hash32> => {
  const leaves: Array<readonly [Hex, Hex]> = []
  for (const [address, { balance, code, nonce, storage }] of state) {
    const slots = Array.from(
      storage,
      ([slot, value]) => [slot, toRlp(quantity(BigInt(value)))] as const
    )
    const fields = [quantity(nonce), quantity(balance), await trieRootOf(slots), keccak256(code)]
    leaves.push([address, toRlp(fields)])
  }
  return trieRootOf(leaves)
}

const trieRootOf = async (leaves: ReadonlyArray<readonly [Hex, Hex]>): Promise<Hash32> => {
  const trie = await createMPT({ useKeyHashing: true })
  for (const [key, value] of leaves) await trie.put(hexToBytes(key), hexToBytes(value))
  return slotOf(trie.root())
}

/** An integer as RLP wants it: no leading zeros. */
const quantity = (value: bigint): Hex => {
  if (value === 0n) return "0x"
  const digits = value.toString(16)
  return `0x${digits.length % 2 === 0 ? digits : `0${digits}`}`
}

const hexOf = (bytes: Uint8Array): Hex => bytesToHex(bytes)

const addressOf = (address: EthAddress): Address => address.toString()

const slotOf = (bytes: Uint8Array): Hash32 =>
  bytes.length === 32
    ? bytesToHex(bytes)
    : word(bytes.length === 0 ? 0n : BigInt(bytesToHex(bytes)))

/** The VM expects stored words without leading zeros, as the trie keeps them. */
const trimmed = (value: Hash32): Uint8Array => {
  const bytes = hexToBytes(value)
  const first = bytes.findIndex((byte) => byte !== 0)
  return first === -1 ? NO_BYTES : bytes.subarray(first)
}
