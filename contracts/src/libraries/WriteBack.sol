// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Write-back storage
/// @notice Storage whose writes wait in transient storage until they are flushed: within a run they cost the same
/// whatever stood in the slot, and a reverting call frame takes its writes along.
/// @dev Runtime: L1. Slots must be Keccak hashes (of mappings), so that no two keys of the transient storage meet: a
/// slot's value waits under the slot itself, its mark under the slot's complement, the list of slots under small keys.
library WriteBack {
    uint256 private constant COUNT = 0;
    uint256 private constant WAITING = 1 << 64;

    /// @notice What the slot holds, waiting writes included.
    function load(bytes32 slot) internal view returns (uint256 word) {
        assembly ("memory-safe") {
            switch tload(not(slot))
            case 0 { word := sload(slot) }
            default { word := tload(slot) }
        }
    }

    /// @notice Writes to the slot, until `flush` only transiently.
    function store(bytes32 slot, uint256 word) internal {
        assembly ("memory-safe") {
            let mark := not(slot)
            if iszero(tload(mark)) {
                tstore(mark, 1)
                let count := tload(COUNT)
                tstore(add(WAITING, count), slot)
                tstore(COUNT, add(count, 1))
            }
            tstore(slot, word)
        }
    }

    /// @notice Makes all waiting writes permanent.
    function flush() internal {
        assembly ("memory-safe") {
            let count := tload(COUNT)
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                let slot := tload(add(WAITING, i))
                sstore(slot, tload(slot))
                tstore(not(slot), 0)
            }
            tstore(COUNT, 0)
        }
    }
}
