import { type Hash32, type Hex, ZERO_ADDRESS, ZERO_HASH } from "@ovm/protocol/Primitives"
import fc from "fast-check"
import { encodeFunctionData, keccak256, toHex } from "viem"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { headerOf, payloadOf, transfer } from "./support/Batches.ts"
import * as L1 from "./support/L1Node.ts"

let l1: L1.L1Node
let chain: L1.Chain
let clean: Hex
const batchHashes: Array<Hash32> = []
const BATCHES = 70

const [UNDECIDED, DISPUTED, DEFEATED, FINAL] = [1, 2, 3, 4]
const DAY = 86_400n

beforeAll(async () => {
  l1 = await L1.startL1Node()
  chain = await L1.deployChain(l1)
  await l1.act({ ...chain.inbox("depositBond"), value: L1.BATCHER_BOND })
  const blocks = [{ timestamp: 1n, origin: 1n, user: [await transfer(0)] }]
  for (let index = 0; index < BATCHES; index++) {
    const args = [BigInt(index), headerOf(blocks, 0n), payloadOf(blocks)]
    await l1.act({ ...chain.inbox("appendBatch", args), from: L1.batcher })
    batchHashes.push((await l1.read(chain.inbox("batchHash", [BigInt(index)]))) as Hash32)
  }
  clean = await l1.node.snapshot()
})
afterAll(() => l1.stop())
beforeEach(async () => {
  await l1.node.revert({ id: clean })
  clean = await l1.node.snapshot()
})

const proposal = (batchCount: number, changed: Readonly<Record<string, unknown>> = {}) => ({
  blockNumber: BigInt(batchCount * 10),
  blockHash: keccak256(toHex(`block ${batchCount}`)),
  stateRoot: keccak256(toHex(`state ${batchCount}`)),
  batchCount: BigInt(batchCount),
  batchHash: batchHashes[batchCount - 1] ?? ZERO_HASH,
  ...changed
})
const propose = (
  index: number,
  batchCount: number,
  changed?: Readonly<Record<string, unknown>>
) => ({
  ...chain.claims("propose", [BigInt(index), proposal(batchCount, changed)]),
  value: L1.CLAIM_BOND
})
const finalize = (index: number) => chain.claims("finalizeUpTo", [BigInt(index)])
const byGame = (name: string, ...args: ReadonlyArray<unknown>) => ({
  ...chain.claims(name, args),
  from: L1.game
})
const dispute = (index: number) => byGame("pauseClock", BigInt(index))
const resume = (index: number) => byGame("resumeClock", BigInt(index))
const defeat = (index: number, winner = L1.bob.address) => byGame("defeat", BigInt(index), winner)
const pause = (until: bigint) => ({ ...chain.claims("pause", [until]), from: L1.guardian })
const reclaim = (index: number) => chain.claims("reclaimBond", [BigInt(index)])

const statusOf = (index: number) => l1.read(chain.claims("statusOf", [BigInt(index)]))
const finalAtOf = async (index: number) =>
  ((await l1.read(chain.claims("claim", [BigInt(index)]))) as { finalAt: bigint }).finalAt
const owed = (account: Hex) => l1.read(chain.claims("withdrawable", [account]))
const held = () => l1.client.getBalance({ address: chain.addresses.claims })
const requireFinal = (index: number) => l1.read(chain.claims("requireFinal", [BigInt(index)]))

describe("proposing", () => {
  it("starts from genesis, which is final", async () => {
    expect(await l1.read(chain.claims("claim", [0n]))).toMatchObject({
      proposal: {
        blockNumber: 0n,
        blockHash: L1.GENESIS_HASH,
        stateRoot: L1.GENESIS_ROOT,
        batchCount: 0n,
        batchHash: ZERO_HASH
      },
      proposer: ZERO_ADDRESS,
      status: FINAL
    })
    expect(await requireFinal(0)).toBe(L1.GENESIS_ROOT)
  })

  it("keeps a claim with its bond until its challenge period is over", async () => {
    const { events, timestamp } = await l1.act(propose(1, 2))
    expect(events).toEqual([
      {
        name: "ClaimProposed",
        args: {
          index: 1n,
          proposer: L1.alice.address,
          proposal: proposal(2),
          finalAt: timestamp + L1.CHALLENGE_PERIOD
        }
      }
    ])
    expect(await statusOf(1)).toBe(UNDECIDED)
    expect(await held()).toBe(L1.CLAIM_BOND)
    expect(await l1.read(chain.claims("tip"))).toBe(1n)
  })

  it("takes a claim once, with exactly the bond", async () => {
    await l1.act(propose(1, 1))
    expect(await l1.refusal(propose(1, 1))).toEqual({ error: "WrongClaimIndex", args: [2n, 1n] })
    for (const value of [0n, L1.CLAIM_BOND - 1n, L1.CLAIM_BOND + 1n]) {
      expect(await l1.refusal({ ...propose(2, 2), value })).toEqual({
        error: "WrongBond",
        args: [L1.CLAIM_BOND, value]
      })
    }
  })

  it("goes forward only, over batches that exist, on this L1 and no other", async () => {
    await l1.act(propose(1, 3))
    const range = (actual: bigint) => ({
      error: "BatchCountOutOfRange",
      args: [4n, BigInt(BATCHES), actual]
    })
    expect(await l1.refusal(propose(2, 3))).toEqual(range(3n))
    expect(await l1.refusal(propose(2, BATCHES + 1))).toEqual(range(BigInt(BATCHES + 1)))
    expect(await l1.refusal(propose(2, 4, { blockNumber: 30n }))).toEqual({
      error: "BlockNumberNotHigher",
      args: [30n, 30n]
    })
    // What a reorganised L1 makes of a claim on the batches that it had before.
    const other = keccak256("0x0bad")
    expect(await l1.refusal(propose(2, 4, { batchHash: other }))).toEqual({
      error: "WrongBatchHash",
      args: [batchHashes[3], other]
    })
  })
})

describe("finality", () => {
  it("comes at the end of the period, by anyone, not a second before", async () => {
    const { timestamp } = await l1.act(propose(1, 1))
    const finalAt = timestamp + L1.CHALLENGE_PERIOD
    expect(await l1.refusal({ ...finalize(1), at: finalAt - 1n })).toEqual({
      error: "ClaimNotFinal",
      args: [1n, UNDECIDED, finalAt]
    })
    await l1.act({ ...finalize(1), at: finalAt, from: L1.bob })
    expect(await statusOf(1)).toBe(FINAL)
    expect(await owed(L1.alice.address)).toBe(L1.CLAIM_BOND)
    await l1.act(chain.claims("withdraw"))
    expect(await held()).toBe(0n)
    expect(await l1.refusal(chain.claims("withdraw"))).toEqual({
      error: "NothingToWithdraw",
      args: [L1.alice.address]
    })
    expect(await l1.refusal(finalize(1))).toEqual({
      error: "WrongClaimStatus",
      args: [1n, UNDECIDED, FINAL]
    })
    expect(await l1.refusal(finalize(2))).toEqual({ error: "UnknownClaim", args: [2n] })
  })

  it("comes in order: not over a claim that is disputed", async () => {
    await l1.act(propose(1, 1))
    const { timestamp } = await l1.act(propose(2, 2))
    await l1.act(dispute(1))
    expect(await l1.refusal({ ...finalize(2), at: timestamp + 10n * L1.CHALLENGE_PERIOD })).toEqual(
      {
        error: "ClaimNotFinal",
        args: [1n, DISPUTED, 0n]
      }
    )
    await expect(requireFinal(2)).rejects.toThrow(/ClaimNotFinal/)
  })

  it("is told by `requireFinal` as soon as anybody could bring it about", async () => {
    const { timestamp } = await l1.act(propose(1, 1))
    await expect(requireFinal(1)).rejects.toThrow(/ClaimNotFinal/)
    await expect(requireFinal(9)).rejects.toThrow(/UnknownClaim/)
    await l1.node.setNextBlockTimestamp({ timestamp: timestamp + L1.CHALLENGE_PERIOD })
    await l1.node.mine({ blocks: 1 })
    expect(await requireFinal(1)).toBe(proposal(1).stateRoot)
  })

  it("takes at most 64 claims in a call, which fit an L1 transaction", async () => {
    for (let index = 1; index <= 65; index++) await l1.act(propose(index, index))
    const at = (await l1.now()) + L1.CHALLENGE_PERIOD
    expect(await l1.refusal({ ...finalize(65), at })).toEqual({
      error: "TooManyClaims",
      args: [64n, 65n]
    })
    await expect(requireFinal(65)).rejects.toThrow(/TooManyClaims/)
    const { gasUsed } = await l1.act(finalize(64))
    expect(gasUsed).toBeLessThan(1_000_000n)
    await l1.act(finalize(65))
    expect(await l1.read(chain.claims("lastFinal"))).toBe(65n)
  })
})

describe("a dispute", () => {
  it("stops a claim's clock, and what was left is left when it goes on", async () => {
    const { timestamp } = await l1.act(propose(1, 1))
    await l1.act({ ...dispute(1), at: timestamp + 100n })
    expect(await statusOf(1)).toBe(DISPUTED)
    const { events } = await l1.act({ ...resume(1), at: timestamp + 5_000n })
    const finalAt = timestamp + 5_000n + L1.CHALLENGE_PERIOD - 100n
    expect(events).toEqual([{ name: "ClaimResumed", args: { index: 1n, finalAt } }])
    expect(await l1.refusal({ ...finalize(1), at: finalAt - 1n })).toMatchObject({
      error: "ClaimNotFinal"
    })
    await l1.act({ ...finalize(1), at: finalAt })
  })

  it("can begin until the last second, and no later", async () => {
    const { timestamp } = await l1.act(propose(1, 1))
    const second = await l1.act(propose(2, 2))
    const finalAt = timestamp + L1.CHALLENGE_PERIOD
    await l1.act({ ...dispute(1), at: finalAt - 1n })
    const secondFinalAt = second.timestamp + L1.CHALLENGE_PERIOD
    expect(await l1.refusal({ ...dispute(2), at: secondFinalAt })).toEqual({
      error: "ClockRanOut",
      args: [2n, secondFinalAt]
    })
  })

  it("that is lost takes all later claims along; only what was wrong is slashed", async () => {
    for (const index of [1, 2, 3]) await l1.act(propose(index, index))
    await l1.act(dispute(2))
    const { events } = await l1.act(defeat(2))
    const reward = L1.CLAIM_BOND / 2n
    expect(events).toEqual([
      { name: "ClaimDefeated", args: { index: 2n, winner: L1.bob.address, reward } }
    ])
    expect(await Promise.all([1, 2, 3].map(statusOf))).toEqual([UNDECIDED, DEFEATED, DEFEATED])
    expect(await owed(L1.bob.address)).toBe(reward)
    expect(await held()).toBe(2n * L1.CLAIM_BOND + reward)

    // The next claim builds on what stands; indices are not used again.
    expect(await l1.refusal(propose(2, 2))).toMatchObject({ error: "WrongClaimIndex" })
    await l1.act(propose(4, 2))
    expect(await l1.read(chain.claims("tip"))).toBe(4n)
    expect(await Promise.all([2, 3, 4].map(statusOf))).toEqual([DEFEATED, DEFEATED, UNDECIDED])

    for (const index of [1, 2, 4]) {
      expect(await l1.refusal(reclaim(index))).toEqual({
        error: "NothingToReclaim",
        args: [BigInt(index)]
      })
    }
    await l1.act({ ...reclaim(3), from: L1.bob })
    expect(await l1.refusal(reclaim(3))).toMatchObject({ error: "NothingToReclaim" })
    expect(await owed(L1.alice.address)).toBe(L1.CLAIM_BOND)
    expect(await l1.refusal(finalize(3))).toEqual({
      error: "WrongClaimStatus",
      args: [3n, UNDECIDED, DEFEATED]
    })
    await expect(requireFinal(3)).rejects.toThrow(/ClaimNotFinal/)
    await l1.act({ ...finalize(4), at: (await l1.now()) + L1.CHALLENGE_PERIOD })
    expect(await Promise.all([1, 2, 3, 4].map(statusOf))).toEqual([
      FINAL,
      DEFEATED,
      DEFEATED,
      FINAL
    ])
  })

  it("is the game's alone, and only where there is something to dispute", async () => {
    const { timestamp } = await l1.act(propose(1, 1))
    for (const call of [dispute(1), resume(1), defeat(1)]) {
      for (const from of [L1.alice, L1.guardian]) {
        expect(await l1.refusal({ ...call, from })).toEqual({
          error: "NotDisputeGame",
          args: [from.address]
        })
      }
    }
    const wrong = (expected: number | undefined, actual: number | undefined) => ({
      error: "WrongClaimStatus",
      args: [1n, expected, actual]
    })
    expect(await l1.refusal(resume(1))).toEqual(wrong(DISPUTED, UNDECIDED))
    expect(await l1.refusal(defeat(1))).toEqual(wrong(DISPUTED, UNDECIDED))
    expect(await l1.refusal(dispute(2))).toEqual({ error: "UnknownClaim", args: [2n] })
    await l1.act(dispute(1))
    expect(await l1.refusal(dispute(1))).toEqual(wrong(UNDECIDED, DISPUTED))
    await l1.act(resume(1))
    await l1.act({ ...finalize(1), at: timestamp + 5n * L1.CHALLENGE_PERIOD })
    expect(await l1.refusal(dispute(1))).toEqual(wrong(UNDECIDED, FINAL))
  })
})

describe("the guardian", () => {
  it("gives no wrong claim a second: clocks stand while it pauses", async () => {
    const { timestamp } = await l1.act(propose(1, 1))
    const start = timestamp + 100n
    const until = start + 3n * DAY
    await l1.act({ ...pause(until), at: start })
    const finalAt = timestamp + L1.CHALLENGE_PERIOD + 3n * DAY
    expect(await finalAtOf(1)).toBe(finalAt)
    const paused = { error: "Paused", args: [until] }
    expect(await l1.refusal(propose(2, 2))).toEqual(paused)
    expect(await l1.refusal({ ...finalize(1), at: until - 1n })).toEqual(paused)
    await expect(requireFinal(1)).rejects.toThrow(/Paused/)
    expect(await l1.refusal({ ...finalize(1), at: finalAt - 1n })).toEqual({
      error: "ClaimNotFinal",
      args: [1n, UNDECIDED, finalAt]
    })
    await l1.act({ ...finalize(1), at: finalAt })
  })

  it("stops nobody from disputing, and a dispute costs its clock nothing", async () => {
    const { timestamp } = await l1.act(propose(1, 1))
    await l1.act({ ...pause(timestamp + DAY), at: timestamp + 100n })
    await l1.act({ ...dispute(1), at: timestamp + 5_000n })
    await l1.act({ ...resume(1), at: timestamp + 6_000n })
    expect(await finalAtOf(1)).toBe(timestamp + DAY + L1.CHALLENGE_PERIOD - 100n)
    // Ended early, the clock goes on from then.
    await l1.act({ ...pause(0n), at: timestamp + 7_000n })
    expect(await finalAtOf(1)).toBe(timestamp + 7_000n + L1.CHALLENGE_PERIOD - 100n)
  })

  it("pauses seven days at most, and not again for thirty", async () => {
    const start = (await l1.now()) + 10n
    expect(await l1.refusal({ ...pause(start + 7n * DAY + 1n), at: start })).toMatchObject({
      error: "PauseTooLong"
    })
    await l1.act({ ...pause(start + 1n + 7n * DAY), at: start + 1n })
    const end = start + 1n + 7n * DAY
    const again = (at: bigint) => ({ ...pause(at + DAY), at })
    expect(await l1.refusal(again(end + 30n * DAY - 1n))).toEqual({
      error: "PauseTooSoon",
      args: [end + 30n * DAY]
    })
    await l1.act(again(end + 30n * DAY))
  })

  it("is one account, with no way to a bond or a verdict", async () => {
    expect(await l1.refusal({ ...pause(0n), from: L1.alice })).toEqual({
      error: "NotGuardian",
      args: [L1.alice.address]
    })
    await l1.act(propose(1, 1))
    expect(await l1.refusal({ ...chain.claims("withdraw"), from: L1.guardian })).toMatchObject({
      error: "NothingToWithdraw"
    })
    expect(await l1.refusal({ ...finalize(1), from: L1.guardian })).toMatchObject({
      error: "ClaimNotFinal"
    })
  })
})

describe("payments", () => {
  it("to a contract that calls back are made once; one that refuses keeps its claim", async () => {
    const { claims, receiver } = chain.addresses
    const proposeThrough = chain.receiver("forward", [claims, dataOf(propose(1, 1))])
    const { timestamp } = await l1.act({ ...proposeThrough, value: L1.CLAIM_BOND })
    await l1.act(propose(2, 2))
    await l1.act({ ...finalize(2), at: timestamp + 2n * L1.CHALLENGE_PERIOD })
    const withdraw = dataOf(chain.claims("withdraw"))
    const through = chain.receiver("forward", [claims, withdraw])
    await l1.act(chain.receiver("setHabit", [1]))
    expect(await l1.refusal(through)).toEqual({
      error: "TransferFailed",
      args: [expect.stringMatching(new RegExp(receiver, "i")), L1.CLAIM_BOND]
    })
    // It withdraws again from inside: alice's bond is what it would get.
    await l1.act(chain.receiver("setCall", [claims, withdraw]))
    const { events } = await l1.act(through)
    const called = events.find(({ name }) => name === "Called")
    expect(called?.args["success"]).toBe(false)
    expect(await l1.client.getBalance({ address: receiver })).toBe(L1.CLAIM_BOND)
    expect(await held()).toBe(L1.CLAIM_BOND)
  })

  const action = fc.record({
    kind: fc.constantFrom(
      "propose",
      "propose",
      "dispute",
      "resume",
      "defeat",
      "finalize",
      "reclaim",
      "withdraw",
      "wait",
      "pause"
    ),
    index: fc.nat({ max: 12 }),
    other: fc.boolean()
  })

  it("always leave exactly what is still owed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 25 }), async (actions) => {
        const id = await l1.node.snapshot()
        let [count, batches] = [1, 1]
        for (const { index, kind, other } of actions) {
          const from = other ? L1.bob : L1.alice
          const calls: Readonly<Record<string, L1.Call>> = {
            propose: { ...propose(count, batches), from },
            dispute: dispute(index),
            resume: resume(index),
            defeat: defeat(index, from.address),
            finalize: finalize(index),
            reclaim: reclaim(index),
            withdraw: { ...chain.claims("withdraw"), from },
            wait: { ...reclaim(99), at: (await l1.now()) + (other ? 700n : 200n) },
            pause: pause((await l1.now()) + 300n)
          }
          const call = calls[kind]
          if (call === undefined) throw new Error(kind)
          const { receipt } = await l1.attempt(call)
          if (kind === "propose" && receipt.status === "success") {
            count++
            batches++
          }
          expect(await held()).toBe(await obligations(count))
        }
        await l1.node.revert({ id })
      }),
      { numRuns: 12 }
    )
  }, 90_000)

  /** Recomputed from what the contract says of each claim and each account. */
  const obligations = async (count: number) => {
    let sum = 0n
    for (const { address } of [L1.alice, L1.bob]) sum += BigInt((await owed(address)) as bigint)
    for (let index = 1; index < count; index++) {
      const status = await statusOf(index)
      if (status === UNDECIDED || status === DISPUTED) sum += L1.CLAIM_BOND
      if (status === DEFEATED && (await canReclaim(index))) sum += L1.CLAIM_BOND
    }
    return sum
  }
  const canReclaim = (index: number) =>
    l1.read(reclaim(index)).then(
      () => true,
      () => false
    )
})

const dataOf = ({ abi, args, name }: L1.Call): Hex =>
  encodeFunctionData({ abi, functionName: name, args: args ?? [] })
