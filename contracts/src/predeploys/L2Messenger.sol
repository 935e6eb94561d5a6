// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Messenger} from "../bridge/Messenger.sol";
import {IL2ToL1MessagePasser} from "../interfaces/IL2ToL1MessagePasser.sol";
import {AddressAlias} from "../libraries/AddressAlias.sol";

/// @title L2 messenger
/// @dev Runtime: L2, at 0x4200000000000000000000000000000000000007.
contract L2Messenger is Messenger {
    IL2ToL1MessagePasser private constant PASSER = IL2ToL1MessagePasser(0x4200000000000000000000000000000000000016);
    address private constant WETH = 0x4200000000000000000000000000000000000006;
    /// @dev L1 gas units of `relayMessage` on L1 beside the target's own, and for each byte of the call.
    uint256 private constant RELAY_GAS = 250_000;
    uint256 private constant RELAY_BYTE_GAS = 10;
    /// @dev A gas argument is EVM gas: that many OVM gas units are forwarded for each (CALL_GAS_SCALE).
    uint256 private constant CALL_GAS_SCALE = 4;

    /// @notice The twin on L1.
    /// @dev Slot 3. There is no constructor on L2: genesis writes it.
    address public l1Messenger;

    function _send(uint256 gasLimit, bytes memory data) internal override {
        uint256 gas = gasLimit + gasLimit / 63 + RELAY_GAS + RELAY_BYTE_GAS * data.length;
        PASSER.initiateWithdrawal{value: msg.value}(l1Messenger, gas, data);
    }

    function _isTwin() internal view override returns (bool) {
        return msg.sender == AddressAlias.ofContract(l1Messenger);
    }

    /// @dev The passer would take a withdrawal from here for a message. WETH moves the native balance of its caller, and
    /// here that is the value of failed messages.
    function _isForbidden(address target) internal view override returns (bool) {
        return target == address(PASSER) || target == WETH || target == address(this);
    }

    /// @dev Of L1 gas: the passer takes no more than 10,000,000 with all that is beside it.
    function _gasLimitMax() internal pure override returns (uint256) {
        return 9_000_000;
    }

    function _keptShare() internal pure override returns (uint256) {
        return 15;
    }

    function _reserve() internal pure override returns (uint256) {
        return 120_000;
    }

    function _gasArgument(uint256 gas) internal pure override returns (uint256) {
        return gas / CALL_GAS_SCALE;
    }
}
