/** A state and a model side by side: every operation goes to both, and they must stay the same. */
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex } from "@ethereumjs/util"
import { type Address, type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import fc from "fast-check"
import type { Account, AccountChange, SlotChange, State, StateDiff } from "../src/State.ts"
import { applyDiff } from "../src/StateDiff.ts"
import {
  cloneModel,
  isEmpty,
  type Model,
  type ModelAccount,
  modelAccount,
  modelRoot,
  sweep
} from "./Model.ts"
import { address, word } from "./utilities.ts"

const ACCOUNTS = 3
const SLOTS = 4

const account = fc.nat({ max: ACCOUNTS - 1 })
const slot = fc.nat({ max: SLOTS - 1 })
const value = fc.nat({ max: 3 })
const simple = <K extends string>(kind: K) => fc.record({ kind: fc.constant(kind) })

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("account" as const), account, value }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("slot" as const), account, slot, value }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("code" as const), account, value }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("delete" as const), account }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("read" as const), account, slot }) },
  { weight: 3, arbitrary: simple("checkpoint" as const) },
  { weight: 1, arbitrary: simple("commit" as const) },
  { weight: 2, arbitrary: simple("revert" as const) },
  { weight: 1, arbitrary: simple("end" as const) },
  { weight: 1, arbitrary: simple("root" as const) },
  { weight: 1, arbitrary: simple("flush" as const) },
  { weight: 1, arbitrary: simple("fork" as const) },
  { weight: 1, arbitrary: simple("reopen" as const) }
)
export type Operation = typeof operation extends fc.Arbitrary<infer A> ? A : never
export const operations = fc.array(operation, { minLength: 40, maxLength: 120 })

/** Operations of which none ends the transaction. */
export const transaction = operations.map((all) =>
  all.filter(({ kind }) => !["end", "flush", "fork", "reopen", "root"].includes(kind))
)

let codesMade = 0

/** No code at all for 0, else one that was never seen before, so that no other store can have it. */
const codeOf = (value: number): Uint8Array =>
  value === 0 ? new Uint8Array() : new TextEncoder().encode(`code ${codesMade++}`)

export class Comparison {
  #state: State
  readonly #open: (root: Hash32) => Promise<State>
  /** Sees nothing but the diffs of the other. */
  readonly #follower: State
  #model: Model
  #modelAtStart: Model
  #diff: StateDiff | undefined
  readonly #checkpoints: Array<Model> = []

  constructor(options: {
    readonly state: State
    readonly follower: State
    readonly open: (root: Hash32) => Promise<State>
    readonly model?: Model
  }) {
    const { follower, model = new Map<Address, ModelAccount>(), open, state } = options
    this.#state = state
    this.#follower = follower
    this.#open = open
    this.#model = cloneModel(model)
    this.#modelAtStart = cloneModel(model)
  }

  get model(): Model {
    return this.#model
  }

  /** What the last transaction changed. */
  get diff(): StateDiff {
    if (this.#diff === undefined) throw new Error("Expected a transaction to have ended.")
    return this.#diff
  }

  async apply(next: Operation): Promise<void> {
    const state = this.#state
    switch (next.kind) {
      case "account":
      case "code":
      case "delete":
      case "slot":
        return this.#write(next)
      case "read":
        return this.#read(next.account, next.slot)
      case "checkpoint":
        state.checkpoint()
        this.#checkpoints.push(cloneModel(this.#model))
        return
      case "commit":
        if (this.#checkpoints.pop() !== undefined) state.commit()
        return
      case "revert": {
        const before = this.#checkpoints.pop()
        if (before === undefined) return
        state.revert()
        this.#model = before
        return
      }
      case "end":
        return this.#endTransaction()
      case "root":
      case "flush":
        this.#commitAll()
        sweep(this.#model)
        strictEqual(await state[next.kind](), await modelRoot(this.#model))
        return
      case "fork":
        return this.#fork()
      case "reopen":
        await this.#endTransaction()
        this.#state = await this.#open(await state.flush())
        return
    }
  }

  /** Ends the transaction, compares everything there is, and answers the root. */
  async finish(): Promise<Hash32> {
    await this.#endTransaction()
    const root = await this.#state.flush()
    strictEqual(root, await modelRoot(this.#model))
    strictEqual(await this.#follower.root(), root)
    await this.matches(this.#state)
    return root
  }

  /** Whether `state` holds what the model does. */
  async matches(state: State): Promise<void> {
    for (let number = 0; number < ACCOUNTS; number++) {
      const expected = modelAccount(this.#model, address(number))
      deepStrictEqual(await state.getAccount(address(number)), visible(expected))
      deepStrictEqual(await state.getCode(address(number)), expected.code)
      for (let slot = 0; slot < SLOTS; slot++) {
        const value = expected.storage.get(word(slot)) ?? ZERO_HASH
        strictEqual(await state.getStorage(address(number), word(slot)), value)
      }
      const hasStorage = [...expected.storage.values()].some((value) => value !== ZERO_HASH)
      strictEqual(await state.hasStorage(address(number)), hasStorage)
    }
  }

  async #write(
    next: Extract<Operation, { kind: "account" | "code" | "delete" | "slot" }>
  ): Promise<void> {
    const at = address(next.account)
    const model = modelAccount(this.#model, at)
    if (next.kind === "slot") {
      model.storage.set(word(next.slot), word(next.value))
      return this.#state.setStorage(at, word(next.slot), word(next.value))
    }
    if (next.kind === "account") {
      model.nonce = BigInt(next.value & 1)
      model.balance = BigInt(next.value >> 1)
      await this.#state.setAccount(at, { nonce: model.nonce, balance: model.balance })
    } else if (next.kind === "code") {
      model.code = codeOf(next.value)
      await this.#state.setCode(at, model.code)
    } else {
      this.#model.delete(at)
      return this.#state.deleteAccount(at)
    }
    model.isSwept = isEmpty(model)
  }

  async #read(number: number, slot: number): Promise<void> {
    const expected = modelAccount(this.#model, address(number))
    deepStrictEqual(await this.#state.getAccount(address(number)), visible(expected))
    strictEqual(
      await this.#state.getStorage(address(number), word(slot)),
      expected.storage.get(word(slot)) ?? ZERO_HASH
    )
  }

  async #endTransaction(): Promise<void> {
    this.#commitAll()
    sweep(this.#model)
    const diff = this.#state.endTransaction()
    deepStrictEqual(diff.accounts, accountChanges(this.#modelAtStart, this.#model))
    deepStrictEqual(
      withCleared(diff, this.#modelAtStart),
      slotChanges(this.#modelAtStart, this.#model)
    )
    await applyDiff(this.#follower, diff)
    this.#follower.endTransaction()
    this.#diff = diff
    this.#modelAtStart = cloneModel(this.#model)
  }

  /** A fork takes its own way: neither sees what the other does. */
  async #fork(): Promise<void> {
    const fork = this.#state.fork()
    const comparison = new Comparison({
      state: fork,
      follower: fork,
      open: this.#open,
      model: this.#model
    })
    for (let number = 0; number < ACCOUNTS; number += 2) {
      await comparison.apply({ kind: "slot", account: number, slot: 1, value: number })
      await comparison.apply({ kind: "account", account: number, value: number })
      await comparison.apply({ kind: "delete", account: 1 })
    }
    await comparison.apply({ kind: "root" })
    await comparison.matches(fork)
  }

  #commitAll(): void {
    while (this.#checkpoints.pop() !== undefined) this.#state.commit()
  }
}

const visible = (account: ModelAccount): Account | undefined =>
  isEmpty(account)
    ? undefined
    : {
        nonce: account.nonce,
        balance: account.balance,
        codeHash: bytesToHex(keccak_256(account.code))
      }

const accountChanges = (from: Model, to: Model): Map<Address, AccountChange> => {
  const changes = new Map<Address, AccountChange>()
  for (let number = 0; number < ACCOUNTS; number++) {
    const before = visible(modelAccount(from, address(number)))
    const after = visible(modelAccount(to, address(number)))
    const isSame =
      before?.nonce === after?.nonce &&
      before?.balance === after?.balance &&
      before?.codeHash === after?.codeHash
    if (!isSame)
      changes.set(address(number), { ...(before && { before }), ...(after && { after }) })
  }
  return changes
}

const slotChanges = (from: Model, to: Model): Map<Address, Map<Hash32, SlotChange>> => {
  const changes = new Map<Address, Map<Hash32, SlotChange>>()
  for (let number = 0; number < ACCOUNTS; number++) {
    const changed = new Map<Hash32, SlotChange>()
    for (let slot = 0; slot < SLOTS; slot++) {
      const before = modelAccount(from, address(number)).storage.get(word(slot)) ?? ZERO_HASH
      const after = modelAccount(to, address(number)).storage.get(word(slot)) ?? ZERO_HASH
      if (before !== after) changed.set(word(slot), { before, after })
    }
    if (changed.size > 0) changes.set(address(number), changed)
  }
  return changes
}

/** The diff's slots, and those that a cleared storage lost although nobody knew of them. */
const withCleared = (diff: StateDiff, from: Model): Map<Address, Map<Hash32, SlotChange>> => {
  const changes = new Map<Address, Map<Hash32, SlotChange>>()
  for (const [at, slots] of diff.storage) {
    const changed = [...slots].filter(([, { after, before }]) => before !== after)
    if (changed.length > 0) changes.set(at, new Map(changed))
  }
  for (const at of diff.storageCleared) {
    const slots = changes.get(at) ?? new Map<Hash32, SlotChange>()
    for (const [slot, before] of modelAccount(from, at).storage) {
      const isKnown = diff.storage.get(at)?.has(slot) || before === ZERO_HASH
      if (!isKnown && !diff.touched.slots.get(at)?.has(slot)) {
        slots.set(slot, { before, after: ZERO_HASH })
      }
    }
    if (slots.size > 0) changes.set(at, slots)
  }
  return changes
}
