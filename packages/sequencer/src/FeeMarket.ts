/** EIP-1559: what a unit of gas costs in the next block, decided by how full the last one was. */

/** A block at the target leaves the base fee as it is; the limit is this many times the target. */
export const ELASTICITY_MULTIPLIER = 2n
/** The base fee moves by at most one part in this many from block to block. */
export const BASE_FEE_MAX_CHANGE_DENOMINATOR = 8n

/** The base fee (wei per gas) of the block on top of `parent`. */
export const nextBaseFee = (parent: {
  readonly gasLimit: bigint
  readonly gasUsed: bigint
  readonly baseFeePerGas: bigint
}): bigint => {
  const target = parent.gasLimit / ELASTICITY_MULTIPLIER
  if (target === 0n || parent.gasUsed === target) return parent.baseFeePerGas
  const distance = parent.gasUsed > target ? parent.gasUsed - target : target - parent.gasUsed
  const change = (parent.baseFeePerGas * distance) / target / BASE_FEE_MAX_CHANGE_DENOMINATOR
  if (parent.gasUsed < target) return parent.baseFeePerGas - change
  // A fee of a few wei would never rise by an eighth of itself.
  return parent.baseFeePerGas + (change === 0n ? 1n : change)
}
