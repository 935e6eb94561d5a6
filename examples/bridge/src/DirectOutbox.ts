/** scratch */
import { L1Outbox, SendingFailed } from "@ovm/batcher/L1Outbox"
import { Anvil } from "@ovm/l1/Anvil"
import { Effect, Layer } from "effect"
import { createPublicClient, createWalletClient, http } from "viem"
import { privateKeyToAccount } from "viem/accounts"

export const layer = (key: `0x${string}`) =>
  Layer.effect(
    L1Outbox,
    Effect.gen(function* () {
      const { url } = yield* Anvil
      const account = privateKeyToAccount(key)
      const wallet = createWalletClient({ transport: http(url), account })
      const client = createPublicClient({ transport: http(url), pollingInterval: 100 })
      return L1Outbox.of({
        carryOut: ({ data, id, to, valueWei }) =>
          Effect.tryPromise({
            try: async () => {
              const hash = await wallet.sendTransaction({
                to,
                data,
                value: valueWei ?? 0n,
                chain: null
              })
              const receipt = await client.waitForTransactionReceipt({ hash })
              return receipt.status === "success"
                ? ({
                    _tag: "Included",
                    transactionHash: hash,
                    gasUsed: receipt.gasUsed,
                    blockNumber: receipt.blockNumber
                  } as const)
                : ({ _tag: "Rejected", reason: "reverted" } as const)
            },
            catch: (cause) => new SendingFailed({ id, cause })
          })
      })
    })
  )
