/** The rules alone, without L1: whatever is commanded and seen, in any order. */
import { type Command, L1Transactions, type State } from "@ovm/l1/TransactionRules"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Effect, Either } from "effect"
import { EventLog } from "@ovm/event-log/EventLog"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { decide, evolve } from "../src/internal/TransactionMachine.ts"

const word = (value: number): Hash32 => `0x${value.toString(16).padStart(64, "0")}`
const from = `0x${"11".repeat(20)}` as const
const GWEI = 1_000_000_000n

const Id = fc.constantFrom("a", "b", "c", "d")
const request = (id: string) =>
  ({ id, from, to: from, data: "0x", valueWei: 0n, gas: undefined }) as const
const Attempt = fc.record({
  hash: fc.integer({ min: 1, max: 12 }).map(word),
  gas: fc.constant(21_000n),
  maxFeePerGasWei: fc.bigInt({ min: GWEI, max: 100n * GWEI }),
  maxPriorityFeePerGasWei: fc.bigInt({ min: 1n, max: GWEI }),
  isCancellation: fc.boolean(),
  sentAtMs: fc.nat(1_000)
})
const Inclusion = fc.record({
  hash: fc.integer({ min: 1, max: 12 }).map(word),
  blockNumber: fc.bigInt({ min: 0n, max: 40n }),
  blockHash: fc.integer({ min: 1, max: 4 }).map(word),
  gasUsed: fc.constant(21_000n),
  succeeded: fc.boolean()
})
const finality = { confirmations: 2n, finalityBlocks: 8n }
const headNumber = fc.bigInt({ min: 0n, max: 60n })

const AnyCommand: fc.Arbitrary<Command> = fc.oneof(
  Id.map((id) => ({ _tag: "Request", request: request(id) }) as const),
  fc.record({
    _tag: fc.constant("Send" as const),
    id: Id,
    nonce: fc.nat(5),
    attempt: Attempt.map((attempt) => ({ ...attempt, isCancellation: false }))
  }),
  fc.record({
    _tag: fc.constant("Replace" as const),
    id: Id,
    attempt: Attempt,
    reason: fc.constant("late"),
    data: fc.constant(undefined)
  }),
  fc.record({
    _tag: fc.constant("MeetFeeCap" as const),
    id: Id,
    neededWei: fc.constant(9n),
    capWei: fc.constant(8n)
  }),
  fc.record({
    _tag: fc.constant("Refuse" as const),
    id: Id,
    reason: fc.constant("no"),
    data: fc.constant(undefined)
  }),
  fc
    .record({
      headNumber,
      sightings: fc.uniqueArray(
        fc.record({
          id: Id,
          inclusion: fc.option(Inclusion, { nil: undefined }),
          accountNonce: fc.nat(6)
        }),
        { selector: ({ id }) => id, maxLength: 4 }
      )
    })
    .map((seen) => ({ _tag: "Observe", ...finality, ...seen }) as const),
  fc
    .record({ id: Id, headNumber })
    .map((asked) => ({ _tag: "Retire", finalityBlocks: 8n, ...asked }) as const)
)

/** Plays commands, and hands every state, with the one before it, to a check. */
const play = (
  commands: ReadonlyArray<Command>,
  check: (before: State, after: State, command: Command) => void
) => {
  let state: State = []
  for (const command of commands) {
    const decided = decide(state, command)
    if (Either.isLeft(decided)) continue
    const next = decided.right.reduce(evolve, state)
    check(state, next, command)
    state = next
  }
}

describe("the rules of sending", () => {
  it("never let two requests hold one nonce, nor two attempts the same fees", () => {
    fc.assert(
      fc.property(fc.array(AnyCommand, { maxLength: 80 }), (commands) =>
        play(commands, (_, state) => {
          const nonces = state.flatMap(({ nonce }) => (nonce === undefined ? [] : [nonce]))
          assert.strictEqual(new Set(nonces).size, nonces.length)
          for (const { attempts } of state) {
            attempts.slice(1).forEach((attempt, index) => {
              const before = attempts[index]?.maxFeePerGasWei ?? 0n
              assert.isTrue(attempt.maxFeePerGasWei * 100n >= before * 112n)
            })
          }
        })
      ),
      { numRuns: 300 }
    )
  })

  it("never sign anew under another nonce while the old one may still be used", () => {
    fc.assert(
      fc.property(fc.array(AnyCommand, { maxLength: 80 }), (commands) =>
        play(commands, (before, after, command) => {
          for (const old of before) {
            if (old.nonce === undefined) continue
            const now = after.find(({ request }) => request.id === old.request.id)
            if (now === undefined || now.nonce === old.nonce) continue
            // Given up only by what took the nonce from outside having become final.
            assert.isUndefined(now.nonce)
            assert.strictEqual(command._tag, "Observe")
            const takenAt = old.takenOutsideAt ?? 1_000n
            assert.isTrue(command._tag === "Observe" && command.headNumber >= takenAt + 8n)
          }
        })
      ),
      { numRuns: 300 }
    )
  })

  it("forget only what has an outcome", () => {
    fc.assert(
      fc.property(fc.array(AnyCommand, { maxLength: 80 }), (commands) =>
        play(commands, (before, after, command) => {
          for (const old of before) {
            if (after.some(({ request }) => request.id === old.request.id)) continue
            assert.isTrue(old.outcome !== undefined || command._tag === "Refuse")
          }
        })
      ),
      { numRuns: 300 }
    )
  })

  it("run as a machine on a log", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const machine = yield* L1Transactions
        yield* machine.send({ _tag: "Request", request: request("a") }, { id: "once" })
        const again = yield* machine.send(
          { _tag: "Request", request: request("a") },
          { id: "once" }
        )
        assert.isTrue(again.duplicate)
        assert.strictEqual((yield* machine.state).length, 1)
      }).pipe(Effect.provide(L1Transactions.layer), Effect.provide(EventLog.layerMemory))
    ))
})
