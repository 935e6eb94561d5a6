/** The state before the first block: the genesis accounts and nothing else. */
import type { Genesis } from "@ovm/protocol/Genesis"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { attempt, type State, type StateError } from "@ovm/state-manager/State"
import type { Effect } from "effect"
import { hexToBytes } from "viem"

/** Writes the genesis accounts into an empty state, stores them, and answers the state root. */
export const write = (state: State, genesis: Genesis): Effect.Effect<Hash32, StateError> =>
  attempt(async () => {
    for (const { address, balance, code, nonce, storage } of genesis.accounts) {
      await state.setAccount(address, { balance, nonce })
      if (code !== "0x") await state.setCode(address, hexToBytes(code))
      for (const { slot, value } of storage) await state.setStorage(address, slot, value)
    }
    state.endTransaction()
    return state.flush()
  })
