/** The native accounts of one run: code served by the host, what CREATE makes, and an undo log. */
import type { AccountFields, StateManagerInterface } from "@ethereumjs/common"
import { Account, type Address as EthereumJsAddress, KECCAK256_NULL } from "@ethereumjs/util"
import { keccak256 } from "viem"
import type { Address } from "@ovm/protocol/Primitives"
import type { EngineHost } from "../Engine.ts"

const EMPTY = new Uint8Array(0)
const SERVED_CODE = Uint8Array.of(0xfe)

const keyOf = (address: EthereumJsAddress): Address => {
  const text = address.toString()
  return `0x${text.slice(2)}`
}

/**
 * The state that `@ethereumjs/evm` sees. It lives for one run and holds no storage: the manager keeps
 * nothing natively but transient words, everything lasting goes through the host.
 */
export class NativeWorld implements StateManagerInterface {
  readonly #host: EngineHost
  readonly #accounts = new Map<Address, Account>()
  readonly #codes = new Map<Address, Uint8Array>()
  readonly #undo: Array<() => void> = []
  /** How long the undo log was at each open checkpoint. */
  readonly #checkpoints: Array<number> = []

  readonly originalStorageCache = { get: async () => EMPTY, clear: () => {} }

  constructor(host: EngineHost) {
    this.#host = host
  }

  #set<V>(map: Map<Address, V>, key: Address, value: V | undefined): void {
    const before = map.get(key)
    this.#undo.push(() => {
      if (before === undefined) map.delete(key)
      else map.set(key, before)
    })
    if (value === undefined) map.delete(key)
    else map.set(key, value)
  }

  #code(address: Address): Uint8Array {
    if (address === this.#host.served) return SERVED_CODE
    return this.#codes.get(address) ?? this.#host.codeAt(address) ?? EMPTY
  }

  async getAccount(address: EthereumJsAddress): Promise<Account | undefined> {
    const key = keyOf(address)
    const account = this.#accounts.get(key)
    // The EVM edits what it gets before it puts it back: hand out copies.
    if (account !== undefined) {
      return new Account(account.nonce, account.balance, account.storageRoot, account.codeHash)
    }
    // Native code never asks for the hash of host-served code, so any that isn't empty's will do.
    const code = this.#code(key)
    return code.length === 0 ? undefined : new Account(1n, 0n, undefined, SERVED_CODE_HASH)
  }

  async putAccount(address: EthereumJsAddress, account?: Account): Promise<void> {
    this.#set(this.#accounts, keyOf(address), account)
  }

  async deleteAccount(address: EthereumJsAddress): Promise<void> {
    this.#set(this.#accounts, keyOf(address), undefined)
    this.#set(this.#codes, keyOf(address), undefined)
  }

  async modifyAccountFields(address: EthereumJsAddress, fields: AccountFields): Promise<void> {
    const account = (await this.getAccount(address)) ?? new Account()
    await this.putAccount(
      address,
      new Account(
        fields.nonce ?? account.nonce,
        fields.balance ?? account.balance,
        fields.storageRoot ?? account.storageRoot,
        fields.codeHash ?? account.codeHash
      )
    )
  }

  async putCode(address: EthereumJsAddress, code: Uint8Array): Promise<void> {
    this.#set(this.#codes, keyOf(address), code)
    const codeHash = code.length === 0 ? KECCAK256_NULL : keccak256(code, "bytes")
    await this.modifyAccountFields(address, { codeHash })
  }

  async getCode(address: EthereumJsAddress): Promise<Uint8Array> {
    return this.#code(keyOf(address))
  }

  async getCodeSize(address: EthereumJsAddress): Promise<number> {
    return this.#code(keyOf(address)).length
  }

  async getStorage(): Promise<Uint8Array> {
    return EMPTY
  }

  async putStorage(): Promise<void> {
    throw new Error("Expected native code to keep nothing in storage, but it wrote a slot.")
  }

  async clearStorage(): Promise<void> {}

  async checkpoint(): Promise<void> {
    this.#checkpoints.push(this.#undo.length)
    this.#host.checkpoint()
  }

  async commit(): Promise<void> {
    this.#checkpoints.pop()
    this.#host.commit()
  }

  async revert(): Promise<void> {
    const start = this.#checkpoints.pop() ?? 0
    for (const undo of this.#undo.splice(start).reverse()) undo()
    this.#host.revert()
  }

  async getStateRoot(): Promise<Uint8Array> {
    return EMPTY
  }

  async setStateRoot(): Promise<void> {}

  async hasStateRoot(): Promise<boolean> {
    return false
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    return new NativeWorld(this.#host)
  }
}

const SERVED_CODE_HASH = keccak256(SERVED_CODE, "bytes")
