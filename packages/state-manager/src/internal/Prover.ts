/** Makes EIP-1186 proofs from the two tries. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { EMPTY_CODE_HASH, EMPTY_ROOT } from "../State.ts"
import type { AccountProof, StorageProof } from "../StateProof.ts"
import type { OpenTrie } from "../Trie.ts"
import { bytesToHex, decodeAccount, decodeWord } from "./Bytes.ts"

export const prove = async (
  openTrie: OpenTrie,
  options: {
    readonly root: Hash32
    readonly address: Address
    readonly slots: ReadonlyArray<Hash32>
  }
): Promise<AccountProof> => {
  const accounts = openTrie(options.root, new Map())
  const encoded = await accounts.get(options.address)
  const account =
    encoded === undefined
      ? { nonce: 0n, balance: 0n, codeHash: EMPTY_CODE_HASH, storageRoot: EMPTY_ROOT }
      : decodeAccount(encoded)
  const storage = openTrie(account.storageRoot, new Map())
  const storageProof: Array<StorageProof> = []
  for (const key of options.slots) {
    const value = BigInt(decodeWord(await storage.get(key)))
    storageProof.push({ key, value, proof: toHex(await storage.prove(key)) })
  }
  return {
    address: options.address,
    nonce: account.nonce,
    balance: account.balance,
    codeHash: account.codeHash,
    storageHash: account.storageRoot,
    accountProof: toHex(await accounts.prove(options.address)),
    storageProof
  }
}

const toHex = (nodes: ReadonlyArray<Uint8Array>): ReadonlyArray<Hex> => nodes.map(bytesToHex)
