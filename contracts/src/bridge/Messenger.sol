// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IMessenger} from "../interfaces/IMessenger.sol";

/// @title Messenger
/// @dev Runtime: L1 and L2; what differs is how a message is sent and who the twin is.
abstract contract Messenger is IMessenger {
    /// @dev Bytes of a message.
    uint256 internal constant MESSAGE_BYTES_MAX = 12_288;

    /// @inheritdoc IMessenger
    /// @dev Slot 0.
    mapping(bytes32 messageHash => bool) public isRelayed;
    /// @inheritdoc IMessenger
    /// @dev Slot 1.
    mapping(bytes32 messageHash => bool) public isFailed;
    /// @inheritdoc IMessenger
    /// @dev Slot 2.
    uint256 public messageCount;

    address private transient _sender;
    bool private transient _busy;

    /// @inheritdoc IMessenger
    function sendMessage(address target, bytes calldata message, uint256 gasLimit) external payable {
        if (message.length > MESSAGE_BYTES_MAX) revert MessageTooLarge(message.length, MESSAGE_BYTES_MAX);
        if (gasLimit > _gasLimitMax()) revert GasLimitTooHigh(_gasLimitMax(), gasLimit);
        uint256 nonce = messageCount++;
        bytes32 messageHash =
            keccak256(abi.encode(nonce, msg.sender, target, msg.value, gasLimit, message));
        emit MessageSent(nonce, msg.sender, target, msg.value, gasLimit, message, messageHash);
        _send(
            gasLimit,
            abi.encodeCall(IMessenger.relayMessage, (nonce, msg.sender, target, msg.value, gasLimit, message))
        );
    }

    /// @inheritdoc IMessenger
    function relayMessage(
        uint256 nonce,
        address sender,
        address target,
        uint256 value,
        uint256 gasLimit,
        bytes calldata message
    ) external payable {
        bytes32 messageHash = keccak256(abi.encode(nonce, sender, target, value, gasLimit, message));
        bool isFirst = _isTwin();
        if (isRelayed[messageHash]) revert AlreadyRelayed(messageHash);
        // Only the twin brings value; a message that failed left its own here.
        uint256 expected = isFirst ? value : 0;
        if (msg.value != expected) revert WrongValue(expected, msg.value);
        if (!isFirst) {
            if (!isFailed[messageHash]) revert NotReplayable(messageHash);
            if (_busy) revert Reentered();
        }
        if (!_busy && !_isForbidden(target)) {
            uint256 required = gasLimit + gasLimit / _keptShare() + 2 * (_reserve() + message.length);
            uint256 available = gasleft();
            if (available >= required) {
                // Before the call, so that it can't be delivered again from inside.
                isRelayed[messageHash] = true;
                if (_deliver(sender, target, value, message)) {
                    emit MessageRelayed(messageHash);
                    return;
                }
                isRelayed[messageHash] = false;
            } else if (!isFirst) {
                revert NotEnoughGas(required, available);
            }
        }
        if (!isFirst) revert ReplayFailed(messageHash);
        isFailed[messageHash] = true;
        emit MessageFailed(messageHash);
    }

    /// @inheritdoc IMessenger
    function xDomainMessageSender() external view returns (address) {
        if (_sender == address(0)) revert NoMessage();
        return _sender;
    }

    function _deliver(address sender, address target, uint256 value, bytes memory message)
        private
        returns (bool success)
    {
        _busy = true;
        _sender = sender;
        uint256 forwarded = _gasArgument(gasleft() - _reserve());
        assembly ("memory-safe") {
            // Return data is not copied: it could be long enough to use up all gas.
            success := call(forwarded, target, value, add(message, 32), mload(message), 0, 0)
        }
        _sender = address(0);
        _busy = false;
    }

    /// @dev Sends `data`, a call of the twin's `relayMessage`, with `msg.value` and gas for all it does.
    function _send(uint256 gasLimit, bytes memory data) internal virtual;

    /// @dev Whether the twin is calling, through the layers.
    function _isTwin() internal view virtual returns (bool);

    /// @dev Whoever takes the messenger's word for something must not be called by it.
    function _isForbidden(address target) internal view virtual returns (bool);

    /// @dev Gas units of the other layer that a message may ask for.
    function _gasLimitMax() internal pure virtual returns (uint256);

    /// @dev A call keeps back one part in `_keptShare() + 1` of the gas.
    function _keptShare() internal pure virtual returns (uint256);

    /// @dev Gas units that suffice to get ready for the call, and again for the call itself and to write down how it ended.
    function _reserve() internal pure virtual returns (uint256);

    /// @dev What CALL must be told so that it forwards at most so much.
    function _gasArgument(uint256 gas) internal pure virtual returns (uint256);
}
