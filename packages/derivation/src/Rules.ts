/**
 * From what L1 says to what makes L2's blocks. Pure: the same facts give every node the same blocks, whether
 * the batcher is honest, mistaken or malicious.
 */
import type { BatchBlock } from "@ovm/batcher/BatchCodec"
import * as BatchRules from "@ovm/batcher/BatchRules"
import * as L1View from "@ovm/l1/L1View"
import type { BatchRecord } from "@ovm/protocol/BatchRecord"
import type { L1Origin } from "@ovm/protocol/BlockContext"
import { Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import type { BlockInput } from "@ovm/sequencer/BlockInput"
import { laterOrigin } from "@ovm/sequencer/NextBlock"
import { Either, Option, Schema } from "effect"
import { keccak256 } from "viem"

/** What L1 has of one batch: its record, its bytes, and the queue entries that it takes, all of them. */
export interface BatchFacts {
  readonly record: BatchRecord
  readonly payload: Uint8Array
  readonly entries: ReadonlyArray<L1View.QueueEntry>
}

export interface RuleOptions {
  /** Gas units of one L2 block. */
  readonly l2BlockGasLimit: bigint
  /** The first L1 block that every node knows: an origin before it counts as the parent block's. */
  readonly firstL1Block: bigint
}

/** What a batch counts as. An invalid one counts as if it had been forced. */
export const Verdict = Schema.Literal("valid", "forced", "invalid")
export type Verdict = typeof Verdict.Type

export interface JudgedBatch {
  readonly verdict: Verdict
  /** Which rule an invalid batch breaks, for people; else undefined. */
  readonly reason: string | undefined
  readonly blocks: ReadonlyArray<BatchBlock>
}

/** The bytes are not those that L1 has the hash of. Recover by reading L1 again, from another node. */
export class PayloadMismatch extends Schema.TaggedError<PayloadMismatch>()("PayloadMismatch", {
  batchIndex: Schema.NonNegativeBigInt,
  expected: Hash32,
  found: Hash32
}) {
  override get message() {
    return `Expected the payload of batch ${this.batchIndex} to have the hash ${this.expected}, found ${this.found}. Read L1 again, from another node.`
  }
}

/** L1 as it is known lacks something that a batch builds on. Recover by watching L1 from the deployment on. */
export class L1FactMissing extends Schema.TaggedError<L1FactMissing>()("L1FactMissing", {
  batchIndex: Schema.NonNegativeBigInt,
  fact: Schema.String
}) {
  override get message() {
    return `Expected L1 as it is known to have ${this.fact}, on which batch ${this.batchIndex} builds. Watch L1 from the deployment's block on.`
  }
}

/** Holds a batch to the rules; what breaks one is replaced by the queue entries that it took. */
export const judge = (
  { entries, payload, record }: BatchFacts,
  { l2BlockGasLimit }: RuleOptions
): Either.Either<JudgedBatch, PayloadMismatch> => {
  const queue = entries.map(({ gasLimit, hash, l1BlockNumber }) => ({
    transactionHash: hash,
    blockNumber: l1BlockNumber,
    gasLimit
  }))
  const instead = () => BatchRules.fallbackBlocks(record, queue, l2BlockGasLimit).blocks
  if (record.payloadHash === ZERO_HASH) {
    return Either.right({ verdict: "forced", reason: undefined, blocks: instead() })
  }
  const found = keccak256(payload)
  if (found !== record.payloadHash) {
    const { index, payloadHash: expected } = record
    return Either.left(new PayloadMismatch({ batchIndex: index, expected, found }))
  }
  const checked = BatchRules.check({ record, payload, entries: queue, l2BlockGasLimit })
  return Either.right(
    Either.match(checked, {
      onLeft: ({ message }) => ({ verdict: "invalid", reason: message, blocks: instead() }),
      onRight: ({ blocks }) => ({ verdict: "valid", reason: undefined, blocks })
    })
  )
}

/** The L1 origins that the blocks name and whose hashes must be known. */
export const originsAsked = (
  blocks: ReadonlyArray<BatchBlock>,
  parent: L1Origin,
  { firstL1Block }: RuleOptions
): ReadonlySet<bigint> => {
  const asked = blocks.map(({ l1OriginNumber }) => l1OriginNumber)
  return new Set(asked.filter((number) => number > parent.number && number >= firstL1Block))
}

/** What makes the batch's blocks, given the origin of the block before them and the hashes of L1's blocks. */
export const inputsOf = (options: {
  readonly facts: BatchFacts
  readonly blocks: ReadonlyArray<BatchBlock>
  readonly parentOrigin: L1Origin
  readonly hashOf: (l1BlockNumber: bigint) => Hash32 | undefined
  readonly rules: RuleOptions
}): Either.Either<ReadonlyArray<BlockInput>, L1FactMissing> => {
  const { blocks, facts, hashOf, parentOrigin, rules } = options
  const { entries, record } = facts
  const missing = (fact: string) =>
    Either.left(new L1FactMissing({ batchIndex: record.index, fact }))
  const inputs: Array<BlockInput> = []
  const asked = originsAsked(blocks, parentOrigin, rules)
  let taken = 0
  let origin = parentOrigin
  for (const { l1OriginNumber: number, queuedCount, timestamp, transactions } of blocks) {
    if (asked.has(number)) {
      const hash = number === record.l1BlockNumber - 1n ? record.l1ParentHash : hashOf(number)
      if (hash === undefined) return missing(`block ${number}`)
      origin = laterOrigin(origin, { number, hash })
    }
    const queued = entries.slice(taken, taken + queuedCount).map(({ raw }) => raw)
    if (queued.length !== queuedCount) return missing(`queue entry ${taken + queued.length}`)
    taken += queuedCount
    inputs.push({ timestamp, l1Origin: origin, queued, transactions })
  }
  return Either.right(inputs)
}

/** One batch and what it makes of L2. */
export interface BatchInputs extends JudgedBatch {
  readonly batch: L1View.Batch
  readonly inputs: ReadonlyArray<BlockInput>
}

/** All of L2 that follows from an L1 whose every payload is at hand: its blocks' inputs, batch by batch. */
export const sequence = (
  view: L1View.View,
  options: RuleOptions & { readonly genesisOrigin: L1Origin }
): Either.Either<ReadonlyArray<BatchInputs>, PayloadMismatch | L1FactMissing> =>
  Either.gen(function* () {
    const batches: Array<BatchInputs> = []
    let parentOrigin = options.genesisOrigin
    for (let index = 0n; index < view.batchCount; index++) {
      const batch = Option.getOrUndefined(L1View.batch(view, index))
      const payload = batch?.payload
      if (batch === undefined || payload === undefined) {
        const fact = `the payload of batch ${index}`
        return yield* Either.left(new L1FactMissing({ batchIndex: index, fact }))
      }
      const { record } = batch
      const entries = L1View.queueEntries(view, record.queueStart, record.queueEnd)
      const facts = { record, payload, entries }
      const judged = yield* judge(facts, options)
      const hashOf = (number: bigint) =>
        Option.getOrUndefined(L1View.blockByNumber(view, number))?.hash
      const { blocks } = judged
      const inputs = yield* inputsOf({ facts, blocks, parentOrigin, hashOf, rules: options })
      parentOrigin = inputs.at(-1)?.l1Origin ?? parentOrigin
      batches.push({ ...judged, batch, inputs })
    }
    return batches
  })
