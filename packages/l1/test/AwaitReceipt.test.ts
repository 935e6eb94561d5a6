/** A receipt is waited for on an L1 that mines only on demand, and given up where none comes. */
import { Anvil, layerAnvil } from "@ovm/l1/Anvil"
import { awaitReceipt } from "@ovm/l1/AwaitReceipt"
import { Effect, Fiber } from "effect"
import { createPublicClient, createWalletClient, http } from "viem"
import { mnemonicToAccount } from "viem/accounts"
import { foundry } from "viem/chains"
import { assert, it } from "vitest"

/** Anvil's own. */
const account = mnemonicToAccount("test test test test test test test test test test test junk")

it("asks until the receipt is there, though no further block comes", () =>
  Effect.gen(function* () {
    const anvil = yield* Anvil
    const client = createPublicClient({ chain: foundry, transport: http(anvil.url) })
    const wallet = createWalletClient({ chain: foundry, transport: http(anvil.url), account })
    const hash = yield* Effect.promise(() =>
      wallet.sendTransaction({ to: account.address, value: 1n })
    )
    const waiting = yield* Effect.fork(
      Effect.promise(() => awaitReceipt(client, { hash, everyMs: 10 }))
    )
    yield* Effect.sleep("100 millis")
    yield* anvil.mine(1)
    const receipt = yield* Fiber.join(waiting)
    assert.strictEqual(receipt.transactionHash, hash)
    assert.strictEqual(receipt.status, "success")
    const nothing = yield* Effect.tryPromise({
      try: () => awaitReceipt(client, { hash: `0x${"00".repeat(32)}`, everyMs: 10, timeoutMs: 50 }),
      catch: (error) => error
    }).pipe(Effect.flip)
    assert.strictEqual(
      nothing instanceof Error && nothing.name,
      "WaitForTransactionReceiptTimeoutError"
    )
  }).pipe(Effect.provide(layerAnvil({ mining: "manual" })), Effect.runPromise))
