// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IStateManager} from "./IStateManager.sol";

/// @title Storage-backed state manager
/// @notice An IStateManager that keeps all L2 state in its own storage: a chain of its own on L1, without proofs.
/// @dev The transpiler does not exist in Solidity yet, so an operator registers what it makes of each code, and this
/// contract trusts it to be T's output; that it is safe is checked here.
interface IStorageBackedStateManager is IStateManager {
    /// @notice What code is for: the transpiler makes different things of it.
    enum Mode {
        Init,
        Runtime
    }

    /// @notice Code with this hash runs for the first time, and nobody has registered what the transpiler makes of it.
    /// Register it and run again.
    error CodeNotRegistered(bytes32 codeHash, Mode mode);
    /// @notice Accounts here can hold up to 2^120 - 1 wei.
    error BalanceTooLarge(address account, uint256 balance);
    /// @notice Accounts here can count up to 2^64 - 1.
    error NonceTooLarge(address account, uint256 nonce);
    /// @notice What was to be registered holds an instruction that must not run natively.
    error UnsafeCode(uint256 offset, uint8 opcode);
    error NotExecutionManager(address caller);
    error NotOperator(address caller);
    /// @notice Accounts can be set up before the first transaction only.
    error AlreadySealed();

    event CodeRegistered(bytes32 indexed codeHash, Mode indexed mode, uint256 size);

    /// @notice Tells what the transpiler makes of code. Idempotent: what is registered stays.
    /// @param transpiled Over the size limit of its mode if the code can't be deployed: that is registered too.
    function register(Mode mode, bytes calldata original, bytes calldata transpiled) external;

    /// @notice Sets up an account of the genesis state.
    /// @param code Original code, registered already; empty for a plain account.
    /// @param slots Storage slots, with `values` in the same order.
    function allocate(
        address account,
        uint256 nonce,
        uint256 balance,
        bytes calldata code,
        bytes32[] calldata slots,
        bytes32[] calldata values
    ) external;

    /// @notice Ends the set-up: from here on only transactions change accounts.
    function seal() external;
}
