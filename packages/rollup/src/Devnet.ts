/** A genesis to try things on: funded accounts whose keys everybody knows, and the WETH predeploy. */
import { WETH as WethArtifact } from "@ovm/contracts"
import * as Genesis from "@ovm/protocol/Genesis"
import { WETH } from "@ovm/protocol/Predeploys"
import { type Address, type Hash32, ZERO_HASH } from "@ovm/protocol/Primitives"
import { numberToHex } from "viem"

export const CHAIN_ID = 420n

export interface DevnetOptions extends Partial<Omit<Genesis.GenesisOptions, "allocations">> {
  /** Wei by account. */
  readonly balances: Readonly<Record<Address, bigint>>
}

/** The WETH predeploy's `totalSupply` is its first slot; all native ETH counts, for it is all WETH. */
const TOTAL_SUPPLY_SLOT = ZERO_HASH

/** A genesis with these balances. */
export const genesis = ({ balances, ...options }: DevnetOptions): Genesis.Genesis => {
  const supply = Object.values(balances).reduce((sum, balance) => sum + balance, 0n)
  const totalSupply: Record<Hash32, Hash32> = {
    [TOTAL_SUPPLY_SLOT]: numberToHex(supply, { size: 32 })
  }
  const funded = Object.fromEntries(
    Object.entries(balances).map(([address, balance]) => [address, { balance }])
  )
  return Genesis.make({
    chainId: CHAIN_ID,
    ...options,
    predeploys: { [WETH]: WethArtifact.deployedBytecode, ...options.predeploys },
    allocations: { ...funded, [WETH]: { storage: totalSupply } }
  })
}
