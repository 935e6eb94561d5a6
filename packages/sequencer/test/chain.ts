/** A real chain to test with: the real ExecutionManager, state and log; only the log's file is left out. */
import { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import { WETH as WethArtifact } from "@ovm/contracts"
import * as Genesis from "@ovm/protocol/Genesis"
import { WETH } from "@ovm/protocol/Predeploys"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import {
  type StateManager,
  layerMemory as stateManagerMemory
} from "@ovm/state-manager/StateManager"
import { attempt } from "@ovm/state-manager/State"
import { Effect, Layer } from "effect"
import { hexToBytes, type TransactionSerializableEIP1559 } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import * as L1Source from "../src/L1Source.ts"
import * as Mempool from "../src/Mempool.ts"
import * as Ordering from "../src/Ordering.ts"
import * as Sequencer from "../src/Sequencer.ts"

export const alice = privateKeyToAccount(`0x${"a1".repeat(32)}`)
export const bob = privateKeyToAccount(`0x${"b0".repeat(32)}`)
export const carol = privateKeyToAccount(`0x${"ca".repeat(32)}`)
export const DAVE: Address = `0x${"da".repeat(20)}`

export const addressOf = (account: { readonly address: Address }): Address =>
  `0x${account.address.slice(2).toLowerCase()}`

export const ETHER = 10n ** 18n
export const GWEI = 10n ** 9n
export const SLOT_ZERO: Hash32 = `0x${"00".repeat(32)}`

export const genesis = Genesis.make({
  chainId: 420n,
  predeploys: { [WETH]: WethArtifact.deployedBytecode },
  coinbase: `0x${"cb".repeat(20)}`,
  allocations: {
    [addressOf(alice)]: { balance: 100n * ETHER },
    [addressOf(bob)]: { balance: 100n * ETHER },
    [addressOf(carol)]: { balance: ETHER / 1_000n }
  }
})

/** A raw signed transaction; a transfer of one wei to Dave if nothing else is said. */
export const signed = (
  account: typeof alice,
  nonce: number,
  overrides: Partial<TransactionSerializableEIP1559> = {}
) =>
  Effect.promise(async () =>
    hexToBytes(
      await account.signTransaction({
        type: "eip1559",
        chainId: 420,
        nonce,
        gas: 21_000n,
        to: DAVE,
        value: 1n,
        maxFeePerGas: 10n * GWEI,
        maxPriorityFeePerGas: GWEI,
        ...overrides
      })
    )
  )

/** Initcode that deploys code which adds 1 to slot 0, logs it as data, and returns it. */
export const COUNTER_INITCODE =
  "0x6018600c60003960186000f3600054600101806000558060005260206000a060206000f3"

/** What a sequencer stands on: a log and a state that outlive it. */
export const Foundation = Layer.mergeAll(
  EventLog.layerMemory,
  stateManagerMemory,
  layerReference()
) satisfies Layer.Layer<EventLog | StateManager | ExecutionManager, unknown>

export const sequencerWith = (
  options: Partial<Sequencer.SequencerOptions> = {},
  ordering: Layer.Layer<Ordering.Ordering> = Ordering.layerByFee,
  source: Layer.Layer<L1Source.L1Source> = L1Source.layerNone
) =>
  Sequencer.layer({ genesis, ...options }).pipe(
    Layer.provide([Mempool.layerDefault, ordering, source])
  )

/** Wei that an account has behind a block. */
export const balanceAt = (address: Address, blockNumber: bigint) =>
  Effect.gen(function* () {
    const state = yield* (yield* Sequencer.Sequencer).stateAt(blockNumber)
    return (yield* attempt(() => state.getAccount(address)))?.balance ?? 0n
  })
