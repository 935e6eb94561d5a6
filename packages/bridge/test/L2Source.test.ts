/** Any Ethereum node will do: here anvil plays L2, and its eth_getProof is what L1 believes. */
import { expect, layer as sharing } from "@effect/vitest"
import * as contracts from "@ovm/contracts"
import { MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import { type Address, ZERO_HASH } from "@ovm/protocol/Primitives"
import { Context, Effect, Layer, Option } from "effect"
import { createPublicClient, createWalletClient, http } from "viem"
import { foundry } from "viem/chains"
import {
  accounts,
  type BridgeL1,
  CHALLENGE_PERIOD,
  startBridgeL1
} from "../../../contracts/test/support/BridgeL1.ts"
import * as Deposits from "../src/Deposits.ts"
import * as L2Source from "../src/L2Source.ts"
import * as Withdrawal from "../src/Withdrawal.ts"
import * as WithdrawalProof from "../src/WithdrawalProof.ts"

const BOB: Address = "0x0000000000000000000000000000000000000b0b"

class Node extends Context.Tag("test/Node")<Node, BridgeL1>() {}
const nodeLayer = Layer.scoped(
  Node,
  Effect.acquireRelease(
    Effect.promise(() => startBridgeL1()),
    (node) => Effect.sync(() => node.stop())
  )
)

sharing(nodeLayer, { timeout: "60 seconds" })("a node of L2", (it) => {
  it.effect("finds a withdrawal by its hash and by its transaction, and proves it to L1", () =>
    Effect.gen(function* () {
      const l1 = yield* Node
      // One node plays both layers: the passer stands where L2 has it.
      yield* Effect.promise(() =>
        l1.node.setCode({
          ...{ address: MESSAGE_PASSER, bytecode: contracts.L2ToL1MessagePasser.deployedBytecode }
        })
      )
      const wallet = createWalletClient({
        ...{ chain: foundry, transport: http(l1.url), account: accounts.alice }
      })
      const transactionHash = yield* Effect.promise(() =>
        wallet.sendTransaction(Withdrawal.request({ target: BOB, value: 77n }))
      )
      yield* Effect.promise(() => l1.settled(transactionHash))

      const source = L2Source.fromClient(
        createPublicClient({ chain: foundry, transport: http(l1.url) })
      )
      const byTransaction = yield* source.find(transactionHash)
      if (Option.isNone(byTransaction)) throw new Error("Expected a withdrawal.")
      const { l2BlockNumber, withdrawal, withdrawalHash } = byTransaction.value
      expect(withdrawal).toMatchObject({ target: BOB, value: 77n })
      expect(yield* source.find(withdrawalHash)).toEqual(byTransaction)
      expect(yield* source.find(ZERO_HASH)).toEqual(Option.none())
      expect(yield* source.lastBatchedBlock).toBeGreaterThanOrEqual(0n)

      const block = yield* Effect.promise(() => l1.client.getBlock({ blockNumber: l2BlockNumber }))
      const { address, storageKeys } = WithdrawalProof.question(withdrawal)
      const proof = yield* Effect.promise(() =>
        l1.client.getProof({ address, storageKeys, blockNumber: l2BlockNumber })
      )
      const { stateRoot } = block
      yield* WithdrawalProof.verify({ withdrawal, stateRoot, proof })
      const claimIndex = yield* Effect.promise(() => l1.propose(stateRoot))
      yield* Effect.promise(() => l1.travel(CHALLENGE_PERIOD + 1n))
      const encoded = yield* WithdrawalProof.encode({ withdrawal, claimIndex, proof })
      const bridge = {
        ...{ client: l1.client, wallet, contracts: { bridge: l1.bridge, inbox: l1.inbox } }
      }
      const done = yield* Deposits.finalizeWithdrawal(bridge, { proof: encoded })
      expect(done).toMatchObject({ success: true, value: 77n, withdrawalHash })
    })
  )

  it.effect("deposits, or says in the contract's words why not", () =>
    Effect.gen(function* () {
      const l1 = yield* Node
      const wallet = createWalletClient({
        ...{ chain: foundry, transport: http(l1.url), account: accounts.alice }
      })
      const bridge = {
        ...{ client: l1.client, wallet, contracts: { bridge: l1.bridge, inbox: l1.inbox } }
      }
      const first = yield* Deposits.depositETHTo(bridge, {
        to: BOB,
        amountWei: 5n,
        gasLimit: 30_000n
      })
      const second = yield* Deposits.depositTransaction(bridge, {
        ...{ to: undefined, mintWei: 4n, valueWei: 1n, gasLimit: 300_000n, data: "0x00" }
      })
      expect(second.queueIndex).toBe(first.queueIndex + 1n)
      expect(yield* Effect.flip(Deposits.depositETH(bridge, { amountWei: 0n }))).toMatchObject({
        ...{ _tag: "BridgeCallRefused", error: "NothingDeposited" }
      })
      const starved = Deposits.depositETHTo(bridge, { to: BOB, amountWei: 5n, gasLimit: 3n })
      expect(yield* Effect.flip(starved)).toMatchObject({
        ...{ _tag: "BridgeCallRefused", error: "GasLimitOutOfRange" }
      })
      const nobody = createWalletClient({ chain: foundry, transport: http(l1.url) })
      const mute = Deposits.withdrawETH({ ...bridge, wallet: nobody }, { amountWei: 1n })
      expect(yield* Effect.flip(mute)).toMatchObject({ _tag: "BridgeCallFailed" })
    })
  )
})
