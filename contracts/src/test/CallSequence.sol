// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Makes several calls within one transaction, so that transient storage lives through them.
/// @dev Runtime: tests only.
contract CallSequence {
    error CallFailed(uint256 index, bytes reason);

    function run(address target, bytes[] calldata calls) external returns (bytes[] memory results) {
        results = new bytes[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            bool ok;
            (ok, results[i]) = target.call(calls[i]);
            if (!ok) revert CallFailed(i, results[i]);
        }
    }
}
