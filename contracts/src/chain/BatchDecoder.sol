// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title BatchDecoder: a batch's payload, undone
/// @notice The contract's side of `packages/batcher` (BatchCodec, Compression), byte for byte. Runs on L1.
/// @dev Costs are bounded by the limits: about 200 gas a sequence, and 3 a word of plaintext besides its memory.
library BatchDecoder {
    /// @notice Bytes that an L1 transaction carries as payload.
    uint256 internal constant MAX_PAYLOAD_BYTES = 124_928;
    /// @notice Bytes of a batch before compression.
    uint256 internal constant MAX_PLAINTEXT_BYTES = 393_216;
    /// @notice Leaves of a batch.
    uint256 internal constant MAX_BATCH_TRANSACTIONS = 4_096;
    /// @notice Steps of the decompression.
    uint256 internal constant MAX_SEQUENCES = 16_384;

    uint256 private constant STORED = 0;
    uint256 private constant COMPRESSED = 1;
    /// @dev Literal counts by code, a byte each. The last code's count goes on behind the token.
    uint256 private constant LITERALS = 0x000102030405060708090a0b1440410c << 128;

    /// @notice The plaintext in memory, from `start` to `end`; free memory begins behind it. `end` is zero if the payload
    /// is malformed.
    function plaintext(bytes calldata payload) internal pure returns (uint256 start, uint256 end) {
        if (payload.length == 0 || payload.length > MAX_PAYLOAD_BYTES) return (0, 0);
        uint256 kind = uint8(payload[0]);
        if (kind > COMPRESSED) return (0, 0);
        uint256 source;
        uint256 sourceEnd;
        assembly ("memory-safe") {
            source := add(payload.offset, 1)
            sourceEnd := add(payload.offset, payload.length)
            start := mload(0x40)
        }
        if (kind == STORED) {
            assembly ("memory-safe") {
                calldatacopy(start, source, sub(sourceEnd, source))
                end := add(start, sub(sourceEnd, source))
            }
        } else {
            end = _decompress(source, sourceEnd, start);
        }
        assembly ("memory-safe") {
            if end { mstore(0x40, and(add(end, 63), not(31))) }
        }
    }

    /// @dev LZ from calldata to free memory at `start`. Zero if malformed. A token is literal code (4 bits), source
    /// (2 bits: a new distance, or one of the last three), match code (2 bits). Matches don't overlap what they make.
    /// Bytes behind the end may be read, but whatever they are, `at` then is behind the end, and that is malformed.
    function _decompress(uint256 source, uint256 sourceEnd, uint256 start) private pure returns (uint256 end) {
        assembly ("memory-safe") {
            let at := source
            let to := start
            let wrong := 0
            let recent1 := 0
            let recent2 := 0
            let recent3 := 0
            for { let left := MAX_SEQUENCES } lt(at, sourceEnd) { left := sub(left, 1) } {
                let word := calldataload(at)
                let token := byte(0, word)
                let literals := byte(shr(4, token), LITERALS)
                at := add(at, 1)
                if gt(token, 0xef) {
                    let excess := byte(1, word)
                    at := add(at, 1)
                    if eq(excess, 255) {
                        excess := and(shr(224, word), 0xffff)
                        at := add(at, 2)
                    }
                    literals := add(literals, excess)
                }
                if or(
                    iszero(left),
                    or(
                        gt(add(at, literals), sourceEnd),
                        gt(add(sub(to, start), literals), MAX_PLAINTEXT_BYTES)
                    )
                ) {
                    wrong := 1
                    break
                }
                calldatacopy(to, at, literals)
                at := add(at, literals)
                to := add(to, literals)
                // A new distance can't be missing, so a token without any is one of literals alone.
                if iszero(or(xor(at, sourceEnd), and(token, 15))) { break }
                word := calldataload(at)
                let distance
                switch and(token, 12)
                case 0 {
                    distance := shr(240, word)
                    at := add(at, 2)
                    word := shl(16, word)
                    if gt(distance, 0x7fff) {
                        distance := or(shl(8, and(distance, 0x7fff)), byte(0, word))
                        at := add(at, 1)
                        word := shl(8, word)
                    }
                    distance := add(distance, 1)
                    recent3 := recent2
                    recent2 := recent1
                    recent1 := distance
                }
                case 4 { distance := recent1 }
                case 8 {
                    distance := recent2
                    recent2 := recent1
                    recent1 := distance
                }
                default {
                    distance := recent3
                    recent3 := recent2
                    recent2 := recent1
                    recent1 := distance
                }
                let size := add(and(token, 3), 2)
                if eq(size, 5) {
                    let excess := byte(0, word)
                    at := add(at, 1)
                    if eq(excess, 255) {
                        excess := and(shr(232, word), 0xffff)
                        at := add(at, 2)
                    }
                    size := add(size, excess)
                }
                if or(
                    or(gt(at, sourceEnd), gt(distance, sub(to, start))),
                    or(gt(size, distance), gt(add(sub(to, start), size), MAX_PLAINTEXT_BYTES))
                ) {
                    wrong := 1
                    break
                }
                mcopy(to, sub(to, distance), size)
                to := add(to, size)
            }
            if iszero(wrong) { end := to }
        }
    }

    /// @notice Reads a LEB128 number of at most 8 bytes, in its shortest spelling, at `at` in memory.
    /// @return value The number.
    /// @return next First byte behind it; `type(uint256).max` if it is malformed, behind `end` if it is cut off.
    function varint(uint256 at) internal pure returns (uint256 value, uint256 next) {
        assembly ("memory-safe") {
            let word := mload(at)
            value := byte(0, word)
            next := add(at, 1)
            if gt(value, 127) {
                value := and(value, 127)
                for { let index := 1 } 1 { index := add(index, 1) } {
                    let digit := byte(index, word)
                    next := add(next, 1)
                    value := or(value, shl(mul(7, index), and(digit, 127)))
                    if lt(digit, 128) {
                        if iszero(digit) { next := not(0) }
                        break
                    }
                    if eq(index, 7) {
                        next := not(0)
                        break
                    }
                }
            }
        }
    }
}
