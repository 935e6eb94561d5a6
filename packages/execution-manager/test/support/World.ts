/** A small world to run calls and signed transactions in. */
import type { BlockContext } from "@ovm/protocol/BlockContext"
import { type Address, type Hash32, type Hex, ZERO_HASH } from "@ovm/protocol/Primitives"
import type { State } from "@ovm/state-manager/State"
import { StateManager } from "@ovm/state-manager/StateManager"
import { Effect } from "effect"
import { hexToBytes, numberToHex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { ExecutionManager } from "../../src/ExecutionManager.ts"
import type { Tracer } from "../../src/Tracer.ts"

/** An address made of one byte. */
export const addressOf = (byte: number): Address =>
  `0x${numberToHex(byte, { size: 1 }).slice(2).repeat(20)}`
export const wordOf = (value: bigint | number): Hash32 => numberToHex(value, { size: 32 })

/** Runs the code under test. */
export const SELF = addressOf(0xaa)
/** What `SELF` calls. */
export const OTHER = addressOf(0xbb)
export const COINBASE = addressOf(0xcc)
/** Has nothing, and has never been seen. */
export const NOBODY = addressOf(0xdd)
/** Unsigned calls come from here. */
export const CALLER = addressOf(0x0f)

const signer = privateKeyToAccount(`0x${"11".repeat(32)}`)
/** Signs transactions. */
export const USER: Address = `0x${signer.address.slice(2).toLowerCase()}`

export const context: BlockContext = {
  chainId: 10n,
  number: 300n,
  timestamp: 1_000n,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  coinbase: COINBASE,
  prevRandao: wordOf(0xda0n),
  blobBaseFee: 1n,
  l1Origin: { number: 0n, hash: ZERO_HASH },
  protocolVersion: 1
}

export interface Allocation {
  readonly nonce?: bigint
  /** Wei. */
  readonly balance?: bigint
  readonly code?: Uint8Array
  readonly storage?: Readonly<Record<Hash32, Hash32>>
}

/** A state with these accounts: contracts have nonce 1 unless told otherwise. */
export const makeWorld = Effect.fnUntraced(function* (
  accounts: Readonly<Record<Address, Allocation>>
) {
  const states = yield* StateManager
  const state = yield* states.open(states.emptyRoot)
  yield* Effect.promise(async () => {
    for (const [key, { balance = 0n, code, nonce, storage = {} }] of Object.entries(accounts)) {
      const address: Address = `0x${key.slice(2)}`
      await state.setAccount(address, { nonce: nonce ?? (code ? 1n : 0n), balance })
      if (code !== undefined) await state.setCode(address, code)
      for (const [slot, value] of Object.entries(storage)) {
        await state.setStorage(address, `0x${slot.slice(2)}`, value)
      }
    }
    state.endTransaction()
    await state.flush()
  })
  return state
})

export interface Message {
  readonly to?: Address | undefined
  readonly from?: Address
  readonly value?: bigint
  readonly gas?: bigint
  readonly data?: Uint8Array
  readonly context?: BlockContext
  readonly tracer?: Tracer
}

/** Calls `SELF`, or what the message says; changes the state. */
export const call = Effect.fnUntraced(function* (state: State, message: Message = {}) {
  const manager = yield* ExecutionManager
  return yield* manager.executeCall({
    state,
    context: message.context ?? context,
    from: message.from ?? CALLER,
    to: "to" in message ? message.to : SELF,
    value: message.value ?? 0n,
    gas: message.gas ?? 10_000_000n,
    gasPrice: 9n,
    data: message.data ?? new Uint8Array(0),
    tracer: message.tracer
  })
})

/** One call of `code` in a world where it stands at `SELF`. */
export const runCode = Effect.fnUntraced(function* (
  code: Uint8Array,
  options: Message & { readonly accounts?: Readonly<Record<Address, Allocation>> } = {}
) {
  const { accounts = {}, ...message } = options
  const self = { balance: 1_000n, ...accounts[SELF], code }
  const state = yield* makeWorld({ ...accounts, [SELF]: self })
  const result = yield* call(state, message)
  return { ...result, state }
})

export interface TransactionFields {
  readonly to?: Address
  readonly nonce?: number
  readonly value?: bigint
  readonly gas?: bigint
  readonly data?: Hex
  readonly maxFeePerGas?: bigint
  readonly maxPriorityFeePerGas?: bigint
  readonly chainId?: number
}

/** A raw EIP-1559 transaction of `USER`. */
export const signed = (fields: TransactionFields): Effect.Effect<Uint8Array> =>
  Effect.promise(async () =>
    hexToBytes(
      await signer.signTransaction({
        type: "eip1559",
        chainId: 10,
        nonce: 0,
        gas: 1_000_000n,
        maxFeePerGas: 10n,
        maxPriorityFeePerGas: 1n,
        ...fields
      })
    )
  )

/** Runs a raw transaction and ends it. */
export const execute = Effect.fnUntraced(function* (
  state: State,
  transaction: Uint8Array,
  options: { readonly context?: BlockContext } = {}
) {
  const manager = yield* ExecutionManager
  const result = yield* manager.executeTransaction({
    state,
    context: options.context ?? context,
    transaction
  })
  state.endTransaction()
  return result
})

export const send = (state: State, fields: TransactionFields) =>
  Effect.flatMap(signed(fields), (raw) => execute(state, raw))

export const balanceOf = (state: State, address: Address): Effect.Effect<bigint> =>
  Effect.promise(async () => (await state.getAccount(address))?.balance ?? 0n)
export const nonceOf = (state: State, address: Address): Effect.Effect<bigint> =>
  Effect.promise(async () => (await state.getAccount(address))?.nonce ?? 0n)
export const storageOf = (state: State, address: Address, slot: bigint | number) =>
  Effect.promise(() => state.getStorage(address, wordOf(slot)))
