import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import * as RollupEvent from "../src/RollupEvent.ts"
import { hexOf, logs } from "./arbitraries.ts"

const encode = Schema.encodeSync(RollupEvent.RollupEvent)
const decode = Schema.decodeSync(RollupEvent.RollupEvent)

const executed = fc
  .record(
    {
      raw: fc.uint8Array({ maxLength: 200 }),
      internalTransactionHash: hexOf(32),
      sender: hexOf(20),
      success: fc.boolean(),
      gasUsed: fc.bigUintN(60),
      effectiveGasPrice: fc.bigUintN(60),
      contractAddress: hexOf(20),
      logs,
      operations: fc.uint8Array({ maxLength: 60 }),
      stateRoot: hexOf(32)
    },
    {
      requiredKeys: [
        "raw",
        "internalTransactionHash",
        "sender",
        "success",
        "gasUsed",
        "effectiveGasPrice",
        "logs",
        "operations",
        "operations",
        "operations",
        "stateRoot"
      ]
    }
  )
  .map((fields) => new RollupEvent.TransactionExecuted(fields))

describe("RollupEvent", () => {
  it("comes back from its stored form unchanged", () => {
    fc.assert(
      fc.property(executed, (event) => {
        assert.deepStrictEqual(decode(encode(event)), event)
      }),
      { numRuns: 50 }
    )
  })

  it("carries its version in its tag, so that an old log stays readable", () => {
    const tags = RollupEvent.RollupEvent.members.map((member) => member._tag)
    assert.deepStrictEqual(tags, [
      "v1.ChainStarted",
      "v1.BlockOpened",
      "v1.TransactionExecuted",
      "v1.TransactionSkipped",
      "v1.BlockSealed",
      "v1.ChainRolledBack"
    ])
  })
})
