import { it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import { BoundedCache } from "../src/internal/BoundedCache.ts"

it("a bounded cache forgets what was not used for long, and only that", () => {
  const cache = new BoundedCache<number, string>(10)
  for (let key = 0; key < 1_000; key++) {
    cache.set(key, String(key))
    strictEqual(cache.get(key), String(key))
    strictEqual(cache.get(0), "0", "read all the time")
  }
  const kept = Array.from({ length: 1_000 }, (_, key) => cache.get(key)).filter(Boolean)
  strictEqual(kept.length <= 10, true)
  strictEqual(cache.get(500), undefined)
})
