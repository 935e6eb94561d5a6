/** Short ways to say words, addresses and expected rejections. */
import type { Address, Hash32 } from "@ovm/protocol/Primitives"

export const word = (value: number | bigint): Hash32 => `0x${value.toString(16).padStart(64, "0")}`

export const address = (value: number): Address => `0x${value.toString(16).padStart(40, "0")}`

/** What `promise` was rejected with. */
export const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error("Expected a rejection, but the promise was fulfilled.")
}
