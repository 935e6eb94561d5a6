/** The sequencer's moving parts: the head of the chain, and the one place where it moves. */
import type { EventLog } from "@ovm/event-log/EventLog"
import type { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import type { Address, Hash32 } from "@ovm/protocol/Primitives"
import { attempt, EMPTY_CODE_HASH } from "@ovm/state-manager/State"
import { StateManager } from "@ovm/state-manager/StateManager"
import { Clock, Effect, Option } from "effect"
import { type AdmissionRules, checkAccount, checkBytes } from "../Admission.ts"
import { AlreadyKnown } from "../AdmissionError.ts"
import * as BlockBuilder from "../BlockBuilder.ts"
import type { ChainBlock } from "../ChainIndex.ts"
import * as ChainLog from "../ChainLog.ts"
import { nextBaseFee } from "../FeeMarket.ts"
import { Mempool } from "../Mempool.ts"
import { executable, pendingNonce } from "../MempoolState.ts"
import { nextContext } from "../NextBlock.ts"
import type { Ordering } from "../Ordering.ts"
import type { SequencerOptions } from "../Sequencer.ts"
import { BlockUnknown, type SealError } from "../SequencerError.ts"
import { type FilledBlock, fillBlock, type Rejection } from "./FillBlock.ts"
import { startChain } from "./StartChain.ts"

/** What one L1 transaction can re-run, with overhead, under EIP-7825's 2^24. */
const DEFAULT_MAX_TRANSACTION_GAS = 14_000_000n
/** Rejections are remembered for that many transactions that fell out of the mempool. */
const REMEMBERED_REJECTIONS = 10_000

export const makeSequencer = Effect.fn("Sequencer.start")(function* (
  options: SequencerOptions,
  sealsAtOnce: boolean
) {
  const { genesis, maxTransactionGas = DEFAULT_MAX_TRANSACTION_GAS, minTipPerGas = 0n } = options
  const requirements = yield* Effect.context<
    EventLog | StateManager | ExecutionManager | Ordering
  >()
  const manager = yield* StateManager
  const mempool = yield* Mempool
  const { index, state } = yield* startChain(genesis)
  let headState = state
  yield* mempool.settle({
    baseFeePerGas: nextBaseFee(index.head.header),
    nonces: new Map(),
    dropped: []
  })
  const rejections = new Map<Hash32, Rejection>()
  // Blocks are built one at a time; the head moves only while no transaction is being admitted.
  const building = yield* Effect.makeSemaphore(1)
  const heading = yield* Effect.makeSemaphore(1)

  const rules = (): AdmissionRules => ({
    chainId: genesis.chainId,
    blockGasLimit: genesis.gasLimit,
    maxTransactionGas,
    baseFeePerGas: nextBaseFee(index.head.header),
    minTipPerGas
  })

  const accountOf = (address: Address) =>
    Effect.map(
      attempt(() => headState.fork().getAccount(address)),
      (account) => ({
        nonce: account?.nonce ?? 0n,
        balance: account?.balance ?? 0n,
        hasCode: account !== undefined && account.codeHash !== EMPTY_CODE_HASH
      })
    )

  const contextNow = Effect.map(Clock.currentTimeMillis, (nowMs) =>
    nextContext({
      genesis,
      parent: index.head.header,
      l1Origin: index.head.context.l1Origin,
      nowMs
    })
  )

  const remember = (rejected: ReadonlyMap<Hash32, Rejection>) => {
    for (const [hash, reason] of rejected) rejections.set(hash, reason)
    for (const hash of rejections.keys()) {
      if (rejections.size <= REMEMBERED_REJECTIONS) break
      rejections.delete(hash)
    }
  }

  /** Moves the head behind a block that is durable, and lets the mempool know. */
  const settle = (filled: FilledBlock, record: Option.Option<ChainLog.BlockRecord>) =>
    Effect.gen(function* () {
      const added = Option.map(record, (block) => index.add(block))
      headState = filled.state
      remember(filled.rejected)
      yield* mempool.settle({
        baseFeePerGas: nextBaseFee(index.head.header),
        nonces: filled.nonces,
        dropped: [...filled.rejected.keys()]
      })
      return added
    }).pipe(heading.withPermits(1))

  const sealOnce = Effect.gen(function* () {
    const candidates = executable(yield* mempool.state)
    if (candidates.size === 0) return Option.none<ChainBlock>()
    const filled = yield* fillBlock({
      parentHash: index.head.hash,
      parentState: headState,
      context: yield* contextNow,
      candidates
    })
    const record = Option.map(filled.block, BlockBuilder.recordOf)
    if (Option.isSome(record)) {
      yield* ChainLog.appendBlock(record.value, { version: index.eventCount })
    }
    return yield* settle(filled, record)
  }).pipe(
    // Interrupted between append and head, the sequencer would build on a block behind its own log.
    Effect.uninterruptible,
    Effect.withSpan("Sequencer.seal"),
    Effect.provide(requirements)
  )

  const admit = Effect.fn("Sequencer.admit")(function* (raw: Uint8Array) {
    const admitted = yield* checkBytes(raw, rules())
    if (Option.isSome(index.transaction(admitted.hash))) {
      return yield* new AlreadyKnown({ hash: admitted.hash })
    }
    return yield* Effect.gen(function* () {
      const account = yield* accountOf(admitted.sender)
      yield* checkAccount(admitted, account, yield* mempool.state)
      yield* mempool.add(admitted, account.nonce)
      rejections.delete(admitted.hash)
      return admitted.hash
    }).pipe(heading.withPermits(1))
  })

  /** Seals until the transaction is in a block or ruled out, or waits for one that is missing. */
  const include = (hash: Hash32): Effect.Effect<Hash32, Rejection | SealError> =>
    Effect.gen(function* () {
      const rejection = rejections.get(hash)
      if (rejection !== undefined) return yield* rejection
      if (Option.isSome(index.transaction(hash))) return hash
      const sealed = yield* sealOnce
      return Option.isSome(sealed) || rejections.has(hash) ? yield* include(hash) : hash
    })

  return {
    genesis,
    seal: building.withPermits(1)(sealOnce),
    submit: Effect.fn("Sequencer.submit")(function* (raw: Uint8Array) {
      const hash = yield* admit(raw)
      // Who waits here finds the transaction sealed by whoever held the builder before.
      return sealsAtOnce ? yield* building.withPermits(1)(include(hash)) : hash
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
      const { nonce } = yield* accountOf(address)
      return pendingNonce(yield* mempool.state, address, nonce)
    }),
    stateAt: Effect.fn("Sequencer.stateAt")(function* (number: bigint) {
      const block = index.block(number)
      if (Option.isNone(block)) {
        return yield* new BlockUnknown({ number, head: index.head.header.number })
      }
      return yield* manager.open(block.value.header.stateRoot)
    }),
    nextContext: contextNow
  }
})
