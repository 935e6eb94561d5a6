// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Addresses of new contracts
/// @notice Where CREATE and CREATE2 put a contract, as if `creator` itself had run them.
/// @dev Runtime: L1 and L2.
library AddressDerivation {
    /// @notice keccak256(rlp([creator, nonce])), its last 20 bytes.
    /// @param nonce The creator's nonce before the creation raised it.
    function create(address creator, uint64 nonce) internal pure returns (address created) {
        assembly ("memory-safe") {
            // The nonce's bytes, left-aligned in a word, and how many bytes its RLP takes.
            let item
            let size
            switch lt(nonce, 0x80)
            case 1 {
                // A single byte below 0x80 stands for itself; zero is the empty string 0x80.
                item := shl(248, or(nonce, shl(7, iszero(nonce))))
                size := 1
            }
            default {
                let length := 1
                for { let rest := shr(8, nonce) } rest { rest := shr(8, rest) } {
                    length := add(length, 1)
                }
                item := or(shl(248, add(0x80, length)), shl(sub(248, shl(3, length)), nonce))
                size := add(1, length)
            }
            // List prefix (21 bytes of address and the nonce: always short), 0x94, address, nonce.
            mstore(0x00, or(shl(248, add(0xc0, add(21, size))), shl(80, or(shl(160, 0x94), and(creator, 0xffffffffffffffffffffffffffffffffffffffff)))))
            mstore(22, item)
            created := and(keccak256(0, add(22, size)), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }

    /// @notice keccak256(0xff ++ creator ++ salt ++ initcodeHash), its last 20 bytes.
    /// @param initcodeHash Keccak-256 of the original creation code, not of its transpiled form.
    function create2(address creator, bytes32 salt, bytes32 initcodeHash)
        internal
        pure
        returns (address)
    {
        return address(
            uint160(uint256(keccak256(abi.encodePacked(bytes1(0xff), creator, salt, initcodeHash))))
        );
    }
}
