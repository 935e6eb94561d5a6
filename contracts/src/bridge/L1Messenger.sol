// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IL1Bridge} from "../interfaces/IL1Bridge.sol";
import {Messenger} from "./Messenger.sol";

/// @title L1 messenger
/// @dev Runtime: L1.
contract L1Messenger is Messenger {
    /// @dev OVM gas units of `relayMessage` on L2 beside the target's own, and for each byte of the call.
    uint256 private constant RELAY_GAS = 400_000;
    uint256 private constant RELAY_BYTE_GAS = 100;

    IL1Bridge private immutable BRIDGE;
    address private immutable CALLER;
    address private immutable L2_MESSENGER;

    constructor(address bridge, address l2Messenger) {
        BRIDGE = IL1Bridge(bridge);
        CALLER = IL1Bridge(bridge).withdrawalCaller();
        L2_MESSENGER = l2Messenger;
    }

    function _send(uint256 gasLimit, bytes memory data) internal override {
        uint256 gas = gasLimit + gasLimit / _l2KeptShare() + RELAY_GAS + RELAY_BYTE_GAS * data.length;
        BRIDGE.depositTransaction{value: msg.value}(false, L2_MESSENGER, msg.value, uint64(gas), data);
    }

    function _isTwin() internal view override returns (bool) {
        return msg.sender == CALLER && BRIDGE.l2Sender() == L2_MESSENGER;
    }

    /// @dev The bridge would take a deposit from here for a message.
    function _isForbidden(address target) internal view override returns (bool) {
        return target == address(BRIDGE) || target == address(this);
    }

    /// @dev Of OVM gas: a transaction may have 14,000,000 with all that is beside it.
    function _gasLimitMax() internal pure override returns (uint256) {
        return 10_000_000;
    }

    function _keptShare() internal pure override returns (uint256) {
        return 63;
    }

    function _reserve() internal pure override returns (uint256) {
        return 100_000;
    }

    function _gasArgument(uint256 gas) internal pure override returns (uint256) {
        return gas;
    }

    function _l2KeptShare() private pure returns (uint256) {
        return 15;
    }
}
