/** What a constant-product pool must pay, computed without asking it. */

/** Both Uniswap versions keep 0.3 % of what comes in. */
const FEE_NUMERATOR = 997n
const FEE_DENOMINATOR = 1000n

/**
 * Tokens out for an exact input: `x * y = k` with the fee taken from the input first. V1
 * (`getInputPrice`) and V2 (`getAmountOut`) share it; amounts in the tokens' smallest units.
 */
export const amountOut = (options: {
  readonly amountIn: bigint
  readonly reserveIn: bigint
  readonly reserveOut: bigint
}): bigint => {
  const afterFee = options.amountIn * FEE_NUMERATOR
  return (afterFee * options.reserveOut) / (options.reserveIn * FEE_DENOMINATOR + afterFee)
}
