/** A world state as plain maps, and its root computed key by key by @ethereumjs/mpt: the oracle. */
import { MerklePatriciaTrie } from "@ethereumjs/mpt"
import { RLP } from "@ethereumjs/rlp"
import { bigIntToUnpaddedBytes, bytesToHex, hexToBytes, unpadBytes } from "@ethereumjs/util"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Address, type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"

export interface ModelAccount {
  nonce: bigint
  balance: bigint
  code: Uint8Array
  storage: Map<Hash32, Hash32>
  /** Written and left empty: at the end of the transaction its storage goes (EIP-161). */
  isSwept: boolean
}

export type Model = Map<Address, ModelAccount>

export const cloneModel = (model: Model): Model =>
  new Map(
    Array.from(model, ([address, account]) => [
      address,
      { ...account, storage: new Map(account.storage) }
    ])
  )

export const modelAccount = (model: Model, address: Address): ModelAccount => {
  const account = model.get(address) ?? {
    nonce: 0n,
    balance: 0n,
    code: new Uint8Array(),
    storage: new Map(),
    isSwept: false
  }
  model.set(address, account)
  return account
}

export const sweep = (model: Model): void => {
  for (const account of model.values()) {
    if (account.isSwept) account.storage.clear()
    account.isSwept = false
  }
}

export const isEmpty = ({ balance, code, nonce }: ModelAccount): boolean =>
  nonce === 0n && balance === 0n && code.length === 0

export const modelRoot = async (model: Model): Promise<Hash32> => {
  const accounts = new MerklePatriciaTrie({ useKeyHashing: true })
  for (const [address, account] of model) {
    const slots = [...account.storage].filter(([, value]) => value !== ZERO_HASH)
    if (isEmpty(account) && slots.length === 0) continue
    const storage = new MerklePatriciaTrie({ useKeyHashing: true })
    for (const [slot, value] of slots) {
      await storage.put(hexToBytes(slot), RLP.encode(unpadBytes(hexToBytes(value))))
    }
    const fields = [
      bigIntToUnpaddedBytes(account.nonce),
      bigIntToUnpaddedBytes(account.balance),
      storage.root(),
      keccak_256(account.code)
    ]
    await accounts.put(hexToBytes(address), RLP.encode(fields))
  }
  return bytesToHex(accounts.root())
}
