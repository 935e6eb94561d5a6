/** Our contracts on a real L1, and somebody who uses them. */
import { Anvil } from "@ovm/l1/Anvil"
import { deploy } from "@ovm/l1/Deploy"
import { L1Client } from "@ovm/l1/L1Client"
import { IInbox, IL1Bridge } from "@ovm/contracts"
import type { Deployment } from "@ovm/protocol/Deployment"
import * as Genesis from "@ovm/protocol/Genesis"
import { type Address, type Hex, ZERO_HASH } from "@ovm/protocol/Primitives"
import { Effect, Redacted } from "effect"
import { encodeFunctionData } from "viem"

/** Deploys on an anvil that mines when told. */
export const deployRollup = Effect.gen(function* () {
  const anvil = yield* Anvil
  const [key] = anvil.keys
  if (key === undefined) throw new Error("Expected an account.")
  yield* anvil.automine(true)
  const deployment = yield* deploy({
    l1: { url: anvil.url, key: Redacted.value(key) },
    parameters: { batcherBondWei: 1_000_000n },
    makeGenesis: (_, l1Origin) => Genesis.make({ chainId: 10n, l1Origin }),
    genesisBlock: () => Effect.succeed({ hash: ZERO_HASH, stateRoot: ZERO_HASH })
  })
  yield* anvil.automine(false)
  return deployment
})

/** Signs and hands over; somebody has to mine it. */
export const sendAs = (from: Address, nonce: number, to: Address, data: Hex, valueWei = 0n) =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    const { baseFeeWei } = yield* l1.fees
    const fees = { maxFeePerGasWei: 4n * baseFeeWei + 1n, maxPriorityFeePerGasWei: 1n }
    const gas = 3_000_000n
    const { raw } = yield* l1.sign({ from, nonce, to, data, valueWei, gas, ...fees })
    return yield* l1.sendRaw(raw)
  })

export const depositData = encodeFunctionData({ abi: IL1Bridge.abi, functionName: "depositETH" })

export const batchData = (index: bigint, queueEnd: bigint, payload: Hex): Hex =>
  encodeFunctionData({
    abi: IInbox.abi,
    functionName: "appendBatch",
    args: [index, { root: ZERO_HASH, blocks: 1, transactions: 1, queueEnd }, payload]
  })

/** The queue and batch counts that the contracts themselves tell. */
export const countsOf = ({ contracts }: Pick<Deployment, "contracts">) =>
  Effect.gen(function* () {
    const l1 = yield* L1Client
    const inbox = { address: contracts.inbox, abi: IInbox.abi } as const
    const queue = yield* l1.read({ ...inbox, functionName: "queueLength" })
    const batches = yield* l1.read({ ...inbox, functionName: "batchCount" })
    return { queue, batches }
  })
