/** `pnpm example:custom-node`: a node with one part of our own, an order in which small jobs go first. */
import { EventLog } from "@ovm/event-log/EventLog"
import * as Devnet from "@ovm/rollup/Devnet"
import * as Rollup from "@ovm/rollup/Rollup"
import * as Wallet from "@ovm/rollup/Wallet"
import * as L1Source from "@ovm/sequencer/L1Source"
import * as Mempool from "@ovm/sequencer/Mempool"
import * as Ordering from "@ovm/sequencer/Ordering"
import * as Sequencer from "@ovm/sequencer/Sequencer"
import { Console, Effect, Layer, Option } from "effect"

const alice = Wallet.make(`0x${"a1".repeat(32)}`)
const bob = Wallet.make(`0x${"b0".repeat(32)}`)
const balances = { [alice.address]: 10n ** 18n, [bob.address]: 10n ** 18n }

/** The sender who asks for the least gas; each sender in nonce order. */
const LeastGasFirst = Layer.succeed(Ordering.Ordering, {
  order: ({ candidates }) =>
    Effect.sync(() =>
      Ordering.merge(candidates, (a, b) => a.transaction.gasLimit < b.transaction.gasLimit)
    )
})

const genesis = Devnet.genesis({ balances })
const Node = Sequencer.layer({ genesis, sealing: { _tag: "Manual" } }).pipe(
  Layer.provide(L1Source.layerNone),
  Layer.provide([EventLog.layerMemory, Rollup.layerExecution, Mempool.layerDefault, LeastGasFirst])
)

const program = Effect.gen(function* () {
  const { seal, submit } = yield* Sequencer.Sequencer
  yield* submit(yield* Wallet.sign(alice, { to: bob.address, value: 1n, gas: 100_000n }))
  yield* submit(yield* Wallet.sign(bob, { to: alice.address, value: 1n, gas: 21_000n }))
  const { transactions } = Option.getOrThrow(yield* seal)
  const names = transactions.map(({ sender }) => (sender === alice.address ? "Alice" : "Bob"))
  yield* Console.log(`Alice came first. In the block: ${names.join(", then ")}.`)
})

Effect.runPromise(Effect.provide(program, Node))
