/** The world state one fiber works on: what execution reads, writes, rolls back and, at last, stores. */
import { Effect, Schema } from "effect"
import { type Address, Hash32 } from "@ovm/protocol/Primitives"

/** The fields of an account that contracts can see; its storage is read slot by slot. */
export interface Account {
  readonly nonce: bigint
  /** Wei. */
  readonly balance: bigint
  readonly codeHash: Hash32
}

/** One value before and after; absent means that the account was not, or is no more, in the state. */
export interface AccountChange {
  readonly before?: Account
  readonly after?: Account
}

export interface SlotChange {
  readonly before: Hash32
  readonly after: Hash32
}

/** What was looked at or written, rolled back frames included: what a witness has to cover. */
export interface Touched {
  readonly accounts: ReadonlySet<Address>
  readonly slots: ReadonlyMap<Address, ReadonlySet<Hash32>>
  /** Code that was read and that the transaction did not itself write (that is in `codes`). */
  readonly codes: ReadonlySet<Hash32>
}

/** The net effect of one transaction: keys whose value ended where it began are not in it. */
export interface StateDiff {
  readonly accounts: ReadonlyMap<Address, AccountChange>
  readonly storage: ReadonlyMap<Address, ReadonlyMap<Hash32, SlotChange>>
  /**
   * Accounts that lost all storage they had, slots included that nobody touched. What they have
   * now stands in `storage`, whether or not it is the same as before.
   */
  readonly storageCleared: ReadonlySet<Address>
  /** Code that changed accounts now have, by its hash. */
  readonly codes: ReadonlyMap<Hash32, Uint8Array>
  readonly touched: Touched
}

/**
 * A journaled world state on top of a stored root, owned by one fiber. A rejected promise holds a
 * `StateError` (see `attempt`); misuse, such as a `commit` without a checkpoint, is a defect.
 */
export interface State {
  /** The account, or `undefined` if there is none; empty accounts do not exist (EIP-161). */
  getAccount(address: Address): Promise<Account | undefined>
  /** Sets nonce and balance, keeps the code. An account left empty is deleted, storage included. */
  setAccount(
    address: Address,
    account: { readonly nonce: bigint; readonly balance: bigint }
  ): Promise<void>
  /** The account's code, empty if it has none. */
  getCode(address: Address): Promise<Uint8Array>
  /** Gives the account this code. */
  setCode(address: Address, code: Uint8Array): Promise<void>
  /** The word in a slot, zero if it was never set. */
  getStorage(address: Address, slot: Hash32): Promise<Hash32>
  /** Writes a slot; a zero word removes it from the trie. */
  setStorage(address: Address, slot: Hash32, value: Hash32): Promise<void>
  /** Whether any slot is non-zero (EIP-7610: such an address can't be created at). */
  hasStorage(address: Address): Promise<boolean>
  /** Removes the account, its code and all of its storage (EIP-6780). */
  deleteAccount(address: Address): Promise<void>

  /** Opens a nested checkpoint. */
  checkpoint(): void
  /** Closes the innermost checkpoint and keeps what was written since. */
  commit(): void
  /** Closes the innermost checkpoint and undoes what was written since. */
  revert(): void

  /** Ends a transaction: what it changed and touched since the last call. No checkpoint may be open. */
  endTransaction(): StateDiff
  /** The root as of now, without storing anything: `flush` stores all nodes made so far. */
  root(): Promise<Hash32>
  /** Stores pending changes and answers the new state root. No checkpoint may be open. */
  flush(): Promise<Hash32>
  /** An independent copy that sees all values as of now, with no checkpoint open. */
  fork(): State
}

/** keccak-256 of no bytes: the code hash of an account without code. */
export const EMPTY_CODE_HASH: Hash32 =
  "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"

/** Root of a trie without keys: keccak-256 of the RLP of no bytes. */
export const EMPTY_ROOT: Hash32 =
  "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"

/** Whether EIP-161 calls this account empty. */
export const isEmptyAccount = (account: Account): boolean =>
  account.nonce === 0n && account.balance === 0n && account.codeHash === EMPTY_CODE_HASH

/** Nobody stored this root. Recover by rebuilding the tries from the log up to its block. */
export class StateRootUnknown extends Schema.TaggedError<StateRootUnknown>()("StateRootUnknown", {
  root: Hash32
}) {
  override get message() {
    return `Expected the node store to hold state root ${this.root}, but it is not there. Rebuild the tries from the event log.`
  }
}

/** A node or code below a known root is gone. Recover by rebuilding the tries from the log. */
export class TrieNodeMissing extends Schema.TaggedError<TrieNodeMissing>()("TrieNodeMissing", {
  hash: Hash32,
  kind: Schema.Literal("node", "code")
}) {
  override get message() {
    return `Expected the node store to hold ${this.kind} ${this.hash}, but it is not there. Rebuild the tries from the event log.`
  }
}

/** Stored bytes are not what their key promises. Recover by rebuilding the tries from the log. */
export class StateCorrupted extends Schema.TaggedError<StateCorrupted>()("StateCorrupted", {
  /** The key, keccak-256 of what should be there. */
  expected: Hash32,
  /** keccak-256 of what is there; equal to `expected` if the bytes are whole but no valid value. */
  actual: Hash32,
  reason: Schema.String
}) {
  override get message() {
    return `Expected stored bytes with hash ${this.expected}, found ${this.actual}: ${this.reason}. Rebuild the tries from the event log.`
  }
}

/** The store below could not read or write. Recover by fixing its cause (disk, lock) and retrying. */
export class NodeStoreFailed extends Schema.TaggedError<NodeStoreFailed>()("NodeStoreFailed", {
  operation: Schema.Literal("get", "putMany", "open"),
  cause: Schema.Defect
}) {
  override get message() {
    return `Expected the node store to ${this.operation}, but it failed: ${String(this.cause)}. Fix the cause and try again; nothing was half written.`
  }
}

/** What a promise of `State` can be rejected with. */
export const StateError = Schema.Union(TrieNodeMissing, StateCorrupted, NodeStoreFailed)
export type StateError = typeof StateError.Type

const isStateError = Schema.is(StateError)

/** Runs work on a `State` as an Effect: its rejections become typed errors, all else is a defect. */
export const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, StateError> =>
  Effect.tryPromise({ try: work, catch: (cause) => cause }).pipe(
    Effect.catchAll((cause) => (isStateError(cause) ? Effect.fail(cause) : Effect.die(cause)))
  )
