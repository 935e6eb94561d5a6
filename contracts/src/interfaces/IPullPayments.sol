// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Pull payments
/// @notice What a contract owes is written down, and fetched by whom it is owed to: nobody's refusal stops the contract.
interface IPullPayments {
    event Withdrawn(address indexed account, uint256 amount);

    error NothingToWithdraw(address account);
    error TransferFailed(address account, uint256 amount);

    /// @notice Wei that `account` may take out: bonds that came free, rewards.
    function withdrawable(address account) external view returns (uint256);

    /// @notice Takes out all that the caller may.
    function withdraw() external;
}
