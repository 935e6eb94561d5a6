import { it } from "@effect/vitest"
import { assertSome } from "@effect/vitest/utils"
import { Effect } from "effect"
import { keccak } from "../src/internal/Bytes.ts"
import { layerMemory, makeMemory } from "../src/NodeStore.ts"
import { suite } from "./NodeStoreTest.ts"

suite("memory", layerMemory)

it.effect("a store in memory can start with contents", () =>
  Effect.gen(function* () {
    const bytes = Uint8Array.of(1, 2, 3)
    assertSome(yield* makeMemory([bytes]).get(keccak(bytes)), bytes)
  })
)
