/** The L2 half of the bridge as genesis holds it: code at fixed addresses, and what each must know of L1. */
import { L2Bridge, L2Messenger, L2ToL1MessagePasser, L2TokenFactory } from "@ovm/contracts"
import type { Allocation } from "@ovm/protocol/Genesis"
import { L2_BRIDGE, L2_MESSENGER, L2_TOKEN_FACTORY, MESSAGE_PASSER } from "@ovm/protocol/Predeploys"
import type { Address, Hash32, Hex } from "@ovm/protocol/Primitives"
import { pad, toHex } from "viem"

/** What L2 must know of L1, in the names that `Deployment` gives. */
export interface L1Addresses {
  readonly bridge: Address
  readonly messenger: Address
}

/** For `GenesisOptions.predeploys`: runtime code by address. */
export const predeploys: Readonly<Record<Address, Hex>> = {
  [MESSAGE_PASSER]: L2ToL1MessagePasser.deployedBytecode,
  [L2_MESSENGER]: L2Messenger.deployedBytecode,
  [L2_BRIDGE]: L2Bridge.deployedBytecode,
  [L2_TOKEN_FACTORY]: L2TokenFactory.deployedBytecode
}

/** For `GenesisOptions.allocations`: predeploys have no constructor, so genesis writes their slots. */
export const allocations = ({
  bridge,
  messenger
}: L1Addresses): Readonly<Record<Address, Allocation>> => ({
  [L2_BRIDGE]: { storage: { [slot(L2_BRIDGE_L1_BRIDGE_SLOT)]: pad(bridge) } },
  [L2_MESSENGER]: { storage: { [slot(L2_MESSENGER_L1_MESSENGER_SLOT)]: pad(messenger) } }
})

/** `L2Bridge.l1Bridge`. */
const L2_BRIDGE_L1_BRIDGE_SLOT = 0n
/** `L2Messenger.l1Messenger`. */
const L2_MESSENGER_L1_MESSENGER_SLOT = 3n

const slot = (index: bigint): Hash32 => toHex(index, { size: 32 })
