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

    /// @notice Copies `size` bytes from `offset` on to memory at `target`, zeros behind the end of what is kept.
    /// @param target Free memory: the words from here to the end of the last one are overwritten.
    function copyTo(Kept storage kept, uint256 target, uint256 offset, uint256 size) internal view {
        uint256 total = kept.size;
        uint256 end = offset >= total ? offset : size < total - offset ? offset + size : total;
        uint256 present = end - offset;
        assembly ("memory-safe") {
            // Beyond the end of calldata there are zeros, up to the end of the last word.
            calldatacopy(add(target, present), calldatasize(), and(add(sub(size, present), 63), not(31)))
        }
        while (offset < end) {
            uint256 start = offset % PIECE_SIZE;
            uint256 length = end - offset;
            if (length > PIECE_SIZE - start) length = PIECE_SIZE - start;
            address piece = _piece(kept, offset / PIECE_SIZE);
            assembly ("memory-safe") {
                extcodecopy(piece, target, add(start, 1), length)
            }
            offset += length;
            target += length;
        }
    }

    /// @notice Touches whatever a copy will, so that it costs little for the rest of the transaction.
    function warm(Kept storage kept) internal view {
        uint256 pieces = (uint256(kept.size) + PIECE_SIZE - 1) / PIECE_SIZE;
        for (uint256 i; i < pieces; ++i) {
            address piece = _piece(kept, i);
            assembly ("memory-safe") {
                pop(extcodesize(piece))
            }
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

    function _piece(Kept storage kept, uint256 index) private view returns (address) {
        return index == 0 ? kept.first : index == 1 ? kept.second : kept.third;
    }

    function _keepPiece(bytes calldata data, uint256 start) private returns (address) {
        uint256 length = data.length - start;
        if (length > PIECE_SIZE) length = PIECE_SIZE;
        return deploy(bytes.concat(hex"00", data[start:start + length]));
    }
}
