// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Safety checker
/// @notice The gate in front of anything executable: code that passes can't see or touch what lies outside its frame,
/// but by asking the ExecutionManager.
interface ISafetyChecker {
    /// @notice Sweeps the code from its first byte on, instruction by instruction, reachable or not.
    /// @param code Transpiled code, of either mode.
    /// @return safe Whether every instruction is on the allowlist or part of a gate sequence.
    /// @return offset Where the first offending instruction stands; zero if `safe`.
    /// @return opcode What stands there; zero if `safe`.
    function check(bytes calldata code) external pure returns (bool safe, uint256 offset, uint8 opcode);
}
