/** Nodes as processes of their own, which a test starts, asks, and kills. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { EventLog } from "@ovm/event-log/EventLog"
import * as SqliteEventLog from "@ovm/event-log/SqliteEventLog"
import { Effect, Stream } from "effect"

const SCRIPT = fileURLToPath(new URL("NodeProcess.ts", import.meta.url))

export interface NodeProcess {
  /** What the node answered; undefined if it is dead, or died of the question. */
  readonly ask: (question: string) => Effect.Effect<{ ok: boolean; text: string } | undefined>
  /** SIGKILL, to this process alone, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
}

const end = (child: ChildProcess) =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** Starts a node, and waits until it answers. It is killed with the scope at the latest. */
export const startProcess = (settings: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--import", "tsx", SCRIPT, JSON.stringify(settings)], {
          // Ends with us, however we end.
          stdio: ["pipe", "pipe", "pipe"]
        })
      ),
      end
    )
    let said = ""
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000)
    })
    const port = yield* Effect.async<number>((resume) => {
      let heard = ""
      child.stdout.on("data", (chunk: Buffer) => {
        heard += chunk.toString()
        const port = /^port (\d+)$/m.exec(heard)?.[1]
        if (port !== undefined) resume(Effect.succeed(Number(port)))
      })
      child.once("exit", (code) =>
        resume(Effect.dieMessage(`the node ended with ${code}: ${said}`))
      )
    })
    const node: NodeProcess = {
      ask: (question) =>
        Effect.promise(async () => {
          try {
            const response = await fetch(`http://127.0.0.1:${port}`, {
              ...{ method: "POST", body: question }
            })
            return { ok: response.ok, text: await response.text() }
          } catch {
            return undefined
          }
        }),
      kill: end(child)
    }
    return node
  })

/** Waits for the next event of a type in a node's log, read beside its writer. */
export const nextEvent = (logFile: string, type: string) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const { position: after } = yield* log.head
    yield* log.subscribe({ types: [type], after }).pipe(Stream.runHead)
  }).pipe(Effect.provide(SqliteEventLog.layer({ filename: logFile, readonly: true })))
