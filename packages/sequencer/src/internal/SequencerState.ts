/** The sequencer's moving parts: admission on one side, sealing on the other, the head between them. */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import * as Transaction from "@ovm/protocol/Transaction"
import { StateManager } from "@ovm/state-manager/StateManager"
import { Effect, HashMap, Option, Schema } from "effect"
import { type AdmissionRules, checkAccount, checkBytes } from "../Admission.ts"
import { AdmissionError, AlreadyKnown } from "../AdmissionError.ts"
import * as BlockBuilder from "../BlockBuilder.ts"
import type { Adoption, RollBack } from "../Chain.ts"
import { type ChainBlock, queueEnd } from "../ChainIndex.ts"
import * as ChainLog from "../ChainLog.ts"
import { L1Source } from "../L1Source.ts"
import { Mempool } from "../Mempool.ts"
import { executable, pendingNonce } from "../MempoolState.ts"
import { laterOrigin } from "../NextBlock.ts"
import type { Ordering } from "../Ordering.ts"
import type { SequencerOptions } from "../Sequencer.ts"
import { BlockUnknown, type SealError } from "../SequencerError.ts"
import { type FilledBlock, fillBlock, type Rejection } from "./FillBlock.ts"
import { Head } from "./Head.ts"
import { type Limits, limitsOf, requireFresh, waitingQueue } from "./L1Limits.ts"
import * as MoveChain from "./MoveChain.ts"
import { Rejections } from "./Rejections.ts"
import { startChain } from "./StartChain.ts"

const isRejection = Schema.is(AdmissionError)

interface Parts {
  readonly head: Head
  readonly limits: Limits
  readonly mempool: typeof Mempool.Service
  readonly source: typeof L1Source.Service
  readonly rejections: Rejections
  /** The head moves only while no transaction is being admitted. */
  readonly heading: Effect.Semaphore
  /** Blocks are built, and the chain is moved, by one at a time. */
  readonly building: Effect.Semaphore
}

export const makeSequencer = Effect.fn("Sequencer.start")(function* (
  options: SequencerOptions,
  sealsAtOnce: boolean
) {
  const requirements = yield* Effect.context<
    EventLog | StateManager | ExecutionManager | Ordering
  >()
  const manager = yield* StateManager
  const parts: Parts = {
    head: new Head(options.genesis, yield* startChain(options.genesis)),
    limits: limitsOf(options),
    mempool: yield* Mempool,
    source: yield* L1Source,
    rejections: new Rejections(),
    heading: yield* Effect.makeSemaphore(1),
    building: yield* Effect.makeSemaphore(1)
  }
  const { building, head, limits, mempool, rejections, source } = parts
  const { index } = head
  const { baseFeePerGas } = head
  yield* mempool.settle({ baseFeePerGas, nonces: new Map(), dropped: [] })
  const sealNow = Effect.provide(sealing(parts), requirements)

  return {
    genesis: options.genesis,
    seal: building.withPermits(1)(sealNow),
    submit: Effect.fn("Sequencer.submit")(function* (raw: Uint8Array) {
      yield* requireFresh(source, limits)
      const hash = yield* admit(parts, raw)
      // Who waits here finds the transaction sealed by whoever held the builder before.
      return sealsAtOnce ? yield* building.withPermits(1)(include(parts, sealNow, hash)) : hash
    }),
    head: Effect.sync(() => index.head),
    block: (number: bigint) => Effect.sync(() => index.block(number)),
    blockByHash: (hash: Hash32) => Effect.sync(() => index.blockByHash(hash)),
    transaction: (hash: Hash32) => Effect.sync(() => index.transaction(hash)),
    receipt: (hash: Hash32) =>
      Effect.sync(() => Option.map(index.transaction(hash), ({ receipt }) => receipt)),
    internalHash: (hash: Hash32) =>
      Effect.sync(() => Option.map(index.transaction(hash), ({ internalHash }) => internalHash)),
    rejection: (hash: Hash32) => Effect.sync(() => Option.fromNullable(rejections.get(hash))),
    nextNonce: Effect.fn("Sequencer.nextNonce")(function* (address: Address) {
      const { nonce } = yield* head.account(address)
      return pendingNonce(yield* mempool.state, address, nonce)
    }),
    stateAt: Effect.fn("Sequencer.stateAt")(function* (number: bigint) {
      const block = index.block(number)
      if (Option.isNone(block)) {
        return yield* new BlockUnknown({ number, head: index.head.header.number })
      }
      return yield* manager.open(block.value.header.stateRoot)
    }),
    nextContext: Effect.suspend(() => head.contextNow()),
    rollBackTo: Effect.fn("Sequencer.rollBackTo")((move: RollBack) =>
      MoveChain.rollBackTo(head, move, companionsOf(parts)).pipe(
        Effect.tap((dropped) => readmit(parts, dropped)),
        // Interrupted in between, users' transactions would be in no block and wait nowhere.
        Effect.uninterruptible,
        Effect.provide(requirements),
        building.withPermits(1)
      )
    ),
    adopt: Effect.fn("Sequencer.adopt")((adoption: Adoption) =>
      Effect.suspend(() => {
        const dropped: Array<ChainBlock> = []
        const onDropped = (blocks: ReadonlyArray<ChainBlock>) => void dropped.push(...blocks)
        return MoveChain.adopt(head, adoption, companionsOf(parts), onDropped).pipe(
          // Nobody loses a transaction because the blocks that replace its block could not be built.
          Effect.ensuring(Effect.suspend(() => readmit(parts, dropped)))
        )
      }).pipe(Effect.provide(requirements), building.withPermits(1))
    )
  }
})

const companionsOf = (parts: Parts): MoveChain.Companions => ({
  moving: parts.heading.withPermits(1),
  added: (nonces) =>
    parts.mempool.settle({ baseFeePerGas: parts.head.baseFeePerGas, nonces, dropped: [] })
})

const rulesOf = ({ head, limits }: Parts): AdmissionRules => ({
  chainId: head.genesis.chainId,
  blockGasLimit: head.genesis.gasLimit,
  maxTransactionGas: limits.maxTransactionGas,
  baseFeePerGas: head.baseFeePerGas,
  minTipPerGas: limits.minTipPerGas
})

const admit = Effect.fn("Sequencer.admit")(function* (
  parts: Parts,
  raw: Uint8Array,
  rules: AdmissionRules = rulesOf(parts)
) {
  const { head, heading, mempool, rejections } = parts
  const admitted = yield* checkBytes(raw, rules)
  const { hash, sender } = admitted
  return yield* Effect.gen(function* () {
    if (Option.isSome(head.index.transaction(hash))) return yield* new AlreadyKnown({ hash })
    const account = yield* head.account(sender)
    yield* checkAccount(admitted, account, yield* mempool.state)
    yield* mempool.add(admitted, account.nonce)
    rejections.forget(hash)
    return hash
  }).pipe(heading.withPermits(1))
})

/** Lets the users' transactions of dropped blocks wait again, and those that wait know their nonces. */
const readmit = (parts: Parts, dropped: ReadonlyArray<ChainBlock>): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (dropped.length === 0) return
    const { head, heading, mempool, rejections } = parts
    yield* Effect.gen(function* () {
      const nonces = new Map<Address, bigint>()
      for (const sender of HashMap.keys((yield* mempool.state).queues)) {
        nonces.set(sender, (yield* head.account(sender)).nonce)
      }
      yield* mempool.settle({ baseFeePerGas: head.baseFeePerGas, nonces, dropped: [] })
    }).pipe(heading.withPermits(1))
    // They paid enough where they stood. Moving back may have raised the base fee: they wait until it falls.
    const rules = { ...rulesOf(parts), baseFeePerGas: 0n }
    for (const { items, queuedCount } of dropped) {
      for (const { raw } of items.slice(queuedCount)) {
        yield* admit(parts, raw, rules).pipe(
          Effect.catchTag("AlreadyKnown", () => Effect.void),
          Effect.catchAll((error) =>
            isRejection(error)
              ? Effect.sync(() => rejections.remember(new Map([[Transaction.hash(raw), error]])))
              : Effect.fail(error)
          )
        )
      }
    }
  }).pipe(
    // A state that can't be read now: what was dropped is in the log, and its senders can send it again.
    Effect.catchAll((error) => Effect.logError("Could not take transactions back", error)),
    Effect.uninterruptible
  )

/** Seals what L1's queue holds and what can run now; none if there is nothing. */
const sealing = (parts: Parts) =>
  Effect.gen(function* () {
    const { head, limits, mempool, source } = parts
    yield* requireFresh(source, limits)
    const parent = head.index.head
    const known = yield* source.origin
    const origin = Option.match(known, {
      onNone: () => parent.context.l1Origin,
      onSome: (block) => laterOrigin(parent.context.l1Origin, block)
    })
    const queueStart = queueEnd(parent)
    const queued = yield* waitingQueue(source, {
      from: queueStart,
      upTo: origin.number,
      blockGasLimit: head.genesis.gasLimit
    })
    const candidates = executable(yield* mempool.state)
    if (candidates.size + queued.length === 0) return Option.none<ChainBlock>()
    const filled = yield* fillBlock({
      parentHash: parent.hash,
      parentState: head.state,
      context: yield* head.contextNow(origin),
      queueStart,
      queued,
      candidates,
      maxBytes: limits.maxBlockBytes,
      maxTransactions: limits.maxBlockTransactions
    })
    const record = Option.map(filled.block, BlockBuilder.recordOf)
    if (Option.isSome(record)) {
      yield* ChainLog.appendBlock(record.value, { version: head.index.eventCount })
    }
    return yield* settle(parts, filled, record)
  }).pipe(
    // Interrupted between append and head, the sequencer would build on a block behind its own log.
    Effect.uninterruptible,
    Effect.withSpan("Sequencer.seal")
  )

/** Moves the head behind a block that is durable, and lets the mempool know. */
const settle = (
  { head, heading, mempool, rejections }: Parts,
  filled: FilledBlock,
  record: Option.Option<ChainLog.BlockRecord>
) =>
  Effect.gen(function* () {
    const added = Option.map(record, (block) => head.advance(block, filled.state))
    rejections.remember(filled.rejected)
    yield* mempool.settle({
      baseFeePerGas: head.baseFeePerGas,
      nonces: filled.nonces,
      dropped: [...filled.rejected.keys()]
    })
    return added
  }).pipe(heading.withPermits(1))

/** Seals until the transaction is in a block or ruled out, or waits for one that is missing. */
const include = (
  parts: Parts,
  sealNow: Effect.Effect<Option.Option<ChainBlock>, SealError>,
  hash: Hash32
): Effect.Effect<Hash32, Rejection | SealError> =>
  Effect.gen(function* () {
    const rejection = parts.rejections.get(hash)
    if (rejection !== undefined) return yield* rejection
    if (Option.isSome(parts.head.index.transaction(hash))) return hash
    const sealed = yield* sealNow
    const isSettled = Option.isSome(sealed) || parts.rejections.get(hash) !== undefined
    return isSettled ? yield* include(parts, sealNow, hash) : hash
  })
