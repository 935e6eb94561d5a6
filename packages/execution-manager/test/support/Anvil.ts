/** A real L1 node, started for one test and stopped with its scope. */
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import path from "node:path"
import { Effect } from "effect"
import { createPublicClient, createWalletClient, http } from "viem"
import { foundry } from "viem/chains"

/** Anvil's first account: funded, and unlocked in the node. */
const ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const binary = () => {
  const manifest = createRequire(import.meta.url).resolve("@foundry-rs/anvil/package.json")
  return path.join(path.dirname(manifest), "bin.mjs")
}

const start = (port: number) =>
  Effect.async<ReturnType<typeof spawn>, Error>((resume) => {
    const node = spawn(
      process.execPath,
      [
        ...[binary(), "--port", String(port), "--hardfork", "cancun"],
        // Room for the largest set-up call; what a trade needs is asserted by the test.
        ...["--gas-limit", "200000000", "--base-fee", "0", "--gas-price", "0"]
      ],
      { stdio: ["ignore", "pipe", "pipe"] }
    )
    let output = ""
    const listen = (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes("Listening on")) resume(Effect.succeed(node))
    }
    node.stdout.on("data", listen)
    node.stderr.on("data", listen)
    node.once("exit", () => resume(Effect.fail(new Error(`anvil ended: ${output}`))))
    node.once("error", (cause) => resume(Effect.fail(cause)))
  })

export const makeAnvil = Effect.gen(function* () {
  const port = yield* freePort
  yield* Effect.acquireRelease(start(port), (node) => Effect.sync(() => node.kill()))
  const transport = http(`http://127.0.0.1:${port}`, { timeout: 60_000 })
  return {
    account: ACCOUNT,
    client: createPublicClient({ chain: foundry, transport, pollingInterval: 50 }),
    wallet: createWalletClient({ chain: foundry, transport, account: ACCOUNT })
  } as const
})
export type Anvil = Effect.Effect.Success<typeof makeAnvil>
