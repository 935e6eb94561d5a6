/** A contract that tells whether something was sent twice, and what tests need around it. */
import { Anvil } from "@ovm/l1/Anvil"
import { L1Client } from "@ovm/l1/L1Client"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { Effect, Option, Schema } from "effect"

/**
 * Takes one word: if it is the number of calls so far, counts one more; else reverts. As an Inbox
 * does with `expectedIndex`.
 */
const STRICT_COUNTER: Hex = "0x5f355f5414600b575f5ffd5b5f546001015f5500"
/** Counts every call. */
const LOOSE_COUNTER: Hex = "0x5f546001015f5500"

const addressOf = (number: number): Address => `0xc0de${number.toString(16).padStart(36, "0")}`
let made = 0

const placeCode = (code: Hex) =>
  Effect.gen(function* () {
    const { rpc } = yield* Anvil
    const address = addressOf(++made)
    yield* rpc("anvil_setCode", [address, code])
    return address
  })
export const placeCounter = placeCode(STRICT_COUNTER)
export const placeLooseCounter = placeCode(LOOSE_COUNTER)

export const word = (value: number): Hex => `0x${value.toString(16).padStart(64, "0")}`

export const countOf = (counter: Address) =>
  Effect.flatMap(L1Client, ({ request }) =>
    Effect.map(request("eth_getStorageAt", [counter, "0x0", "latest"], Schema.String), Number)
  )

/** Signs by hand, as somebody else who has the key would. */
export const signOutside = (options: {
  readonly from: Address
  readonly nonce: number
  readonly to: Address
  readonly data: Hex
  readonly feeGwei: bigint
}) =>
  Effect.flatMap(L1Client, ({ sign }) =>
    sign({
      ...{ from: options.from, nonce: options.nonce, to: options.to, data: options.data },
      ...{ valueWei: 0n, gas: 100_000n },
      maxFeePerGasWei: options.feeGwei * 1_000_000_000n,
      maxPriorityFeePerGasWei: options.feeGwei * 1_000_000_000n
    })
  )

export const headOf = Effect.flatMap(L1Client, ({ getBlock }) =>
  Effect.map(getBlock("latest"), Option.getOrThrow)
)
