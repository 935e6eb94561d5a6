/** What the bridge's calls cost on L1, in gas: bounds close above what was measured, so that growth is noticed. */
import * as contracts from "@ovm/contracts"
import type { Address } from "@ovm/protocol/Primitives"
import type { TransactionReceipt } from "viem"
import { afterAll, beforeAll, expect, it } from "vitest"
import { accounts, type BridgeL1, CHALLENGE_PERIOD, startBridgeL1 } from "./support/BridgeL1.ts"
import { encodeProof, stateWith } from "./support/Withdrawals.ts"

const BOB: Address = "0x0000000000000000000000000000000000000b0b"

let l1: BridgeL1
beforeAll(async () => {
  l1 = await startBridgeL1()
}, 30_000)
afterAll(() => l1?.stop())

const bridge = (functionName: string, args: ReadonlyArray<unknown> = [], value = 0n) =>
  l1.send({ to: l1.bridge, abi: contracts.L1Bridge.abi, functionName, args, value })

const expectCost = ({ gasUsed, status }: TransactionReceipt, bound: bigint) => {
  expect(status).toBe("success")
  expect(gasUsed).toBeLessThan(bound)
  expect(gasUsed).toBeGreaterThan((bound * 4n) / 5n)
}

it("deposits cost", async () => {
  await bridge("depositETH", [], 5n)
  expectCost(await bridge("depositETH", [], 5n), 95_000n)
  expectCost(await bridge("depositETHTo", [BOB, 100_000n, "0x"], 5n), 99_000n)
  expectCost(await bridge("withdrawETH", [5n]), 100_000n)
  const message = {
    ...{ to: l1.messenger, abi: contracts.L1Messenger.abi, functionName: "sendMessage" },
    args: [BOB, "0x1234", 100_000n]
  }
  await l1.send(message)
  expectCost(await l1.send(message), 128_000n)
})

it("deposits of tokens cost", async () => {
  const token = await l1.deploy(contracts.HostileToken)
  const call = (functionName: string, args: ReadonlyArray<unknown>) =>
    l1.send({ to: token, abi: contracts.HostileToken.abi, functionName, args })
  await call("mint", [accounts.alice.address, 1_000n])
  await call("approve", [l1.bridge, 1_000n])
  expectCost(await bridge("depositERC20", [token, BOB, 10n, 0n]), 260_000n)
  expectCost(await bridge("depositERC20", [token, BOB, 10n, 0n]), 225_000n)
})

it("finalizing a withdrawal costs, its proof's length and a new account included", async () => {
  const withdrawal = {
    ...{ nonce: 1n, sender: BOB, target: BOB, value: 5n },
    ...{ gasLimit: 100_000n, data: "0x" as const }
  }
  const state = await stateWith([withdrawal], 1_500)
  const claim = await l1.propose(state.root)
  await l1.travel(CHALLENGE_PERIOD + 1n)
  const parts = await state.proofOf(withdrawal, claim)
  expect(parts.accountProof.length + parts.storageProof.length).toBeGreaterThanOrEqual(8)
  expectCost(await bridge("finalizeWithdrawal", [encodeProof(parts)]), 260_000n)
})
