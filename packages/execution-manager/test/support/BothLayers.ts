/** The same raw transactions on L2 and on a real L1 node: every result must be the same, gas included. */
import type { BlockContext } from "@ovm/protocol/BlockContext"
import {
  type Address,
  type Hash32,
  type Hex,
  ZERO_ADDRESS,
  ZERO_HASH
} from "@ovm/protocol/Primitives"
import type { StateDiff } from "@ovm/state-manager/State"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { hexToBytes, parseEther, toFunctionSelector } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { expect } from "vitest"
import * as EthereumJsEngine from "../../src/EthereumJsEngine.ts"
import { ExecutionManager } from "../../src/ExecutionManager.ts"
import { layerWith, STATE_MANAGER } from "../../src/ReferenceExecutionManager.ts"
import { makeAnvil } from "./Anvil.ts"
import { type L1Manager, makeL1Manager, type Registration } from "./L1Manager.ts"
import { recordingRegistry } from "./RecordingRegistry.ts"

const account = privateKeyToAccount(`0x${"11".repeat(32)}`)
export const USER: Address = `0x${account.address.slice(2).toLowerCase()}`
const NOT_ENOUGH_GAS = toFunctionSelector("NotEnoughGas(uint256,uint256)")
/** EIP-7825: what one L1 transaction may use. */
const L1_TRANSACTION_GAS_MAX = 2n ** 24n

const context: BlockContext = {
  chainId: 10n,
  number: 1n,
  timestamp: 1_000n,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  coinbase: `0x${"cc".repeat(20)}`,
  prevRandao: ZERO_HASH,
  blobBaseFee: 1n,
  l1Origin: { number: 0n, hash: ZERO_HASH },
  protocolVersion: 1
}

export interface Allocation {
  readonly address: Address
  readonly balance: bigint
  readonly code?: Hex
  readonly storage?: Readonly<Record<Hash32, Hash32>>
}

export interface Unsigned {
  readonly to?: Address
  readonly value?: bigint
  readonly data?: Hex
}

const USER_ALLOCATION: Allocation = { address: USER, balance: parseEther("1000") }

/** Signs, if it must, and runs on L2, one after the other. */
const openL2 = Effect.fnUntraced(function* (allocations: ReadonlyArray<Allocation>) {
  const manager = yield* ExecutionManager
  const states = yield* StateManager
  const state = yield* states.open(states.emptyRoot)
  yield* Effect.promise(async () => {
    for (const { address, balance, code, storage = {} } of allocations) {
      await state.setAccount(address, { nonce: code === undefined ? 0n : 1n, balance })
      if (code !== undefined) await state.setCode(address, hexToBytes(code))
      for (const [slot, value] of Object.entries(storage)) {
        await state.setStorage(address, `0x${slot.slice(2)}`, value)
      }
    }
    state.endTransaction()
  })
  let nonce = 0
  return Effect.fnUntraced(function* (fields: Unsigned | Uint8Array) {
    const raw =
      fields instanceof Uint8Array
        ? fields
        : hexToBytes(
            yield* Effect.promise(() =>
              account.signTransaction({
                type: "eip1559",
                chainId: 10,
                nonce: nonce++,
                gas: 13_000_000n,
                maxFeePerGas: 10n,
                maxPriorityFeePerGas: 1n,
                ...fields
              })
            )
          )
    const result = yield* manager.executeTransaction({ state, context, transaction: raw })
    return { raw, result, diff: state.endTransaction() }
  })
})

type Sent = Effect.Effect.Success<ReturnType<Effect.Effect.Success<ReturnType<typeof openL2>>>>

/**
 * Runs `story` on L2, then all its transactions on L1.
 * @param allocations Accounts of genesis, beside the user's.
 * @param story What is sent: fields for the user to sign, or raw bytes.
 * @param l1Supplies Amounts of L1 gas that each transaction is asked with first, too little ones among them.
 */
export const onBothLayers = <E>(
  allocations: ReadonlyArray<Allocation>,
  story: (
    send: (fields: Unsigned | Uint8Array) => Effect.Effect<Sent["result"]>
  ) => Effect.Effect<void, E>,
  { l1Supplies = [] }: { readonly l1Supplies?: ReadonlyArray<bigint> } = {}
) =>
  Effect.gen(function* () {
    const genesis = [USER_ALLOCATION, ...allocations]
    const registrations = new Map<string, Registration>()
    const sent: Array<Sent> = []
    yield* Effect.gen(function* () {
      const send = yield* openL2(genesis)
      yield* story((fields) =>
        send(fields).pipe(
          Effect.tap((transaction) => Effect.sync(() => sent.push(transaction))),
          Effect.map(({ result }) => result),
          Effect.orDie
        )
      )
    }).pipe(Effect.provide(l2With(registrations)))

    const anvil = yield* makeAnvil
    const l1 = yield* Effect.promise(() => makeL1Manager(anvil))
    for (const registration of registrations.values()) {
      yield* Effect.promise(() => l1.register(registration))
    }
    for (const { address, balance, code, storage } of genesis) {
      yield* Effect.promise(() => l1.allocate(address, balance, code, storage))
    }
    for (const { diff, raw, result } of sent) {
      yield* Effect.promise(() => expectRightOrNone(l1, raw, result, l1Supplies))
      const { l1GasUsed, logs, outcome } = yield* Effect.promise(() => l1.execute(context, raw))
      expect({
        transactionHash: outcome.transactionHash,
        sender: outcome.sender.toLowerCase(),
        success: outcome.success,
        gasUsed: outcome.gasUsed,
        effectiveGasPrice: outcome.effectiveGasPrice,
        returnData: outcome.returnData,
        contractAddress: outcome.created.toLowerCase(),
        logs
      }).toEqual({
        transactionHash: result.transactionHash,
        sender: result.sender,
        success: result.success,
        gasUsed: result.gasUsed,
        effectiveGasPrice: result.effectiveGasPrice,
        returnData: result.returnData,
        contractAddress: result.contractAddress ?? ZERO_ADDRESS,
        logs: result.logs
      })
      expect(l1GasUsed).toBeLessThan(L1_TRANSACTION_GAS_MAX)
      yield* Effect.promise(() => expectChanged(l1, diff))
    }
  })

/** L1 gas that does not suffice gives no outcome, and says so; it never gives a wrong one. */
const expectRightOrNone = async (
  l1: L1Manager,
  raw: Uint8Array,
  { gasUsed, returnData, success }: Sent["result"],
  supplies: ReadonlyArray<bigint>
): Promise<void> => {
  const answers = await Promise.all(supplies.map((gas) => l1.ask(context, raw, gas)))
  for (const answer of answers) {
    if ("outcome" in answer) expect(answer.outcome).toMatchObject({ gasUsed, returnData, success })
    // Without the error's selector: too little to get as far as the check.
    else if (answer.error.includes("custom error")) expect(answer.error).toContain(NOT_ENOUGH_GAS)
    else expect(answer.error).toMatch(/out ?of ?gas|reverted/i)
  }
  if (supplies.length === 0) return
  expect(answers.some((answer) => "outcome" in answer)).toBe(true)
  expect(answers.some((answer) => "error" in answer && answer.error.includes(NOT_ENOUGH_GAS))).toBe(
    true
  )
}

/** What the transaction changed on L2 is what stands on L1 now. */
const expectChanged = async (l1: L1Manager, diff: StateDiff): Promise<void> => {
  for (const [address, { after }] of diff.accounts) {
    const none = { nonce: 0n, balance: 0n, codeHash: ZERO_HASH }
    expect(await l1.getAccount(address), address).toEqual(after ?? none)
  }
  for (const [address, slots] of diff.storage) {
    for (const [slot, { after }] of slots) {
      expect(await l1.getStorage(address, slot), `${address} ${slot}`).toBe(after)
    }
  }
}

const l2With = (registrations: Map<string, Registration>) =>
  Layer.merge(
    layerMemory,
    layerWith().pipe(
      Layer.provide([EthereumJsEngine.layer(STATE_MANAGER), recordingRegistry(registrations)])
    )
  )
