/** A node as a process of its own, to be killed: `sequencer` seals and posts, `verifier` derives and claims. */
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { Chain } from "@ovm/sequencer/Chain"
import { Sequencer } from "@ovm/sequencer/Sequencer"
import { Derivation } from "@ovm/derivation/Derivation"
import { Verifier } from "@ovm/derivation/Verifier"
import { DeploymentJson } from "@ovm/protocol/Deployment"
import { Effect, Layer, Redacted, Schema } from "effect"
import { layerRpc } from "@ovm/l1/L1Client"
import { hexToBytes } from "viem"
import * as Node from "../../src/Node.ts"
import * as Outbox from "./Outbox.ts"

/** Read from the first argument. */
export const Settings = Schema.Struct({
  role: Schema.Literal("sequencer", "verifier"),
  url: Schema.String,
  key: Schema.TemplateLiteral("0x", Schema.String),
  deploymentFile: Schema.String,
  logFile: Schema.String
})

const settings = Schema.decodeUnknownSync(Schema.parseJson(Settings))(process.argv[2])
const deployment = Schema.decodeSync(DeploymentJson)(readFileSync(settings.deploymentFile, "utf8"))
const { logFile } = settings
const common = { deployment, logFile, watchEvery: "100 millis" } as const
const every = "100 millis"

const client = layerRpc({ url: settings.url, key: Redacted.make(settings.key) })
const sequencerNode = Node.layerBatcher({
  ...{ deployment, every },
  // Whatever there is goes out: much is under way whenever the process ends.
  policy: { targetBytes: 1 }
}).pipe(
  Layer.provide(Outbox.layer()),
  Layer.provideMerge(Node.layerSequencer({ ...common, confirmations: 0n })),
  Layer.provide(client)
)
const verifierNode = Node.layerProposer({ deployment, every }).pipe(
  Layer.provide(Outbox.layer()),
  Layer.provideMerge(Node.layerVerifier(common)),
  Layer.provide(client)
)

/** One line in, one line out, over HTTP. */
const serve = (answer: (question: string) => Effect.Effect<unknown, unknown>) =>
  Effect.async<never>(() => {
    const server = createServer((request, response) => {
      let question = ""
      request.on("data", (chunk: Buffer) => {
        question += chunk.toString()
      })
      request.on("end", () => {
        Effect.runPromise(Effect.either(answer(question))).then(
          (outcome) => {
            response.statusCode = outcome._tag === "Right" ? 200 : 400
            response.end(
              JSON.stringify(outcome._tag === "Right" ? outcome.right : `${outcome.left}`)
            )
          },
          () => response.destroy()
        )
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      if (typeof address === "object") process.stdout.write(`port ${address?.port}\n`)
    })
  })

const head = Effect.gen(function* () {
  const { derived } = yield* (yield* Derivation).heads
  // Where derivation stands may be older than the last sealed block.
  const { hash, header } = yield* (yield* Chain).head
  return { number: Number(header.number), hash, derived: derived.hash }
})

const runSequencer = Effect.gen(function* () {
  const context = yield* Effect.context<Sequencer | Derivation | Chain>()
  const sequencer = yield* Sequencer
  yield* serve((question) => {
    const [what, argument = "0x"] = question.split(" ")
    const answers: Readonly<
      Record<string, Effect.Effect<unknown, unknown, Sequencer | Derivation | Chain>>
    > = {
      head,
      submit: sequencer.submit(hexToBytes(argument as `0x${string}`)),
      nonce: Effect.map(sequencer.nextNonce(argument as `0x${string}`), Number)
    }
    return Effect.provide(answers[what ?? ""] ?? Effect.fail(`no answer to ${what}`), context)
  })
}).pipe(Effect.provide(sequencerNode))

const runVerifier = Effect.gen(function* () {
  const context = yield* Effect.context<Verifier | Derivation | Chain>()
  const verifier = yield* Verifier
  yield* serve((question) =>
    question === "head"
      ? Effect.provide(head, context)
      : Effect.map(verifier.mismatches, (found) => found.length)
  )
}).pipe(Effect.provide(verifierNode))

// Whoever started us is gone.
process.stdin.on("end", () => process.exit(0)).resume()
Effect.runPromise<unknown, unknown>(
  settings.role === "sequencer" ? runSequencer : runVerifier
).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exit(1)
})
