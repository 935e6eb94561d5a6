/** Who signs in the benchmarks, and the chain that both machines run. */
import { WETH as WethArtifact } from "@ovm/contracts"
import * as Genesis from "@ovm/protocol/Genesis"
import { WETH } from "@ovm/protocol/Predeploys"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import { hexToBytes, parseEther, parseGwei } from "viem"
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts"

export const CHAIN_ID = 420

export interface Actor {
  readonly address: Address
  readonly account: PrivateKeyAccount
  nonce: number
}

export const makeActor = (seed: string): Actor => {
  const account = privateKeyToAccount(`0x${seed.repeat(32)}`)
  return { account, address: lower(account.address), nonce: 0 }
}

export const lower = (address: Hex): Address => `0x${address.slice(2).toLowerCase()}`

/** Far away; not what is measured. */
export const DEADLINE = 4_102_444_800n
export const COINBASE: Address = `0x${"cb".repeat(20)}`
/** What a single OVM transaction may have. */
export const GAS_LIMIT_MAX = 14_000_000n
/** Room for a block of 50 swaps at OVM prices. */
export const BLOCK_GAS_LIMIT = 100_000_000n
/** Wei that every actor has in genesis. */
export const BALANCE = parseEther("1000000")

export const genesisOf = (actors: ReadonlyArray<Actor>): Genesis.Genesis =>
  Genesis.make({
    chainId: BigInt(CHAIN_ID),
    gasLimit: BLOCK_GAS_LIMIT,
    coinbase: COINBASE,
    predeploys: { [WETH]: WethArtifact.deployedBytecode },
    allocations: Object.fromEntries(actors.map(({ address }) => [address, { balance: BALANCE }]))
  })

export interface Request {
  /** Left out: a creation. */
  readonly to?: Address
  readonly data?: Hex
  /** Wei. */
  readonly value?: bigint
  readonly gas?: bigint
}

/** A raw transaction with the actor's next nonce. */
export const signNext = async (actor: Actor, request: Request): Promise<Uint8Array> =>
  hexToBytes(
    await actor.account.signTransaction({
      type: "eip1559",
      chainId: CHAIN_ID,
      nonce: actor.nonce++,
      gas: request.gas ?? GAS_LIMIT_MAX,
      maxFeePerGas: parseGwei("100"),
      maxPriorityFeePerGas: 1_000_000n,
      value: request.value ?? 0n,
      ...(request.to === undefined ? {} : { to: request.to }),
      ...(request.data === undefined ? {} : { data: request.data })
    })
  )
