/** Derivation's moving parts: the batches that are derived, and the steps that follow L1's. */
import { EventLog } from "@ovm/event-log/EventLog"
import * as L1View from "@ovm/l1/L1View"
import type { L1Origin } from "@ovm/protocol/BlockContext"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Chain } from "@ovm/sequencer/Chain"
import type { ChainBlock } from "@ovm/sequencer/ChainIndex"
import { Effect, Option, Stream, SubscriptionRef } from "effect"
import {
  type DerivationError,
  type DerivationOptions,
  DeploymentMismatch,
  type Heads
} from "../Derivation.ts"
import * as DerivationEvent from "../DerivationEvent.ts"
import * as Rules from "../Rules.ts"
import { type Journal, openJournal } from "./Journal.ts"

interface Parts {
  readonly options: DerivationOptions
  readonly rules: Rules.RuleOptions
  readonly l1: typeof L1View.L1View.Service
  readonly chain: typeof Chain.Service
  readonly genesis: ChainBlock
  readonly journal: Journal
}

export const makeDerivation = Effect.fn("Derivation.start")(function* (options: DerivationOptions) {
  const { deployment } = options
  const chain = yield* Chain
  const genesis = Option.getOrThrow(yield* chain.block(0n))
  if (genesis.hash !== deployment.genesisHash) {
    return yield* new DeploymentMismatch({ expected: deployment.genesisHash, found: genesis.hash })
  }
  const parts: Parts = {
    options,
    rules: {
      l2BlockGasLimit: deployment.genesis.gasLimit,
      firstL1Block: deployment.deployedAt.number
    },
    l1: yield* L1View.L1View,
    chain,
    genesis,
    journal: yield* openJournal(yield* EventLog)
  }
  yield* forgetWhatIsGone(parts)
  const standing = yield* SubscriptionRef.make(yield* headsOf(parts, L1View.empty))
  const alone = yield* Effect.makeSemaphore(1)
  const { journal, l1 } = parts
  return {
    l1Changes: changesFromNow(l1),
    catchUp: catchUp(parts).pipe(
      Effect.tap((heads) => SubscriptionRef.set(standing, heads)),
      alone.withPermits(1),
      Effect.withSpan("Derivation.catchUp")
    ),
    heads: SubscriptionRef.get(standing),
    changes: standing.changes,
    batch: (index: bigint) =>
      Effect.sync(() => Option.fromNullable(journal.batches[Number(index)])),
    batchOf: (blockNumber: bigint) => Effect.sync(() => batchOf(journal, blockNumber))
  }
})

/** Emits at once, and then with everything that is seen of L1. */
const changesFromNow = (l1: typeof L1View.L1View.Service) =>
  Stream.unwrap(
    Effect.map(l1.view, ({ position }) =>
      Stream.concat(Stream.void, l1.changes({ after: position }))
    )
  )

const catchUp = (parts: Parts): Effect.Effect<Heads, DerivationError> =>
  Effect.gen(function* () {
    const { journal, l1 } = parts
    const view = yield* l1.view
    const common = commonBatches(journal.batches, view)
    if (common < journal.batches.length) {
      yield* journal.rollBack(common, `L1 has another batch ${common}, or none`)
    }
    for (let index = BigInt(common); index < view.batchCount; index++) {
      const batch = Option.getOrUndefined(L1View.batch(view, index))
      if (batch === undefined) break
      yield* deriveBatch(parts, view, batch)
    }
    yield* dropUnfounded(parts)
    return yield* headsOf(parts, view)
  })

/** How many of the derived batches L1 still has, unchanged. */
const commonBatches = (
  derived: ReadonlyArray<DerivationEvent.BatchDerived>,
  view: L1View.View
): number => {
  const parting = derived.findIndex(
    ({ batchHash, index }) => Option.getOrUndefined(L1View.batch(view, index))?.hash !== batchHash
  )
  return parting < 0 ? derived.length : parting
}

const deriveBatch = (parts: Parts, view: L1View.View, batch: L1View.Batch) =>
  Effect.gen(function* () {
    const { chain, journal } = parts
    const parent = yield* lastDerived(parts)
    const { index } = batch.record
    const { blocks, inputs, reason, verdict } = yield* readBatch(parts, view, batch, parent)
    const adopted = yield* chain.adopt({
      after: { number: parent.header.number, hash: parent.hash },
      inputs,
      reason:
        verdict === "valid"
          ? `batch ${index} of L1 holds other blocks`
          : `batch ${index} of L1 is ${verdict}${reason === undefined ? "" : `: ${reason}`}`
    })
    const last = adopted.blocks.at(-1) ?? parent
    yield* journal.add(
      new DerivationEvent.BatchDerived({
        index,
        batchHash: batch.hash,
        l1BlockNumber: batch.record.l1BlockNumber,
        verdict,
        ...(reason === undefined ? {} : { reason }),
        firstBlock: parent.header.number + 1n,
        blockCount: blocks.length,
        lastBlock: last.header.number,
        lastHash: last.hash,
        queueEnd: batch.record.queueEnd
      })
    )
  })

/** The batch's facts from the view, and from the log what the view no longer holds; then the rules. */
const readBatch = (
  { l1, rules }: Parts,
  view: L1View.View,
  batch: L1View.Batch,
  parent: ChainBlock
) =>
  Effect.gen(function* () {
    const { record } = batch
    const payload = batch.payload ?? Option.getOrUndefined(yield* l1.payload(record.index))
    if (payload === undefined) {
      return yield* new Rules.L1FactMissing({ batchIndex: record.index, fact: "its payload" })
    }
    const entries = L1View.queueEntries(view, record.queueStart, record.queueEnd)
    const facts = { record, payload, entries }
    const judged = yield* Rules.judge(facts, rules)
    const parentOrigin = parent.context.l1Origin
    const hashes = new Map<bigint, Hash32>()
    for (const number of Rules.originsAsked(judged.blocks, parentOrigin, rules)) {
      // Blocks that the view no longer holds are too deep to be reorganized.
      const held = L1View.blockByNumber(view, number)
      const header = Option.isSome(held) ? held : yield* l1.blockByNumber(number)
      if (Option.isSome(header)) hashes.set(number, header.value.hash)
    }
    const { blocks } = judged
    const hashOf = (number: bigint) => hashes.get(number)
    const inputs = yield* Rules.inputsOf({ facts, blocks, parentOrigin, hashOf, rules })
    return { ...judged, inputs }
  })

/** Takes away what no batch made: all of it, or what builds on an L1 that is no more. */
const dropUnfounded = (parts: Parts) =>
  Effect.gen(function* () {
    const { chain, l1, options } = parts
    const derived = yield* lastDerived(parts)
    const head = yield* chain.head
    if (head.header.number <= derived.header.number) return
    const unsafe = options.keepsUnsafe
      ? // As L1 is after the head was sealed: what the head names and this has not is gone.
        yield* foundedBlocks(chain, yield* l1.view, derived, head)
      : derived.header.number
    if (unsafe === head.header.number) return
    yield* chain.rollBackTo({
      number: unsafe,
      reason: "L1 no longer has what the blocks above build on"
    })
  })

/** Number of the last block up to `head` whose L1 origin, and those of all blocks below, are still L1's. */
const foundedBlocks = (
  chain: typeof Chain.Service,
  view: L1View.View,
  derived: ChainBlock,
  head: ChainBlock
) =>
  Effect.gen(function* () {
    const start = derived.context.l1Origin.number
    let number = derived.header.number
    while (number < head.header.number) {
      const block = Option.getOrUndefined(yield* chain.block(number + 1n))
      if (block === undefined) return number
      const { l1Origin } = block.context
      // What L1's batches confirmed needs no other word.
      if (l1Origin.number > start && !hasBlock(view, l1Origin)) return number
      number++
    }
    return number
  })

/** Whether it is a block of L1; too deep ones, which the view holds no more, are. */
const hasBlock = (view: L1View.View, { hash, number }: L1Origin): boolean => {
  const held = Option.getOrUndefined(L1View.blockByNumber(view, number))
  if (held !== undefined) return held.hash === hash
  return view.head !== undefined && number + L1View.UNDO_DEPTH <= view.head.number
}

/** The last block that the derived batches make; genesis before the first. */
const lastDerived = ({ chain, genesis, journal }: Parts): Effect.Effect<ChainBlock> =>
  Effect.map(chain.block(journal.batches.at(-1)?.lastBlock ?? 0n), (block) =>
    Option.getOrElse(block, () => genesis)
  )

/** A stop between two appends may leave batches whose blocks the chain has not: they are derived again. */
const forgetWhatIsGone = ({ chain, journal }: Parts) =>
  Effect.gen(function* () {
    let kept = 0
    for (const { lastBlock, lastHash } of journal.batches) {
      const block = Option.getOrUndefined(yield* chain.block(lastBlock))
      if (block?.hash !== lastHash) break
      kept++
    }
    if (kept < journal.batches.length) {
      yield* journal.rollBack(kept, "the chain no longer has its blocks")
    }
  })

const headsOf = (parts: Parts, view: L1View.View): Effect.Effect<Heads> =>
  Effect.gen(function* () {
    const { chain, genesis, journal } = parts
    const upTo = (l1Number: bigint | undefined) => {
      const last =
        l1Number === undefined
          ? undefined
          : journal.batches.findLast(({ l1BlockNumber }) => l1BlockNumber <= l1Number)
      return Effect.map(chain.block(last?.lastBlock ?? 0n), (block) =>
        Option.getOrElse(block, () => genesis)
      )
    }
    return {
      head: yield* chain.head,
      derived: yield* lastDerived(parts),
      safe: yield* upTo(view.safeNumber),
      finalized: yield* upTo(view.finalizedNumber),
      batchCount: BigInt(journal.batches.length),
      l1HeadNumber: view.head?.number
    }
  })

/** The batch with that block: the first whose blocks reach up to it. */
const batchOf = ({ batches }: Journal, blockNumber: bigint) => {
  let low = 0
  let high = batches.length
  while (low < high) {
    const middle = (low + high) >> 1
    const reaches = (batches[middle]?.lastBlock ?? 0n) >= blockNumber
    if (reaches) high = middle
    else low = middle + 1
  }
  return blockNumber === 0n ? Option.none() : Option.fromNullable(batches[low])
}
