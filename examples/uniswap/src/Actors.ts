/** Who acts in the story, with keys that anybody may know. */
import * as Wallet from "@ovm/rollup/Wallet"
import { parseEther } from "viem"

/** Deploys the contracts and provides liquidity. */
export const deployer = Wallet.make(`0x${"d0".repeat(32)}`)
/** Trades. */
export const user = Wallet.make(`0x${"a1".repeat(32)}`)
/** Gets the BAT of the V1 trade. */
export const friend = Wallet.make(`0x${"f7".repeat(32)}`)
/** The sequencer's account: gets the priority fees. */
export const sequencer = Wallet.make(`0x${"5e".repeat(32)}`)

/** Wei that L2 starts with. */
export const balances = {
  [deployer.address]: parseEther("10000"),
  [user.address]: parseEther("100")
}
