// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Code store
/// @notice Keeps bytes of up to EIP-3860's initcode size as the code of contracts: ~4 times cheaper than storage.
/// @dev Runtime: L1. Each piece starts with STOP, so that nobody can run what is kept (or destroy it), and so that bytes
/// starting with 0xEF can be kept too (EIP-3541).
library CodeStore {
    /// @notice The bytes are longer than three pieces hold.
    error TooLargeToKeep(uint256 size, uint256 limit);

    /// @dev EIP-170's 24,576 bytes, less the STOP.
    uint256 private constant PIECE_SIZE = 24_575;
    uint256 private constant MAX_SIZE = 49_152;

    /// @param size How many bytes are kept.
    /// @param pieces Where they lie; the first one shares a slot with the size.
    struct Kept {
        uint64 size;
        address first;
        address second;
        address third;
    }

    /// @notice Keeps `data`.
    function keep(Kept storage kept, bytes calldata data) internal {
        if (data.length > MAX_SIZE) revert TooLargeToKeep(data.length, MAX_SIZE);
        kept.size = uint64(data.length);
        kept.first = _keepPiece(data, 0);
        if (data.length > PIECE_SIZE) kept.second = _keepPiece(data, PIECE_SIZE);
        if (data.length > 2 * PIECE_SIZE) kept.third = _keepPiece(data, 2 * PIECE_SIZE);
    }

    /// @notice Copies `size` bytes from `offset` on to memory, zeros behind the end.
    function load(Kept storage kept, uint256 offset, uint256 size) internal view returns (bytes memory data) {
        data = new bytes(size);
        uint256 total = kept.size;
        if (offset >= total || size == 0) return data;
        uint256 end = size < total - offset ? offset + size : total;
        uint256 target;
        assembly ("memory-safe") {
            target := add(data, 0x20)
        }
        while (offset < end) {
            uint256 index = offset / PIECE_SIZE;
            uint256 start = offset % PIECE_SIZE;
            uint256 length = end - offset;
            if (length > PIECE_SIZE - start) length = PIECE_SIZE - start;
            address piece = index == 0 ? kept.first : index == 1 ? kept.second : kept.third;
            assembly ("memory-safe") {
                extcodecopy(piece, target, add(start, 1), length)
            }
            offset += length;
            target += length;
        }
    }

    /// @notice Creates a contract whose code is exactly `code`.
    function deploy(bytes memory code) internal returns (address created) {
        // PUSH2 size, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: returns what follows it.
        bytes memory initCode = bytes.concat(hex"61", bytes2(uint16(code.length)), hex"80600a5f395ff3", code);
        assembly ("memory-safe") {
            created := create(0, add(initCode, 0x20), mload(initCode))
        }
        if (created == address(0)) revert TooLargeToKeep(code.length, PIECE_SIZE + 1);
    }

    function _keepPiece(bytes calldata data, uint256 start) private returns (address) {
        uint256 length = data.length - start;
        if (length > PIECE_SIZE) length = PIECE_SIZE;
        return deploy(bytes.concat(hex"00", data[start:start + length]));
    }
}
