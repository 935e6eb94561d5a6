// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IL1Bridge} from "../interfaces/IL1Bridge.sol";
import {IL2Bridge} from "../interfaces/IL2Bridge.sol";
import {IL2Token} from "../interfaces/IL2Token.sol";
import {IL2TokenFactory} from "../interfaces/IL2TokenFactory.sol";
import {IL2ToL1MessagePasser} from "../interfaces/IL2ToL1MessagePasser.sol";
import {AddressAlias} from "../libraries/AddressAlias.sol";

/// @title L2 bridge
/// @dev Runtime: L2, at 0x4200000000000000000000000000000000000010.
contract L2Bridge is IL2Bridge {
    IL2ToL1MessagePasser private constant PASSER = IL2ToL1MessagePasser(0x4200000000000000000000000000000000000016);
    IL2TokenFactory private constant FACTORY = IL2TokenFactory(0x4200000000000000000000000000000000000012);
    /// @dev L1 gas units that a token's transfer has at least; what it refuses, L1 keeps for a second try.
    uint256 private constant WITHDRAWAL_GAS_MIN = 300_000;

    /// @inheritdoc IL2Bridge
    /// @dev Slot 0. There is no constructor on L2: genesis writes it.
    address public l1Bridge;

    /// @inheritdoc IL2Bridge
    function finalizeDeposit(
        address l1Token,
        address from,
        address to,
        uint256 amount,
        string calldata name,
        string calldata symbol,
        uint8 decimals
    ) external {
        if (msg.sender != AddressAlias.ofContract(l1Bridge)) revert NotL1Bridge(msg.sender);
        address l2Token = FACTORY.ensure(l1Token, name, symbol, decimals);
        IL2Token(l2Token).mint(to, amount);
        emit DepositFinalized(l1Token, l2Token, to, from, amount);
    }

    /// @inheritdoc IL2Bridge
    function withdraw(address l2Token, address to, uint256 amount, uint256 gasLimit) external {
        if (amount == 0) revert NothingWithdrawn();
        address l1Token = FACTORY.l1TokenOf(l2Token);
        if (l1Token == address(0)) revert NotBridgedToken(l2Token);
        IL2Token(l2Token).burn(msg.sender, amount);
        if (gasLimit < WITHDRAWAL_GAS_MIN) gasLimit = WITHDRAWAL_GAS_MIN;
        bytes memory data = abi.encodeCall(IL1Bridge.finalizeERC20Withdrawal, (l1Token, msg.sender, to, amount));
        PASSER.initiateWithdrawal(l1Bridge, gasLimit, data);
        emit WithdrawalStarted(l1Token, l2Token, msg.sender, to, amount);
    }
}
