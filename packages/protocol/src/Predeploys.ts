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
/** Remembers what leaves L2. Its balance is the reserve: all ETH that is not on L2. */
export const MESSAGE_PASSER: Address = "0x4200000000000000000000000000000000000016"
/** Sends and delivers messages between contracts of L1 and L2. */
export const L2_MESSENGER: Address = "0x4200000000000000000000000000000000000007"
/** The L2 side of the ERC-20 bridge. */
export const L2_BRIDGE: Address = "0x4200000000000000000000000000000000000010"
/** Makes the tokens that stand on L2 for tokens of L1. */
export const L2_TOKEN_FACTORY: Address = "0x4200000000000000000000000000000000000012"
/** Wei in all, on L2 and in the reserve: nothing on L2 makes or destroys ETH. */
export const ETH_CAP = 2n ** 110n
/** Added to the address of an L1 contract that calls, so that no L2 account can be mistaken for it. */
export const ALIAS_OFFSET = 0x1111000000000000000000000000000000001111n
