import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { EventLog } from "@ovm/event-log/EventLog"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import * as ChainLog from "@ovm/sequencer/ChainLog"
import { Effect, Schema, Stream } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { amountOut } from "../src/Formula.ts"

const run = promisify(execFile)
const root = fileURLToPath(new URL("../../../", import.meta.url))
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const example = async (...args: ReadonlyArray<string>): Promise<Ended> => {
  const options = { cwd: root, env: { ...process.env, NO_COLOR: "1" } }
  return run(process.execPath, ["--import", "tsx", main, ...args], options).then(
    ({ stderr, stdout }) => ({ code: 0, stdout, stderr }),
    ({ code, stderr, stdout }: Ended) => ({ code, stdout, stderr })
  )
}

const Integer = Schema.String.pipe(Schema.pattern(/^(0|[1-9][0-9]*)$/))
const Hash = Schema.String.pipe(Schema.pattern(/^0x[0-9a-f]{64}$/))

/** Exactly this: an unknown field fails as a missing one does. */
const Report = Schema.Struct({
  v1: Schema.Struct({
    ethIn: Integer,
    tokensOut: Integer,
    expectedTokensOut: Integer,
    txHash: Hash,
    internalTxHash: Hash,
    blockNumber: Integer
  }),
  v2: Schema.Struct({
    ethIn: Integer,
    tokensOut: Integer,
    expectedTokensOut: Integer,
    tokensIn: Integer,
    ethOut: Integer,
    expectedEthOut: Integer
  }),
  replay: Schema.Struct({ blocks: Integer, events: Integer, identical: Schema.Boolean }),
  asOf: Schema.Struct({ blockNumber: Integer, balance: Integer }),
  l1: Schema.Struct({ batches: Integer, transactions: Integer, bytes: Integer, l1Gas: Integer }),
  derived: Schema.Struct({ blocks: Integer, identical: Schema.Boolean })
})

const decode = Schema.decodeUnknownSync(Schema.parseJson(Report), { onExcessProperty: "error" })

const digest = async (file: string) =>
  createHash("sha256")
    .update(await readFile(file))
    .digest("hex")

/** What the log's blocks hold, counted without replaying. */
const signedIn = (filename: string) =>
  Stream.runFold(
    ChainLog.blocks,
    { blocks: 0, transactions: 0, bytes: 0 },
    ({ blocks, bytes, transactions }, { items }) => ({
      blocks: blocks + 1,
      transactions: transactions + items.length,
      bytes: bytes + items.reduce((sum, { raw }) => sum + raw.length, 0)
    })
  ).pipe(Effect.provide(SqliteEventLog.layer({ filename, readonly: true })), Effect.runPromise)

const ETHER = 10n ** 18n

describe("example:uniswap --json --log", () => {
  let directory = ""
  let file = ""
  let ended: Ended = { code: -1, stdout: "", stderr: "" }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ovm-uniswap-test-"))
    file = join(directory, "log.sqlite")
    ended = await example("--json", "--log", file)
  }, 180_000)

  afterAll(() => rm(directory, { recursive: true, force: true }))

  it("prints one JSON object of the agreed shape, and nothing else", () => {
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.strictEqual(ended.stdout.trimEnd().split("\n").length, 1)
    decode(ended.stdout)
  })

  it("trades at the formulas' prices", () => {
    const { v1, v2 } = decode(ended.stdout)
    assert.strictEqual(v1.tokensOut, v1.expectedTokensOut)
    assert.strictEqual(v2.tokensOut, v2.expectedTokensOut)
    assert.strictEqual(v2.ethOut, v2.expectedEthOut)
    // Pools of 100 ETH and 50,000 BAT: not what the example says it expects, but computed here.
    const bought = amountOut({
      amountIn: ETHER,
      reserveIn: 100n * ETHER,
      reserveOut: 50_000n * ETHER
    })
    assert.strictEqual(v1.ethIn, ETHER.toString())
    assert.strictEqual(v1.tokensOut, bought.toString())
    assert.strictEqual(v2.tokensOut, bought.toString())
    const sold = amountOut({
      amountIn: BigInt(v2.tokensIn),
      reserveIn: 50_000n * ETHER - bought,
      reserveOut: 101n * ETHER
    })
    assert.strictEqual(v2.ethOut, sold.toString())
  })

  it("gives the trade two hashes, the user's and the internal one", () => {
    const { v1 } = decode(ended.stdout)
    assert.notStrictEqual(v1.txHash, v1.internalTxHash)
  })

  it("replays identically, and answers the past", () => {
    const { asOf, replay, v1 } = decode(ended.stdout)
    assert.isTrue(replay.identical)
    assert.isAbove(Number(replay.blocks), 10)
    assert.strictEqual(asOf.blockNumber, v1.blockNumber)
    assert.strictEqual(asOf.balance, v1.tokensOut)
  })

  it("posts every transaction on L1, in fewer bytes than users signed, and derives every block again", async () => {
    const { derived, l1, replay } = decode(ended.stdout)
    const { blocks, bytes, transactions } = await signedIn(file)
    assert.isTrue(derived.identical)
    assert.strictEqual(derived.blocks, replay.blocks)
    assert.strictEqual(replay.blocks, blocks.toString())
    assert.strictEqual(l1.transactions, transactions.toString())
    assert.isAtLeast(Number(l1.batches), 1)
    assert.isBelow(Number(l1.bytes), bytes)
    // Calldata costs at least 10 gas a byte (EIP-7623); a transaction, at least 21,000.
    assert.isAtLeast(Number(l1.l1Gas), 21_000 * Number(l1.batches) + 10 * Number(l1.bytes))
    assert.isAtMost(Number(l1.l1Gas), 2 ** 24 * Number(l1.batches))
  })

  it("leaves a log that verifies, with every event that it counted", async () => {
    const head = await Effect.runPromise(
      Effect.flatMap(EventLog, (log) => log.verify).pipe(
        Effect.provide(SqliteEventLog.layer({ filename: file, readonly: true }))
      )
    )
    assert.strictEqual(String(head.position), decode(ended.stdout).replay.events)
  })

  it("refuses a log that exists, and leaves it as it is", async () => {
    const before = await digest(file)
    const files = await readdir(directory)
    const again = await example("--json", "--log", file)
    assert.notStrictEqual(again.code, 0)
    assert.strictEqual(again.stdout, "")
    assert.include(again.stderr, `Expected the log file ${file} to be new`)
    assert.include(again.stderr, "name another path")
    assert.strictEqual(await digest(file), before)
    assert.deepStrictEqual(await readdir(directory), files)
  }, 60_000)
})

describe("example:uniswap", () => {
  it("tells the story with CALLER and ADDRESS of every frame", async () => {
    const { code, stderr, stdout } = await example()
    assert.strictEqual(code, 0, stderr)
    const lines = stdout.split("\n")
    const frames = lines.filter((line) => /^[ │├└─]*ovm[A-Z]*CALL /.test(line))
    assert.isAtLeast(frames.length, 20)
    for (const [at, line] of lines.entries()) {
      if (!frames.includes(line)) continue
      assert.match(lines[at + 1] ?? "", /CALLER \S+ · ADDRESS \S+ · \d+ operations · \d+ gas$/)
    }
    const after = (frame: string) => lines[lines.findIndex((line) => line.includes(frame)) + 1]
    assert.include(
      after("ovmSTATICCALL BAT.balanceOf(BATExchange)"),
      "CALLER BATExchange · ADDRESS BAT"
    )
    assert.include(after("ovmCALL BAT.transfer(Friend, "), "CALLER BATExchange · ADDRESS BAT")
    // A forwarder's code is the template's, its ADDRESS its own.
    assert.include(after("ovmDELEGATECALL V1Exchange."), "CALLER User · ADDRESS BATExchange")
    assert.match(
      stdout,
      /Everything posted on L1, and derived from it again\n[\s\S]* batch 0: blocks 1 to \d+ /
    )
    assert.match(stdout, /all \d+ blocks derived from L1: identical/)
    assert.include(stdout, "Every check held.")
  }, 180_000)
})
