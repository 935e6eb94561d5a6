/** The EVM as Ethereum has it, to compare with: `@ethereumjs/evm` on the original code. */
import { Common, Hardfork, Mainnet } from "@ethereumjs/common"
import { createEVM } from "@ethereumjs/evm"
import { Account, createAddressFromString } from "@ethereumjs/util"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { Effect } from "effect"
import { bytesToHex, hexToBytes } from "viem"
import { kzg } from "../../src/Kzg.ts"
import { type Allocation, CALLER, SELF } from "./World.ts"

export interface PlainOutcome {
  readonly success: boolean
  readonly returnData: Hex
  readonly logs: ReadonlyArray<{
    readonly address: Address
    readonly topics: ReadonlyArray<Hash32>
    readonly data: Hex
  }>
}

const PRECOMPILES = Array.from({ length: 10 }, (_, index) =>
  (index + 1).toString(16).padStart(40, "0")
)

/** Calls `SELF` in a world with these accounts. */
export const runPlain = (
  accounts: Readonly<Record<Address, Allocation>>,
  options: { readonly data?: Uint8Array; readonly gas?: bigint; readonly value?: bigint } = {}
): Effect.Effect<PlainOutcome> =>
  Effect.promise(async () => {
    const evm = await createEVM({
      common: new Common({
        chain: Mainnet,
        hardfork: Hardfork.Cancun,
        customCrypto: { kzg }
      })
    })
    for (const [key, { balance = 0n, code, nonce, storage = {} }] of Object.entries(accounts)) {
      const address = createAddressFromString(key)
      const account = new Account(nonce ?? (code ? 1n : 0n), balance)
      await evm.stateManager.putAccount(address, account)
      if (code !== undefined) await evm.stateManager.putCode(address, code)
      for (const [slot, value] of Object.entries(storage)) {
        await evm.stateManager.putStorage(
          address,
          hexToBytes(`0x${slot.slice(2)}`),
          hexToBytes(value)
        )
      }
    }
    for (const address of PRECOMPILES) evm.journal.addAlwaysWarmAddress(address)
    const { execResult } = await evm.runCall({
      caller: createAddressFromString(CALLER),
      to: createAddressFromString(SELF),
      data: options.data ?? new Uint8Array(0),
      gasLimit: options.gas ?? 2n ** 40n,
      value: options.value ?? 0n
    })
    return {
      success: execResult.exceptionError === undefined,
      returnData: bytesToHex(execResult.returnValue),
      logs: (execResult.logs ?? []).map(([address, topics, data]) => ({
        address: bytesToHex(address),
        topics: topics.map((topic) => bytesToHex(topic)),
        data: bytesToHex(data)
      }))
    }
  })
