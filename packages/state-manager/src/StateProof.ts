/** What convinces someone who holds nothing but a state root. */
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"

/** One slot of an EIP-1186 proof. */
export interface StorageProof {
  readonly key: Hash32
  readonly value: bigint
  readonly proof: ReadonlyArray<Hex>
}

/** An EIP-1186 proof: what an account holds at a root, or, with zero fields, that there is none. */
export interface AccountProof {
  readonly address: Address
  readonly nonce: bigint
  readonly balance: bigint
  readonly codeHash: Hash32
  readonly storageHash: Hash32
  readonly accountProof: ReadonlyArray<Hex>
  readonly storageProof: ReadonlyArray<StorageProof>
}

/** What re-running one transaction needs and nothing more: `NodeStore.makeMemory` can hold it. */
export interface Witness {
  readonly root: Hash32
  /** Encoded trie nodes, those included that only deletions read. */
  readonly nodes: ReadonlyArray<Uint8Array>
  readonly codes: ReadonlyArray<Uint8Array>
}
