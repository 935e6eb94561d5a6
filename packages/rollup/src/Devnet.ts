/** A genesis to try things on: funded accounts whose keys everybody knows, and the WETH predeploy. */
import { WETH as WethArtifact } from "@ovm/contracts"
import * as Genesis from "@ovm/protocol/Genesis"
import { WETH } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"

export const CHAIN_ID = 420n

export interface DevnetOptions extends Partial<Genesis.GenesisOptions> {
  /** Wei by account. */
  readonly balances: Readonly<Record<Address, bigint>>
}

/** A genesis with these balances; all ETH that nobody has stands in the reserve. */
export const genesis = ({
  allocations,
  balances,
  predeploys,
  ...options
}: DevnetOptions): Genesis.Genesis =>
  Genesis.make({
    chainId: CHAIN_ID,
    ...options,
    predeploys: { [WETH]: WethArtifact.deployedBytecode, ...predeploys },
    allocations: {
      ...Object.fromEntries(
        Object.entries(balances).map(([address, balance]) => [address, { balance }])
      ),
      ...allocations
    }
  })
