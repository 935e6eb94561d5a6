import { assert, describe, it } from "vitest"
import { type Results, render, targetsOf } from "../bench/Report.ts"
import { median } from "../bench/Sampling.ts"

const side = { executionMs: 3, stateRootMs: 1, appendMs: 0.5, totalMs: 5, gas: 50_000 }

/** As if measured: round numbers, so that ratios can be done in the head. */
const results = (replayMs: number): Results => ({
  environment: {
    date: "2020-01-01T00:00Z",
    machine: "one core",
    versions: { Node: "20.19.0" },
    load: { before: 0.5, after: 1 }
  },
  seconds: 60,
  recovery: { nativeUs: 100, pureUs: 2_000, nobleUs: 1_500, agreed: true },
  gasAndCode: {
    gas: [{ name: "BAT.transfer", ovmGas: 60_000n, evmGas: 40_000n }],
    code: [
      { name: "Small", mode: "runtime", before: 100, after: 200, growth: 2 },
      { name: "V2 Router02", mode: "runtime", before: 20_000, after: 24_576, growth: 1.2288 },
      { name: "V2 Router02", mode: "init", before: 20_400, after: 40_800, growth: 2 }
    ]
  },
  log: [
    { name: "log / raw, 100 events a commit", value: 0.5, unit: "x", expected: ">= 1.0" },
    { name: "stored / payload, 100 events a commit", value: 1.1, unit: "x", expected: "<= 1.2" },
    { name: "log, 100 events a commit", value: 1_000, unit: "events/s" }
  ],
  logBytes: [
    {
      name: "ERC-20 transfer",
      events: 12,
      transactions: 10,
      rawBytes: 180,
      payloadBytes: 400,
      storedBytes: 500
    }
  ],
  batches: [
    {
      name: "ERC-20 transfer",
      transactions: 10,
      posted: [{ name: "a batch's payload", bytes: 100, l1Gas: 4_000 }]
    }
  ],
  workloads: [
    {
      name: "ERC-20 transfer",
      blocks: 1,
      transactionsPerBlock: 10,
      ovm: { ...side, transactionsPerSecond: 200 },
      evm: { ...side, totalMs: 1, transactionsPerSecond: 1_000, recoveryMs: 0.1 },
      logsPerTransaction: 1,
      firstBlock: 1n,
      lastBlock: 1n,
      replay: {
        live: { wallMs: 50, cpuMs: 50 },
        sealing: { wallMs: 40, cpuMs: 40 },
        replay: { wallMs: replayMs, cpuMs: replayMs }
      }
    }
  ]
})

/** Columns are padded; what is in them counts. */
const rendered = (replayMs: number) => render(results(replayMs)).replace(/ +/g, " ")

const met = (given: Results) => new Map(targetsOf(given).map(({ met, what }) => [what, met]))

describe("the benchmark's report", () => {
  it("holds large contracts to the growth that is expected, and small ones to nothing", () => {
    const targets = met(results(50))
    assert.isTrue(targets.get("code growth, runtime code of 10,000 bytes and more"))
    assert.isTrue(targets.get("Router02, transpiled"))
  })

  it("says what was expected and not met", () => {
    const targets = met(results(50))
    assert.isFalse(targets.get("log / raw, 100 events a commit"))
    assert.isTrue(targets.get("stored / payload, 100 events a commit"))
    assert.isFalse(targets.get("stored / payload, blocks of: ERC-20 transfer"))
    assert.include(
      rendered(50),
      "| log / raw, 100 events a commit | >= 1.0x | 0.50x | **not met** |"
    )
  })

  it("wants replay as fast as live, or faster", () => {
    const name = "speed of replay / live, processor time, ERC-20 transfer"
    assert.isTrue(met(results(50)).get(name))
    assert.isFalse(met(results(51)).get(name))
  })

  it("puts both sides and their ratio into one row", () => {
    const text = rendered(50)
    assert.include(text, "| transactions/s, submitted to durable | 200.0 | 1,000.0 | 0.20x |")
    assert.include(text, "| BAT.transfer | 60,000 | 40,000 | 1.50x |")
    assert.include(text, "| secp256k1/elliptic, its JavaScript fallback | 2,000 | 20.00x |")
  })
})

describe("median", () => {
  it("is the middle, or between the two in the middle", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
    assert.strictEqual(median([4, 1, 2, 100]), 3)
  })
})
