/** Runs the command in both forms, as a process of its own, against the L1 that it starts itself. */
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Schema } from "effect"
import { assert, beforeAll, describe, it } from "vitest"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
/** Found again in what the child started, whoever became its parent meanwhile. */
const MARK = "OVM_EXAMPLE_BRIDGE_TEST"

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const example = (...args: ReadonlyArray<string>): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1", [MARK]: `${process.pid}` }
    execFile(
      process.execPath,
      ["--import", "tsx", main, ...args],
      { cwd: root, env },
      (error, stdout, stderr) => {
        const code = typeof error?.code === "number" ? error.code : error === null ? 0 : 1
        resolve({ code, stdout, stderr })
      }
    )
  })

const Wei = Schema.String.pipe(Schema.pattern(/^(0|[1-9][0-9]*)$/))

/** Exactly this: an unknown field fails as a missing one does. */
const Report = Schema.Struct({
  deposit: Wei,
  batch: Schema.Struct({ transactions: Schema.Int, bytes: Schema.Int, l1Gas: Wei }),
  withdrawal: Schema.Struct({ amount: Wei, finalized: Schema.Boolean }),
  derived: Schema.Struct({ blocks: Schema.Int, identical: Schema.Boolean })
})

const decode = Schema.decodeUnknownSync(Schema.parseJson(Report), { onExcessProperty: "error" })

/** Command lines of the processes that a run of this test started and that are still there. */
const leftBehind = (): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")
        return environment.includes(`${MARK}=${process.pid}`)
          ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")]
          : []
      } catch {
        // Ended meanwhile, or not ours to look at.
        return []
      }
    })

describe("example:bridge", () => {
  let json: Ended = { code: -1, stdout: "", stderr: "" }
  let text: Ended = json
  let seenWhileRunning: ReadonlyArray<string> = []

  beforeAll(async () => {
    const running = example("--json")
    const watch = setInterval(() => {
      seenWhileRunning = [...seenWhileRunning, ...leftBehind()]
    }, 500)
    json = await running
    clearInterval(watch)
    text = await example()
  }, 180_000)

  it("prints one JSON object of the agreed shape, and nothing else, with --json", () => {
    assert.strictEqual(json.code, 0, json.stderr)
    assert.strictEqual(json.stdout.trimEnd().split("\n").length, 1)
    decode(json.stdout)
  })

  it("brings in ten ETH, and takes out two", () => {
    const { deposit, withdrawal } = decode(json.stdout)
    assert.strictEqual(deposit, (10n * 10n ** 18n).toString())
    assert.deepStrictEqual(withdrawal, { amount: (2n * 10n ** 18n).toString(), finalized: true })
  })

  it("posts all transactions, within what one L1 transaction may use", () => {
    const { batch } = decode(json.stdout)
    // The deposit, what opens the market, the trade, the withdrawal.
    assert.isAtLeast(batch.transactions, 12)
    assert.isAbove(batch.bytes, 10_000)
    // Calldata costs at least 10 gas a byte (EIP-7623).
    assert.isAtLeast(Number(batch.l1Gas), 21_000 + 10 * batch.bytes)
    assert.isAtMost(Number(batch.l1Gas), 2 ** 24)
  })

  it("derives the same chain from L1 alone", () => {
    const { derived } = decode(json.stdout)
    assert.isTrue(derived.identical)
    assert.isAtLeast(derived.blocks, 12)
  })

  it("tells the story with a line before each wait, and how long it took behind it", () => {
    assert.strictEqual(text.code, 0, text.stderr)
    const lines = text.stdout.split("\n")
    const waits = lines.filter((line) => line.startsWith("  … ")).map((line) => line.slice(4))
    assert.deepStrictEqual(waits, [
      "the sequencer took it from the queue",
      "the batcher posted what L1 lacked",
      "the proposer derived the blocks, and claims them",
      "the sequencer's node saw it, too",
      "read every L1 block, ran every batch"
    ])
    for (const wait of waits) {
      const after = lines.slice(lines.indexOf(`  … ${wait}`) + 1)
      const done = after.find((line) => line.startsWith(`  ✓ ${wait} `))
      assert.match(done ?? "nothing", /\d+\.\d s$/)
    }
    assert.include(text.stdout, "Every check held.")
  })

  it.runIf(process.platform === "linux")("leaves no process behind: its L1 ends with it", () => {
    assert.isTrue(seenWhileRunning.some((line) => line.includes("anvil")))
    assert.deepStrictEqual(leftBehind(), [])
  })
})
