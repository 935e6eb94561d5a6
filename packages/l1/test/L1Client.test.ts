import { createServer } from "node:http"
import { Anvil, layerAnvil } from "@ovm/l1/Anvil"
import { L1Client, layerRpc } from "@ovm/l1/L1Client"
import { ZERO_HASH } from "@ovm/protocol/Primitives"
import { Effect, ManagedRuntime, Option } from "effect"
import { afterAll, assert, describe, it } from "vitest"
import { countOf, placeCounter, signOutside, word } from "./support/Counter.ts"

const runtime = ManagedRuntime.make(layerAnvil({ mining: "auto" }))
afterAll(() => runtime.dispose())

/** A server that is no good node: says what it is told to say. */
const speaker = (answers: ReadonlyArray<unknown>) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly close: () => void }>((resume) => {
      let asked = 0
      const server = createServer((request, response) => {
        request.resume().on("end", () => {
          const result = answers[Math.min(asked++, answers.length - 1)]
          response.setHeader("content-type", "application/json")
          if (result === undefined) return void response.writeHead(503).end("busy")
          response.end(JSON.stringify([{ jsonrpc: "2.0", id: asked, result }]))
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

describe("the L1 client", () => {
  it("reads, and tells what is not there", () =>
    runtime.runPromise(
      Effect.gen(function* () {
        const l1 = yield* L1Client
        assert.isTrue(Option.isNone(yield* l1.getBlock(999n)))
        assert.isTrue(Option.isNone(yield* l1.getTransaction(ZERO_HASH)))
        assert.isTrue(Option.isNone(yield* l1.getReceipt(ZERO_HASH)))
        const [account = "0x"] = l1.accounts
        if (account === "0x") return
        assert.isTrue((yield* l1.getBalance(account)) > 0n)
      })
    ))

  it("signs the same bytes twice, and a node that has them is content", () =>
    runtime.runPromise(
      Effect.gen(function* () {
        const anvil = yield* Anvil
        const l1 = yield* L1Client
        const to = yield* placeCounter
        const [from = to] = l1.accounts
        const nonce = yield* l1.getNonce(from)
        yield* anvil.automine(false)
        const one = yield* signOutside({ from, nonce, to, data: word(0), feeGwei: 5n })
        const two = yield* signOutside({ from, nonce, to, data: word(0), feeGwei: 5n })
        assert.deepStrictEqual(one, two)
        assert.strictEqual(yield* l1.sendRaw(one.raw), one.hash)
        assert.strictEqual(yield* l1.sendRaw(one.raw), one.hash)
        yield* anvil.mine()
        yield* anvil.automine(true)
        assert.strictEqual(yield* countOf(to), 1)
        assert.strictEqual(Option.getOrThrow(yield* l1.getReceipt(one.hash)).status, 1n)
      })
    ))

  it("gives the revert of a call as a value", () =>
    runtime.runPromise(
      Effect.gen(function* () {
        const l1 = yield* L1Client
        const to = yield* placeCounter
        const error = yield* Effect.flip(l1.call({ to, data: word(5) }))
        assert.strictEqual(error._tag, "L1RequestRejected")
        assert.isTrue(error._tag === "L1RequestRejected" && error.isRevert)
      })
    ))

  it("knows its accounts by their keys", () =>
    runtime.runPromise(
      Effect.gen(function* () {
        const { accounts, keys, url } = yield* Anvil
        const key = keys[1]
        const l1 = yield* Effect.provide(L1Client, layerRpc({ url, key }))
        assert.deepStrictEqual(l1.accounts, accounts.slice(1, 2))
      })
    ))

  it("tries again while a node is busy, and calls nonsense by its name", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const node = yield* speaker([undefined, "0x7a69", { number: "nonsense" }])
          const options = { url: node.url, retries: 2, backOff: "10 millis" } as const
          const l1 = yield* Effect.provide(L1Client, layerRpc(options))
          assert.strictEqual(l1.chainId, 31_337n)
          const error = yield* Effect.flip(l1.getBlock("latest"))
          assert.strictEqual(error._tag, "L1AnswerMalformed")
        })
      )
    ))
})
