// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice A message from L2 that L1 carries out once the state it was sent in is final.
/// @param nonce Counts all withdrawals.
/// @param sender Who asked on L2.
/// @param value Wei, taken on L2 and given on L1.
/// @param gasLimit L1 gas units that the call must have at least.
struct Withdrawal {
    uint256 nonce;
    address sender;
    address target;
    uint256 value;
    uint256 gasLimit;
    bytes data;
}

/// @title L2 to L1 message passer
/// @notice Remembers what leaves L2. Its balance is the reserve: all ETH that is not on L2. Runs on L2, at
/// 0x4200000000000000000000000000000000000016.
interface IL2ToL1MessagePasser {
    event WithdrawalInitiated(
        uint256 indexed nonce,
        address indexed sender,
        address indexed target,
        uint256 value,
        uint256 gasLimit,
        bytes data,
        bytes32 withdrawalHash
    );

    error DataTooLarge(uint256 size, uint256 limit);
    /// @notice No L1 transaction could carry it out.
    error GasLimitTooHigh(uint256 limit, uint256 actual);

    /// @notice Sends `msg.value` and a call to L1.
    function initiateWithdrawal(address target, uint256 gasLimit, bytes calldata data) external payable;

    /// @notice Storage slot 0. Key: keccak256(abi.encode(nonce, sender, target, value, gasLimit, data)).
    function sentMessages(bytes32 withdrawalHash) external view returns (bool);
    /// @notice Storage slot 1. How many there are; the nonce of the next.
    function withdrawalCount() external view returns (uint256);
}
