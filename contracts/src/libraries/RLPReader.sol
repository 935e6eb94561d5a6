// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Strict RLP reader
/// @notice Reads RLP out of calldata and refuses every encoding but the one canonical one.
/// @dev Runtime: L1 and L2. All offsets, in errors too, count bytes from the start of `raw`.
library RLPReader {
    /// @notice The item at `offset` claims `needed` bytes, but its list or the input ends after `available`.
    error RlpTruncated(uint256 offset, uint256 needed, uint256 available);
    /// @notice The byte string at `offset` should be a list, or the list a byte string.
    error RlpUnexpectedKind(uint256 offset, uint8 prefix);
    /// @notice The item at `offset` has a shorter encoding: the only valid one.
    error RlpNotCanonical(uint256 offset);
    /// @notice The integer at `offset` takes `length` bytes, its type has room for `maximum`.
    error RlpIntegerTooLarge(uint256 offset, uint256 length, uint256 maximum);
    /// @notice The integer at `offset` starts with a zero byte.
    error RlpLeadingZero(uint256 offset);
    /// @notice The list or input goes on after its last item, from `offset` to `end`.
    error RlpTrailingBytes(uint256 offset, uint256 end);

    /// @notice A place in the input and the end of the list it is in.
    /// @param offset Where the next item starts.
    /// @param end First byte after the list.
    struct Cursor {
        uint256 offset;
        uint256 end;
    }

    /// @notice Steps over the list at the cursor and gives a cursor at its first item.
    function enterList(bytes calldata raw, Cursor memory cursor) internal pure returns (Cursor memory inner) {
        uint256 offset = cursor.offset;
        (uint256 prefix, uint256 start, uint256 end) = _readHeader(raw, offset, cursor.end);
        if (prefix < 0xc0) revert RlpUnexpectedKind(offset, uint8(prefix));
        inner.offset = start;
        cursor.offset = inner.end = end;
    }

    /// @notice Reads the byte string at the cursor and steps over it.
    function readBytes(bytes calldata raw, Cursor memory cursor) internal pure returns (bytes calldata item) {
        uint256 offset = cursor.offset;
        (uint256 prefix, uint256 start, uint256 end) = _readHeader(raw, offset, cursor.end);
        if (prefix >= 0xc0) revert RlpUnexpectedKind(offset, uint8(prefix));
        cursor.offset = end;
        assembly ("memory-safe") {
            // start <= end <= raw.length, as the header was checked.
            item.offset := add(raw.offset, start)
            item.length := sub(end, start)
        }
    }

    /// @notice Reads the big-endian integer at the cursor and steps over it.
    /// @param maximum How many bytes the integer may take, at most 32.
    function readUint(bytes calldata raw, Cursor memory cursor, uint256 maximum)
        internal
        pure
        returns (uint256 value)
    {
        uint256 offset = cursor.offset;
        bytes calldata digits = readBytes(raw, cursor);
        if (digits.length == 0) return 0;
        uint256 head = _word(raw, cursor.offset - digits.length);
        if (head >> 248 == 0) revert RlpLeadingZero(offset);
        if (digits.length > maximum) revert RlpIntegerTooLarge(offset, digits.length, maximum);
        return _leading(head, digits.length);
    }

    /// @notice Reverts unless the cursor has reached the end of its list.
    function requireEnd(Cursor memory cursor) internal pure {
        if (cursor.offset != cursor.end) revert RlpTrailingBytes(cursor.offset, cursor.end);
    }

    /// @dev `end <= raw.length` must hold; then every offset below stays under 2^65 and nothing can wrap.
    /// @return prefix First byte of the item: below 0xc0 for byte strings.
    /// @return start Where its payload starts.
    /// @return itemEnd Where its payload ends, at most `end`.
    function _readHeader(bytes calldata raw, uint256 offset, uint256 end)
        private
        pure
        returns (uint256 prefix, uint256 start, uint256 itemEnd)
    {
        unchecked {
            if (offset >= end) revert RlpTruncated(offset, 1, 0);
            uint256 head = _word(raw, offset);
            prefix = head >> 248;
            start = offset + 1;
            if (prefix < 0x80) return (prefix, offset, start);
            // From here on lists and byte strings differ in nothing but the prefix.
            uint256 length = prefix - (prefix < 0xc0 ? 0x80 : 0xc0);
            if (length > 55) {
                uint256 lengthBytes = length - 55;
                if (end - start < lengthBytes) revert RlpTruncated(offset, 1 + lengthBytes, end - offset);
                length = _leading(head << 8, lengthBytes);
                if (length <= 55 || (head << 8) >> 248 == 0) revert RlpNotCanonical(offset);
                start += lengthBytes;
            }
            itemEnd = start + length;
            if (itemEnd > end) revert RlpTruncated(offset, itemEnd - offset, end - offset);
            if (prefix == 0x81 && (head << 8) >> 248 < 0x80) revert RlpNotCanonical(offset);
        }
    }

    /// @dev The word at `offset`, with zeros (or whatever follows in calldata) after the end of `raw`.
    function _word(bytes calldata raw, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(raw.offset, offset))
        }
    }

    /// @dev The first `length` bytes of the word, from 1 to 32 of them, as an integer.
    function _leading(uint256 word, uint256 length) private pure returns (uint256) {
        unchecked {
            return word >> (256 - 8 * length);
        }
    }
}
