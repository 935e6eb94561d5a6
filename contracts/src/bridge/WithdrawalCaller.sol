// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Withdrawal caller
/// @notice Calls the targets of withdrawals. It may do nothing and holds nothing, neither ETH nor tokens nor approvals:
/// whatever a withdrawal makes it say, nobody loses by it.
/// @dev Runtime: L1. The bridge itself must not call what strangers name: it holds tokens, users' approvals, and the right
/// to enqueue deposits.
contract WithdrawalCaller {
    error NotBridge(address caller);
    /// @notice The target reverted; the value goes back to the bridge.
    error CallFailed();

    address private immutable BRIDGE;

    constructor() {
        BRIDGE = msg.sender;
    }

    /// @notice Calls `target` with the value sent along and all gas; reverts if it does.
    function execute(address target, bytes calldata data) external payable {
        if (msg.sender != BRIDGE) revert NotBridge(msg.sender);
        bytes memory input = data;
        bool success;
        assembly ("memory-safe") {
            // Return data is not copied: it could be long enough to use up all gas.
            success := call(gas(), target, callvalue(), add(input, 32), mload(input), 0, 0)
        }
        if (!success) revert CallFailed();
    }
}
