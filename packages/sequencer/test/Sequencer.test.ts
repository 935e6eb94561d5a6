import { assert, describe, it } from "@effect/vitest"
import { createBlockFromRLP } from "@ethereumjs/block"
import { Effect, Option } from "effect"
import * as Transaction from "@ovm/protocol/Transaction"
import { Sequencer } from "../src/Sequencer.ts"
import { addressOf, alice, DAVE, Foundation, onSequencer, signed } from "./chain.ts"

describe("Sequencer", () => {
  it.effect("seals a transfer at once and answers its original hash", () =>
    Effect.gen(function* () {
      const sequencer = yield* Sequencer
      const raw = yield* signed(alice, 0)
      const hash = yield* sequencer.submit(raw)
      assert.strictEqual(hash, Transaction.hash(raw))
      const transaction = Option.getOrThrow(yield* sequencer.transaction(hash))
      console.log(transaction)
      const head = yield* sequencer.head
      console.log(head.header)
      assert.strictEqual(head.header.number, 1n)
    }).pipe(onSequencer, Effect.provide(Foundation))
  )
})
