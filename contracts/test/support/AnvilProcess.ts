/** An L1 node for the tests of contracts: Osaka's rules, a free port of 127.0.0.1, one process. */
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import path from "node:path"

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })

/** @param flags Further flags of anvil's. */
export const startAnvil = async (flags: ReadonlyArray<string> = []) => {
  const port = await freePort()
  const manifest = createRequire(import.meta.url).resolve("@foundry-rs/anvil/package.json")
  const node = spawn(
    process.execPath,
    [
      ...[path.join(path.dirname(manifest), "bin.mjs"), "--port", String(port)],
      ...["--host", "127.0.0.1", "--hardfork", "osaka", ...flags]
    ],
    { stdio: ["ignore", "pipe", "pipe"] }
  )
  await new Promise<void>((resolve, reject) => {
    let output = ""
    const listen = (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes("Listening on")) resolve()
    }
    node.stdout.on("data", listen)
    node.stderr.on("data", listen)
    node.once("exit", () => reject(new Error(`anvil ended: ${output}`)))
    node.once("error", reject)
  })
  return { url: `http://127.0.0.1:${port}`, stop: () => node.kill() }
}
