import { assert, describe, it } from "@effect/vitest"
import { createBlockHeaderFromRLP } from "@ethereumjs/block"
import { Common, Hardfork, Mainnet } from "@ethereumjs/common"
import { createMPT } from "@ethereumjs/mpt"
import * as Block from "@ovm/protocol/Block"
import * as Bloom from "@ovm/protocol/Bloom"
import { HISTORY_STORAGE, WETH } from "@ovm/protocol/Predeploys"
import type { Hash32 } from "@ovm/protocol/Primitives"
import * as Receipt from "@ovm/protocol/Receipt"
import * as Transaction from "@ovm/protocol/Transaction"
import { attempt } from "@ovm/state-manager/State"
import { Effect, Fiber, Layer, Option, TestClock } from "effect"
import { bytesToHex, encodeFunctionData, numberToHex, parseAbi, toRlp } from "viem"
import { nextBaseFee } from "../src/FeeMarket.ts"
import { layerByArrival } from "../src/Ordering.ts"
import { BlockUnknown, Sequencer } from "../src/Sequencer.ts"
import {
  addressOf,
  alice,
  balanceAt,
  bob,
  COUNTER_INITCODE,
  carol,
  DAVE,
  ETHER,
  Foundation,
  GWEI,
  SLOT_ZERO,
  sequencerWith,
  signed
} from "./chain.ts"

const Instant = sequencerWith().pipe(Layer.provide(Foundation))
const Manual = sequencerWith({ sealing: { _tag: "Manual" } }).pipe(Layer.provide(Foundation))
const Every2s = sequencerWith({ sealing: { _tag: "Interval", interval: "2 seconds" } }).pipe(
  Layer.provide(Foundation)
)

const sealed = Effect.gen(function* () {
  return Option.getOrThrow(yield* (yield* Sequencer).seal)
})

const submitted = (
  account: typeof alice,
  nonce: number,
  overrides?: Parameters<typeof signed>[2]
) =>
  Effect.gen(function* () {
    return yield* (yield* Sequencer).submit(yield* signed(account, nonce, overrides))
  })

const found = (hash: Hash32) =>
  Effect.gen(function* () {
    return Option.getOrThrow(yield* (yield* Sequencer).transaction(hash))
  })

/** Root over a list as any Ethereum client computes it. */
const rootOf = (values: ReadonlyArray<Uint8Array>) =>
  Effect.promise(async () => {
    const trie = await createMPT()
    for (const [index, value] of values.entries()) {
      await trie.put(toRlp(index === 0 ? "0x" : numberToHex(index), "bytes"), value)
    }
    return bytesToHex(trie.root())
  })

describe("Sequencer, sealing at once", () => {
  it.effect("moves the value, pays the fees, and maps the original hash to the internal one", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const raw = yield* signed(alice, 0, { value: 5n })
      const hash = yield* sequencer.submit(raw)
      assert.strictEqual(hash, Transaction.hash(raw))
      const transaction = yield* found(hash)
      const price = 875_000_000n + GWEI
      assert.strictEqual(transaction.gasUsed, 21_000n)
      assert.strictEqual(transaction.effectiveGasPrice, price)
      assert.strictEqual(transaction.sender, addressOf(alice))
      assert.strictEqual(yield* balanceAt(DAVE, 0n), 0n)
      assert.strictEqual(yield* balanceAt(DAVE, 1n), 5n)
      const left = 100n * ETHER - 5n - 21_000n * price
      assert.strictEqual(yield* balanceAt(addressOf(alice), 1n), left)
      assert.strictEqual(yield* balanceAt(sequencer.genesis.coinbase, 1n), 21_000n * GWEI)
      assert.strictEqual(yield* sequencer.nextNonce(addressOf(alice)), 1n)
      const internal = Option.getOrThrow(yield* sequencer.internalHash(hash))
      assert.strictEqual(internal, transaction.internalHash)
      assert.notStrictEqual(internal, hash)
    }).pipe(Effect.provide(Instant))
  )

  it.effect("writes headers whose roots, bloom and hash any Ethereum client computes alike", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const deployed = yield* found(
        yield* submitted(alice, 0, { to: null, data: COUNTER_INITCODE, gas: 1_000_000n, value: 0n })
      )
      const counter = Option.getOrThrow(deployed.contractAddress)
      yield* submitted(bob, 0, { to: counter, gas: 1_000_000n, value: 0n })
      const { hash, header, transactions } = yield* sequencer.head
      const client = createBlockHeaderFromRLP(Block.encodeHeader(header), {
        common: new Common({ chain: Mainnet, hardfork: Hardfork.Cancun }),
        setHardfork: false
      })
      assert.strictEqual(bytesToHex(client.hash()), hash)
      const receipts = transactions.map(({ receipt }) => receipt)
      assert.strictEqual(header.transactionsRoot, yield* rootOf(transactions.map(({ raw }) => raw)))
      assert.strictEqual(header.receiptsRoot, yield* rootOf(receipts.map(Receipt.encode)))
      const [log] = receipts.flatMap(({ logs }) => logs)
      assert.deepStrictEqual(log, {
        address: counter,
        topics: [],
        data: numberToHex(1, { size: 32 })
      })
      assert.isTrue(Bloom.mayContain(header.logsBloom, counter))
      assert.strictEqual(header.gasUsed, receipts.at(-1)?.cumulativeGasUsed)
      const parent = Option.getOrThrow(yield* sequencer.block(1n))
      assert.strictEqual(header.parentHash, parent.hash)
      assert.strictEqual(header.baseFeePerGas, nextBaseFee(parent.header))
      assert.deepStrictEqual(yield* sequencer.blockByHash(hash), yield* sequencer.block(2n))
    }).pipe(Effect.provide(Instant))
  )

  it.effect("lets a block ask for its parent's hash", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      yield* submitted(alice, 0)
      yield* submitted(alice, 1)
      const state = yield* sequencer.stateAt(2n)
      for (const number of [0n, 1n]) {
        const { hash } = Option.getOrThrow(yield* sequencer.block(number))
        const slot = numberToHex(number, { size: 32 })
        assert.strictEqual(yield* attempt(() => state.getStorage(HISTORY_STORAGE, slot)), hash)
      }
    }).pipe(Effect.provide(Instant))
  )

  it.effect("never lets time run backwards, and moves it by whole seconds of the clock", () =>
    Effect.gen(function* () {
      const timestamps: Array<bigint> = []
      for (const [nonce, millis] of [5_999, 6_000, 3_000, 6_999, 7_000].entries()) {
        yield* TestClock.setTime(millis)
        yield* submitted(alice, nonce)
        timestamps.push((yield* (yield* Sequencer).head).header.timestamp)
      }
      assert.deepStrictEqual(timestamps, [5n, 6n, 6n, 6n, 7n])
    }).pipe(Effect.provide(Instant))
  )

  it.effect("keeps a failed transaction in the block: fees taken, state untouched", () =>
    Effect.gen(function* () {
      // Initcode that reverts.
      const hash = yield* submitted(alice, 0, {
        to: null,
        data: "0x60006000fd",
        gas: 200_000n,
        value: 7n
      })
      const { gasUsed, receipt } = yield* found(hash)
      assert.strictEqual(receipt.status, 0)
      assert.isTrue(gasUsed > 53_000n)
      assert.deepStrictEqual(receipt.logs, [])
      const spent = 100n * ETHER - (yield* balanceAt(addressOf(alice), 1n))
      assert.strictEqual(spent, gasUsed * (875_000_000n + GWEI))
    }).pipe(Effect.provide(Instant))
  )

  it.effect("holds a nonce behind a gap and seals both when the gap is filled", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const later = yield* submitted(alice, 1)
      assert.isTrue(Option.isNone(yield* sequencer.transaction(later)))
      assert.strictEqual(yield* sequencer.nextNonce(addressOf(alice)), 0n)
      yield* submitted(alice, 0)
      assert.strictEqual((yield* found(later)).blockNumber, 1n)
      assert.strictEqual((yield* found(later)).indexInBlock, 1)
    }).pipe(Effect.provide(Instant))
  )

  it.effect("turns away what ran already and what can't run, with the client's words", () =>
    Effect.gen(function* () {
      const message = (
        account: typeof alice,
        nonce: number,
        options?: Parameters<typeof signed>[2]
      ) => Effect.map(Effect.flip(submitted(account, nonce, options)), (error) => error.message)
      yield* submitted(alice, 0)
      assert.match(yield* message(alice, 0), /^already known/)
      assert.strictEqual(
        yield* message(alice, 0, { value: 9n }),
        "nonce too low: next nonce 1, tx nonce 0"
      )
      assert.match(
        yield* message(carol, 0, { value: ETHER }),
        /^insufficient funds for gas \* price \+ value: balance 1000000000000000, tx cost/
      )
      assert.match(yield* message(alice, 1, { chainId: 1 }), /invalid chain id/)
      assert.match(yield* message(alice, 1, { gas: 20_000n }), /^intrinsic gas too low/)
      assert.strictEqual((yield* (yield* Sequencer).head).header.number, 1n)
    }).pipe(Effect.provide(Instant))
  )

  it.effect("includes every one of many transactions submitted at the same time", () =>
    Effect.gen(function* () {
      const raws = yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], (nonce) =>
        Effect.all([signed(alice, nonce), signed(bob, nonce)])
      )
      const sequencer = yield* Sequencer
      const hashes = yield* Effect.forEach(raws.flat(), sequencer.submit, {
        concurrency: "unbounded"
      })
      const transactions = yield* Effect.forEach(hashes, found)
      const places = transactions.map((one) => `${one.blockNumber}/${one.indexInBlock}`)
      assert.strictEqual(new Set(places).size, 16)
      assert.strictEqual(yield* balanceAt(DAVE, (yield* sequencer.head).header.number), 16n)
    }).pipe(Effect.provide(Instant))
  )

  it.effect("knows no block beyond the head", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const error = yield* Effect.flip(sequencer.stateAt(1n))
      assert.instanceOf(error, BlockUnknown)
      assert.strictEqual(error.message, "Expected a block number up to 0, found 1.")
      assert.isTrue(Option.isNone(yield* sequencer.block(1n)))
      assert.isTrue(Option.isNone(yield* sequencer.receipt(SLOT_ZERO)))
    }).pipe(Effect.provide(Instant))
  )
})

describe("Sequencer, sealing by interval", () => {
  it.effect("answers on admission, and seals what waits when the interval is over", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const hash = yield* submitted(alice, 0)
      yield* submitted(bob, 0)
      assert.isTrue(Option.isNone(yield* sequencer.transaction(hash)))
      assert.strictEqual(yield* sequencer.nextNonce(addressOf(alice)), 1n)
      yield* TestClock.adjust("2 seconds")
      yield* untilHead(1n)
      const head = yield* sequencer.head
      assert.lengthOf(head.transactions, 2)
      assert.strictEqual(head.header.timestamp, 2n)
      // Nothing waits, so no empty block follows.
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* sequencer.head).header.number, 1n)
    }).pipe(Effect.provide(Every2s))
  )
})

/** Real work in promises goes on while the test clock stands still. */
const untilHead = (number: bigint) =>
  Effect.gen(function* () {
    const sequencer = yield* Sequencer
    while ((yield* sequencer.head).header.number < number) {
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
    }
  })

describe("Sequencer, sealing on demand", () => {
  it.effect("lets the highest tip go first, and each sender in nonce order", () =>
    Effect.gen(function* () {
      yield* submitted(alice, 0, { maxPriorityFeePerGas: GWEI })
      yield* submitted(alice, 1, { maxPriorityFeePerGas: 5n * GWEI })
      yield* submitted(bob, 0, { maxPriorityFeePerGas: 3n * GWEI })
      const { transactions } = yield* sealed
      const order = transactions.map(({ sender }) => sender)
      assert.deepStrictEqual(order, [addressOf(bob), addressOf(alice), addressOf(alice)])
      assert.isTrue(Option.isNone(yield* (yield* Sequencer).seal))
    }).pipe(Effect.provide(Manual))
  )

  it.effect("follows another ordering policy if one is given", () =>
    Effect.gen(function* () {
      yield* submitted(alice, 0, { maxPriorityFeePerGas: GWEI })
      yield* submitted(bob, 0, { maxPriorityFeePerGas: 3n * GWEI })
      const order = (yield* sealed).transactions.map(({ sender }) => sender)
      assert.deepStrictEqual(order, [addressOf(alice), addressOf(bob)])
    }).pipe(
      Effect.provide(
        sequencerWith({ sealing: { _tag: "Manual" } }, layerByArrival).pipe(
          Layer.provide(Foundation)
        )
      )
    )
  )

  it.effect("replaces a waiting transaction for ten percent more", () =>
    Effect.gen(function* () {
      yield* submitted(alice, 0, { value: 1n })
      const error = yield* Effect.flip(submitted(alice, 0, { value: 2n }))
      assert.match(error.message, /^replacement transaction underpriced/)
      const better = { maxFeePerGas: 11n * GWEI, maxPriorityFeePerGas: (11n * GWEI) / 10n }
      yield* submitted(alice, 0, { value: 2n, ...better })
      assert.lengthOf((yield* sealed).transactions, 1)
      assert.strictEqual(yield* balanceAt(DAVE, 1n), 2n)
    }).pipe(Effect.provide(Manual))
  )

  it.effect("leaves for the next block what the gas limit keeps out of this one", () =>
    Effect.gen(function* () {
      for (const nonce of [0, 1, 2]) yield* submitted(alice, nonce, { gas: 14_000_000n })
      // A limit, not a use: all three ran on 21,000, and each found its limit left.
      assert.lengthOf((yield* sealed).transactions, 3)
      const greedy = { to: null, data: "0x5b600056", gas: 14_000_000n, value: 0n } as const
      for (const nonce of [3, 4, 5]) yield* submitted(alice, nonce, greedy)
      assert.lengthOf((yield* sealed).transactions, 2)
      assert.lengthOf((yield* sealed).transactions, 1)
      const { header } = yield* (yield* Sequencer).head
      assert.strictEqual(header.gasUsed, 14_000_000n)
    }).pipe(Effect.provide(Manual))
  )

  it.effect("drops a transaction that another one made impossible, and remembers why", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const abi = parseAbi([
        "function approve(address,uint256) returns (bool)",
        "function transferFrom(address,address,uint256) returns (bool)"
      ])
      const call = { to: WETH, value: 0n, gas: 500_000n }
      const approve = encodeFunctionData({
        abi,
        args: [alice.address, 2n ** 256n - 1n],
        functionName: "approve"
      })
      const drain = encodeFunctionData({
        abi,
        args: [bob.address, DAVE, 90n * ETHER],
        functionName: "transferFrom"
      })
      yield* submitted(bob, 0, { ...call, data: approve })
      yield* sealed
      const tips = { maxPriorityFeePerGas: 5n * GWEI }
      const poor = yield* submitted(bob, 1, { value: 50n * ETHER })
      const later = yield* submitted(bob, 2)
      const drained = yield* submitted(alice, 0, { ...call, ...tips, data: drain })
      const { transactions } = yield* sealed
      assert.deepStrictEqual(
        transactions.map(({ hash }) => hash),
        [drained]
      )
      assert.strictEqual(transactions[0]?.receipt.status, 1)
      const reason = Option.getOrThrow(yield* sequencer.rejection(poor))
      assert.match(reason.message, /^insufficient funds for gas \* price \+ value/)
      assert.isTrue(Option.isNone(yield* sequencer.rejection(later)))
      assert.strictEqual(yield* sequencer.nextNonce(addressOf(bob)), 1n)
    }).pipe(Effect.provide(Manual))
  )

  it.effect("survives the loss of whoever asked for a block", () =>
    Effect.gen(function* () {
      yield* submitted(alice, 0)
      const fiber = yield* Effect.fork((yield* Sequencer).seal)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      yield* submitted(bob, 0)
      yield* (yield* Sequencer).seal
      assert.isTrue((yield* balanceAt(DAVE, (yield* (yield* Sequencer).head).header.number)) === 2n)
    }).pipe(Effect.provide(Manual))
  )
})
