import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { NodeContext } from "@effect/platform-node"
import { Effect } from "effect"
import { expect } from "vitest"
import {
  findFixtures,
  FixtureNotFound,
  type LoadedCase,
  loadFixture,
  MalformedFixture,
  parseFixture,
  type StateTestCase
} from "../src/StateTestFixture.ts"
import { word } from "../src/WorldState.ts"

const FOLDER = fileURLToPath(new URL("fixtures", import.meta.url))
const FILE = `${FOLDER}/HandWritten.json`

const runnable = (loaded: LoadedCase): StateTestCase => {
  if (loaded._tag === "Runnable") return loaded.stateTest
  throw new Error(loaded.unsupported.reason)
}

const handWritten = loadFixture(FILE, "Cancun").pipe(
  Effect.map((cases) => cases.map(runnable)),
  Effect.provide(NodeContext.layer)
)
const named = (test: string) =>
  Effect.map(handWritten, (cases) => cases.filter(({ identity }) => identity.test === test))

const parse = (value: unknown, fork = "Cancun") =>
  parseFixture({ path: "here.json", text: JSON.stringify(value), fork })

const ACCOUNT = { nonce: "0x00", balance: "0x01", code: "0x", storage: {} }
const MINIMAL = {
  env: {
    currentCoinbase: `0x${"00".repeat(20)}`,
    currentNumber: "0x01",
    currentTimestamp: "1000",
    currentGasLimit: "0x05f5e100"
  },
  pre: { [`0x${"AB".repeat(20)}`]: { ...ACCOUNT, storage: { "0x1": "0x2", "0x03": "0x00" } } },
  transaction: {
    nonce: "0x00",
    gasPrice: "0x0a",
    gasLimit: ["0x5208"],
    to: "",
    value: ["0x:bigint 0x10000000000000000000000000000000000000000000000000000000000000001"],
    data: ["0xAB"],
    secretKey: `0x${"45".repeat(32)}`
  },
  post: {
    Cancun: [{ hash: word(1n), logs: word(2n), indexes: { data: 0, gas: 0, value: 0 } }]
  }
}
const withTransaction = (fields: object) => ({
  t: { ...MINIMAL, transaction: { ...MINIMAL.transaction, ...fields } }
})

describe("finding fixtures", () => {
  it.effect("walks folders, and takes a named file as it is", () =>
    Effect.gen(function* () {
      expect(yield* findFixtures([FOLDER, FILE])).toEqual([FILE])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("tells a path that is not there from a folder that holds none", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(findFixtures([`${FOLDER}/none`]))
      expect(missing).toBeInstanceOf(FixtureNotFound)
      const empty = yield* Effect.flip(findFixtures([`${FOLDER}/../../src/internal`]))
      expect(empty.message).toContain("a folder without any")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("reading fixtures", () => {
  it.effect("takes data, gas limit and value by each outcome's indexes", () =>
    Effect.gen(function* () {
      const cases = yield* named("sumStored")
      expect(
        cases.map(({ transaction: { data, gasLimit, value } }) => [data, gasLimit, value])
      ).toEqual([
        ["0x", 100_000n, 0n],
        ["0x01", 100_000n, 7n],
        [word(0n), 1_000_000n, 7n]
      ])
      expect(cases.map(({ identity }) => identity.index)).toEqual([0, 1, 2])
    })
  )

  it.effect("tells legacy, access list and fee market transactions apart", () =>
    Effect.gen(function* () {
      const typeOf = (test: string) =>
        Effect.map(named(test), (cases) => cases.map(({ transaction }) => transaction.type))
      expect(yield* typeOf("refused")).toEqual([0])
      expect(yield* typeOf("logsAndCall")).toEqual([1])
      expect(yield* typeOf("creation")).toEqual([2])
    })
  )

  it.effect("reads every spelling of a number, and drops slots that are zero", () =>
    Effect.gen(function* () {
      const [loaded] = yield* parse({ t: MINIMAL, _info: "a comment" })
      if (loaded === undefined) return expect.fail("one case")
      const { environment, pre, transaction } = runnable(loaded)
      expect(environment.timestamp).toBe(1000n)
      expect(transaction.value).toBe((1n << 256n) + 1n)
      expect(transaction.data).toBe("0xab")
      expect(transaction.to).toBeUndefined()
      expect(pre.get(`0x${"ab".repeat(20)}`)?.storage).toEqual(new Map([[word(1n), word(2n)]]))
    })
  )

  it.effect.each([
    ["blobs", withTransaction({ blobVersionedHashes: [] }), "EIP-4844"],
    ["set-code", withTransaction({ authorizationList: [] }), "EIP-7702"],
    ["keyless", withTransaction({ secretKey: undefined }), "secretKey"],
    ["older", { t: { ...MINIMAL, post: { London: MINIMAL.post.Cancun } } }, "only for London"]
  ] as const)("sets a case apart that does not run here: %s", ([, fixture, reason]) =>
    Effect.gen(function* () {
      const [loaded] = yield* parse(fixture)
      expect(loaded?._tag === "Unsupported" && loaded.unsupported.reason).toContain(reason)
    })
  )

  it.effect("does not run a fork whose opcodes the OVM lacks", () =>
    Effect.gen(function* () {
      const fixture = { t: { ...MINIMAL, post: { Prague: MINIMAL.post.Cancun } } }
      const [loaded] = yield* parse(fixture, "Prague")
      expect(loaded?._tag).toBe("Unsupported")
    })
  )

  it.effect.each([
    ["no object", [], "state tests"],
    ["no transaction", { t: { ...MINIMAL, transaction: undefined } }, "transaction"],
    ["bad hex", withTransaction({ data: ["0xa"] }), "0xa"],
    ["bad number", withTransaction({ nonce: "1e3" }), "1e3"],
    ["bad address", { t: { ...MINIMAL, pre: { "0x12": ACCOUNT } } }, "0x12"],
    ["index out of range", withTransaction({ gasLimit: [] }), "transaction.gasLimit[0]"]
  ] as const)("names what is wrong with a fixture: %s", ([, fixture, found]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(parse(fixture))
      expect(error).toBeInstanceOf(MalformedFixture)
      expect(error.message).toContain("here.json")
      expect(error.message).toContain(found)
    })
  )

  it.effect("names a file that is no JSON", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(parseFixture({ path: "x.json", text: "{", fork: "Cancun" }))
      expect(error.message).toContain("Expected x.json to hold JSON")
    })
  )
})
