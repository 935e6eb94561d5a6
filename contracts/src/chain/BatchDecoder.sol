// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title BatchDecoder: a batch's payload, undone
/// @notice The contract's side of `packages/batcher` (BatchCodec, Compression), byte for byte. Runs on L1.
/// @dev Costs are bounded by the limits: at most about 800 gas a sequence, and memory.
library BatchDecoder {
    /// @notice Bytes that an L1 transaction carries as payload.
    uint256 internal constant MAX_PAYLOAD_BYTES = 124_928;
    /// @notice Bytes of a batch before compression.
    uint256 internal constant MAX_PLAINTEXT_BYTES = 393_216;
    /// @notice Leaves of a batch.
    uint256 internal constant MAX_BATCH_TRANSACTIONS = 1_536;
    /// @notice Steps of the decompression.
    uint256 internal constant MAX_SEQUENCES = 5_120;

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
    /// A sequence is judged once, when it has been read: it may read behind the end, but then `at` is there too, and
    /// no sequence reads or writes more than 131,094 bytes before it is judged.
    function _decompress(uint256 at, uint256 sourceEnd, uint256 start) private pure returns (uint256 end) {
        assembly ("memory-safe") {
            end := start
            // The last distances, 32 bits each, the newest lowest.
            let recent := 0
            let left := MAX_SEQUENCES
            for {} mul(left, lt(at, sourceEnd)) { left := sub(left, 1) } {
                let word := calldataload(at)
                let token := byte(0, word)
                at := add(at, 1)
                if gt(token, 15) {
                    let literals := byte(shr(4, token), LITERALS)
                    if gt(token, 0xef) {
                        let excess := byte(1, word)
                        at := add(at, 1)
                        if eq(excess, 255) {
                            excess := and(shr(224, word), 0xffff)
                            at := add(at, 2)
                        }
                        literals := add(literals, excess)
                    }
                    calldatacopy(end, at, literals)
                    at := add(at, literals)
                    end := add(end, literals)
                    token := and(token, 15)
                }
                // A new distance can't be missing, so a token without any is one of literals alone.
                if eq(at, sourceEnd) { if iszero(token) { break } }
                word := calldataload(at)
                let distance
                switch shr(2, token)
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
                    recent := or(shl(32, recent), distance)
                }
                case 1 { distance := and(recent, 0xffffffff) }
                case 2 {
                    distance := and(shr(32, recent), 0xffffffff)
                    recent := or(or(shl(64, shr(64, recent)), shl(32, and(recent, 0xffffffff))), distance)
                }
                default {
                    distance := and(shr(64, recent), 0xffffffff)
                    recent := or(shl(32, and(recent, 0xffffffffffffffff)), distance)
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
                let made := sub(end, start)
                if or(
                    or(gt(at, sourceEnd), gt(distance, made)),
                    or(gt(size, distance), gt(add(made, size), MAX_PLAINTEXT_BYTES))
                ) {
                    end := 0
                    break
                }
                mcopy(end, sub(end, distance), size)
                end := add(end, size)
            }
            // Sequences ran out, or literals at the end ran over.
            if end { if or(lt(at, sourceEnd), gt(sub(end, start), MAX_PLAINTEXT_BYTES)) { end := 0 } }
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
                let digit := byte(1, word)
                switch and(lt(digit, 128), gt(digit, 0))
                case 1 {
                    value := or(and(value, 127), shl(7, digit))
                    next := add(at, 2)
                }
                default {
                    // Eight bytes at once, the first one lowest.
                    let x := shr(192, word)
                    x := or(and(shr(8, x), 0x00ff00ff00ff00ff), shl(8, and(x, 0x00ff00ff00ff00ff)))
                    x := or(and(shr(16, x), 0x0000ffff0000ffff), shl(16, and(x, 0x0000ffff0000ffff)))
                    x := or(shr(32, x), shl(32, and(x, 0xffffffff)))
                    // The first byte whose top bit is clear ends the number.
                    let last := and(not(x), 0x8080808080808080)
                    last := and(last, sub(0, last))
                    x := and(x, sub(shl(1, last), 1))
                    // None does, or a last byte of zero that could be left out.
                    switch lt(x, or(shr(7, last), iszero(last)))
                    case 1 { next := not(0) }
                    default {
                        next := add(next, shl(2, gt(last, 0xffffffff)))
                        let half := shr(shl(5, gt(last, 0xffffffff)), last)
                        next := add(next, shl(1, gt(half, 0xffff)))
                        next := add(next, gt(shr(shl(4, gt(half, 0xffff)), half), 0xff))
                        x := and(x, 0x7f7f7f7f7f7f7f7f)
                        x := or(and(x, 0x007f007f007f007f), shr(1, and(x, 0x7f007f007f007f00)))
                        x := or(and(x, 0x00003fff00003fff), shr(2, and(x, 0x3fff00003fff0000)))
                        value := or(and(x, 0x0fffffff), shr(4, and(x, 0x0fffffff00000000)))
                    }
                }
            }
        }
    }
}
