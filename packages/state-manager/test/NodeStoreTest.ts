/** Behaviour every NodeStore must show. Each driver's test file calls this once. */
import { describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import type { Hash32 } from "@ovm/protocol/Primitives"
import { Effect, type Layer } from "effect"
import { keccak } from "../src/internal/Bytes.ts"
import { NodeStore } from "../src/NodeStore.ts"
import { word } from "./utilities.ts"

const bytesOf = (seed: number): Uint8Array => new TextEncoder().encode(`node ${seed}`)

const entriesOf = (count: number): ReadonlyMap<Hash32, Uint8Array> =>
  new Map(Array.from({ length: count }, (_, seed) => [keccak(bytesOf(seed)), bytesOf(seed)]))

export const suite = <E>(name: string, store: Layer.Layer<NodeStore, E>) =>
  describe(`NodeStore (${name})`, () => {
    it.effect("answers what was put, and nothing for what was not", () =>
      Effect.gen(function* () {
        const { get, putMany } = yield* NodeStore
        yield* putMany(entriesOf(3))
        assertSome(yield* get(keccak(bytesOf(2))), bytesOf(2))
        assertNone(yield* get(word(1)))
      }).pipe(Effect.provide(store))
    )

    it.effect("keeps what is there when it is put again", () =>
      Effect.gen(function* () {
        const { get, putMany } = yield* NodeStore
        yield* putMany(entriesOf(2))
        yield* putMany(entriesOf(4))
        assertSome(yield* get(keccak(bytesOf(0))), bytesOf(0))
        assertSome(yield* get(keccak(bytesOf(3))), bytesOf(3))
      }).pipe(Effect.provide(store))
    )

    it.effect("takes nothing, and more than fits one statement", () =>
      Effect.gen(function* () {
        const { get, putMany } = yield* NodeStore
        yield* putMany(new Map())
        yield* putMany(entriesOf(20_001))
        assertSome(yield* get(keccak(bytesOf(20_000))), bytesOf(20_000))
        assertSome(yield* get(keccak(bytesOf(0))), bytesOf(0))
      }).pipe(Effect.provide(store))
    )

    it.effect("keeps empty bytes apart from absence", () =>
      Effect.gen(function* () {
        const { get, putMany } = yield* NodeStore
        yield* putMany(new Map([[keccak(new Uint8Array()), new Uint8Array()]]))
        assertSome(yield* get(keccak(new Uint8Array())), new Uint8Array())
      }).pipe(Effect.provide(store))
    )
  })
