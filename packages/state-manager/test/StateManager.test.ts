import { verifyMerkleProof } from "@ethereumjs/mpt"
import { RLP } from "@ethereumjs/rlp"
import { MerkleStateManager } from "@ethereumjs/statemanager"
import {
  bigIntToUnpaddedBytes,
  bytesToHex,
  createAccount,
  createAddressFromString,
  hexToBytes
} from "@ethereumjs/util"
import { describe, it } from "@effect/vitest"
import { assertEquals, assertInstanceOf, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import type { Hash32, Hex } from "@ovm/protocol/Primitives"
import { Effect, Layer } from "effect"
import { layerMemory as layerNodes, makeMemory, NodeStore } from "../src/NodeStore.ts"
import {
  attempt,
  EMPTY_CODE_HASH,
  EMPTY_ROOT,
  type State,
  StateRootUnknown,
  TrieNodeMissing
} from "../src/State.ts"
import { applyDiff } from "../src/StateDiff.ts"
import { layerEthereumJs, layerMemory, StateManager } from "../src/StateManager.ts"
import type { AccountProof } from "../src/StateProof.ts"
import { address, word } from "./utilities.ts"

const ACCOUNTS = 30

/** A manager, and the store below it. */
const layerOverMemory = layerEthereumJs.pipe(Layer.provideMerge(layerNodes))

/** Accounts of which every third has code, and every second storage of as many slots as its number. */
const populate = async (state: State): Promise<Hash32> => {
  for (let number = 1; number <= ACCOUNTS; number++) {
    await state.setAccount(address(number), {
      nonce: BigInt(number),
      balance: BigInt(number) ** 9n
    })
    if (number % 3 === 0) await state.setCode(address(number), codeOf(number))
    if (number % 2 === 0) {
      for (let slot = 0; slot < number; slot++) {
        await state.setStorage(address(number), word(slot), word(slot * number + 1))
      }
    }
  }
  state.endTransaction()
  return state.flush()
}

const codeOf = (number: number) => new Uint8Array(number).fill(number)

/** The fields a proof shows, as @ethereumjs/mpt verifies them against the root. */
const verifyAccount = async (root: Hash32, proof: AccountProof) => {
  const encoded = await verify(root, proof.address, proof.accountProof)
  if (encoded === null) return undefined
  const fields = RLP.decode(encoded)
  return Array.isArray(fields)
    ? fields.map((field) => (field instanceof Uint8Array ? bytesToHex(field) : field))
    : fields
}

const verify = async (root: Hash32, key: Hex, proof: ReadonlyArray<Hex>) =>
  verifyMerkleProof(hexToBytes(key), proof.map(hexToBytes), {
    useKeyHashing: true,
    root: hexToBytes(root)
  })

const hexOf = (value: bigint): Hex => bytesToHex(bigIntToUnpaddedBytes(value))

describe("StateManager", () => {
  it.effect("has the roots of @ethereumjs/statemanager", () =>
    Effect.gen(function* () {
      const { emptyRoot, open } = yield* StateManager
      const state = yield* open(emptyRoot)
      const root = yield* attempt(() => populate(state))
      const oracle = new MerkleStateManager()
      yield* Effect.promise(async () => {
        for (let number = 1; number <= ACCOUNTS; number++) {
          const at = createAddressFromString(address(number))
          const fields = { nonce: BigInt(number), balance: BigInt(number) ** 9n }
          await oracle.putAccount(at, createAccount(fields))
          if (number % 3 === 0) await oracle.putCode(at, codeOf(number))
          if (number % 2 === 1) continue
          for (let slot = 0; slot < number; slot++) {
            const value = hexToBytes(word(slot * number + 1))
            await oracle.putStorage(at, hexToBytes(word(slot)), value)
          }
        }
      })
      strictEqual(root, bytesToHex(yield* Effect.promise(() => oracle.getStateRoot())))
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("refuses a root that nobody stored", () =>
    Effect.gen(function* () {
      const { open, prove } = yield* StateManager
      const unknown = new StateRootUnknown({ root: word(1) })
      assertEquals(yield* Effect.flip(open(word(1))), unknown)
      const proof = prove({ root: word(1), address: address(1), slots: [] })
      assertEquals(yield* Effect.flip(proof), unknown)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("does not know a root before it was flushed", () =>
    Effect.gen(function* () {
      const { emptyRoot, open } = yield* StateManager
      const state = yield* open(emptyRoot)
      yield* attempt(() => state.setAccount(address(1), { nonce: 1n, balance: 0n }))
      const root = yield* attempt(() => state.root())
      assertInstanceOf(yield* Effect.flip(open(root)), StateRootUnknown)
      yield* attempt(() => state.flush())
      yield* open(root)
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("stores each node once, however often it is flushed", () =>
    Effect.gen(function* () {
      const store = makeMemory()
      const stored: Array<Hash32> = []
      const putMany: typeof store.putMany = (entries) =>
        store.putMany(entries).pipe(Effect.tap(() => stored.push(...entries.keys())))
      yield* Effect.gen(function* () {
        const { emptyRoot, open } = yield* StateManager
        const state = yield* open(emptyRoot)
        yield* attempt(async () => {
          await populate(state)
          await state.flush()
          await state.setStorage(address(2), word(1), word(1_000_000))
          await state.flush()
        })
      }).pipe(
        Effect.provide(layerEthereumJs),
        Effect.provideService(NodeStore, { ...store, putMany })
      )
      strictEqual(new Set(stored).size, stored.length)
    })
  )

  it.effect("answers a typed error where nodes or code are gone", () =>
    Effect.gen(function* () {
      const { emptyRoot, open } = yield* StateManager
      const root = yield* attempt(async () => populate(await Effect.runPromise(open(emptyRoot))))
      const store = yield* NodeStore
      const rootNode = yield* store.get(root)
      const onlyRoot = makeMemory(rootNode._tag === "Some" ? [rootNode.value] : [])
      yield* Effect.gen(function* () {
        const state = yield* (yield* StateManager).open(root)
        const error = yield* Effect.flip(attempt(() => state.getAccount(address(1))))
        assertInstanceOf(error, TrieNodeMissing)
      }).pipe(
        Effect.provide(layerEthereumJs.pipe(Layer.provide(Layer.succeed(NodeStore, onlyRoot))))
      )
    }).pipe(Effect.provide(layerOverMemory))
  )
})

describe("StateManager.prove", () => {
  it.effect("proves accounts, slots and their absence to @ethereumjs/mpt", () =>
    Effect.gen(function* () {
      const { emptyRoot, open, prove } = yield* StateManager
      const state = yield* open(emptyRoot)
      const root = yield* attempt(() => populate(state))
      for (const number of [1, 6, 20, 30]) {
        const slots = [word(0), word(number - 1), word(number), word(1n << 200n)]
        const proof = yield* prove({ root, address: address(number), slots })
        const account = yield* attempt(() => state.getAccount(address(number)))
        strictEqual(proof.codeHash, account?.codeHash)
        deepStrictEqual(yield* Effect.promise(() => verifyAccount(root, proof)), [
          hexOf(proof.nonce),
          hexOf(proof.balance),
          proof.storageHash,
          proof.codeHash
        ])
        strictEqual(proof.balance, BigInt(number) ** 9n)
        for (const { key, proof: nodes, value } of proof.storageProof) {
          strictEqual(value, BigInt(yield* attempt(() => state.getStorage(address(number), key))))
          if (proof.storageHash === EMPTY_ROOT) {
            deepStrictEqual([value, nodes], [0n, []])
            continue
          }
          const proven = yield* Effect.promise(() => verify(proof.storageHash, key, nodes))
          deepStrictEqual(proven, value === 0n ? null : RLP.encode(value))
        }
      }
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("proves that an account is absent", () =>
    Effect.gen(function* () {
      const { emptyRoot, open, prove } = yield* StateManager
      const state = yield* open(emptyRoot)
      const root = yield* attempt(() => populate(state))
      for (const number of [0, 31, 1_000, 0xdead]) {
        const proof = yield* prove({ root, address: address(number), slots: [word(1)] })
        strictEqual(yield* Effect.promise(() => verifyAccount(root, proof)), undefined)
        deepStrictEqual(
          [proof.nonce, proof.balance, proof.codeHash, proof.storageHash],
          [0n, 0n, EMPTY_CODE_HASH, EMPTY_ROOT]
        )
        deepStrictEqual(proof.storageProof, [{ key: word(1), value: 0n, proof: [] }])
      }
      const nothing = yield* prove({ root: EMPTY_ROOT, address: address(1), slots: [] })
      deepStrictEqual(nothing.accountProof, [])
    }).pipe(Effect.provide(layerMemory))
  )
})

describe("StateManager.witness", () => {
  it.effect("suffices to read all that was touched and to make all changes", () =>
    Effect.gen(function* () {
      const { emptyRoot, open, witness } = yield* StateManager
      const state = yield* open(emptyRoot)
      const before = yield* attempt(() => populate(state))
      yield* attempt(async () => {
        await state.getCode(address(3))
        await state.getStorage(address(4), word(2))
        await state.setStorage(address(30), word(1), word(77))
        // Deletions: the branches they leave behind may need siblings that nobody read.
        for (let slot = 0; slot < 20; slot++)
          await state.setStorage(address(20), word(slot), word(0))
        for (let slot = 2; slot < 30; slot++)
          await state.setStorage(address(30), word(slot), word(0))
        for (const number of [5, 6, 7, 8]) await state.deleteAccount(address(number))
        await state.setCode(address(1_000), codeOf(9))
        await state.setAccount(address(9), { nonce: 0n, balance: 0n })
      })
      const diff = state.endTransaction()
      const after = yield* attempt(() => state.flush())
      const { codes, nodes, root } = yield* witness({ root: before, diff })
      strictEqual(root, before)
      deepStrictEqual(codes, [codeOf(3)])

      const store = makeMemory([...nodes, ...codes])
      yield* Effect.gen(function* () {
        const stateless = yield* (yield* StateManager).open(before)
        yield* attempt(async () => {
          deepStrictEqual(await stateless.getCode(address(3)), codeOf(3))
          strictEqual(await stateless.getStorage(address(4), word(2)), word(9))
          await applyDiff(stateless, diff)
          strictEqual(await stateless.flush(), after)
        })
      }).pipe(Effect.provide(layerEthereumJs.pipe(Layer.provide(Layer.succeed(NodeStore, store)))))
    }).pipe(Effect.provide(layerMemory))
  )

  it.effect("holds nothing that is not needed", () =>
    Effect.gen(function* () {
      const { emptyRoot, open, prove, witness } = yield* StateManager
      const state = yield* open(emptyRoot)
      const root = yield* attempt(() => populate(state))
      yield* attempt(() => state.getStorage(address(20), word(3)))
      const { nodes } = yield* witness({ root, diff: state.endTransaction() })
      const proof = yield* prove({ root, address: address(20), slots: [word(3)] })
      const proven = [...proof.accountProof, ...proof.storageProof.flatMap((slot) => slot.proof)]
      deepStrictEqual(new Set(nodes.map(bytesToHex)), new Set<string>(proven))
    }).pipe(Effect.provide(layerMemory))
  )
})
