import type { Hash32, Hex } from "@ovm/protocol/Primitives"
import { hash as recordHash, type BatchRecord } from "@ovm/protocol/BatchRecord"
import * as Rlp from "@ovm/protocol/Rlp"
import {
  bytesToHex,
  concat,
  encodeAbiParameters,
  encodeFunctionData,
  hexToBytes,
  keccak256,
  pad,
  parseAbiParameters,
  size
} from "viem"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { headerOf, payloadOf, SENDER, transfer } from "./support/Batches.ts"
import * as L1 from "./support/L1Node.ts"

let l1: L1.L1Node
let chain: L1.Chain
let clean: Hex

beforeAll(async () => {
  l1 = await L1.startL1Node()
  chain = await L1.deployChain(l1)
  await l1.act({ ...chain.inbox("depositBond"), from: L1.bob, value: L1.BATCHER_BOND })
  clean = await l1.node.snapshot()
})
afterAll(() => l1.stop())
beforeEach(async () => {
  await l1.node.revert({ id: clean })
  clean = await l1.node.snapshot()
})

const enqueue = (raw: Hex) => chain.inbox("enqueue", [raw])
const appended = (events: ReadonlyArray<L1.Seen>) => {
  const [event] = events
  if (event?.name !== "BatchAppended") throw new Error("Expected a batch to be appended.")
  return event.args as { readonly batchHash: Hash32; readonly record: BatchRecord }
}
const uintOf = (value: unknown) => BigInt(value as bigint)
const count = async (name: string) => uintOf(await l1.read(chain.inbox(name)))

const honest = async (index: bigint, queueEnd: bigint, queued: ReadonlyArray<Hash32> = []) => {
  const block = { timestamp: await l1.now(), origin: await l1.client.getBlockNumber(), queued }
  const blocks = [{ ...block, user: [await transfer(0)] }]
  return append(index, headerOf(blocks, queueEnd), payloadOf(blocks))
}
const append = (index: bigint, header: unknown, payload: Hex) => ({
  ...chain.inbox("appendBatch", [index, header, payload]),
  from: L1.batcher
})
const deposit = (
  options: { data?: Hex; gas?: bigint; creation?: boolean; mint?: bigint } = {}
) => ({
  ...chain.inbox("enqueueDeposit", [
    L1.alice.address,
    options.creation ?? false,
    options.creation ? `0x${"00".repeat(20)}` : L1.bob.address,
    options.mint ?? 5n,
    3n,
    options.gas ?? 100_000n,
    options.data ?? "0x"
  ]),
  from: L1.bridge
})

describe("the queue", () => {
  it("takes a signed transaction from anyone and keeps what L2 needs of it", async () => {
    const raw = await transfer(7)
    const { blockNumber, events, timestamp } = await l1.act(enqueue(raw))
    expect(events).toEqual([
      {
        name: "TransactionEnqueued",
        args: { queueIndex: 0n, from: SENDER, gasLimit: 60_000n, raw }
      }
    ])
    expect(await l1.read(chain.inbox("queueEntry", [0n]))).toEqual({
      transactionHash: keccak256(raw),
      timestamp,
      blockNumber,
      gasLimit: 60_000n
    })
    expect(await count("queueLength")).toBe(1n)
  })

  it("refuses what L2 could not even read, and what only the bridge may write", async () => {
    expect(await l1.refusal(enqueue("0x7ec0"))).toEqual({ error: "DepositTypeReserved", args: [] })
    expect(await l1.refusal(enqueue("0x"))).toMatchObject({ error: "EmptyTransaction" })
    expect(await l1.refusal(enqueue("0x03c0"))).toMatchObject({
      error: "UnsupportedTransactionType"
    })
    expect(await l1.refusal(enqueue(await transfer(0, { chainId: 1 })))).toEqual({
      error: "WrongChainId",
      args: [420n, 1n]
    })
    expect(await l1.refusal({ ...deposit(), from: L1.alice })).toEqual({
      error: "NotBridge",
      args: [L1.alice.address]
    })
  })

  it("holds gas limits between the intrinsic gas and the cap, both included", async () => {
    for (const [gas, fits] of [
      [20_999n, false],
      [21_000n, true],
      [14_000_000n, true],
      [14_000_001n, false]
    ] as const) {
      const calls = [enqueue(await transfer(0, { gas, data: "0x" })), deposit({ gas })]
      for (const call of calls) {
        if (fits) await l1.act(call)
        else {
          expect(await l1.refusal(call)).toEqual({
            error: "GasLimitOutOfRange",
            args: [21_000n, 14_000_000n, gas]
          })
        }
      }
    }
  })

  it("bounds the size of what it takes, initcode's own bound included", async () => {
    const filler = (bytes: number): Hex => `0x${"00".repeat(bytes)}`
    const tooLarge = await transfer(0, { gas: 14_000_000n, data: filler(122_900) })
    expect(await l1.refusal(enqueue(tooLarge))).toEqual({
      error: "TransactionTooLarge",
      args: [BigInt(size(tooLarge)), 122_880n]
    })
    expect(await l1.refusal(deposit({ gas: 14_000_000n, data: filler(122_850) }))).toMatchObject({
      error: "TransactionTooLarge"
    })
    const largest = await transfer(0, { gas: 14_000_000n, data: filler(122_700) })
    const { gasUsed } = await l1.act(enqueue(largest))
    expect(gasUsed).toBeLessThan(L1.TRANSACTION_GAS_MAX)
    const creation = { gas: 14_000_000n, creation: true }
    expect(await l1.refusal(deposit({ ...creation, data: filler(49_153) }))).toEqual({
      error: "InitCodeTooLarge",
      args: [49_153n, 49_152n]
    })
    await l1.act(deposit({ ...creation, data: filler(49_152) }))
  })

  it("writes deposits in canonical RLP, each with a source of its own", async () => {
    const datas: ReadonlyArray<Hex> = [
      "0x",
      "0x00",
      "0x7f",
      "0x80",
      `0x${"ab".repeat(55)}`,
      `0x${"ab".repeat(56)}`,
      `0x${"cd".repeat(300)}`
    ]
    const cases = [
      ...datas.map((data) => ({ data, creation: false, mint: 10n ** 18n })),
      { data: "0x6001" as const, creation: true, mint: 0n }
    ]
    for (const [index, { creation, data, mint }] of cases.entries()) {
      const { events } = await l1.act(deposit({ data, creation, mint, gas: 200_000n }))
      const source = keccak256(
        encodeAbiParameters(parseAbiParameters("uint256, address, uint256"), [
          31_337n,
          chain.addresses.inbox,
          BigInt(index)
        ])
      )
      const items = [
        hexToBytes(source),
        hexToBytes(L1.alice.address),
        creation ? new Uint8Array(0) : hexToBytes(L1.bob.address),
        Rlp.encodeUint(mint),
        Rlp.encodeUint(3n),
        Rlp.encodeUint(200_000n),
        hexToBytes(data)
      ]
      expect(events[0]?.args["raw"]).toBe(concat(["0x7e", bytesToHex(Rlp.encode(items))]))
    }
  })

  it("burns L1 gas for the gas that a transaction may use on L2", async () => {
    const cost = async (gas: bigint) => (await l1.act(enqueue(await transfer(0, { gas })))).gasUsed
    await cost(60_000n)
    const burnt = (await cost(14_000_000n)) - (await cost(60_000n))
    // 1/32 of the difference, and a turn of the loop that burns it.
    const due = 14_000_000n / 32n - 60_000n / 32n
    expect(Number(burnt)).toBeGreaterThanOrEqual(Number(due) - 200)
    expect(Number(burnt)).toBeLessThan(Number(due) + 400)
    // Filling an L2 block costs this much L1 gas at least.
    expect((await cost(14_000_000n)) * 2n).toBeGreaterThan(875_000n)
  })
})

describe("appending", () => {
  it("keeps one hash for a batch: that of all L1 knows of it", async () => {
    const raw = await transfer(3)
    await l1.act(enqueue(raw))
    const { blockNumber, events, timestamp } = await l1.act(await honest(0n, 1n, [keccak256(raw)]))
    const { batchHash, record } = appended(events)
    expect(record).toMatchObject({
      index: 0n,
      blocks: 1,
      transactions: 2,
      queueStart: 0n,
      queueEnd: 1n,
      l1BlockNumber: blockNumber,
      l1Timestamp: timestamp,
      submitter: L1.batcher.address
    })
    const parent = await l1.client.getBlock({ blockNumber: blockNumber - 1n })
    expect(record.l1ParentHash).toBe(parent.hash)
    expect(recordHash(record)).toBe(batchHash)
    expect(await l1.read(chain.inbox("batchHash", [0n]))).toBe(batchHash)
    expect(await count("batchCount")).toBe(1n)
    expect(await count("queueTaken")).toBe(1n)
  })

  it("is the batcher's alone, without code in between", async () => {
    const call = await honest(0n, 0n)
    expect(await l1.refusal({ ...call, from: L1.alice })).toEqual({
      error: "NotBatcher",
      args: [L1.alice.address]
    })
    // A batcher that delegates to code could call from there: its payload would be no calldata.
    await l1.node.setCode({
      address: L1.batcher.address,
      bytecode: concat(["0xef0100", chain.addresses.receiver])
    })
    expect(await l1.refusal(call)).toEqual({
      error: "NotPlainAccount",
      args: [L1.batcher.address]
    })
    const through = await l1.refusal({
      ...chain.receiver("forward", [chain.addresses.inbox, calldataOf(await honest(0n, 0n))]),
      from: L1.batcher
    })
    expect(through).toEqual({ error: "NotBatcher", args: [expect.anything()] })
  })

  it("takes a batch once, however often it is sent", async () => {
    const call = await honest(0n, 0n)
    await l1.act(call)
    expect(await l1.refusal(call)).toEqual({ error: "WrongBatchIndex", args: [1n, 0n] })
    expect(await l1.refusal(await honest(2n, 0n))).toEqual({
      error: "WrongBatchIndex",
      args: [1n, 2n]
    })
  })

  it("refuses nothing at all, too much, and calldata that hides its payload", async () => {
    const header = { root: pad("0x"), blocks: 1, transactions: 1, queueEnd: 0n }
    const empty = { error: "EmptyBatch", args: [] }
    expect(await l1.refusal(append(0n, header, "0x"))).toEqual(empty)
    expect(await l1.refusal(append(0n, { ...header, blocks: 0 }, "0x00"))).toEqual(empty)
    expect(await l1.refusal(append(0n, { ...header, transactions: 0 }, "0x00"))).toEqual(empty)
    expect(await l1.refusal(append(0n, header, `0x${"00".repeat(124_929)}`))).toEqual({
      error: "PayloadTooLarge",
      args: [124_929n, 124_928n]
    })
    const largest = await l1.act(append(0n, header, `0x${"ff".repeat(124_928)}`))
    expect(largest.gasUsed).toBeLessThan(L1.TRANSACTION_GAS_MAX)
    const data = concat([calldataOf(append(1n, header, "0x00")), "0x00"])
    expect(await rawRefusal(data)).toEqual({
      error: "CalldataNotCanonical",
      args: [256n + 4n, 261n]
    })
  })

  it("holds the queue range to what there is", async () => {
    for (const nonce of [0, 1]) await l1.act(enqueue(await transfer(nonce)))
    expect(await l1.refusal(await honest(0n, 3n))).toEqual({
      error: "QueueEndOutOfRange",
      args: [0n, 2n, 3n]
    })
    await l1.act(await honest(0n, 1n))
    expect(await l1.refusal(await honest(1n, 0n))).toEqual({
      error: "QueueEndOutOfRange",
      args: [1n, 2n, 0n]
    })
  })

  it("takes at most 512 entries, so that a wrong batch can still be shown", async () => {
    const raw = await transfer(0, { gas: 21_000n, data: "0x" })
    await L1.fillQueue(l1, chain, raw, 513)
    expect(await count("queueLength")).toBe(513n)
    expect(await l1.refusal(await honest(0n, 513n))).toEqual({
      error: "TooManyQueued",
      args: [512n, 513n]
    })
    await l1.act(await honest(0n, 512n))
  })
})

describe("a deadline", () => {
  const overdueQueue = async () => {
    const { timestamp } = await l1.act(enqueue(await transfer(0)))
    return timestamp + L1.WINDOW
  }

  it("binds the sequencer one second after it is over, not before", async () => {
    const deadline = await overdueQueue()
    await l1.act({ ...(await honest(0n, 0n)), at: deadline })
    expect(await l1.refusal({ ...(await honest(1n, 0n)), at: deadline + 1n })).toEqual({
      error: "ForcedTransactionOverdue",
      args: [0n, deadline]
    })
    await l1.act(await honest(1n, 1n))
  })

  it("lets anyone force one second after it is over, not before", async () => {
    const deadline = await overdueQueue()
    const force = { ...chain.inbox("forceInclude", [1n]), from: L1.bob }
    expect(await l1.refusal({ ...force, at: deadline })).toEqual({
      error: "NotOverdue",
      args: [0n, deadline]
    })
    const { blockNumber, events, timestamp } = await l1.act({ ...force, at: deadline + 1n })
    const raw = await transfer(0)
    const blocks = [{ timestamp, origin: blockNumber - 1n, queued: [keccak256(raw)] }]
    expect(events[0]?.args["record"]).toMatchObject({
      ...headerOf(blocks, 1n),
      payloadHash: pad("0x"),
      submitter: L1.bob.address
    })
  })

  it("of the first entry alone is forced, if the second's is not over", async () => {
    await overdueQueue()
    const second = await l1.act({ ...enqueue(await transfer(1)), at: (await l1.now()) + 100n })
    await l1.act({ ...chain.inbox("forceInclude", [64n]), at: second.timestamp + L1.WINDOW })
    expect(await count("queueTaken")).toBe(1n)
  })

  it("leaves nothing to force in an empty queue, and no more than 64 in a call", async () => {
    const nothing = { error: "NothingToForce", args: [] }
    expect(await l1.refusal(chain.inbox("forceInclude", [1n]))).toEqual(nothing)
    expect(await l1.refusal(chain.inbox("forceInclude", [65n]))).toEqual({
      error: "TooManyQueued",
      args: [64n, 65n]
    })
    const deadline = await overdueQueue()
    expect(await l1.refusal({ ...chain.inbox("forceInclude", [0n]), at: deadline + 1n })).toEqual(
      nothing
    )
  })

  it("is met by a sequencer that takes the entry in time", async () => {
    const deadline = await overdueQueue()
    await l1.act({ ...(await honest(0n, 1n)), at: deadline - 1n })
    expect(await l1.refusal({ ...chain.inbox("forceInclude", [1n]), at: deadline + 1n })).toEqual({
      error: "NothingToForce",
      args: []
    })
  })
})

describe("the guardian", () => {
  const DAY = 86_400n
  const pause = (until: bigint) => ({ ...chain.inbox("pause", [until]), from: L1.guardian })

  it("stops queue and batches, for seven days at most", async () => {
    const at = (await l1.now()) + 10n
    expect(await l1.refusal({ ...pause(at + 7n * DAY + 1n), at })).toEqual({
      error: "PauseTooLong",
      args: [at + 7n * DAY, at + 7n * DAY + 1n]
    })
    const until = at + 1n + 7n * DAY
    const { events } = await l1.act({ ...pause(until), at: at + 1n })
    expect(events).toEqual([{ name: "PausedUntil", args: { until } }])
    const paused = { error: "Paused", args: [until] }
    const raw = await transfer(0)
    const calls = [enqueue(raw), deposit(), await honest(0n, 0n), chain.inbox("forceInclude", [1n])]
    for (const call of calls) expect(await l1.refusal(call)).toEqual(paused)
    expect(await count("pausedUntil")).toBe(until)
    await l1.act({ ...enqueue(raw), at: until })
  })

  it("can't make a pause longer, nor soon begin another", async () => {
    const start = (await l1.now()) + 10n
    await l1.act({ ...pause(start + DAY), at: start })
    expect(await l1.refusal(pause(start + DAY + 1n))).toEqual({
      error: "PauseTooLong",
      args: [start + DAY, start + DAY + 1n]
    })
    // Ended early, the next one is as far away as before.
    await l1.act(pause(0n))
    await l1.act(enqueue(await transfer(0)))
    const earliest = start + 31n * DAY
    expect(await l1.refusal({ ...pause(start + 32n * DAY), at: earliest - 1n })).toEqual({
      error: "PauseTooSoon",
      args: [earliest]
    })
    await l1.act({ ...pause(earliest + DAY), at: earliest })
  })

  it("holds up a forced transaction no longer than its pause", async () => {
    const { timestamp } = await l1.act(enqueue(await transfer(0)))
    const until = timestamp + 7n * DAY
    await l1.act({ ...pause(until), at: timestamp + 1n })
    await l1.act({ ...chain.inbox("forceInclude", [1n]), at: until })
    expect(await count("queueTaken")).toBe(1n)
  })

  it("is the guardian alone, and has no other power", async () => {
    expect(await l1.refusal({ ...pause(0n), from: L1.alice })).toEqual({
      error: "NotGuardian",
      args: [L1.alice.address]
    })
    const others = [
      await honest(0n, 0n),
      deposit(),
      chain.inbox("withdrawBond"),
      chain.inbox("withdraw")
    ]
    const errors = ["NotBatcher", "NotBridge", "NotBatcher", "NothingToWithdraw"]
    for (const [index, call] of others.entries()) {
      const refused = await l1.refusal({ ...call, from: L1.guardian })
      expect(refused.error).toBe(errors[index])
    }
  })
})

describe("the batcher's bond", () => {
  it("stays for a while after the last batch, then gives up the right to append", async () => {
    const { timestamp } = await l1.act(await honest(0n, 0n))
    const until = timestamp + L1.BOND_LOCK
    const withdraw = { ...chain.inbox("withdrawBond"), from: L1.batcher }
    expect(await l1.refusal({ ...withdraw, at: until - 1n })).toEqual({
      error: "BondLocked",
      args: [until]
    })
    await l1.act({ ...withdraw, at: until })
    expect(await l1.refusal(await honest(1n, 0n))).toEqual({
      error: "BondTooLow",
      args: [L1.BATCHER_BOND, 0n]
    })
    const { events } = await l1.act({ ...chain.inbox("withdraw"), from: L1.batcher })
    expect(events).toEqual([
      { name: "Withdrawn", args: { account: L1.batcher.address, amount: L1.BATCHER_BOND } }
    ])
    expect(await l1.client.getBalance({ address: chain.addresses.inbox })).toBe(0n)
    await l1.act({ ...chain.inbox("depositBond"), value: L1.BATCHER_BOND - 1n })
    expect(await l1.refusal(await honest(1n, 0n))).toMatchObject({ error: "BondTooLow" })
    await l1.act({ ...chain.inbox("depositBond"), value: 1n })
    await l1.act(await honest(1n, 0n))
  })
})

const calldataOf = ({ abi, args, name }: L1.Call): Hex =>
  encodeFunctionData({ abi, functionName: name, args: args ?? [] })

const rawRefusal = async (data: Hex) => {
  const hash = await l1.wallet.sendTransaction({
    account: L1.batcher,
    to: chain.addresses.inbox,
    data,
    gas: 1_000_000n
  })
  await l1.settled(hash)
  return l1.revertOf(hash)
}
