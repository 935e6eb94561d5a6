import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { hexToBytes } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { recoverSender } from "../src/Signature.ts"
import * as Transaction from "../src/Transaction.ts"

describe("README", () => {
  it("recovers the sender of raw bytes, as the first example says", async () => {
    const account = privateKeyToAccount(`0x${"07".repeat(32)}`)
    const raw = hexToBytes(
      await account.signTransaction({ type: "legacy", gasPrice: 1n, gas: 21_000n, chainId: 420 })
    )
    const transaction = Transaction.decode(raw)
    const sender = Either.flatMap(transaction, recoverSender)
    assert.strictEqual(Either.getOrThrow(sender), account.address.toLowerCase())
  })
})
