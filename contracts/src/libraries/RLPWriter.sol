// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title RLP writer
/// @notice The few encodings that hashing transactions and deriving addresses need.
/// @dev Runtime: L1 and L2.
library RLPWriter {
    /// @notice The prefix of a list whose items take `length` bytes together.
    function listPrefix(uint256 length) internal pure returns (bytes memory) {
        if (length <= 55) return abi.encodePacked(uint8(0xc0 + length));
        bytes memory digits = _trim(length);
        return abi.encodePacked(uint8(0xf7 + digits.length), digits);
    }

    /// @notice An integer as the shortest big-endian byte string; zero is the empty one.
    function encodeUint(uint256 value) internal pure returns (bytes memory) {
        if (value != 0 && value < 0x80) return abi.encodePacked(uint8(value));
        bytes memory digits = _trim(value);
        return abi.encodePacked(uint8(0x80 + digits.length), digits);
    }

    /// @notice A byte string; one byte below 0x80 stands for itself.
    function encodeBytes(bytes memory value) internal pure returns (bytes memory) {
        uint256 length = value.length;
        if (length == 1 && uint8(value[0]) < 0x80) return value;
        if (length <= 55) return abi.encodePacked(uint8(0x80 + length), value);
        bytes memory digits = _trim(length);
        return abi.encodePacked(uint8(0xb7 + digits.length), digits, value);
    }

    /// @notice An address as a byte string of 20 bytes.
    function encodeAddress(address value) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(0x94), value);
    }

    /// @dev The bytes of `value` without leading zeros.
    function _trim(uint256 value) private pure returns (bytes memory digits) {
        uint256 length;
        for (uint256 rest = value; rest != 0; rest >>= 8) ++length;
        digits = new bytes(length);
        assembly ("memory-safe") {
            // `new bytes` rounds up to whole words, so a full word may be written; of an empty
            // one nothing must be.
            if length { mstore(add(digits, 0x20), shl(sub(256, shl(3, length)), value)) }
        }
    }
}
