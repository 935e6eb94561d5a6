/** Batches to test with: seeded, of every shape, and the contract that judges them, in an EVM in this process. */
import { BatchVerifier } from "@ovm/contracts"
import type { BatchRecord } from "@ovm/protocol/BatchRecord"
import { type Hash32, type Hex, ZERO_ADDRESS, ZERO_HASH } from "@ovm/protocol/Primitives"
import { Either, FastCheck as fc } from "effect"
import { bytesToHex, decodeFunctionResult, encodeFunctionData } from "viem"
import { makeTestEvm } from "../../../../contracts/test/support/TestEvm.ts"
import { type BatchBlock, countTransactions } from "../../src/BatchCodec.ts"
import { check, leavesOf, type QueueEntry, reasonNumber } from "../../src/BatchRules.ts"
import * as BatchTree from "../../src/BatchTree.ts"

export const L2_BLOCK_GAS_LIMIT = 30_000_000n

/** Bytes that look random and are the same in every run. */
export const noise = (seed: number, length: number): Uint8Array => {
  let state = seed * 2 + 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 0x5bd1e995) + 0x3c6ef35f) >>> 0
    return (state ^ (state >>> 13)) >>> 8
  })
}

export const entryOf = (seed: number, gasLimit = 100_000n, blockNumber = 90n): QueueEntry => ({
  transactionHash: bytesToHex(noise(seed, 32)),
  blockNumber,
  gasLimit
})

export const blockOf = (
  transactions: ReadonlyArray<Uint8Array>,
  fields: Partial<BatchBlock> = {}
): BatchBlock => ({
  timestamp: 1_000n,
  l1OriginNumber: 95n,
  queuedCount: 0,
  transactions,
  ...fields
})

/** The record that an honest batcher would post with these blocks. */
export const recordOf = (
  blocks: ReadonlyArray<BatchBlock>,
  entries: ReadonlyArray<QueueEntry>,
  fields: Partial<BatchRecord> = {}
): BatchRecord => ({
  index: 7n,
  root: BatchTree.root(leavesOf(blocks, entries)),
  payloadHash: ZERO_HASH,
  blocks: blocks.length,
  transactions: countTransactions(blocks),
  queueStart: 5n,
  queueEnd: 5n + BigInt(entries.length),
  l1BlockNumber: 100n,
  l1Timestamp: 2_000n,
  l1ParentHash: ZERO_HASH,
  submitter: ZERO_ADDRESS,
  ...fields
})

const abi = BatchVerifier.abi
const onChain = (entries: ReadonlyArray<QueueEntry>) =>
  entries.map((entry) => ({ ...entry, timestamp: 1n }))

/** The contract's answers, and what each took. */
export interface Verdict {
  readonly reason: number
  readonly gas: bigint
}

export interface Verifier {
  readonly check: (
    record: BatchRecord,
    entries: ReadonlyArray<QueueEntry>,
    payload: Uint8Array,
    gas?: bigint
  ) => Promise<Verdict | "reverted">
  readonly fallback: (
    record: BatchRecord,
    entries: ReadonlyArray<QueueEntry>
  ) => Promise<{
    readonly root: Hash32
    readonly counts: readonly [number, number]
    readonly gas: bigint
  }>
}

export const makeVerifier = async (): Promise<Verifier> => {
  const evm = await makeTestEvm()
  const to = await evm.deploy(BatchVerifier.bytecode)
  const call = (data: Hex, gas = 100_000_000n) => evm.call({ to, data, gas, isStatic: true })
  return {
    check: async (record, entries, payload, gas) => {
      const args = [record, onChain(entries), L2_BLOCK_GAS_LIMIT, bytesToHex(payload)] as const
      const result = await call(encodeFunctionData({ abi, functionName: "check", args }), gas)
      if (!result.success) return "reverted"
      const data = result.returnData
      const [valid, reason] = decodeFunctionResult({ abi, functionName: "check", data })
      if (valid !== (reason === 0)) throw new Error(`Verdict ${valid} with reason ${reason}.`)
      return { reason, gas: result.gasUsed }
    },
    fallback: async (record, entries) => {
      const args = [record, onChain(entries), L2_BLOCK_GAS_LIMIT] as const
      const input = encodeFunctionData({ abi, functionName: "fallbackRoot", args })
      const { gasUsed, returnData } = await call(input)
      const [root, blocks, transactions] = decodeFunctionResult({
        abi,
        functionName: "fallbackRoot",
        data: returnData
      })
      return { root, counts: [blocks, transactions], gas: gasUsed }
    }
  }
}

/** What the TypeScript rules say, as the contract's number. */
export const reasonOf = (
  record: BatchRecord,
  entries: ReadonlyArray<QueueEntry>,
  payload: Uint8Array
): number =>
  Either.match(check({ record, entries, payload, l2BlockGasLimit: L2_BLOCK_GAS_LIMIT }), {
    onLeft: reasonNumber,
    onRight: () => 0
  })

/** Mostly alike, as real transactions are, so that the compression has something to find. */
const someTransaction = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .tuple(fc.nat(5), fc.nat(300), fc.uint8Array({ maxLength: 70 }))
    .map(([seed, length, tail]) => Uint8Array.of(2, ...noise(seed, length), ...tail)),
  fc.nat(400).map((length) => new Uint8Array(length).fill(1))
)

const someEntry = fc
  .tuple(fc.nat(1_000), fc.bigInt(21_000n, 14_000_000n), fc.bigInt(85n, 96n))
  .map(([seed, gas, block]) => entryOf(seed, gas, block))

export interface SomeBatch {
  readonly blocks: ReadonlyArray<BatchBlock>
  readonly entries: ReadonlyArray<QueueEntry>
}

/** Blocks that encode, but may break rules: gas, origin, time, forbidden transactions. */
export const someBatch: fc.Arbitrary<SomeBatch> = fc
  .array(
    fc.record({
      timestampDelta: fc.oneof(fc.bigInt(0n, 20n), fc.bigInt(0n, 3_000n)),
      originDelta: fc.bigInt(0n, 3n),
      queued: fc.array(someEntry, { maxLength: 3 }),
      transactions: fc.array(someTransaction, { maxLength: 6 })
    }),
    { minLength: 1, maxLength: 8 }
  )
  .map((drafts) => {
    let timestamp = 900n
    let l1OriginNumber = 92n
    const full = drafts.filter(
      ({ queued, transactions }) => queued.length + transactions.length > 0
    )
    const blocks = full.map(({ originDelta, queued, timestampDelta, transactions }) => {
      timestamp += timestampDelta
      l1OriginNumber += originDelta
      return { timestamp, l1OriginNumber, queuedCount: queued.length, transactions }
    })
    return { blocks, entries: full.flatMap(({ queued }) => queued) }
  })
