// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IL2ToL1MessagePasser} from "../interfaces/IL2ToL1MessagePasser.sol";

/// @title L2 to L1 message passer
/// @dev Runtime: L2, at 0x4200000000000000000000000000000000000016. It takes no plain transfers: ETH that came without a
/// withdrawal would leave L2 and arrive nowhere.
contract L2ToL1MessagePasser is IL2ToL1MessagePasser {
    /// @dev Bytes; the proof, with these, must fit one L1 transaction.
    uint256 private constant DATA_BYTES_MAX = 16_384;
    /// @dev L1 gas units; the proof's verification has room beside it under EIP-7825.
    uint256 private constant GAS_LIMIT_MAX = 10_000_000;

    /// @inheritdoc IL2ToL1MessagePasser
    /// @dev Slot 0.
    mapping(bytes32 withdrawalHash => bool) public sentMessages;
    /// @inheritdoc IL2ToL1MessagePasser
    /// @dev Slot 1.
    uint256 public withdrawalCount;

    /// @inheritdoc IL2ToL1MessagePasser
    function initiateWithdrawal(address target, uint256 gasLimit, bytes calldata data) external payable {
        if (data.length > DATA_BYTES_MAX) revert DataTooLarge(data.length, DATA_BYTES_MAX);
        if (gasLimit > GAS_LIMIT_MAX) revert GasLimitTooHigh(GAS_LIMIT_MAX, gasLimit);
        uint256 nonce = withdrawalCount;
        bytes32 withdrawalHash = keccak256(abi.encode(nonce, msg.sender, target, msg.value, gasLimit, data));
        sentMessages[withdrawalHash] = true;
        withdrawalCount = nonce + 1;
        emit WithdrawalInitiated(nonce, msg.sender, target, msg.value, gasLimit, data, withdrawalHash);
    }
}
