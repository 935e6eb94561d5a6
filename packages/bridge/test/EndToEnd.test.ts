/** Both halves at once: a real L1, and L2 in ExecutionManager.sol, with proofs of its own state between them. */
import { expect, layer as sharing } from "@effect/vitest"
import * as contracts from "@ovm/contracts"
import { L2_BRIDGE, L2_MESSENGER, L2_TOKEN_FACTORY, MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { Context, Effect, Layer, Option } from "effect"
import {
  createWalletClient,
  decodeFunctionResult,
  encodeFunctionData,
  http,
  parseEther
} from "viem"
import { foundry } from "viem/chains"
import {
  accounts,
  type BridgeL1,
  CHALLENGE_PERIOD,
  ESCROW,
  type SeenEvent,
  startBridgeL1
} from "../../../contracts/test/support/BridgeL1.ts"
import * as Audit from "../src/Audit.ts"
import * as Deposits from "../src/Deposits.ts"
import * as L2Source from "../src/L2Source.ts"
import * as Withdrawal from "../src/Withdrawal.ts"
import * as WithdrawalProof from "../src/WithdrawalProof.ts"
import { type SentWithdrawal, withdrawalStatus } from "../src/WithdrawalStatus.ts"
import { type L2, layer as l2Layer, openL2 } from "./support/L2.ts"

const ALICE: Address = `0x${accounts.alice.address.slice(2).toLowerCase()}`
const BOB: Address = "0x0000000000000000000000000000000000000b0b"

class L1 extends Context.Tag("test/L1")<L1, BridgeL1>() {}
const l1Layer = Layer.scoped(
  L1,
  Effect.acquireRelease(
    Effect.promise(() => startBridgeL1()),
    (l1) => Effect.sync(() => l1.stop())
  )
)

const open = Effect.gen(function* () {
  const l1 = yield* L1
  const l2 = yield* openL2({
    ...{ bridge: l1.bridge, messenger: l1.messenger },
    // What genesis gives out stands in the bridge's escrow.
    balances: { [BOB]: ESCROW }
  })
  const wallet = createWalletClient({
    ...{ chain: foundry, transport: http(l1.url), account: accounts.alice }
  })
  const client = l1.client
  const bridge = { client, wallet, contracts: { bridge: l1.bridge, inbox: l1.inbox } }
  return { l1, l2, bridge }
})

/** Runs on L2 what a call on L1 put into the queue. */
const runQueued = Effect.fnUntraced(function* (l2: L2, events: ReadonlyArray<SeenEvent>) {
  const results = []
  for (const { args, name } of events) {
    if (name === "TransactionEnqueued") results.push(yield* l2.runRaw(args["raw"] as Hex))
  }
  return results
})
const queuedBy = (l1: BridgeL1, hash: Hex) =>
  Effect.promise(async () => {
    const { eventsOf } = await import("../../../contracts/test/support/BridgeL1.ts")
    return eventsOf(await l1.settled(hash))
  })

/** Claims L2's state on L1, waits until it is final, and pays out what was sent. */
const claimAndFinalize = Effect.fnUntraced(function* (
  world: Effect.Effect.Success<typeof open>,
  withdrawal: Withdrawal.Withdrawal
) {
  const { bridge, l1, l2 } = world
  const stateRoot = yield* l2.flush
  const claimIndex = yield* Effect.promise(() => l1.propose(stateRoot))
  const proof = yield* WithdrawalProof.fromState({ withdrawal, stateRoot })
  yield* WithdrawalProof.verify({ withdrawal, stateRoot, proof })
  const encoded = yield* WithdrawalProof.encode({ withdrawal, claimIndex, proof })
  const early = yield* Effect.flip(Deposits.finalizeWithdrawal(bridge, { proof: encoded }))
  expect(early).toMatchObject({ _tag: "BridgeCallRefused" })
  yield* Effect.promise(() => l1.travel(CHALLENGE_PERIOD + 1n))
  return yield* Deposits.finalizeWithdrawal(bridge, { proof: encoded })
})

const only = <A>(values: ReadonlyArray<A>): A => {
  const [value] = values
  if (value === undefined || values.length !== 1) throw new Error("Expected exactly one.")
  return value
}

sharing(Layer.mergeAll(l1Layer, l2Layer), { timeout: "60 seconds" })("bridge", (it) => {
  it.effect("brings ETH to L2 and, proven, back again; and all ETH is accounted for", () =>
    Effect.gen(function* () {
      const world = yield* open
      const { bridge, l1, l2 } = world
      const held = yield* Effect.promise(() => l1.client.getBalance({ address: l1.bridge }))
      const deposit = yield* Deposits.depositETH(bridge, { amountWei: parseEther("2") })
      const ran = only(yield* runQueued(l2, yield* queuedBy(l1, deposit.l1TransactionHash)))
      expect(ran).toMatchObject({ success: true, transactionHash: deposit.l2TransactionHash })
      expect(yield* l2.balanceOf(ALICE)).toBe(parseEther("2"))

      // L2-initiated: any account calls the passer.
      const value = parseEther("0.5")
      const { to, ...request } = Withdrawal.request({ target: BOB, value })
      const sent = yield* l2.call({ from: ALICE, to, ...request })
      const withdrawal = only(Withdrawal.fromLogs(sent.logs))
      expect(withdrawal).toMatchObject({ sender: ALICE, target: BOB, value })

      const before = yield* Effect.promise(() => l1.client.getBalance({ address: BOB }))
      const done = yield* claimAndFinalize(world, withdrawal)
      expect(done).toMatchObject({ success: true, value })
      expect(done.gasUsed).toBeLessThan(250_000n)
      const after = yield* Effect.promise(() => l1.client.getBalance({ address: BOB }))
      expect(after - before).toBe(value)

      const reserve = yield* l2.balanceOf(MESSAGE_PASSER)
      const facts = {
        l2CirculatingWei: (yield* l2.balanceOf(ALICE)) + (yield* l2.balanceOf(BOB)),
        l2ReserveWei: reserve,
        l1BridgeWei: held + parseEther("1.5"),
        ...{ pendingDepositsWei: 0n, pendingWithdrawalsWei: 0n, failedWithdrawalsWei: 0n }
      }
      expect(yield* Audit.check(facts)).toMatchObject({ requiredWei: ESCROW + parseEther("1.5") })
    })
  )

  it.effect("takes ETH out by a request on L1, with the passer's own gas sufficing", () =>
    Effect.gen(function* () {
      const world = yield* open
      const { bridge, l1, l2 } = world
      const deposit = yield* Deposits.depositETH(bridge, { amountWei: 1_000n })
      yield* runQueued(l2, yield* queuedBy(l1, deposit.l1TransactionHash))
      const asked = yield* Deposits.withdrawETH(bridge, { amountWei: 400n })
      const ran = only(yield* runQueued(l2, yield* queuedBy(l1, asked.l1TransactionHash)))
      expect(ran.success).toBe(true)
      // A quarter of the gas it is given stays.
      expect(ran.gasUsed).toBeLessThan(112_500n)
      const withdrawal = only(Withdrawal.fromLogs(ran.logs))
      expect(withdrawal).toMatchObject({ sender: ALICE, target: ALICE, value: 400n })
      expect(yield* l2.balanceOf(ALICE)).toBe(600n)
      expect(yield* claimAndFinalize(world, withdrawal)).toMatchObject({
        success: true,
        value: 400n
      })

      // More than there is: nothing leaves, and nothing is lost.
      const greedy = yield* Deposits.withdrawETH(bridge, { amountWei: 601n })
      const failed = only(yield* runQueued(l2, yield* queuedBy(l1, greedy.l1TransactionHash)))
      expect(failed).toMatchObject({ success: false, logs: [] })
      expect(yield* l2.balanceOf(ALICE)).toBe(600n)
    })
  )

  it.effect(
    "brings tokens to L2 under their own name, moves them there, and brings them back",
    () =>
      Effect.gen(function* () {
        const world = yield* open
        const { bridge, l1, l2 } = world
        const token = yield* Effect.promise(() => l1.deploy(contracts.HostileToken))
        const tokenAbi = contracts.HostileToken.abi
        yield* Effect.promise(() =>
          l1.events({ to: token, abi: tokenAbi, functionName: "mint", args: [ALICE, 1_000n] })
        )
        const deposit = yield* Deposits.depositERC20(bridge, { token, to: ALICE, amount: 700n })
        const ran = only(yield* runQueued(l2, yield* queuedBy(l1, deposit.l1TransactionHash)))
        expect(ran.success).toBe(true)

        const ask = Effect.fnUntraced(function* (to: Address, data: Hex, from: Address = ALICE) {
          const result = yield* l2.call({ from, to, data })
          expect(result.success).toBe(true)
          return result
        })
        const factory = contracts.L2TokenFactory.abi
        const { returnData } = yield* ask(
          L2_TOKEN_FACTORY,
          encodeFunctionData({ abi: factory, functionName: "l2TokenOf", args: [token] })
        )
        const l2Token = decodeFunctionResult({
          abi: factory,
          functionName: "l2TokenOf",
          data: returnData
        })
        const abi = contracts.L2Token.abi
        const read = Effect.fnUntraced(function* (
          functionName: "name" | "symbol" | "decimals" | "totalSupply" | "l1Token"
        ) {
          const answer = yield* ask(l2Token, encodeFunctionData({ abi, functionName }))
          return decodeFunctionResult({ abi, functionName, data: answer.returnData })
        })
        expect(yield* read("name")).toMatch(/^Hostile/)
        expect(yield* read("symbol")).toMatch(/^HOST/)
        expect(yield* read("decimals")).toBe(6)
        expect(yield* read("totalSupply")).toBe(700n)
        expect(String(yield* read("l1Token")).toLowerCase()).toBe(token)

        yield* ask(
          l2Token,
          encodeFunctionData({ abi, functionName: "transfer", args: [BOB, 300n] })
        )
        const out = yield* ask(
          L2_BRIDGE,
          encodeFunctionData({
            ...{ abi: contracts.L2Bridge.abi, functionName: "withdraw" },
            args: [l2Token, BOB, 250n, 0n]
          }),
          BOB
        )
        expect(yield* read("totalSupply")).toBe(450n)
        const withdrawal = only(Withdrawal.fromLogs(out.logs))
        expect(yield* claimAndFinalize(world, withdrawal)).toMatchObject({ success: true })
        const paid = yield* Effect.promise(() =>
          l1.read({ to: token, abi: tokenAbi, functionName: "balanceOf", args: [BOB] })
        )
        expect(paid).toBe(250n)
        const kept = yield* Effect.promise(() =>
          l1.read({
            ...{ to: l1.bridge, abi: contracts.L1Bridge.abi },
            ...{ functionName: "tokenBalance", args: [token] }
          })
        )
        expect(kept).toBe(450n)
      })
  )

  it.effect("carries messages both ways, and tells their targets who sent them", () =>
    Effect.gen(function* () {
      const world = yield* open
      const { l1, l2 } = world
      const abi = contracts.L1Messenger.abi
      const send = (target: Address, message: Hex) =>
        ({ abi, functionName: "sendMessage", args: [target, message, 100_000n] }) as const
      const there = yield* Effect.promise(() =>
        l1.events({ to: l1.messenger, ...send(BOB, "0x"), value: 5n })
      )
      const before = yield* l2.balanceOf(BOB)
      const ran = only(yield* runQueued(l2, there))
      expect(ran.success).toBe(true)
      expect((yield* l2.balanceOf(BOB)) - before).toBe(5n)

      const receiver = yield* Effect.promise(() => l1.deploy(contracts.HostileReceiver))
      const back = yield* l2.call({
        ...{ from: BOB, to: L2_MESSENGER, value: 3n },
        data: encodeFunctionData(send(receiver, "0xabcdef"))
      })
      expect(back.success).toBe(true)
      const withdrawal = only(Withdrawal.fromLogs(back.logs))
      expect(withdrawal).toMatchObject({ sender: L2_MESSENGER, target: l1.messenger, value: 3n })
      const done = yield* claimAndFinalize(world, withdrawal)
      const events = yield* queuedBy(l1, done.l1TransactionHash)
      expect(events.map(({ name }) => name)).toEqual([
        "Called",
        "MessageRelayed",
        "WithdrawalFinalized"
      ])
    })
  )

  it.effect("tells at every step where a withdrawal is, and what comes next", () =>
    Effect.gen(function* () {
      const world = yield* open
      const { bridge, l1, l2 } = world
      const { to, ...request } = Withdrawal.request({ target: ALICE, value: 9n })
      const sentBy = yield* l2.call({ from: BOB, to, ...request })
      const claims = yield* Effect.promise(() =>
        l1.read({
          ...{ to: l1.stateCommitmentChain, abi: contracts.StateCommitmentChain.abi },
          functionName: "claimCount"
        })
      )
      // The block after all that were claimed so far.
      const sent = L2Source.firstSent(sentBy.logs, BigInt(String(claims)))
      if (sent === undefined) throw new Error("Expected a withdrawal.")
      let batched = 0n
      const source = {
        find: (hash: Hex) =>
          Effect.succeed<Option.Option<SentWithdrawal>>(
            hash === sent.withdrawalHash ? Option.some(sent) : Option.none()
          ),
        lastBatchedBlock: Effect.sync(() => batched)
      }
      const status = (hash: Hex = sent.withdrawalHash) =>
        withdrawalStatus({
          ...{ hash, l2: source, l1: l1.client },
          contracts: { bridge: l1.bridge, stateCommitmentChain: l1.stateCommitmentChain }
        })
      expect(yield* status(`0x${"00".repeat(32)}`)).toMatchObject({ _tag: "Unknown" })
      expect(yield* status()).toMatchObject({ _tag: "InL2Block", secondsLeftMin: CHALLENGE_PERIOD })
      batched = sent.l2BlockNumber
      expect(yield* status()).toMatchObject({ _tag: "Batched" })

      const stateRoot = yield* l2.flush
      const claimIndex = yield* Effect.promise(() => l1.propose(stateRoot))
      const claimed = yield* status()
      expect(claimed).toMatchObject({ _tag: "Claimed", claimIndex, secondsLeft: CHALLENGE_PERIOD })

      const dispute = (functionName: string) =>
        Effect.promise(() =>
          l1.events({
            ...{ to: l1.stateCommitmentChain, abi: contracts.StateCommitmentChain.abi },
            ...{ functionName, args: [claimIndex], from: accounts.disputeGame }
          })
        )
      yield* dispute("pauseClock")
      expect(yield* status()).toMatchObject({ _tag: "Disputed", claimIndex })
      yield* Effect.promise(() => l1.travel(100n))
      yield* dispute("resumeClock")
      // The clock stood still meanwhile.
      const resumed = yield* status()
      expect(resumed._tag === "Claimed" && resumed.secondsLeft).toBeGreaterThan(
        CHALLENGE_PERIOD - 30n
      )
      yield* Effect.promise(() => l1.travel(CHALLENGE_PERIOD + 1n))

      const pause = (until: bigint) =>
        Effect.promise(() =>
          l1.events({
            ...{ to: l1.bridge, abi: contracts.L1Bridge.abi, functionName: "pause" },
            ...{ args: [until], from: accounts.guardian }
          })
        )
      const { timestamp } = yield* Effect.promise(() => l1.client.getBlock())
      yield* pause(timestamp + 1_000n)
      expect(yield* status()).toMatchObject({ _tag: "Paused", until: timestamp + 1_000n })
      yield* pause(0n)
      expect(yield* status()).toMatchObject({ _tag: "ReadyToFinalize", claimIndex })

      const { withdrawal } = sent
      const proof = yield* WithdrawalProof.fromState({ withdrawal, stateRoot })
      const encoded = yield* WithdrawalProof.encode({ withdrawal, claimIndex, proof })
      yield* Deposits.finalizeWithdrawal(bridge, { proof: encoded })
      expect(yield* status()).toMatchObject({ _tag: "Finalized", value: 9n })
      const again = yield* Effect.flip(Deposits.finalizeWithdrawal(bridge, { proof: encoded }))
      expect(again).toMatchObject({
        ...{ _tag: "BridgeCallRefused", error: "AlreadyFinalized", args: [sent.withdrawalHash] }
      })
    })
  )
})
