import { StorageBackedStateManager } from "@ovm/contracts"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import fc from "fast-check"
import {
  bytesToHex,
  decodeErrorResult,
  hexToBytes,
  keccak256,
  numberToHex,
  zeroAddress,
  zeroHash
} from "viem"
import { beforeEach, describe, expect, it } from "vitest"
import {
  MODE,
  makeStateManagerDriver,
  OPERATOR,
  type StateManagerDriver
} from "./support/StateManagerDriver.ts"
import { CALLER, type CallResult } from "./support/TestEvm.ts"

const { abi } = StorageBackedStateManager
const ALICE: Address = `0x${"a1".repeat(20)}`
const BOB: Address = `0x${"b0".repeat(20)}`
const EMPTY_CODE_HASH = keccak256("0x")
const word = (value: bigint): Hash32 => numberToHex(value, { size: 32 })
/** Bytes that differ at every offset within reach of a word. */
const patterned = (size: number): Hex =>
  bytesToHex(Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) % 251))

let state: StateManagerDriver

beforeEach(async () => {
  state = await makeStateManagerDriver()
})

describe("StorageBackedStateManager accounts", () => {
  it("knows no account before something is in it, and none that is empty again", async () => {
    expect(await state.getAccount(ALICE)).toEqual([0n, 0n, zeroHash])
    await state.setBalance(ALICE, 5n)
    expect(await state.getAccount(ALICE)).toEqual([0n, 5n, EMPTY_CODE_HASH])
    await state.setNonce(ALICE, 1n)
    await state.setBalance(ALICE, 0n)
    expect(await state.getAccount(ALICE)).toEqual([1n, 0n, EMPTY_CODE_HASH])
    await state.setNonce(ALICE, 0n)
    expect(await state.getAccount(ALICE)).toEqual([0n, 0n, zeroHash])
  })

  it("moves balance, or nothing if there is too little", async () => {
    await state.setBalance(ALICE, 5n)
    expect(await state.transfer(ALICE, BOB, 6n)).toBe(false)
    expect(await state.transfer(ALICE, BOB, 2n)).toBe(true)
    expect(await state.transfer(ALICE, ALICE, 3n)).toBe(true)
    expect(await state.transfer(ALICE, ALICE, 4n)).toBe(false)
    expect(await state.transfer(zeroAddress, BOB, 0n)).toBe(true)
    expect((await state.getAccount(ALICE))[1]).toBe(3n)
    expect((await state.getAccount(BOB))[1]).toBe(2n)
  })

  it("keeps storage apart by account, and knows whether there is any", async () => {
    await state.setStorage(ALICE, word(1n), word(7n))
    expect(await state.getStorage(ALICE, word(1n))).toBe(word(7n))
    expect(await state.getStorage(BOB, word(1n))).toBe(zeroHash)
    expect([await state.hasStorage(ALICE), await state.hasStorage(BOB)]).toEqual([true, false])
    expect(await state.hasStorage(ALICE)).toBe(true)
    await state.setStorage(ALICE, word(1n), zeroHash)
    expect(await state.hasStorage(ALICE)).toBe(false)
  })

  it("gives a deleted account's address new storage", async () => {
    await state.setBalance(ALICE, 5n)
    await state.setStorage(ALICE, word(1n), word(7n))
    await state.deleteAccount(ALICE)
    expect(await state.getAccount(ALICE)).toEqual([0n, 0n, zeroHash])
    expect(await state.getStorage(ALICE, word(1n))).toBe(zeroHash)
    expect(await state.hasStorage(ALICE)).toBe(false)
    await state.setStorage(ALICE, word(2n), word(8n))
    expect(await state.hasStorage(ALICE)).toBe(true)
  })
})

/** What the state must be, in plain maps. */
class Model {
  readonly #accounts = new Map<Address, { nonce: bigint; balance: bigint }>()
  readonly #storage = new Map<string, Hash32>()

  account(address: Address) {
    return this.#accounts.get(address) ?? { nonce: 0n, balance: 0n }
  }

  set(address: Address, changes: { nonce?: bigint; balance?: bigint }) {
    this.#accounts.set(address, { ...this.account(address), ...changes })
  }

  value(address: Address, slot: Hash32) {
    return this.#storage.get(address + slot) ?? zeroHash
  }

  setValue(address: Address, slot: Hash32, value: Hash32) {
    this.#storage.set(address + slot, value)
  }

  hasStorage(address: Address) {
    return SLOTS.some((slot) => this.value(address, slot) !== zeroHash)
  }

  delete(address: Address) {
    this.#accounts.delete(address)
    for (const slot of SLOTS) this.#storage.delete(address + slot)
  }
}

/** Changes the model, and gives the call that must do the same and what it must return. */
type Step = (model: Model) => { readonly call: Hex; readonly expected: Hex }

const ADDRESSES: ReadonlyArray<Address> = [ALICE, BOB, zeroAddress]
const SLOTS = [word(0n), word(1n), keccak256("0x01")]
const someAddress = fc.constantFrom(...ADDRESSES)
const someSlot = fc.constantFrom(...SLOTS)
const someAmount = fc.bigInt({ min: 0n, max: 3n })
const bool = (value: boolean) => word(value ? 1n : 0n)

const someStep: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(someAddress, someAmount).map(
    ([account, nonce]): Step =>
      (model) => {
        model.set(account, { nonce })
        return { call: state.encode.setNonce(account, nonce), expected: "0x" }
      }
  ),
  fc.tuple(someAddress, someAddress, someAmount).map(
    ([from, to, amount]): Step =>
      (model) => {
        const enough = model.account(from).balance >= amount
        if (enough) {
          model.set(from, { balance: model.account(from).balance - amount })
          model.set(to, { balance: model.account(to).balance + amount })
        }
        return { call: state.encode.transfer(from, to, amount), expected: bool(enough) }
      }
  ),
  fc.tuple(someAddress, someSlot, someAmount).map(
    ([account, slot, value]): Step =>
      (model) => {
        model.setValue(account, slot, word(value))
        return { call: state.encode.setStorage(account, slot, word(value)), expected: "0x" }
      }
  ),
  fc.tuple(someAddress, someSlot).map(
    ([account, slot]): Step =>
      (model) => ({
        call: state.encode.getStorage(account, slot),
        expected: model.value(account, slot)
      })
  ),
  someAddress.map(
    (account): Step =>
      (model) => ({
        call: state.encode.hasStorage(account),
        expected: bool(model.hasStorage(account))
      })
  ),
  someAddress.map(
    (account): Step =>
      (model) => {
        model.delete(account)
        return { call: state.encode.deleteAccount(account), expected: "0x" }
      }
  )
)

describe("StorageBackedStateManager under random operations", () => {
  it("holds what plain maps hold, within runs and after them", async () => {
    const someRuns = fc.array(fc.array(someStep, { maxLength: 12 }), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(someRuns, async (runs) => {
        state = await makeStateManagerDriver()
        const model = new Model()
        for (const address of ADDRESSES) {
          await state.setBalance(address, 3n)
          model.set(address, { balance: 3n })
        }
        for (const steps of runs) {
          const calls = steps.map((step) => step(model))
          const results = await state.run(calls.map(({ call }) => call))
          expect(results.slice(0, -1)).toEqual(calls.map(({ expected }) => expected))
        }
        for (const address of ADDRESSES) {
          const { balance, nonce } = model.account(address)
          const codeHash = nonce === 0n && balance === 0n ? zeroHash : EMPTY_CODE_HASH
          expect(await state.getAccount(address)).toEqual([nonce, balance, codeHash])
          expect(await state.hasStorage(address)).toBe(model.hasStorage(address))
          for (const slot of SLOTS) {
            expect(await state.getStorage(address, slot)).toBe(model.value(address, slot))
          }
        }
      }),
      { numRuns: 40 }
    )
  }, 60_000)
})

describe("StorageBackedStateManager code", () => {
  it("deploys what the transpiler made, and shows the original", async () => {
    const original = "0x6001600255"
    await state.register(MODE.runtime, original, "0x335af4")
    expect(await state.prepareCode(original)).toBe(true)
    await state.setCode(ALICE, keccak256(original))
    expect(await state.getAccount(ALICE)).toEqual([0n, 0n, keccak256(original)])
    expect(await state.getCodeSize(ALICE)).toBe(5n)
    const [executable, codeHash] = await state.getExecutable(ALICE)
    expect(codeHash).toBe(keccak256(original))
    expect(await state.evm.codeOf(executable)).toBe("0x335af4")
    expect(await state.getExecutable(BOB)).toEqual([zeroAddress, zeroHash])
    expect(await state.getCodeSize(BOB)).toBe(0n)
  })

  it.each([0, 1, 24_575, 24_576, 49_150, 49_151, 49_152])(
    "keeps an original of %i bytes, and copies any part of it, zeros behind its end",
    async (size) => {
      const original = patterned(size)
      await state.register(MODE.init, original, "0x00")
      const bytes = hexToBytes(original)
      const copies: ReadonlyArray<[number, number]> = [
        ...[
          [0, size],
          [0, 0],
          [1, 40],
          [24_570, 10],
          [24_560, 24_600],
          [49_140, 20]
        ],
        ...[
          [size, 3],
          [size + 9, 3]
        ]
      ].map(([offset = 0, length = 0]) => [offset, length])
      for (const [offset, length] of copies) {
        const expected = new Uint8Array(length)
        expected.set(bytes.subarray(offset, offset + length))
        const copy = await state.copyCode(keccak256(original), BigInt(offset), BigInt(length))
        expect(copy === bytesToHex(expected), `${offset}, ${length}`).toBe(true)
      }
      const far = await state.copyCode(keccak256(original), 2n ** 256n - 1n, 2n)
      expect(far).toBe("0x0000")
    }
  )

  it("gives initcode's transpiled form, whatever its size", async () => {
    for (const size of [1, 24_576, 49_152]) {
      const transpiled: Hex = `0x${"5b".repeat(size)}`
      const original = patterned(size)
      await state.register(MODE.init, original, transpiled)
      const [ok, hash, executable] = await state.prepareInitCode(original)
      expect([ok, hash, executable === transpiled]).toEqual([true, keccak256(original), true])
    }
  })

  it("takes the largest transpiled code, and remembers that a larger one can't be deployed", async () => {
    await state.register(MODE.runtime, "0x01", `0x${"5b".repeat(24_576)}`)
    expect(await state.prepareCode("0x01")).toBe(true)
    await state.register(MODE.runtime, "0x02", `0x${"5b".repeat(24_577)}`)
    expect(await state.prepareCode("0x02")).toBe(false)
    await state.register(MODE.init, "0x02", `0x${"5b".repeat(49_153)}`)
    expect((await state.prepareInitCode("0x02"))[0]).toBe(false)
  })

  it("keeps the first registration", async () => {
    await state.register(MODE.init, "0x01", "0x00")
    await state.register(MODE.init, "0x01", "0x01")
    await state.register(MODE.runtime, "0x01", "0x02")
    expect((await state.prepareInitCode("0x01"))[2]).toBe("0x00")
    expect(await state.prepareCode("0x01")).toBe(true)
  })
})

describe("StorageBackedStateManager errors", () => {
  const errorOf = ({ returnData, success }: CallResult) => {
    if (success) return "accepted"
    const { args = [], errorName } = decodeErrorResult({ abi, data: returnData })
    return [errorName, ...args]
  }

  it("answers to the ExecutionManager alone", async () => {
    const { encode, send } = state
    for (const data of [
      encode.getAccount(ALICE),
      encode.setNonce(ALICE, 1n),
      encode.setBalance(ALICE, 1n),
      encode.transfer(ALICE, BOB, 0n),
      encode.getStorage(ALICE, zeroHash),
      encode.setStorage(ALICE, zeroHash, zeroHash),
      encode.hasStorage(ALICE),
      encode.getCodeSize(ALICE),
      encode.getExecutable(ALICE),
      encode.copyCode(zeroHash, 0n, 0n),
      encode.prepareInitCode("0x"),
      encode.prepareCode("0x"),
      encode.setCode(ALICE, zeroHash),
      encode.deleteAccount(ALICE),
      encode.commit()
    ]) {
      expect(errorOf(await send(data, OPERATOR))).toEqual(["NotExecutionManager", OPERATOR])
    }
  })

  it("is set up by its operator alone, and until it is sealed", async () => {
    const { encode, send } = state
    const plain = {
      nonce: 1n,
      balance: 2n,
      code: "0x",
      slots: [word(1n)],
      values: [word(2n)]
    } as const
    const allocation = encode.allocate(ALICE, { ...plain, slots: [word(1n)], values: [word(2n)] })
    for (const data of [encode.register(0, "0x", "0x"), allocation, encode.seal()]) {
      expect(errorOf(await send(data, CALLER))).toMatchObject(["NotOperator", expect.anything()])
    }
    await send(allocation, OPERATOR)
    expect(await state.getAccount(ALICE)).toEqual([1n, 2n, EMPTY_CODE_HASH])
    expect(await state.getStorage(ALICE, word(1n))).toBe(word(2n))
    expect(await state.hasStorage(ALICE)).toBe(true)
    await state.seal()
    expect(errorOf(await send(allocation, OPERATOR))).toEqual(["AlreadySealed"])
  })

  it("runs nothing that isn't registered, and registers nothing unsafe", async () => {
    const { encode, send } = state
    const hash = keccak256("0x54")
    await state.register(MODE.runtime, "0x", "0x")
    expect(errorOf(await send(encode.prepareInitCode("0x54")))).toEqual([
      "CodeNotRegistered",
      hash,
      MODE.init
    ])
    expect(errorOf(await send(encode.prepareCode("0x54")))).toEqual([
      "CodeNotRegistered",
      hash,
      MODE.runtime
    ])
    expect(errorOf(await send(encode.setCode(ALICE, hash)))).toEqual([
      "CodeNotRegistered",
      hash,
      MODE.runtime
    ])
    const unsafe = encode.register(MODE.runtime, "0x54", "0x5b54")
    expect(errorOf(await send(unsafe, OPERATOR))).toEqual(["UnsafeCode", 1n, 0x54])
    const tooLarge = encode.register(MODE.init, `0x${"00".repeat(49_153)}`, "0x")
    expect(errorOf(await send(tooLarge, OPERATOR))).toEqual(["TooLargeToKeep", 49_153n, 49_152n])
  })

  it("refuses what an account can't hold", async () => {
    const { encode, send } = state
    const nonce = encode.setNonce(ALICE, 2n ** 64n)
    expect(errorOf(await send(nonce))).toMatchObject([
      "NonceTooLarge",
      expect.anything(),
      2n ** 64n
    ])
    const balance = encode.setBalance(ALICE, 2n ** 120n)
    expect(errorOf(await send(balance))).toMatchObject([
      "BalanceTooLarge",
      expect.anything(),
      2n ** 120n
    ])
    await state.setBalance(ALICE, 2n ** 120n - 1n)
    await state.setBalance(BOB, 1n)
    expect(errorOf(await send(encode.transfer(BOB, ALICE, 1n)))).toMatchObject([
      "BalanceTooLarge",
      expect.anything(),
      2n ** 120n
    ])
  })
})

describe("StorageBackedStateManager gas", () => {
  it("is bounded when everything is cold: prices in the gas schedule must lie above", async () => {
    const { encode, send } = state
    const original = patterned(24_576)
    const hash = keccak256(original)
    await state.register(MODE.runtime, original, `0x${"5b".repeat(24_576)}`)
    await state.setCode(ALICE, hash)
    await state.setBalance(ALICE, 5n)
    await state.setStorage(ALICE, word(1n), word(7n))
    const bounds: ReadonlyArray<[Hex, bigint]> = [
      [encode.getAccount(ALICE), 5_600n],
      [encode.getStorage(ALICE, word(1n)), 5_300n],
      [encode.setStorage(ALICE, word(2n), word(7n)), 6_800n],
      [encode.getCodeSize(ALICE), 3_000n],
      [encode.getExecutable(ALICE), 7_600n],
      [encode.copyCode(hash, 0n, 32n), 6_500n],
      [encode.transfer(ALICE, BOB, 1n), 7_500n]
    ]
    for (const [data, bound] of bounds) {
      const { gasUsed, success } = await send(data)
      expect(success).toBe(true)
      expect(gasUsed).toBeLessThan(bound)
    }
  })
})
