import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, it } from "@effect/vitest"
import {
  assertInstanceOf,
  assertNone,
  assertSome,
  deepStrictEqual,
  strictEqual
} from "@effect/vitest/utils"
import { Effect, Layer } from "effect"
import { hexToBytes, keccak } from "../src/internal/Bytes.ts"
import { NodeStore } from "../src/NodeStore.ts"
import { layerSqlite } from "../src/SqliteNodeStore.ts"
import { attempt, NodeStoreFailed, StateCorrupted } from "../src/State.ts"
import { layerEthereumJs, StateManager } from "../src/StateManager.ts"
import { suite } from "./NodeStoreTest.ts"
import { address, word } from "./utilities.ts"

const database = (filename: string) => SqliteClient.layer({ filename })
const inMemory = database(":memory:")

suite("SQLite", layerSqlite.pipe(Layer.provide(inMemory)))

/** The store and the database below it. */
const storeAndClient = layerSqlite.pipe(Layer.provideMerge(inMemory))

const temporaryFile = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ovm-state-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
).pipe(Effect.map((folder) => join(folder, "state.sqlite")))

describe("SqliteNodeStore", () => {
  it.scoped("opens any past root after a restart", () =>
    Effect.gen(function* () {
      const manager = layerEthereumJs.pipe(
        Layer.provide(layerSqlite),
        Layer.provide(database(yield* temporaryFile))
      )
      const roots = yield* Effect.gen(function* () {
        const { emptyRoot, open } = yield* StateManager
        const state = yield* open(emptyRoot)
        return yield* attempt(async () => {
          const flushed: Array<Awaited<ReturnType<typeof state.flush>>> = []
          for (let block = 1; block <= 5; block++) {
            await state.setAccount(address(1), { nonce: BigInt(block), balance: 0n })
            await state.setStorage(address(1), word(block), word(block))
            await state.setCode(address(2), Uint8Array.of(block))
            flushed.push(await state.flush())
          }
          return flushed
        })
      }).pipe(Effect.provide(manager))

      yield* Effect.gen(function* () {
        const { open } = yield* StateManager
        for (const [index, root] of roots.entries()) {
          const block = index + 1
          const state = yield* open(root)
          yield* attempt(async () => {
            strictEqual((await state.getAccount(address(1)))?.nonce, BigInt(block))
            strictEqual(await state.getStorage(address(1), word(block)), word(block))
            strictEqual(await state.getStorage(address(1), word(block + 1)), word(0))
            deepStrictEqual(await state.getCode(address(2)), Uint8Array.of(block))
            strictEqual(await state.flush(), root)
          })
        }
      }).pipe(Effect.provide(manager))
    })
  )

  it.effect("leaves what was put if a later batch fails, and says so", () =>
    Effect.gen(function* () {
      const { get, putMany } = yield* NodeStore
      const sql = yield* SqlClient.SqlClient
      const bytes = Uint8Array.of(7)
      yield* putMany(new Map([[keccak(bytes), bytes]]))
      yield* sql`
        CREATE TRIGGER refuse BEFORE INSERT ON trie_nodes WHEN length(NEW.bytes) > 1
        BEGIN SELECT RAISE(ABORT, 'disk full'); END
      `
      const small = Uint8Array.of(8)
      // Too many for one statement, so that the refused row comes in another than the first.
      const many = Array.from({ length: 20_000 }, (_, row) => [word(row), small] as const)
      const batch = new Map([...many, [word(20_000), Uint8Array.of(1, 2)] as const])
      const error = yield* Effect.flip(putMany(batch))
      assertInstanceOf(error, NodeStoreFailed)
      strictEqual(error.operation, "putMany")
      assertSome(yield* get(keccak(bytes)), bytes)
      assertNone(yield* get(word(0)))
    }).pipe(Effect.provide(storeAndClient))
  )

  it.effect("a flush that could not be stored can be tried again", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { emptyRoot, open } = yield* StateManager
      const state = yield* open(emptyRoot)
      yield* attempt(() => state.setAccount(address(1), { nonce: 1n, balance: 1n }))
      yield* sql`
        CREATE TRIGGER refuse BEFORE INSERT ON trie_nodes
        BEGIN SELECT RAISE(ABORT, 'disk full'); END
      `
      assertInstanceOf(yield* Effect.flip(attempt(() => state.flush())), NodeStoreFailed)
      yield* sql`DROP TRIGGER refuse`
      const reopened = yield* open(yield* attempt(() => state.flush()))
      strictEqual((yield* attempt(() => reopened.getAccount(address(1))))?.balance, 1n)
    }).pipe(Effect.provide(layerEthereumJs.pipe(Layer.provideMerge(storeAndClient))))
  )

  it.effect("a row whose bytes were changed is found when it is read", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { emptyRoot, open } = yield* StateManager
      const state = yield* open(emptyRoot)
      const code = Uint8Array.of(0x60, 0x00)
      yield* attempt(() => state.setCode(address(1), code))
      const root = yield* attempt(() => state.flush())
      const hash = hexToBytes(keccak(code))
      yield* sql`UPDATE trie_nodes SET bytes = ${Uint8Array.of(0x60)} WHERE hash = ${hash}`
      const reopened = yield* open(root)
      const error = yield* Effect.flip(attempt(() => reopened.getCode(address(1))))
      assertInstanceOf(error, StateCorrupted)
      strictEqual(error.expected, keccak(code))
    }).pipe(Effect.provide(layerEthereumJs.pipe(Layer.provideMerge(storeAndClient))))
  )

  it.effect(
    "a database that can't be written, or has another table of this name, is a typed error",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`PRAGMA query_only = ON`
        const unopened = yield* Effect.flip(Effect.scoped(Layer.build(layerSqlite)))
        strictEqual(unopened.operation, "open")

        yield* sql`PRAGMA query_only = OFF`
        yield* sql`CREATE TABLE trie_nodes (something TEXT)`
        const { get, putMany } = yield* NodeStore.pipe(Effect.provide(layerSqlite))
        strictEqual((yield* Effect.flip(get(word(1)))).operation, "get")
        const entries = new Map([[word(1), Uint8Array.of(1)]])
        strictEqual((yield* Effect.flip(putMany(entries))).operation, "putMany")
      }).pipe(Effect.provide(inMemory))
  )
})
