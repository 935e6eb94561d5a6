// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Messenger
/// @notice Sends calls from one layer to the other, in the sender's name, and delivers those that arrive: each at most once
/// with success; one that failed can be tried again by anyone. One runs on L1, its twin on L2, at
/// 0x4200000000000000000000000000000000000007.
interface IMessenger {
    event MessageSent(
        uint256 indexed nonce,
        address indexed sender,
        address indexed target,
        uint256 value,
        uint256 gasLimit,
        bytes message,
        bytes32 messageHash
    );
    event MessageRelayed(bytes32 indexed messageHash);
    /// @notice Its value is kept here; `relayMessage` tries again.
    event MessageFailed(bytes32 indexed messageHash);

    error MessageTooLarge(uint256 size, uint256 limit);
    error GasLimitTooHigh(uint256 limit, uint256 actual);
    /// @notice Nobody but the twin delivers a message for the first time.
    error NotReplayable(bytes32 messageHash);
    error AlreadyRelayed(bytes32 messageHash);
    error WrongValue(uint256 expected, uint256 actual);
    /// @notice Less gas than the message asks for. Send again with more.
    error NotEnoughGas(uint256 required, uint256 available);
    error Reentered();
    /// @notice The target failed again; everything stays as it was.
    error ReplayFailed(bytes32 messageHash);
    /// @notice No message is being delivered.
    error NoMessage();

    /// @notice Calls `target` on the other layer with the value sent along.
    /// @param gasLimit Gas units of the other layer that the call has at least.
    function sendMessage(address target, bytes calldata message, uint256 gasLimit) external payable;

    /// @notice Delivers a message: the twin for the first time, anyone if that failed.
    /// @dev The twin's call never reverts for the message's sake, else its value would be lost: what can't be delivered is
    /// kept as failed. That goes for a message that arrives while another is delivered, too.
    function relayMessage(
        uint256 nonce,
        address sender,
        address target,
        uint256 value,
        uint256 gasLimit,
        bytes calldata message
    ) external payable;

    /// @notice While a message is delivered: who sent it on the other layer.
    function xDomainMessageSender() external view returns (address);

    /// @notice keccak256(abi.encode(nonce, sender, target, value, gasLimit, message)).
    function isRelayed(bytes32 messageHash) external view returns (bool);
    function isFailed(bytes32 messageHash) external view returns (bool);
    /// @notice How many were sent; the nonce of the next.
    function messageCount() external view returns (uint256);
}
