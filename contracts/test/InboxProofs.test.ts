import type { BatchRecord } from "@ovm/protocol/BatchRecord"
import { type Hash32, type Hex, ZERO_HASH } from "@ovm/protocol/Primitives"
import { encodeFunctionData, keccak256 } from "viem"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  type Block,
  headerOf,
  leavesOf,
  payloadOf,
  rootOf,
  siblingsOf,
  transfer
} from "./support/Batches.ts"
import * as L1 from "./support/L1Node.ts"

let l1: L1.L1Node
let chain: L1.Chain
let clean: Hex
const raws: Array<Hex> = []

beforeAll(async () => {
  l1 = await L1.startL1Node()
  chain = await L1.deployChain(l1)
  for (let nonce = 0; nonce < 8; nonce++) raws.push(await transfer(nonce))
  await l1.act({ ...chain.inbox("depositBond"), value: 3n * L1.BATCHER_BOND })
  // Two entries wait; the blocks below begin after them.
  for (const raw of raws.slice(0, 2)) await l1.act(chain.inbox("enqueue", [raw]))
  clean = await l1.node.snapshot()
})
afterAll(() => l1.stop())
beforeEach(async () => {
  await l1.node.revert({ id: clean })
  clean = await l1.node.snapshot()
})

type Header = ReturnType<typeof headerOf>

const hashes = (from: number, to: number) => raws.slice(from, to).map((raw) => keccak256(raw))

/** Two blocks: the waiting entries and a user's transaction, then three of users. */
const rightBlocks = async (): Promise<ReadonlyArray<Block>> => {
  const timestamp = await l1.now()
  const origin = await l1.client.getBlockNumber()
  return [
    { timestamp, origin, queued: hashes(0, 2), user: raws.slice(2, 3) },
    { timestamp: timestamp + 2n, origin, user: raws.slice(3, 6) }
  ]
}

interface Posted {
  readonly record: BatchRecord
  readonly payload: Hex
  readonly gasUsed: bigint
}

const post = async (header: Header, payload: Hex): Promise<Posted> => {
  const index = await l1.read(chain.inbox("batchCount"))
  const call = { ...chain.inbox("appendBatch", [index, header, payload]), from: L1.batcher }
  const { events, gasUsed } = await l1.act(call)
  return { record: recordIn(events), payload, gasUsed }
}

const recordIn = (events: ReadonlyArray<L1.Seen>): BatchRecord => {
  const record = events.find(({ name }) => name === "BatchAppended")?.args["record"]
  if (record === undefined) throw new Error("Expected a batch to be appended.")
  return record as BatchRecord
}

const prove = (
  { payload, record }: { readonly record: BatchRecord; readonly payload: Hex },
  gas = L1.TRANSACTION_GAS_MAX
) => ({ ...chain.inbox("proveBatchWrong", [record, payload]), from: L1.bob, gas })

/** What counts instead of a wrong batch: its queue entries in one block. */
const fallback = (record: BatchRecord, queued: ReadonlyArray<Hash32>) =>
  leavesOf([{ timestamp: record.l1Timestamp, origin: record.l1BlockNumber - 1n, queued }])

/** Ways to lie, each from blocks that are right. */
const LIES: Readonly<
  Record<string, (blocks: ReadonlyArray<Block>) => { header: Header; payload: Hex }>
> = {
  "a wrong root": (blocks) => ({
    header: { ...headerOf(blocks, 2n), root: keccak256("0x99") },
    payload: payloadOf(blocks)
  }),
  "too many blocks": (blocks) => ({
    header: { ...headerOf(blocks, 2n), blocks: 3 },
    payload: payloadOf(blocks)
  }),
  "too few transactions": (blocks) => ({
    header: { ...headerOf(blocks, 2n), transactions: 5 },
    payload: payloadOf(blocks)
  }),
  "an undecodable payload": (blocks) => ({ header: headerOf(blocks, 2n), payload: "0x02abcdef" }),
  "a payload that ends too soon": (blocks) => ({
    header: headerOf(blocks, 2n),
    payload: payloadOf(blocks).slice(0, -2) as Hex
  }),
  "one queue entry fewer than it took": (blocks) => ({
    header: headerOf(blocks, 1n),
    payload: payloadOf(blocks)
  }),
  "another transaction in the place of a queued one": (blocks) => {
    const lie = blocks.map((block, index) =>
      index === 0 ? { ...block, queued: [keccak256("0x1234"), ...hashes(1, 2)] } : block
    )
    return { header: headerOf(lie, 2n), payload: payloadOf(lie) }
  },
  "a time beyond the drift": (blocks) => {
    const lie = blocks.map((block) => ({ ...block, timestamp: block.timestamp + 700n }))
    return { header: headerOf(lie, 2n), payload: payloadOf(lie) }
  },
  "an L1 origin that is not yet": (blocks) => {
    const lie = blocks.map((block) => ({ ...block, origin: block.origin + 1n }))
    return { header: headerOf(lie, 2n), payload: payloadOf(lie) }
  },
  "an origin from before a queue entry": (blocks) => {
    const lie = blocks.map((block) => ({ ...block, origin: block.origin - 1n }))
    return { header: headerOf(lie, 2n), payload: payloadOf(lie) }
  },
  "a deposit that nobody made": (blocks) => {
    const lie = blocks.map((block) => ({
      ...block,
      user: [...(block.user ?? []), "0x7ec0" as Hex]
    }))
    return { header: headerOf(lie, 2n), payload: payloadOf(lie) }
  },
  "an empty transaction": (blocks) => {
    const lie = blocks.map((block) => ({ ...block, user: [...(block.user ?? []), "0x" as Hex] }))
    return { header: headerOf(lie, 2n), payload: payloadOf(lie) }
  }
}

describe("a lying batcher", () => {
  it.each(Object.entries(LIES))("is shown wrong with %s, and pays", async (_, lie) => {
    const { header, payload } = lie(await rightBlocks())
    const posted = await post(header, payload)
    const queued = hashes(0, Number(header.queueEnd))
    const { events, gasUsed } = await l1.act(prove(posted))
    const root = rootOf(fallback(posted.record, queued))
    const reward = L1.BATCHER_BOND / 2n
    expect(events.find(({ name }) => name === "BatchVoided")?.args).toEqual({
      index: 0n,
      root,
      prover: L1.bob.address,
      reward
    })
    expect(await l1.read(chain.inbox("voidedRoot", [0n]))).toBe(root)
    expect(await l1.read(chain.inbox("isVoided", [0n]))).toBe(true)
    expect(await l1.read(chain.inbox("withdrawable", [L1.bob.address]))).toBe(reward)
    expect(await l1.read(chain.inbox("bond"))).toBe(2n * L1.BATCHER_BOND)
    // The odd wei is burned with the other half.
    const held = await l1.client.getBalance({ address: chain.addresses.inbox })
    expect(held).toBe(2n * L1.BATCHER_BOND + reward)
    expect(gasUsed).toBeLessThan(L1.TRANSACTION_GAS_MAX)
  })

  it("pays once for each wrong batch, until there is nothing left", async () => {
    const posted: Array<Posted> = []
    for (let index = 0; index < 4; index++) {
      const header = { root: ZERO_HASH, blocks: 1, transactions: 1, queueEnd: 0n }
      posted.push(await post(header, "0x02"))
    }
    const rewards: Array<unknown> = []
    for (const batch of posted) {
      const { events } = await l1.act(prove(batch))
      rewards.push(events.find(({ name }) => name === "BatchVoided")?.args["reward"])
      expect(await l1.refusal(prove(batch))).toEqual({
        error: "AlreadyVoided",
        args: [batch.record.index]
      })
      // Nothing was queued: no block at all counts instead.
      expect(await l1.read(chain.inbox("voidedRoot", [batch.record.index]))).toBe(ZERO_HASH)
    }
    const half = L1.BATCHER_BOND / 2n
    expect(rewards).toEqual([half, half, half, 0n])
    const next = chain.inbox("appendBatch", [4n, posted[0]?.record, "0x02"])
    const header = { root: ZERO_HASH, blocks: 1, transactions: 1, queueEnd: 0n }
    expect(await l1.refusal({ ...next, args: [4n, header, "0x02"], from: L1.batcher })).toEqual({
      error: "BondTooLow",
      args: [L1.BATCHER_BOND, 0n]
    })
    await l1.act({ ...chain.inbox("withdraw"), from: L1.bob })
    expect(await l1.client.getBalance({ address: chain.addresses.inbox })).toBe(0n)
  })

  it("pays a contract too, unless that refuses the wei", async () => {
    const posted = await post({ ...headerOf(await rightBlocks(), 2n), blocks: 9 }, "0x02")
    const through = (call: L1.Call) => {
      const data = encodeFunctionData({
        abi: call.abi,
        functionName: call.name,
        args: call.args ?? []
      })
      return chain.receiver("forward", [chain.addresses.inbox, data])
    }
    await l1.act(through(prove(posted)))
    await l1.act(chain.receiver("setHabit", [1]))
    const withdraw = through(chain.inbox("withdraw"))
    expect(await l1.refusal(withdraw)).toMatchObject({ error: "TransferFailed" })
    await l1.act(chain.receiver("setCall", [chain.addresses.inbox, dataOfWithdraw()]))
    await l1.act(withdraw)
    const reward = await l1.client.getBalance({ address: chain.addresses.receiver })
    expect(reward).toBe(L1.BATCHER_BOND / 2n)
  })

  it("can't be saved by the guardian", async () => {
    const posted = await post({ ...headerOf(await rightBlocks(), 2n), blocks: 9 }, "0x02")
    const until = (await l1.now()) + 1_000n
    await l1.act({ ...chain.inbox("pause", [until]), from: L1.guardian })
    await l1.act(prove(posted))
  })
})

describe("an honest batcher", () => {
  const honest = async () => {
    const blocks = await rightBlocks()
    return { ...(await post(headerOf(blocks, 2n), payloadOf(blocks))), blocks }
  }

  it("is never shown wrong: not by its own payload, another's, or a false record", async () => {
    const posted = await honest()
    expect(await l1.refusal(prove(posted))).toEqual({ error: "BatchIsRight", args: [0n] })
    for (const payload of ["0x", "0x02", `${posted.payload}00`] as const) {
      expect(await l1.refusal(prove({ ...posted, payload }))).toEqual({
        error: "WrongPayload",
        args: [posted.record.payloadHash, keccak256(payload)]
      })
    }
    const lies: ReadonlyArray<Partial<BatchRecord>> = [
      { root: ZERO_HASH },
      { payloadHash: keccak256("0x02") },
      { queueEnd: 1n },
      { l1BlockNumber: 1n },
      { l1Timestamp: 1n },
      { submitter: L1.alice.address },
      { blocks: 3 }
    ]
    for (const lie of lies) {
      const record = { ...posted.record, ...lie }
      expect(await l1.refusal(prove({ ...posted, record }))).toMatchObject({
        error: "WrongBatchRecord"
      })
    }
    const unknown = { ...posted, record: { ...posted.record, index: 1n } }
    expect(await l1.refusal(prove(unknown))).toEqual({ error: "UnknownBatch", args: [1n] })
  })

  it("is never shown wrong by too little gas", async () => {
    const posted = await honest()
    const floor = 21_000n + BigInt(posted.payload.length) * 40n
    for (let gas = floor + 10_000n; gas < 400_000n; gas += 4_999n) {
      const { error } = await l1.refusal(prove(posted, gas))
      expect(["nothing", "BatchIsRight"]).toContain(error)
    }
    expect(await l1.read(chain.inbox("isVoided", [0n]))).toBe(false)
  })

  it("gives a proof of each transaction with its context, and of nothing else", async () => {
    const { blocks, record } = await honest()
    const leaves = leavesOf(blocks)
    for (const [index, leaf] of leaves.entries()) {
      const siblings = siblingsOf(leaves, index)
      expect(await verify(record, leaf, index, siblings)).toBe(true)
      expect(await verify(record, keccak256(leaf), index, siblings)).toBe(false)
      expect(await verify(record, leaf, index + 1, siblings)).toBe(false)
      expect(await verify(record, leaf, index, [...siblings, ZERO_HASH])).toBe(false)
      expect(await verify(record, leaf, index, siblings.slice(1))).toBe(false)
    }
    expect(await verify(record, record.root, 0, [])).toBe(false)
  })
})

const verify = (
  record: BatchRecord,
  leaf: Hash32,
  index: number,
  siblings: ReadonlyArray<Hash32>
) => l1.read(chain.inbox("verifyLeaf", [record, leaf, BigInt(index), siblings]))

describe("leaves of batches without a payload that counts", () => {
  it("are the queue's in a voided batch, and those posted no more", async () => {
    const blocks = await rightBlocks()
    const posted = await post({ ...headerOf(blocks, 2n), blocks: 1 }, payloadOf(blocks))
    const lied = leavesOf(blocks)
    const [first = ZERO_HASH] = lied
    expect(await verify(posted.record, first, 0, siblingsOf(lied, 0))).toBe(true)
    await l1.act(prove(posted))
    expect(await verify(posted.record, first, 0, siblingsOf(lied, 0))).toBe(false)
    const leaves = fallback(posted.record, hashes(0, 2))
    for (const [index, leaf] of leaves.entries()) {
      expect(await verify(posted.record, leaf, index, siblingsOf(leaves, index))).toBe(true)
    }
  })

  it("are the queue's in a forced batch, which nobody can show wrong", async () => {
    const at = (await l1.now()) + L1.WINDOW + 10n
    const { events } = await l1.act({ ...chain.inbox("forceInclude", [2n]), at })
    const record = recordIn(events)
    const leaves = fallback(record, hashes(0, 2))
    for (const [index, leaf] of leaves.entries()) {
      expect(await verify(record, leaf, index, siblingsOf(leaves, index))).toBe(true)
    }
    expect(await l1.refusal(prove({ record, payload: "0x" }))).toEqual({
      error: "BatchIsRight",
      args: [0n]
    })
  })

  it("fill blocks greedily: a forced batch of large transactions has several", async () => {
    const large: Array<Hex> = []
    for (let nonce = 0; nonce < 5; nonce++) {
      large.push(await transfer(nonce, { gas: 11_000_000n }))
    }
    for (const raw of large) await l1.act(chain.inbox("enqueue", [raw]))
    const at = (await l1.now()) + L1.WINDOW + 10n
    const { events } = await l1.act({ ...chain.inbox("forceInclude", [64n]), at })
    const record = recordIn(events)
    // 60,000 + 60,000 + 2 * 11,000,000; then two at a time, of 30,000,000.
    const all = [...hashes(0, 2), ...large.map((raw) => keccak256(raw))]
    const context = { timestamp: record.l1Timestamp, origin: record.l1BlockNumber - 1n }
    const blocks = [all.slice(0, 4), all.slice(4, 6), all.slice(6)].map((queued) => ({
      ...context,
      queued
    }))
    expect(record).toMatchObject(headerOf(blocks, 7n))
  })

  it("are 64 at most in a forced batch, which fits an L1 transaction", async () => {
    const raw = await transfer(0, { gas: 21_000n, data: "0x" })
    await L1.fillQueue(l1, chain, raw, 64)
    const at = (await l1.now()) + L1.WINDOW + 10n
    const forced = await l1.act({ ...chain.inbox("forceInclude", [64n]), at })
    expect(recordIn(forced.events).transactions).toBe(64)
    expect(forced.gasUsed).toBeLessThan(L1.TRANSACTION_GAS_MAX)
  })
})

const dataOfWithdraw = (): Hex => {
  const { abi, name } = chain.inbox("withdraw")
  return encodeFunctionData({ abi, functionName: name })
}
