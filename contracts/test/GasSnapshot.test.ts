/** What users pay on L1, kept in git: a change that makes something dearer is seen, and must be meant. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { L1Bridge } from "@ovm/contracts"
import { type Hex, ZERO_HASH } from "@ovm/protocol/Primitives"
import { getContractAddress, keccak256 } from "viem"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type Block, headerOf, payloadOf, transfer } from "./support/Batches.ts"
import * as L1 from "./support/L1Node.ts"

const FILE = fileURLToPath(new URL("../gas-snapshot.json", import.meta.url))
const REGENERATE = "UPDATE_GAS_SNAPSHOT=1 pnpm exec vitest run contracts/test/GasSnapshot.test.ts"

/** Nothing may depend on the day: all times are counted from here. */
const START = 2_000_000_000n

let l1: L1.L1Node
let chain: L1.Chain
let bridge: Hex

beforeAll(async () => {
  l1 = await L1.startL1Node({ timestamp: START })
  // Block hashes, which calldata holds too, are the same in every run.
  await l1.node.setBlockTimestampInterval({ interval: 1 })
  // Behind the five contracts of `deployChain`.
  const bridgeAddress = getContractAddress({ from: L1.alice.address, nonce: 5n })
  chain = await L1.deployChain(l1, bridgeAddress)
  const { claims, inbox } = chain.addresses
  bridge = await l1.deploy(L1Bridge, [inbox, claims, L1.guardian.address])
  await l1.act({ ...chain.inbox("depositBond"), value: L1.BATCHER_BOND })
})
afterAll(() => l1.stop())

let time = START + 1_000n
const measured: Record<string, number> = {}
const measure = async (name: string, call: L1.Call) => {
  time += 12n
  const done = await l1.act({ ...call, at: time })
  expect(done.gasUsed).toBeLessThan(L1.TRANSACTION_GAS_MAX)
  measured[name] = Number(done.gasUsed)
  return done
}

const append = async (header: ReturnType<typeof headerOf>, payload: Hex) => {
  const index = await l1.read(chain.inbox("batchCount"))
  return { ...chain.inbox("appendBatch", [index, header, payload]), from: L1.batcher }
}

const transfers = async (count: number) => {
  const user: Array<Hex> = []
  for (let nonce = 0; nonce < count; nonce++) user.push(await transfer(nonce))
  const blocks = [{ timestamp: START, origin: 1n, user }]
  return append(headerOf(blocks, 0n), payloadOf(blocks))
}

/** As many leaves and blocks as a batch may have, and the largest payload; only the root is wrong, which shows last. */
const worstStored = (raw: Hex, origin: bigint): ReadonlyArray<Block> =>
  Array.from({ length: 1_536 }, (_, index) => ({
    timestamp: START,
    origin,
    ...(index < 512 ? { queued: [keccak256(raw)] } : { user: [`0x${"c1".repeat(113)}` as const] })
  }))

/** The same with the longest plaintext and the most sequences: each block of users is 381 bytes, in copies of 77. */
const worstCompressed = (raw: Hex, origin: bigint) => {
  const queued = worstStored(raw, origin).slice(0, 512)
  const user: Block = { timestamp: START, origin, user: [`0x${"c1".repeat(375)}`] }
  const blocks = [...queued, ...Array.from({ length: 1_024 }, () => user)]
  const literal = payloadOf(blocks.slice(0, 513)).slice(4)
  const literals = literal.length / 2
  const excess = literals - 12
  if (excess < 255 || excess > 65_535) throw new Error("Expected a long run of literals.")
  const number = (value: number, bytes: number) => value.toString(16).padStart(bytes * 2, "0")
  // Literals, then copies from 381 bytes before: code 3 is 5 bytes and what the next byte adds.
  const distance = number(381 - 1, 2)
  const copy = (size: number) => `03${distance}${number(size - 5, 1)}`
  const total = 1_023 * 381
  const first = `f3ff${number(excess, 2)}${literal}${distance}${number(77 - 5, 1)}`
  const rest = Math.floor((total - 77) / 77)
  const last = (total - 77) % 77
  const tail = last >= 5 ? copy(last) : ""
  if (last !== 0 && last < 5) throw new Error("Expected the last copy to be long enough.")
  const payload = `0x01${first}${copy(77).repeat(rest)}${tail}` as Hex
  return { blocks, payload }
}

it("costs what the snapshot says", { timeout: 120_000 }, async () => {
  const raw = await transfer(0)
  await l1.act({ ...chain.inbox("enqueue", [raw]), at: time })
  await measure("enqueue, an ERC-20 transfer", chain.inbox("enqueue", [await transfer(1)]))
  const deposit = { to: bridge, abi: L1Bridge.abi, name: "depositETH", value: 10n ** 18n }
  await l1.act({ ...deposit, at: time + 6n })
  await measure("depositETH", deposit)
  const withdrawal = { to: bridge, abi: L1Bridge.abi, name: "withdrawETH", args: [10n ** 17n] }
  await measure("withdrawETH", withdrawal)
  const large = await transfer(0, { gas: 14_000_000n })
  await measure("enqueue, 14,000,000 gas on L2", chain.inbox("enqueue", [large]))

  await l1.act({ ...(await transfers(1)), at: time + 6n })
  await measure("appendBatch, 1 transfer, stored", await transfers(1))
  await measure("appendBatch, 100 transfers, stored", await transfers(100))
  await measure("appendBatch, 500 transfers, stored", await transfers(500))

  for (const index of [1n, 2n]) {
    const proposal = {
      blockNumber: index,
      blockHash: keccak256("0x0b"),
      stateRoot: keccak256("0x05"),
      batchCount: index,
      batchHash: await l1.read(chain.inbox("batchHash", [index - 1n]))
    }
    const call = chain.claims("propose", [index, proposal])
    await measure("propose", { ...call, value: L1.CLAIM_BOND })
  }
  time += L1.CHALLENGE_PERIOD
  await measure("finalizeUpTo, 1 claim", chain.claims("finalizeUpTo", [1n]))
  await measure("withdraw a bond", chain.claims("withdraw"))

  time += L1.WINDOW
  await measure("forceInclude, 1 entry", chain.inbox("forceInclude", [1n]))
  const plain = await transfer(0, { gas: 21_000n, data: "0x" })
  await L1.fillQueue(l1, chain, plain, 64)
  time = (await l1.now()) + L1.WINDOW + 100n
  await measure("forceInclude, 64 entries", chain.inbox("forceInclude", [64n]))

  for (const worst of ["stored", "compressed"]) {
    const start = (await l1.read(chain.inbox("queueTaken"))) as bigint
    const length = (await l1.read(chain.inbox("queueLength"))) as bigint
    await L1.fillQueue(l1, chain, plain, Number(512n - (length - start)))
    time = (await l1.now()) + 100n
    const origin = await l1.client.getBlockNumber()
    const blocks = worstStored(plain, origin)
    const { blocks: longBlocks, payload } =
      worst === "stored" ? { blocks, payload: payloadOf(blocks) } : worstCompressed(plain, origin)
    const header = { ...headerOf(longBlocks, start + 512n), root: ZERO_HASH }
    const { events } = await l1.act({ ...(await append(header, payload)), at: time })
    const record = events[0]?.args["record"]
    const call = chain.inbox("proveBatchWrong", [record, payload])
    const { calldataBytes } = await measure(`proveBatchWrong, worst ${worst}`, call)
    expect(calldataBytes).toBeLessThan(L1.TRANSACTION_SIZE_MAX)
    await l1.act({ ...chain.inbox("depositBond"), value: L1.BATCHER_BOND })
  }

  if (process.env["UPDATE_GAS_SNAPSHOT"] !== undefined) {
    writeFileSync(FILE, `${JSON.stringify(measured, null, 2)}\n`)
  }
  const kept: unknown = JSON.parse(readFileSync(FILE, "utf8"))
  expect(measured, `L1 gas has changed. If that is meant: ${REGENERATE}`).toEqual(kept)
})
