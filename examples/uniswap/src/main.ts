/** `pnpm example:uniswap`: trades on Uniswap inside the OVM; replays every block from the log, and derives it from L1. */
import { Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { EventLog } from "@ovm/event-log/EventLog"
import * as Genesis from "@ovm/protocol/Genesis"
import * as Cli from "@ovm/rollup/Cli"
import * as Rollup from "@ovm/rollup/Rollup"
import * as ChainReplay from "@ovm/sequencer/ChainReplay"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { Clock, Effect, Option } from "effect"
import { encodeFunctionData, formatEther, hexToBigInt, hexToBytes } from "viem"
import { friend, user } from "./Actors.ts"
import { Erc20 } from "./Contracts.ts"
import * as Market from "./Market.ts"
import * as OnL1 from "./OnL1.ts"
import { check, CheckFailed, heading, layerSilent, layerText, Output, step } from "./Output.ts"
import { short } from "./Render.ts"
import * as Trades from "./Trades.ts"

/** The story up to where the node stops. */
const story = Effect.gen(function* () {
  const market = yield* Market.open
  const v1 = yield* Trades.tradeOnV1(market)
  const v2 = yield* Trades.tradeOnV2(market)
  const { hash, header } = yield* (yield* Sequencer).head
  const log = yield* EventLog
  const { position } = yield* log.head
  // What the living node says today of the past; the replay must say the same.
  const balance = yield* Market.balanceOf(market.bat, friend.address, v1.blockNumber)
  return { market, v1, v2, hash, header, position, balance }
})

type Told = Effect.Effect.Success<typeof story>

/** Everything above is gone: only the file is left. */
const replay = (told: Told) =>
  Effect.gen(function* () {
    yield* heading("Everything dropped; the log opened again; every block replayed")
    const log = yield* EventLog
    const head = yield* log.verify
    yield* step("hash chain verified", `${head.position} events`)
    const started = yield* Clock.currentTimeMillis
    const replayed = yield* ChainReplay.replay()
    const elapsedMs = (yield* Clock.currentTimeMillis) - started
    yield* check(
      "state roots, receipts, logs, gas: identical",
      told.hash,
      replayed.hash,
      `${replayed.blocks} blocks, ${replayed.transactions} transactions in ${elapsedMs} ms`
    )
    yield* check(
      "state root of the last block",
      told.header.stateRoot,
      replayed.header.stateRoot,
      short(replayed.header.stateRoot)
    )
    return replayed
  })

/** BAT of the friend as of the block of the V1 trade, asked of the replayed past. */
const askThePast = (told: Told) =>
  Effect.gen(function* () {
    const { balance: expected, market, v1 } = told
    yield* heading(`A question of the past: whose BAT as of block ${v1.blockNumber}?`)
    const manager = yield* ExecutionManager
    const past = yield* ChainReplay.replay({ until: v1.blockNumber })
    const { returnData } = yield* manager.executeCall({
      state: past.state,
      context: contextOf(past),
      from: user.address,
      to: market.bat,
      value: 0n,
      gas: 1_000_000n,
      gasPrice: 0n,
      data: hexToBytes(
        encodeFunctionData({ abi: Erc20.abi, functionName: "balanceOf", args: [friend.address] })
      )
    })
    const balance = hexToBigInt(returnData)
    yield* check(
      "BAT.balanceOf(Friend)",
      expected.toString(),
      balance.toString(),
      `${formatEther(balance)} BAT, all of it from the V1 trade`
    )
    return { blockNumber: v1.blockNumber, balance }
  })

const contextOf = ({ genesis, header, l1Origin }: ChainReplay.Replayed) => ({
  ...Genesis.context(genesis),
  number: header.number,
  timestamp: header.timestamp,
  gasLimit: header.gasLimit,
  baseFeePerGas: header.baseFeePerGas,
  prevRandao: Genesis.prevRandao(genesis.chainId, header.number),
  l1Origin
})

const tell = (logFile: string) =>
  Effect.gen(function* () {
    const { paint, say } = yield* Output
    yield* say(paint("bold", "Uniswap inside the Optimistic Virtual Machine"))
    yield* say(paint("dim", `A sequencer node from layers; its event log: ${logFile}`))
    const deployment = yield* OnL1.deploy
    const { genesis } = deployment
    const told = yield* story.pipe(Effect.provide(Rollup.layer({ genesis, logFile })))
    const layers = Rollup.layerReplay(logFile)
    const replayed = yield* replay(told).pipe(Effect.provide(layers))
    const asOf = yield* askThePast(told).pipe(Effect.provide(layers))
    const { derived, l1 } = yield* OnL1.postAndDerive({ deployment, logFile, hash: told.hash })
    yield* say(`\n${paint("bold", paint("green", "Every check held."))}`)
    return {
      v1: told.v1,
      v2: told.v2,
      replay: {
        blocks: replayed.blocks,
        events: replayed.events,
        identical: replayed.hash === told.hash
      },
      asOf,
      l1,
      derived
    }
  }).pipe(Effect.provide(OnL1.layer))

/** Integers as decimal strings, as the JSON's readers expect of amounts beyond 2^53. */
const toJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "bigint" || typeof inner === "number" ? inner.toString() : inner
  )

const log = Options.file("log").pipe(
  Options.optional,
  Options.withDescription("Keep the event log in this SQLite file. Default: a temporary one.")
)
const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON object instead of the story.")
)

const command = Command.make("example:uniswap", { json, log }, (options) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const logFile = Option.isSome(options.log)
      ? options.log.value
      : `${yield* files.makeTempDirectoryScoped({ prefix: "ovm-uniswap-" })}/log.sqlite`
    if (yield* files.exists(logFile)) {
      return yield* new CheckFailed({
        what: `the log file ${logFile}`,
        expected: "new: the story starts a chain",
        found: "one that exists; name another path"
      })
    }
    const result = yield* tell(logFile).pipe(Effect.provide(options.json ? layerSilent : layerText))
    if (options.json) yield* Effect.sync(() => process.stdout.write(`${toJson(result)}\n`))
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    "Trades on Uniswap V1 and V2, original bytecode, inside the OVM; then replays the whole chain from its event log, posts it on an L1 of its own, and derives it from there. Example: pnpm example:uniswap --log ./uniswap.sqlite"
  )
)

Command.run(command, { name: "example:uniswap", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  Cli.runMain
)
