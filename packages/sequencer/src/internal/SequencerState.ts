/** The sequencer's moving parts: admission on one side, sealing on the other, the head between them. */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { StateManager } from "@ovm/state-manager/StateManager"
import { Effect, Option } from "effect"
import { checkAccount, checkBytes } from "../Admission.ts"
import { AlreadyKnown } from "../AdmissionError.ts"
import * as BlockBuilder from "../BlockBuilder.ts"
import type { ChainBlock } from "../ChainIndex.ts"
import * as ChainLog from "../ChainLog.ts"
import { Mempool } from "../Mempool.ts"
import { executable, pendingNonce } from "../MempoolState.ts"
import type { Ordering } from "../Ordering.ts"
import type { SequencerOptions } from "../Sequencer.ts"
import { BlockUnknown, type SealError } from "../SequencerError.ts"
import { type FilledBlock, fillBlock, type Rejection } from "./FillBlock.ts"
import { Head } from "./Head.ts"
import { Rejections } from "./Rejections.ts"
import { startChain } from "./StartChain.ts"

interface Parts {
  readonly head: Head
  readonly mempool: typeof Mempool.Service
  readonly rejections: Rejections
  /** The head moves only while no transaction is being admitted. */
  readonly heading: Effect.Semaphore
  /** Blocks are built one at a time. */
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
  const { index, state } = yield* startChain(options.genesis)
  const parts: Parts = {
    head: new Head(options, index, state),
    mempool: yield* Mempool,
    rejections: new Rejections(),
    heading: yield* Effect.makeSemaphore(1),
    building: yield* Effect.makeSemaphore(1)
  }
  const { building, head, mempool, rejections } = parts
  const { baseFeePerGas } = head
  yield* mempool.settle({ baseFeePerGas, nonces: new Map(), dropped: [] })
  const sealNow = Effect.provide(sealing(parts), requirements)

  return {
    genesis: options.genesis,
    seal: building.withPermits(1)(sealNow),
    submit: Effect.fn("Sequencer.submit")(function* (raw: Uint8Array) {
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
    nextContext: Effect.suspend(() => head.nextContext)
  }
})

const admit = Effect.fn("Sequencer.admit")(function* (
  { head, heading, mempool, rejections }: Parts,
  raw: Uint8Array
) {
  const admitted = yield* checkBytes(raw, head.rules)
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

/** Seals what can run now; none if nothing can. */
const sealing = (parts: Parts) =>
  Effect.gen(function* () {
    const { head, mempool } = parts
    const candidates = executable(yield* mempool.state)
    if (candidates.size === 0) return Option.none<ChainBlock>()
    const filled = yield* fillBlock({
      parentHash: head.index.head.hash,
      parentState: head.state,
      context: yield* head.nextContext,
      candidates
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
