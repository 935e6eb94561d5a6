/** Starting and ending anvil so that no process is left behind, however ours ends. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import type { Hex } from "@ovm/protocol/Primitives"
import { Duration, Effect, Redacted, Schedule, Schema, type Scope } from "effect"
import { bytesToHex } from "viem"
import { mnemonicToAccount } from "viem/accounts"
import { Anvil, AnvilFailed, type AnvilOptions } from "../Anvil.ts"
import type { L1Error } from "../L1Error.ts"
import * as Answer from "./RpcAnswer.ts"
import { requester } from "./RpcClient.ts"

/** Published test accounts: worth nothing anywhere else. */
const MNEMONIC = "test test test test test test test test test test test junk"
const HOST = "127.0.0.1"

/**
 * Stands between us and anvil: when our end of its standard input closes, be it because we were
 * killed, it ends anvil. Own session, so that Ctrl-C reaches us alone and we end things in order.
 */
const GUARD = `
const { spawn } = require("node:child_process")
const [binary, ...args] = process.argv.slice(1)
const anvil = spawn(binary, args, { stdio: ["ignore", "ignore", "inherit"] })
const end = () => {
  anvil.kill("SIGTERM")
  setTimeout(() => anvil.kill("SIGKILL"), 20_000).unref()
}
process.stdin.on("end", end).on("error", end).resume()
process.on("SIGTERM", end).on("SIGINT", end)
anvil.on("error", (error) => { console.error(error.message); process.exit(1) })
anvil.on("exit", (code) => process.exit(code ?? 1))
`

interface Running {
  readonly guard: ChildProcess
  readonly ended: Promise<void>
  readonly hasEnded: () => boolean
  readonly said: () => string
}

export const makeAnvil = (
  options: AnvilOptions
): Effect.Effect<Anvil["Type"], AnvilFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const port = options.port ?? (yield* freePort)
    const url = `http://${HOST}:${port}`
    const binary = yield* findBinary
    const args = argumentsOf(options, port)
    const request = requester({ url, retries: 0, timeout: "60 seconds" })
    let running: Running | undefined

    const stop = Effect.suspend(() => {
      const old = running
      running = undefined
      return old === undefined ? Effect.void : end(old)
    }).pipe(Effect.uninterruptible)
    const start = Effect.gen(function* () {
      if (running !== undefined && !running.hasEnded()) return
      const started = launch(binary, args)
      running = started
      yield* ready(started, request, options.startTimeout ?? "30 seconds")
    })
    // First the promise to end it, then the start: an interrupt in between finds something to end.
    yield* Effect.addFinalizer(() => stop)
    yield* start

    const rpc = (method: string, params: ReadonlyArray<unknown> = []) =>
      request(method, params, Schema.Unknown)
    const tell = (method: string, ...params: ReadonlyArray<unknown>) =>
      Effect.asVoid(rpc(method, params))
    const wallet = Array.from({ length: options.accounts ?? 10 }, (_, addressIndex) =>
      mnemonicToAccount(MNEMONIC, { addressIndex })
    )
    return Anvil.of({
      url,
      accounts: wallet.map(({ address }) => Schema.decodeSync(Answer.AnyAddress)(address)),
      keys: wallet.map((account) => Redacted.make(keyOf(account))),
      rpc,
      mine: (blocks = 1, { secondsBetween = 1 } = {}) =>
        tell("anvil_mine", hex(blocks), hex(secondsBetween)),
      passTime: (seconds) =>
        Effect.zipRight(tell("evm_increaseTime", hex(seconds)), tell("evm_mine")),
      automine: (on) => tell("evm_setAutomine", on),
      setNextBaseFeeWei: (wei) => tell("anvil_setNextBlockBaseFeePerGas", hex(wei)),
      reorg: ({ depth, transactions = [] }) => tell("anvil_reorg", depth, transactions),
      dropTransaction: (hash) => tell("anvil_dropTransaction", hash),
      setBalance: (account, wei) => tell("anvil_setBalance", account, hex(wei)),
      stop,
      start
    })
  })

const hex = (value: number | bigint): Hex => `0x${value.toString(16)}`

const keyOf = (account: ReturnType<typeof mnemonicToAccount>): Hex => {
  const { privateKey } = account.getHdKey()
  // A wallet made from words has all its private keys.
  if (privateKey === null) throw new Error("Expected a private key for each account of the wallet.")
  return bytesToHex(privateKey)
}

/** The platform's own binary, past the package's wrapper, which outlives a killed parent. */
const findBinary: Effect.Effect<string, AnvilFailed> = Effect.try({
  try: () => {
    const manifest = createRequire(import.meta.url).resolve("@foundry-rs/anvil/package.json")
    const { arch, platform } = process
    const suffix = `${platform}-${arch === "x64" ? "amd64" : arch}`
    const file = platform === "win32" ? "anvil.exe" : "anvil"
    const own = join(dirname(manifest), "dist", file)
    return existsSync(own)
      ? own
      : createRequire(manifest).resolve(`@foundry-rs/anvil-${suffix}/bin/${file}`)
  },
  catch: (cause) =>
    new AnvilFailed({
      reason: `its binary for ${process.platform}-${process.arch} is not installed; install again with optional dependencies`,
      cause
    })
})

const freePort: Effect.Effect<number, AnvilFailed> = Effect.async((resume) => {
  const server = createServer()
  server.once("error", (cause) =>
    resume(Effect.fail(new AnvilFailed({ reason: `no port of ${HOST} is free`, cause })))
  )
  server.listen(0, HOST, () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const argumentsOf = (options: AnvilOptions, port: number): ReadonlyArray<string> => {
  const { mining = "auto", statesHeld = 256 } = options
  const given = (flag: string, value: number | bigint | string | undefined) =>
    value === undefined ? [] : [flag, String(value)]
  return [
    ...["--host", HOST, "--port", String(port), "--hardfork", options.hardfork ?? "osaka"],
    ...["--prune-history", String(statesHeld), "--mnemonic", MNEMONIC],
    ...given("--accounts", options.accounts),
    ...given("--state", options.stateFile),
    ...given("--chain-id", options.chainId),
    ...given("--gas-limit", options.blockGasLimit),
    ...given("--base-fee", options.baseFeeWei),
    ...given("--slots-in-an-epoch", options.slotsInAnEpoch),
    ...(mining === "manual" ? ["--no-mining"] : []),
    ...(typeof mining === "object" ? ["--block-time", String(mining.everySeconds)] : [])
  ]
}

const launch = (binary: string, args: ReadonlyArray<string>): Running => {
  const guard = spawn(process.execPath, ["-e", GUARD, binary, ...args], {
    stdio: ["pipe", "ignore", "pipe"],
    detached: true
  })
  let said = ""
  let over = false
  guard.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000)
  })
  // A guard that is gone takes no more; that it is gone is told by its exit.
  guard.stdin?.on("error", () => undefined)
  const ended = new Promise<void>((resolve) => {
    const finish = () => {
      over = true
      resolve()
    }
    guard.once("exit", finish).once("error", finish)
  })
  return { guard, ended, hasEnded: () => over, said: () => said }
}

const end = ({ ended, guard }: Running): Effect.Effect<void> =>
  Effect.promise(() => {
    guard.stdin?.end()
    return ended
  })

/** Waits until the process answers; tells what it said where it ended instead. */
const ready = (
  started: Running,
  request: ReturnType<typeof requester>,
  timeout: Duration.DurationInput
): Effect.Effect<void, AnvilFailed> =>
  Effect.suspend(
    (): Effect.Effect<unknown, AnvilFailed | L1Error> =>
      started.hasEnded()
        ? Effect.fail(new AnvilFailed({ reason: `it ended at once: ${started.said().trim()}` }))
        : request("eth_chainId", [], Answer.Quantity)
  ).pipe(
    Effect.retry({
      schedule: Schedule.spaced("20 millis"),
      while: ({ _tag }) => _tag !== "AnvilFailed"
    }),
    Effect.catchIf(
      (error) => error._tag !== "AnvilFailed",
      (cause) => Effect.fail(new AnvilFailed({ reason: cause.message, cause }))
    ),
    Effect.timeoutFail({
      duration: timeout,
      onTimeout: () =>
        new AnvilFailed({
          reason: `it did not answer within ${Duration.format(timeout)}: ${started.said().trim()}`
        })
    }),
    Effect.asVoid
  )
