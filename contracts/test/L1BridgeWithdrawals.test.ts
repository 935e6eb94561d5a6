/** What leaves L2 is paid out once, if a final claim's state holds it, and never otherwise. */
import * as contracts from "@ovm/contracts"
import { MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import { type Address, type Hex, ZERO_HASH } from "@ovm/protocol/Primitives"
import { encodeFunctionData, keccak256, numberToHex } from "viem"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  accounts,
  type BridgeL1,
  CHALLENGE_PERIOD,
  ESCROW,
  eventsOf,
  startBridgeL1
} from "./support/BridgeL1.ts"
import {
  encodeProof,
  type ProofParts,
  sentMessageSlot,
  stateWith,
  type Withdrawal,
  withdrawalHash
} from "./support/Withdrawals.ts"

const abi = contracts.L1Bridge.abi
const sccAbi = contracts.StateCommitmentChain.abi
const receiverAbi = contracts.HostileReceiver.abi
const SENDER: Address = "0x00000000000000000000000000000000005e4de4"
const BOB: Address = "0x0000000000000000000000000000000000000b0b"

let l1: BridgeL1
let receiver: Address
let toBob: Withdrawal
let toReceiver: Withdrawal
let requiring: Withdrawal
let state: Awaited<ReturnType<typeof stateWith>>
let claim: bigint
let snapshot: Hex

beforeAll(async () => {
  l1 = await startBridgeL1()
  receiver = await l1.deploy(contracts.HostileReceiver)
  const base = { sender: SENDER, gasLimit: 100_000n, data: "0x" } as const
  toBob = { ...base, nonce: 0n, target: BOB, value: 1_000n }
  toReceiver = { ...base, nonce: 1n, target: receiver, value: 500n, data: "0xabcdef" }
  requiring = {
    ...base,
    nonce: 2n,
    target: receiver,
    value: 3n,
    gasLimit: 1_000_000n,
    data: `0x${"ff".repeat(2_000)}`
  }
  state = await stateWith([toBob, toReceiver, requiring])
  claim = await l1.propose(state.root)
}, 30_000)
afterAll(() => l1?.stop())
beforeEach(async () => {
  snapshot = await l1.node.snapshot()
})
afterEach(() => l1.node.revert({ id: snapshot }))

const finalize = (parts: ProofParts, gas = 8_000_000n) => ({
  to: l1.bridge,
  abi,
  functionName: "finalizeWithdrawal",
  args: [encodeProof(parts)],
  gas
})
const proofOf = (withdrawal: Withdrawal) => state.proofOf(withdrawal, claim)
const isFinalized = (withdrawal: Withdrawal) =>
  l1.read({ to: l1.bridge, abi, functionName: "isFinalized", args: [withdrawalHash(withdrawal)] })
const matured = () => l1.travel(CHALLENGE_PERIOD + 1n)
const scc = (functionName: string, args: ReadonlyArray<unknown>, from = accounts.disputeGame) => ({
  to: l1.stateCommitmentChain,
  abi: sccAbi,
  functionName,
  args,
  from
})
const setHabit = (habit: number) =>
  l1.events({ to: receiver, abi: receiverAbi, functionName: "setHabit", args: [habit] })

describe("a withdrawal", () => {
  it("is paid once its claim is final, by anyone, and never again", async () => {
    await matured()
    const parts = await proofOf(toBob)
    const receipt = await l1.send(finalize(parts))
    expect(eventsOf(receipt)).toMatchObject([
      {
        name: "WithdrawalFinalized",
        args: { withdrawalHash: withdrawalHash(toBob), success: true, value: 1_000n }
      }
    ])
    expect(await l1.client.getBalance({ address: BOB })).toBe(1_000n)
    expect(await l1.client.getBalance({ address: l1.bridge })).toBe(ESCROW - 1_000n)
    expect(await isFinalized(toBob)).toBe(true)
    const again = { error: "AlreadyFinalized", args: [withdrawalHash(toBob)] }
    expect(await l1.failure(finalize(parts))).toEqual(again)
    // Nor under another claim that holds it too.
    const later = await l1.propose((await stateWith([toBob, toReceiver])).root)
    await matured()
    expect(await l1.failure(finalize({ ...parts, claimIndex: later }))).toEqual(again)
    expect(receipt.gasUsed).toBeLessThan(250_000n)
  })

  it("is paid with proofs as geth gives them, without embedded nodes twice, and under an older final claim", async () => {
    await l1.propose((await stateWith([])).root)
    await matured()
    await l1.events(finalize(await proofOf(toReceiver)))
  })

  it("calls its target with value and data, and tells it who sent it on L2", async () => {
    await matured()
    await l1.events({
      to: receiver,
      abi: receiverAbi,
      functionName: "setCall",
      args: [l1.bridge, encodeFunctionData({ abi, functionName: "l2Sender" })]
    })
    const events = await l1.events(finalize(await proofOf(toReceiver)))
    const caller = await l1.read({ to: l1.bridge, abi, functionName: "withdrawalCaller" })
    expect(events[0]).toMatchObject({
      name: "Called",
      args: {
        sender: caller,
        value: 500n,
        data: "0xabcdef",
        result: `0x${SENDER.slice(2).padStart(64, "0")}`
      }
    })
    const l2Sender = await l1.read({ to: l1.bridge, abi, functionName: "l2Sender" })
    expect(BigInt(l2Sender as Hex)).toBe(0n)
  })
})

describe("a withdrawal is refused", () => {
  it("early, while its claim can still be disputed", async () => {
    const { finalAt } = (await l1.read({
      to: l1.stateCommitmentChain,
      abi: sccAbi,
      functionName: "claim",
      args: [claim]
    })) as { readonly finalAt: bigint }
    const early = { error: "ClaimNotFinal", args: [claim, 1, finalAt] }
    expect(await l1.failure(finalize(await proofOf(toBob)))).toEqual(early)
    await l1.travel(CHALLENGE_PERIOD - 60n)
    expect(await l1.failure(finalize(await proofOf(toBob)))).toEqual(early)
    expect(await isFinalized(toBob)).toBe(false)
  })

  it("while its claim is disputed, however long that takes, and after it was defeated", async () => {
    await l1.events(scc("pauseClock", [claim]))
    await l1.travel(100n * CHALLENGE_PERIOD)
    expect(await l1.failure(finalize(await proofOf(toBob)))).toMatchObject({
      error: "ClaimNotFinal",
      args: [claim, 2, 0n]
    })
    await l1.events(scc("defeat", [claim, accounts.alice.address]))
    const defeated = await l1.failure(finalize(await proofOf(toBob)))
    expect(defeated).toMatchObject({ error: "ClaimNotFinal", args: [claim, 3, 0n] })
    // The next claim holds another state: what only the wrong one held is gone.
    const next = await l1.propose((await stateWith([toReceiver])).root)
    await matured()
    expect(
      await l1.failure(finalize({ ...(await proofOf(toBob)), claimIndex: next }))
    ).toMatchObject({
      error: "WrongNode"
    })
    expect(await l1.failure(finalize(await proofOf(toBob)))).toMatchObject(defeated)
  })

  it("under a claim that doesn't exist, or whose state is another", async () => {
    await matured()
    const parts = await proofOf(toBob)
    expect(await l1.failure(finalize({ ...parts, claimIndex: 9n }))).toEqual({
      error: "UnknownClaim",
      args: [9n]
    })
    expect(await l1.failure(finalize({ ...parts, claimIndex: 0n }))).toEqual({
      error: "WrongNode",
      args: [0n, keccak256("0x01"), state.root]
    })
  })

  it("if it was not sent: the proof shows that nothing stands in its slot", async () => {
    await matured()
    for (const forged of [
      { ...toBob, value: 10n ** 18n },
      { ...toBob, target: SENDER },
      { ...toBob, sender: BOB },
      { ...toBob, nonce: 7n },
      { ...toBob, gasLimit: 100_001n },
      { ...toBob, data: "0x00" as const }
    ]) {
      expect(await l1.failure(finalize(await proofOf(forged)))).toEqual({
        error: "WithdrawalNotProven",
        args: [withdrawalHash(forged), state.root]
      })
      // With the proof of the one that was sent, the key's path ends elsewhere.
      const { error } = await l1.failure(
        finalize({ ...(await proofOf(toBob)), withdrawal: forged })
      )
      expect(["WithdrawalNotProven", "ProofTooShort", "ProofTooLong", "WrongNode"]).toContain(error)
    }
  })

  it("with the proof of another slot, another account, or a slot that holds another value", async () => {
    await matured()
    const parts = await proofOf(toBob)
    const other = await proofOf(toReceiver)
    const refused = async (changed: Partial<ProofParts>) =>
      (await l1.failure(finalize({ ...parts, ...changed }))).error
    expect(await refused({ storageProof: other.storageProof })).toMatch(/Proof|Node/)
    const neighbour = await state.prove(numberToHex(3, { size: 20 }), ZERO_HASH)
    expect(await refused({ accountProof: neighbour.accountProof })).toMatch(/Proof|Node/)
    expect(await refused({ storageProof: [], accountProof: parts.accountProof })).toBe(
      "ProofTooShort"
    )
    const count = await state.prove(MESSAGE_PASSER, numberToHex(1, { size: 32 }))
    expect(await refused({ storageProof: count.storageProof[0]?.proof ?? [] })).toMatch(
      /Proof|Node/
    )
    expect(await refused({ storageProof: [...parts.storageProof, "0x80"] })).toBe("ProofTooLong")
  })

  it("if a single bit of its proof is wrong", async () => {
    await matured()
    const parts = await proofOf(toBob)
    const flipped = (nodes: ReadonlyArray<Hex>, i: number, at: number): ReadonlyArray<Hex> =>
      nodes.map((node, j) => {
        if (j !== i) return node
        const place = 2 + (at % (node.length - 2))
        const digit = (Number.parseInt(node[place] ?? "0", 16) ^ 1).toString(16)
        return `0x${node.slice(2, place)}${digit}${node.slice(place + 1)}` as const
      })
    for (const [i] of parts.accountProof.entries()) {
      for (const at of [0, 7, 101, 1_001]) {
        const accountProof = flipped(parts.accountProof, i, at)
        const { error } = await l1.failure(finalize({ ...parts, accountProof }))
        expect(error).toBe("WrongNode")
      }
    }
    for (const [i] of parts.storageProof.entries()) {
      const storageProof = flipped(parts.storageProof, i, 13 * i + 5)
      expect((await l1.failure(finalize({ ...parts, storageProof }))).error).toBe("WrongNode")
    }
    expect(await isFinalized(toBob)).toBe(false)
  })

  it("if the state has no message passer", async () => {
    const { Effect } = await import("effect")
    const { StateManager, layerMemory } = await import("@ovm/state-manager/StateManager")
    const { accountProof, root, storageProof } = await Effect.gen(function* () {
      const states = yield* StateManager
      const opened = yield* states.open(states.emptyRoot)
      const root = yield* Effect.promise(async () => {
        await opened.setAccount(BOB, { nonce: 0n, balance: 1n })
        opened.endTransaction()
        return opened.flush()
      })
      const slot = sentMessageSlot(withdrawalHash(toBob))
      const proof = yield* states.prove({ root, address: MESSAGE_PASSER, slots: [slot] })
      return { root, ...proof }
    }).pipe(Effect.provide(layerMemory), Effect.runPromise)
    const index = await l1.propose(root)
    await matured()
    const parts = {
      withdrawal: toBob,
      claimIndex: index,
      accountProof,
      storageProof: storageProof[0]?.proof ?? []
    }
    expect(await l1.failure(finalize(parts))).toEqual({
      error: "WithdrawalNotProven",
      args: [withdrawalHash(toBob), root]
    })
  })

  it("if the bytes are not even a proof", async () => {
    await matured()
    const right = encodeProof(await proofOf(toBob))
    const raw = (proof: Hex) =>
      l1.failure({ to: l1.bridge, abi, functionName: "finalizeWithdrawal", args: [proof] })
    const malformed = { error: "MalformedProof", args: [] }
    for (const proof of ["0x", "0x00", right.slice(0, 130), right.slice(0, -64)] as Array<Hex>) {
      expect(await raw(proof)).toEqual(malformed)
    }
    // Any word replaced by a huge one: an offset, a length, an address, or what is proven.
    for (let word = 0; word < 14; word++) {
      const at = 2 + 64 * word
      const proof = `${right.slice(0, at)}${"ff".repeat(32)}${right.slice(at + 64)}` as Hex
      const { error } = await raw(proof)
      expect([
        "MalformedProof",
        "UnknownClaim",
        "WithdrawalNotProven",
        "ProofTooShort",
        "ProofTooLong",
        "WrongNode"
      ]).toContain(error)
    }
  })
})

describe("a target", () => {
  it.each([
    ["reverts", 1],
    ["burns all gas", 2],
    ["reverts with much data", 3]
  ])("that %s: the withdrawal is done, and the value stays", async (_, habit) => {
    await matured()
    await setHabit(habit)
    const events = await l1.events(finalize(await proofOf(toReceiver), 1_000_000n))
    expect(events).toMatchObject([{ name: "WithdrawalFinalized", args: { success: false } }])
    expect(await l1.client.getBalance({ address: l1.bridge })).toBe(ESCROW)
    expect(await l1.failure(finalize(await proofOf(toReceiver)))).toMatchObject({
      error: "AlreadyFinalized"
    })
  })

  it("that returns much can't make it fail", async () => {
    await matured()
    await setHabit(4)
    const events = await l1.events(finalize(await proofOf(toReceiver), 3_000_000n))
    expect(events.at(-1)).toMatchObject({ name: "WithdrawalFinalized", args: { success: true } })
  })

  it("can't finalize another withdrawal from inside, nor speak for the bridge", async () => {
    await matured()
    const inside = encodeFunctionData({
      abi,
      functionName: "finalizeWithdrawal",
      args: [encodeProof(await proofOf(toBob))]
    })
    const stealing = encodeFunctionData({
      abi,
      functionName: "finalizeERC20Withdrawal",
      args: [BOB, BOB, BOB, 1n]
    })
    for (const [data, error] of [
      [inside, "Reentered"],
      [stealing, "NotL2Bridge"]
    ] as const) {
      const id = await l1.node.snapshot()
      await l1.events({
        to: receiver,
        abi: receiverAbi,
        functionName: "setCall",
        args: [l1.bridge, data]
      })
      const events = await l1.events(finalize(await proofOf(toReceiver)))
      const called = events.find(({ name }) => name === "Called")
      expect(called?.args["success"]).toBe(false)
      const { decodeFailure } = await import("./support/BridgeL1.ts")
      expect(decodeFailure(called?.args["result"] as Hex).error).toBe(error)
      expect(await isFinalized(toBob)).toBe(false)
      await l1.node.revert({ id })
    }
    // The other one is not harmed by the try.
    await l1.events(finalize(await proofOf(toBob)))
  })

  it("may deposit again", async () => {
    await matured()
    const data = encodeFunctionData({
      abi,
      functionName: "depositTransaction",
      args: [false, BOB, 0n, 50_000n, "0x"]
    })
    await l1.events({
      to: receiver,
      abi: receiverAbi,
      functionName: "setCall",
      args: [l1.bridge, data]
    })
    const events = await l1.events(finalize(await proofOf(toReceiver)))
    expect(events.map(({ name }) => name)).toEqual([
      "TransactionEnqueued",
      "Called",
      "WithdrawalFinalized"
    ])
  })

  it("of the Inbox gets no deposit out of it: the caller is not the bridge", async () => {
    const minting: Withdrawal = {
      ...toBob,
      target: l1.inbox,
      value: 0n,
      gasLimit: 500_000n,
      data: encodeFunctionData({
        abi: contracts.Inbox.abi,
        functionName: "enqueueDeposit",
        args: [BOB, false, BOB, 10n ** 24n, 0n, 21_000n, "0x"]
      })
    }
    const forging = await stateWith([minting])
    const index = await l1.propose(forging.root)
    await matured()
    const events = await l1.events(finalize(await forging.proofOf(minting, index)))
    expect(events).toMatchObject([{ name: "WithdrawalFinalized", args: { success: false } }])
  })

  it("with the most data and gas that L2 lets through fits one L1 transaction (EIP-7825)", async () => {
    const largest: Withdrawal = {
      ...{ ...toReceiver, gasLimit: 10_000_000n },
      data: `0x${"ff".repeat(16_384)}`
    }
    const holding = await stateWith([largest], 500)
    const index = await l1.propose(holding.root)
    await matured()
    const events = await l1.events(finalize(await holding.proofOf(largest, index), 2n ** 24n))
    expect(events.at(-1)).toMatchObject({ name: "WithdrawalFinalized", args: { success: true } })
    expect(events[0]?.args["gas"]).toBeGreaterThanOrEqual(9_900_000n)
  })

  it("has the gas that was asked for, or the withdrawal stays as it was", async () => {
    await matured()
    const parts = await proofOf(requiring)
    const outcomes = { refused: 0, done: 0 }
    const enough = 1_300_000n
    for (let gas = enough - 100_000n; gas <= enough + 150_000n; gas += 6_007n) {
      const id = await l1.node.snapshot()
      const receipt = await l1.send(finalize(parts, gas))
      if (receipt.status === "success") {
        const called = eventsOf(receipt).find(({ name }) => name === "Called")
        expect(called?.args["gas"], `with ${gas} gas`).toBeGreaterThanOrEqual(999_000n)
        outcomes.done++
      } else {
        expect(await isFinalized(requiring)).toBe(false)
        outcomes.refused++
      }
      await l1.node.revert({ id })
    }
    expect(outcomes.refused).toBeGreaterThan(3)
    expect(outcomes.done).toBeGreaterThan(3)
    expect(await l1.failure(finalize(parts, 1_100_000n))).toMatchObject({ error: "NotEnoughGas" })
    await l1.events(finalize(parts))
  })
})
