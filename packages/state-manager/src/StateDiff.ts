/** Makes the changes of a transaction again, without running it. */
import type { Address } from "@ovm/protocol/Primitives"
import type { Account, State, StateDiff } from "./State.ts"

/**
 * Applies `diff` to a state that stands where the transaction began; then it stands where the
 * transaction ended, with the same root.
 */
export const applyDiff = async (state: State, diff: StateDiff): Promise<void> => {
  for (const address of diff.storageCleared) await clearStorage(state, address, diff)
  for (const [address, { after }] of diff.accounts) {
    if (after === undefined) await state.deleteAccount(address)
    else await applyAccount(state, address, after, diff)
  }
  for (const [address, slots] of diff.storage) {
    for (const [slot, { after }] of slots) await state.setStorage(address, slot, after)
  }
}

/** Empties the storage, and leaves the account as it was: its own change comes after. */
const clearStorage = async (state: State, address: Address, diff: StateDiff): Promise<void> => {
  const account = await state.getAccount(address)
  const change = diff.accounts.get(address)
  const after = change === undefined ? account : change.after
  // Code that the account does not keep need not be read: a witness may not have it.
  const keepsCode = account !== undefined && after?.codeHash === account.codeHash
  const code = keepsCode ? await state.getCode(address) : new Uint8Array()
  await state.deleteAccount(address)
  if (account === undefined) return
  await state.setAccount(address, account)
  await state.setCode(address, code)
}

const applyAccount = async (
  state: State,
  address: Address,
  after: Account,
  diff: StateDiff
): Promise<void> => {
  const before = await state.getAccount(address)
  await state.setAccount(address, after)
  if (before?.codeHash === after.codeHash) return
  await state.setCode(address, diff.codes.get(after.codeHash) ?? new Uint8Array())
}
