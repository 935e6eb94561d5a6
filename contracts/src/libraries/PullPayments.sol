// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IPullPayments} from "../interfaces/IPullPayments.sol";

/// @title Pull payments
/// @dev Runtime: L1. The only place of its heirs that sends ETH.
abstract contract PullPayments is IPullPayments {
    /// @inheritdoc IPullPayments
    mapping(address account => uint256) public withdrawable;

    /// @inheritdoc IPullPayments
    function withdraw() external {
        uint256 amount = withdrawable[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        withdrawable[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);
        _send(msg.sender, amount);
    }

    function _send(address account, uint256 amount) internal {
        (bool success,) = account.call{value: amount}("");
        if (!success) revert TransferFailed(account, amount);
    }
}
