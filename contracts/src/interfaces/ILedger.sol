// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Ledger of the native balance
/// @notice Served by the ExecutionManager itself, at 0x4200000000000000000000000000000000000fff: no code lies there.
/// Answers to the WETH predeploy only; for anyone else the address is an account without code.
interface ILedger {
    /// @notice Moves native balance between two accounts, running no code of either. Fails, without data, if `from`
    /// has less than `amount`, in a static call, or if sent with value.
    /// @param amount Wei.
    function move(address from, address to, uint256 amount) external;
}
