import { describe, it } from "@effect/vitest"
import { assertInstanceOf, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { ZERO_HASH } from "@ovm/protocol/Primitives"
import { Cause, Effect, Exit } from "effect"
import { keccak } from "../src/internal/Bytes.ts"
import {
  attempt,
  EMPTY_CODE_HASH,
  EMPTY_ROOT,
  isEmptyAccount,
  type State,
  TrieNodeMissing
} from "../src/State.ts"
import { layerMemory, StateManager } from "../src/StateManager.ts"
import { address, word } from "./utilities.ts"

/** A test on a new, empty state of its own. */
const onState = (name: string, test: (state: State) => Promise<void>) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const { emptyRoot, open } = yield* StateManager
      const state = yield* open(emptyRoot)
      yield* attempt(() => test(state))
    }).pipe(Effect.provide(layerMemory))
  )

const code = Uint8Array.of(0x60, 0x01, 0x00)
const [alice, bob] = [address(0xa11ce), address(0xb0b)]
const rich = { nonce: 1n, balance: 10n }

describe("State: accounts", () => {
  onState("an account is absent until it holds something", async (state) => {
    strictEqual(await state.getAccount(alice), undefined)
    await state.setAccount(alice, { nonce: 0n, balance: 1n })
    const account = { nonce: 0n, balance: 1n, codeHash: EMPTY_CODE_HASH }
    deepStrictEqual(await state.getAccount(alice), account)
    strictEqual(isEmptyAccount(account), false)
  })

  onState("an account left empty is gone, from the trie too", async (state) => {
    await state.setAccount(alice, rich)
    await state.setAccount(alice, { nonce: 0n, balance: 0n })
    strictEqual(await state.getAccount(alice), undefined)
    strictEqual(await state.flush(), EMPTY_ROOT)
  })

  onState("code makes an account exist, and stays when the balance changes", async (state) => {
    await state.setCode(alice, code)
    await state.setAccount(alice, rich)
    deepStrictEqual(await state.getAccount(alice), { ...rich, codeHash: keccak(code) })
    deepStrictEqual(await state.getCode(alice), code)
    deepStrictEqual(await state.getCode(bob), new Uint8Array())
  })

  onState("a deleted account leaves no storage to the next at its address", async (state) => {
    await state.setAccount(alice, rich)
    await state.setStorage(alice, word(1), word(2))
    await state.flush()
    await state.deleteAccount(alice)
    strictEqual(await state.getStorage(alice, word(1)), ZERO_HASH)
    strictEqual(await state.hasStorage(alice), false)
    await state.setAccount(alice, rich)
    await state.flush()
    strictEqual(await state.getStorage(alice, word(1)), ZERO_HASH)
  })
})

describe("State: storage", () => {
  onState("a zeroed slot leaves the trie", async (state) => {
    await state.setAccount(alice, rich)
    const before = await state.flush()
    await state.setStorage(alice, word(1), word(2))
    strictEqual(await state.hasStorage(alice), true)
    const during = await state.flush()
    strictEqual(during === before, false)
    await state.setStorage(alice, word(1), ZERO_HASH)
    strictEqual(await state.hasStorage(alice), false)
    strictEqual(await state.flush(), before)
  })

  onState("storage without an account is kept, until the account is set empty", async (state) => {
    await state.setStorage(alice, word(1), word(2))
    strictEqual(await state.getAccount(alice), undefined)
    strictEqual((await state.flush()) === EMPTY_ROOT, false)
    strictEqual(await state.hasStorage(alice), true)
    await state.setAccount(alice, { nonce: 0n, balance: 0n })
    state.endTransaction()
    strictEqual(await state.hasStorage(alice), false)
    strictEqual(await state.flush(), EMPTY_ROOT)
  })
})

describe("State: checkpoints", () => {
  onState(
    "revert undoes the innermost checkpoint, commit keeps it for the outer",
    async (state) => {
      await state.setStorage(alice, word(1), word(1))
      state.checkpoint()
      await state.setStorage(alice, word(1), word(2))
      state.checkpoint()
      await state.setStorage(alice, word(1), word(3))
      await state.deleteAccount(alice)
      state.revert()
      strictEqual(await state.getStorage(alice, word(1)), word(2))
      state.checkpoint()
      await state.setStorage(alice, word(1), word(4))
      state.commit()
      strictEqual(await state.getStorage(alice, word(1)), word(4))
      state.revert()
      strictEqual(await state.getStorage(alice, word(1)), word(1))
    }
  )

  onState("misuse is a defect, never an expected error", async (state) => {
    const failure = async (misuse: () => unknown) => {
      const exit = await Effect.runPromiseExit(attempt(async () => misuse()))
      return Exit.isFailure(exit) && Cause.isDie(exit.cause)
    }
    strictEqual(await failure(() => state.commit()), true)
    strictEqual(await failure(() => state.revert()), true)
    state.checkpoint()
    strictEqual(await failure(() => state.endTransaction()), true)
    strictEqual(await failure(() => state.root()), true)
    strictEqual(await failure(() => state.flush()), true)
  })
})

describe("State: transactions", () => {
  onState("a diff holds net changes; what was only touched is in the witness", async (state) => {
    await state.setAccount(alice, rich)
    await state.setStorage(alice, word(1), word(1))
    state.endTransaction()

    await state.setAccount(alice, { nonce: 2n, balance: 10n })
    await state.setStorage(alice, word(1), word(7))
    await state.setStorage(alice, word(1), word(1))
    await state.setStorage(alice, word(2), word(5))
    state.checkpoint()
    await state.setAccount(bob, rich)
    await state.getStorage(bob, word(9))
    state.revert()
    const diff = state.endTransaction()

    const codeHash = EMPTY_CODE_HASH
    const change = {
      before: { ...rich, codeHash },
      after: { nonce: 2n, balance: 10n, codeHash }
    }
    deepStrictEqual(diff.accounts, new Map([[alice, change]]))
    const slots = new Map([[word(2), { before: ZERO_HASH, after: word(5) }]])
    deepStrictEqual(diff.storage, new Map([[alice, slots]]))
    deepStrictEqual(diff.touched.accounts, new Set([alice, bob]))
    const touched = new Map([
      [alice, new Set([word(1), word(2)])],
      [bob, new Set([word(9)])]
    ])
    deepStrictEqual(diff.touched.slots, touched)
  })

  onState("each diff starts where the last one ended", async (state) => {
    await state.setStorage(alice, word(1), word(1))
    state.endTransaction()
    const nothing = state.endTransaction()
    strictEqual(nothing.storage.size, 0)
    strictEqual(nothing.touched.accounts.size, 0)
  })

  onState("code written is in the diff, code read is in the witness", async (state) => {
    await state.setCode(alice, code)
    await state.getCode(alice)
    const deployment = state.endTransaction()
    deepStrictEqual(deployment.codes, new Map([[keccak(code), code]]))
    deepStrictEqual(deployment.touched.codes, new Set())

    await state.getCode(alice)
    const call = state.endTransaction()
    deepStrictEqual(call.codes, new Map())
    deepStrictEqual(call.touched.codes, new Set([keccak(code)]))
  })

  onState("code of a reverted deployment is in no diff", async (state) => {
    state.checkpoint()
    await state.setCode(alice, code)
    state.revert()
    strictEqual(state.endTransaction().codes.size, 0)
    deepStrictEqual(await state.getCode(alice), new Uint8Array())
  })
})

describe("State: forks and roots", () => {
  onState("a fork and its origin do not see each other's writes", async (state) => {
    await state.setCode(alice, code)
    await state.setStorage(alice, word(1), word(1))
    state.checkpoint()
    await state.setStorage(alice, word(2), word(2))
    const fork = state.fork()
    state.revert()
    strictEqual(await fork.getStorage(alice, word(2)), word(2))
    await fork.setStorage(alice, word(1), word(9))
    await fork.deleteAccount(alice)
    strictEqual(await state.getStorage(alice, word(1)), word(1))
    deepStrictEqual(await state.getCode(alice), code)
    strictEqual(await fork.flush(), EMPTY_ROOT)
  })

  onState("root answers what flush will, and stores nothing yet", async (state) => {
    await state.setAccount(alice, rich)
    const first = await state.root()
    await state.setAccount(bob, rich)
    const second = await state.root()
    strictEqual(first === second, false)
    strictEqual(await state.flush(), second)
  })

  onState("the root does not depend on the order of writes", async (state) => {
    const other = state.fork()
    for (const number of [1, 2, 3, 4, 5]) await state.setStorage(alice, word(number), word(number))
    await state.setAccount(bob, rich)
    await other.setAccount(bob, rich)
    for (const number of [4, 2, 5, 1, 3]) await other.setStorage(alice, word(number), word(number))
    strictEqual(await state.root(), await other.root())
  })
})

it.effect("attempt types what a state rejects with and lets a bug be a defect", () =>
  Effect.gen(function* () {
    const missing = new TrieNodeMissing({ hash: word(1), kind: "code" })
    assertInstanceOf(yield* Effect.flip(attempt(() => Promise.reject(missing))), TrieNodeMissing)
    const bug = yield* Effect.exit(attempt(() => Promise.reject(new Error("bug"))))
    strictEqual(Exit.isFailure(bug) && Cause.isDie(bug.cause), true)
  })
)
