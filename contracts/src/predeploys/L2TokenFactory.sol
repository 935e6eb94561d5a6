// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IL2TokenFactory} from "../interfaces/IL2TokenFactory.sol";
import {AddressDerivation} from "../libraries/AddressDerivation.sol";
import {L2Token} from "./L2Token.sol";

/// @title L2 token factory
/// @dev Runtime: L2, at 0x4200000000000000000000000000000000000012.
contract L2TokenFactory is IL2TokenFactory {
    address private constant L2_BRIDGE = 0x4200000000000000000000000000000000000010;

    /// @inheritdoc IL2TokenFactory
    mapping(address l2Token => address) public l1TokenOf;

    /// @inheritdoc IL2TokenFactory
    function ensure(address l1Token, string calldata name, string calldata symbol, uint8 decimals)
        external
        returns (address l2Token)
    {
        if (msg.sender != L2_BRIDGE) revert NotL2Bridge(msg.sender);
        l2Token = l2TokenOf(l1Token);
        if (l1TokenOf[l2Token] != address(0)) return l2Token;
        L2Token token = new L2Token{salt: 0}(l1Token);
        token.initialize(name, symbol, decimals);
        l1TokenOf[l2Token] = l1Token;
        emit TokenCreated(l1Token, l2Token);
    }

    /// @inheritdoc IL2TokenFactory
    function l2TokenOf(address l1Token) public view returns (address) {
        bytes32 initCodeHash = keccak256(abi.encodePacked(type(L2Token).creationCode, abi.encode(l1Token)));
        return AddressDerivation.create2(address(this), 0, initCodeHash);
    }
}
