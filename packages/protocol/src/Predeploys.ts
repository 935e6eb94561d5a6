/** Addresses that mean something to the protocol itself. */
import type { Address } from "./Primitives.ts"

/** The ERC-20 view of the native balance: one ledger, two faces. */
export const WETH: Address = "0x4200000000000000000000000000000000000006"
/** Receives the base fee of every transaction, so that supply is conserved. */
export const BASE_FEE_VAULT: Address = "0x4200000000000000000000000000000000000019"
/** Answers only to the WETH predeploy: moves native balance between two accounts. */
export const LEDGER: Address = "0x4200000000000000000000000000000000000fff"
/** EIP-2935: the last 8,191 block hashes, in the storage of this account. */
export const HISTORY_STORAGE: Address = "0x0000f90827f1c53a10cb7a02335b175320002935"
/** EIP-2935: how many block hashes are kept. */
export const HISTORY_SERVE_WINDOW = 8191n
