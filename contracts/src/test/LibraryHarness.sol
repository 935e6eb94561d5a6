// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AddressDerivation} from "../libraries/AddressDerivation.sol";

/// @notice Lets tests call internal library functions.
/// @dev Runtime: tests only.
contract LibraryHarness {
    function create(address creator, uint64 nonce) external pure returns (address) {
        return AddressDerivation.create(creator, nonce);
    }

    function create2(address creator, bytes32 salt, bytes32 initcodeHash) external pure returns (address) {
        return AddressDerivation.create2(creator, salt, initcodeHash);
    }
}
