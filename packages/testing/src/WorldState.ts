/** A whole state as plain values, so that two machines' outcomes can be compared word by word. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"

export interface AccountState {
  readonly nonce: bigint
  /** Wei. */
  readonly balance: bigint
  readonly code: Hex
  /** Slots that are not zero. */
  readonly storage: ReadonlyMap<Hash32, Hash32>
}

/** Accounts that exist: EIP-161 leaves no empty one behind, except what a fixture puts there. */
export type WorldState = ReadonlyMap<Address, AccountState>

export const EMPTY_ACCOUNT: AccountState = {
  nonce: 0n,
  balance: 0n,
  code: "0x",
  storage: new Map()
}

export const accountOf = (state: WorldState, address: Address): AccountState =>
  state.get(address) ?? EMPTY_ACCOUNT

export const isEmpty = ({ balance, code, nonce, storage }: AccountState): boolean =>
  nonce === 0n && balance === 0n && code === "0x" && storage.size === 0

/** `state` with `delta` wei added to one account, which comes into being if it must. */
export const withBalance = (state: WorldState, address: Address, delta: bigint): WorldState => {
  const account = accountOf(state, address)
  return new Map(state).set(address, { ...account, balance: account.balance + delta })
}

export const word = (value: bigint): Hash32 => `0x${value.toString(16).padStart(64, "0")}`
