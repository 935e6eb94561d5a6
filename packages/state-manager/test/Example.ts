import { attempt } from "@ovm/state-manager/State"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect } from "effect"

const contract = "0x00000000000000000000000000000000000000c0"
const slot = `0x${"00".repeat(31)}01` as const
const value = `0x${"00".repeat(31)}2a` as const

/** Writes one slot, rolls another write back, and proves what is left to who knows the root alone. */
export const example = Effect.gen(function* () {
  const { emptyRoot, open, prove } = yield* StateManager
  const state = yield* open(emptyRoot)

  const { diff, root } = yield* attempt(async () => {
    await state.setAccount(contract, { nonce: 1n, balance: 0n })
    await state.setStorage(contract, slot, value)
    state.checkpoint()
    await state.deleteAccount(contract)
    state.revert()
    return { diff: state.endTransaction(), root: await state.flush() }
  })

  const { storageProof } = yield* prove({ root, address: contract, slots: [slot] })
  return { changed: diff.storage.get(contract)?.get(slot), proven: storageProof[0]?.value }
}).pipe(Effect.provide(layerMemory))
