// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISafetyChecker} from "../interfaces/ISafetyChecker.sol";

/// @title Safety checker
/// @dev Runtime: L1 and L2. Same verdicts as the TypeScript package of this name.
///
/// Allowed anywhere: arithmetic, comparison, bitwise, KECCAK256, CALLDATALOAD/SIZE/COPY, RETURNDATASIZE/COPY, POP,
/// MLOAD, MSTORE, MSTORE8, MCOPY, JUMP, JUMPI, JUMPDEST, PC, MSIZE, GAS, PUSH0-32, DUP, SWAP, STOP, RETURN, REVERT,
/// INVALID. Allowed only as the end of these exact sequences of instructions, which no jump can enter in the middle:
///
///     33 5a f4                   CALLER GAS DELEGATECALL            the gate: CALLER is the manager in every frame
///     5f 5c                      PUSH0 TLOAD                        the gate's words in the contract's own
///     5f 5d                      PUSH0 TSTORE                       transient storage, at constant keys
///     60 kk 5d                   PUSH1 kk TSTORE, kk <= 9
///     5f 5f 5f 5f 60 04 5a fa    PUSH0 (4x) PUSH1 4 GAS STATICCALL  identity of nothing: empties the return data
contract SafetyChecker is ISafetyChecker {
    uint256 private constant CALLER = 0x33;
    uint256 private constant TLOAD = 0x5c;
    uint256 private constant TSTORE = 0x5d;
    uint256 private constant STATICCALL = 0xfa;
    uint256 private constant MAX_GATE_KEY = 9;

    /// @dev One byte per opcode: how long the instruction is, or zero if it isn't allowed everywhere.
    bytes private constant SIZES =
        hex"0101010101010101010101010000000001010101010101010101010101010000" // 00: STOP..SIGNEXTEND, LT..SAR
        hex"0100000000000000000000000000000000000000000101010000000000010100" // 20: KECCAK256, CALLDATA*, RETURNDATA*
        hex"0000000000000000000000000000000001010101000001010101010100000101" // 40: POP..MSTORE8, JUMP..JUMPDEST, MCOPY, PUSH0
        hex"02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021" // 60: PUSH1..PUSH32
        hex"0101010101010101010101010101010101010101010101010101010101010101" // 80: DUP1..SWAP16
        hex"0000000000000000000000000000000000000000000000000000000000000000" // a0
        hex"0000000000000000000000000000000000000000000000000000000000000000" // c0
        hex"0000000000000000000000000000000000000001000000000000000000010100"; // e0: RETURN, REVERT, INVALID

    /// @inheritdoc ISafetyChecker
    function check(bytes calldata code) external pure returns (bool safe, uint256 offset, uint8 opcode) {
        uint256 sizes = _loadSizes();
        uint256 start;
        uint256 end;
        assembly ("memory-safe") {
            start := code.offset
            end := add(start, code.length)
        }
        // Places are calldata offsets. `anchor` is one where an instruction starts, at least eight
        // instructions back, or as far back as a gate sequence that is still open may reach.
        uint256 anchor = start;
        uint256 place = start;
        while (true) {
            (uint256 next, bool stuck) = _skipAllowed(sizes, place);
            // Whatever follows the code in calldata may have been looked at; it doesn't count.
            if (next >= end) return (true, 0, 0);
            if (!stuck) {
                (anchor, place) = (place, next);
                continue;
            }
            uint256 size = _gateEnd(sizes, anchor, next, end);
            if (size == 0) {
                unchecked {
                    return (false, next - start, uint8(_word(next) >> 248));
                }
            }
            unchecked {
                anchor = place = next + size;
            }
        }
    }

    /// @dev Copies the table to memory so that the word at `sizes + opcode` ends with the opcode's entry.
    function _loadSizes() private pure returns (uint256 sizes) {
        bytes memory table = SIZES;
        assembly ("memory-safe") {
            sizes := add(table, 1)
        }
    }

    /// @dev Steps over up to 16 instructions. A step of zero bytes stays where it is, so only the last needs a look.
    /// @return next Where it came to.
    /// @return stuck Whether `next` holds an instruction that isn't allowed everywhere.
    function _skipAllowed(uint256 sizes, uint256 place) private pure returns (uint256 next, bool stuck) {
        assembly ("memory-safe") {
            function step(table, at) -> size {
                size := and(mload(add(table, shr(248, calldataload(at)))), 0xff)
            }
            next := add(place, step(sizes, place))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            next := add(next, step(sizes, next))
            let last := step(sizes, next)
            next := add(next, last)
            stuck := iszero(last)
        }
    }

    /// @dev How many bytes of a gate sequence are left from `place` on, its instruction included; zero if it is in none.
    function _gateEnd(uint256 sizes, uint256 anchor, uint256 place, uint256 end) private pure returns (uint256) {
        unchecked {
            uint256 opcode = _word(place) >> 248;
            if (opcode == CALLER) return place + 3 <= end && _word(place) >> 232 == 0x335af4 ? 3 : 0;
            bool open;
            if (opcode == TLOAD) {
                open = _endsAt(sizes, anchor, place, 1, 0x5f);
            } else if (opcode == TSTORE) {
                uint256 key = _word(place - 1) >> 248;
                open = _endsAt(sizes, anchor, place, 1, 0x5f)
                    || (key <= MAX_GATE_KEY && _endsAt(sizes, anchor, place, 2, 0x6000 | key));
            } else if (opcode == STATICCALL) {
                open = _endsAt(sizes, anchor, place, 7, 0x5f5f5f5f60045a);
            }
            return open ? 1 : 0;
        }
    }

    /// @dev Whether the `length` bytes before `place` are `sequence`, and its first one starts an instruction.
    function _endsAt(uint256 sizes, uint256 anchor, uint256 place, uint256 length, uint256 sequence)
        private
        pure
        returns (bool)
    {
        unchecked {
            uint256 first = place - length;
            if (first < anchor || _word(first) >> (256 - 8 * length) != sequence) return false;
            uint256 at = anchor;
            while (at < first) {
                uint256 opcode = _word(at) >> 248;
                assembly ("memory-safe") {
                    at := add(at, and(mload(add(sizes, opcode)), 0xff))
                }
            }
            return at == first;
        }
    }

    function _word(uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(place)
        }
    }
}
