import type { BatchRecord } from "@ovm/protocol/BatchRecord"
import { MAX_QUEUED_PER_BATCH } from "@ovm/protocol/Deployment"
import { Either } from "effect"
import { beforeAll, describe, expect, it } from "vitest"
import {
  type BatchBlock,
  decode,
  decodeEnvelope,
  encode,
  encodePlaintext,
  MAX_BATCH_TRANSACTIONS,
  MAX_PAYLOAD_BYTES,
  MAX_PLAINTEXT_BYTES,
  MAX_SEQUENCES
} from "../src/BatchCodec.ts"
import {
  blockOf,
  entryOf,
  makeVerifier,
  noise,
  reasonOf,
  recordOf,
  type Verifier
} from "./support/Batches.ts"

/** EIP-7825: what one L1 transaction may use. */
const L1_TRANSACTION_GAS = 2 ** 24
/** What `proveBatchWrong` does besides: reads queue entries (two cold slots, their encoding), copies, pays. */
const GAS_PER_QUEUE_ENTRY = 5_500
const GAS_OF_INBOX = 400_000
/** Far along, so that long numbers may be valid ones. */
const L1 = { l1BlockNumber: 2n ** 25n, l1Timestamp: 2n ** 31n }
const WRONG_ROOT = `0x${"11".repeat(32)}` as const

let verifier: Verifier

beforeAll(async () => {
  verifier = await makeVerifier()
})

/** Calldata at 4 and 16 gas, or the floor of EIP-7623 if that is more. */
const proofGas = (payload: Uint8Array, execution: number): number => {
  const zeros = payload.reduce((sum, byte) => sum + (byte === 0 ? 1 : 0), 0)
  // The record's words and the arguments' heads, all taken as non-zero.
  const tokens = zeros + 4 * (payload.length - zeros + 15 * 32)
  return 21_000 + Math.max(4 * tokens + execution, 10 * tokens)
}

const judge = async (
  blocks: ReadonlyArray<BatchBlock>,
  payload: Uint8Array,
  queued: number,
  l1: Pick<BatchRecord, "l1BlockNumber" | "l1Timestamp">
) => {
  const entries = Array.from({ length: queued }, (_, seed) => entryOf(seed, 21_000n))
  const record = { ...recordOf(blocks, entries), ...l1, root: WRONG_ROOT }
  const verdict = await verifier.check(record, entries, payload)
  if (verdict === "reverted") throw new Error("The check reverted.")
  expect(verdict.reason).toBe(reasonOf(record, entries, payload))
  const { gas } = await verifier.fallback(record, entries)
  const execution = Number(verdict.gas + gas) + queued * GAS_PER_QUEUE_ENTRY + GAS_OF_INBOX
  // The verifier is called with at most 63/64 of what is left.
  const total = proofGas(payload, Math.ceil((execution * 64) / 63))
  return { reason: verdict.reason, total }
}

/** Sequences in dear spellings: a new distance of three bytes, lengths behind the token. */
const makeAssembler = () => {
  const bytes: Array<number> = [1]
  let sequences = 0
  let written = 0
  return {
    bytes,
    sequences: () => sequences,
    written: () => written,
    literals: (run: Uint8Array) => {
      const excess = run.length - 12
      bytes.push(0xf0, 255, excess >> 8, excess & 255, ...run)
      sequences++
      written += run.length
    },
    step: (run: ReadonlyArray<number>, distance: number, length: number) => {
      bytes.push(0xf3, run.length - 12, ...run)
      const stored = distance - 1
      bytes.push(0x80 | (stored >> 16), (stored >> 8) & 255, stored & 255, length - 5)
      sequences++
      written += run.length + length
    },
    /** `run` is what comes before it, at least 12 bytes; none at all otherwise. */
    match: (run: Uint8Array, distance: number, length: number) => {
      const excess = run.length - 12
      if (run.length === 0) bytes.push(3)
      else bytes.push(0xf3, 255, excess >> 8, excess & 255, ...run)
      const stored = distance - 1
      bytes.push(0x80 | (stored >> 16), (stored >> 8) & 255, stored & 255)
      bytes.push(255, (length - 5) >> 8, (length - 5) & 255)
      sequences++
      written += run.length + length
    }
  }
}
const NONE = new Uint8Array(0)

/** What costs L1 most, as a liar makes it: each limit is met exactly, or as nearly as the payload's bytes allow. */
const dearest = (delta: { readonly timestamp: bigint; readonly origin: bigint }): Uint8Array => {
  const assembler = makeAssembler()
  // As many blocks as there may be leaves, the queue's entries first.
  const blocks = Array.from({ length: MAX_BATCH_TRANSACTIONS - 1 }, (_, index) => ({
    timestamp: 1_000n + delta.timestamp * BigInt(index),
    l1OriginNumber: 95n + delta.origin * BigInt(index),
    queuedCount: index < MAX_QUEUED_PER_BATCH ? 1 : 0,
    transactions: index < MAX_QUEUED_PER_BATCH ? [] : [Uint8Array.of(2)]
  }))
  const head = encodePlaintext(blocks)
  const size = (count: number) => encodePlaintext(blocks.slice(0, count)).length
  const period = size(blocks.length) - size(blocks.length - 1)
  // The rest are alike: each run doubles what there is of them.
  const start = size(MAX_QUEUED_PER_BATCH + 1)
  assembler.match(head.slice(0, start), period, period)
  for (let have = 2 * period; assembler.written() < head.length; have *= 2) {
    const length = Math.min(have, head.length - assembler.written())
    assembler.match(NONE, have, length)
  }
  expect(assembler.written()).toBe(head.length)
  // One large transaction: all sequences that are left, as far as the payload reaches.
  // A sequence takes 18 bytes, the first one 7 more, literals at the end 4 and themselves, 12 or more.
  const spare = MAX_PAYLOAD_BYTES - assembler.bytes.length - 7 - (4 + 12)
  const count = Math.min(MAX_SEQUENCES - assembler.sequences() - 1, Math.floor(spare / 18))
  const atEnd = spare + 12 - 18 * count
  const length = Math.floor((MAX_PLAINTEXT_BYTES - head.length - 7 - 12 * count - atEnd) / count)
  const large = (length + 12) * count + atEnd
  const size7 = [(large & 127) | 128, ((large >> 7) & 127) | 128, large >> 14]
  for (let index = 0; index < count; index++) {
    const opening = index === 0 ? [0, 0, 0, 1, ...size7] : []
    assembler.step([...opening, ...Array(12).fill(2)], 1_000 + index, length)
  }
  assembler.literals(noise(7, atEnd))
  return Uint8Array.from(assembler.bytes)
}

describe("the gas of proving a batch wrong", () => {
  it("fits one L1 transaction for a full honest batch", async () => {
    const alike = noise(3, 110)
    const blocks: ReadonlyArray<BatchBlock> = Array.from({ length: 50 }, (_, block) =>
      blockOf(
        Array.from({ length: 22 }, (_, index) =>
          Uint8Array.of(2, ...alike, ...noise(block * 22 + index + 100, 104))
        ),
        { timestamp: 1_000n + BigInt(block) }
      )
    )
    const payload = encode(blocks) ?? new Uint8Array()
    expect(payload.length).toBeGreaterThan(110_000)
    const { reason, total } = await judge(blocks, payload, 0, L1)
    expect(reason).toBe(10)
    expect(total).toBeLessThan(L1_TRANSACTION_GAS / 3)
  })

  it.each([
    ["with short numbers", { timestamp: 0n, origin: 0n }, 10],
    ["with numbers as long as are valid", { timestamp: 2n ** 14n, origin: 2n ** 14n }, 10],
    ["with the longest numbers", { timestamp: 2n ** 55n, origin: 2n ** 55n }, 8]
  ])("fits one L1 transaction for the dearest of batches %s", async (_, delta, rule) => {
    const payload = dearest(delta)
    const blocks = Either.getOrThrow(decode(payload))
    const plaintext = Either.getOrThrow(decodeEnvelope(payload))
    expect(payload.length).toBe(MAX_PAYLOAD_BYTES)
    expect(blocks.length).toBe(MAX_BATCH_TRANSACTIONS)
    expect(plaintext.length).toBeGreaterThan(MAX_PLAINTEXT_BYTES * 0.9)
    const { reason, total } = await judge(blocks, payload, MAX_QUEUED_PER_BATCH, L1)
    expect(reason).toBe(rule)
    expect(total).toBeLessThan(L1_TRANSACTION_GAS * 0.92)
  })
})
