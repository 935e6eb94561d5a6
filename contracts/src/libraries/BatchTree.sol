// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Batch tree
/// @notice Shows that a leaf is in a batch. Nodes hash 64 bytes, leaves 224, so that neither passes for the other; an odd
/// last node goes up unchanged; no leaves at all have the root zero.
/// @dev Runtime: L1. `packages/batcher/src/BatchTree.ts` makes the roots and the proofs.
library BatchTree {
    /// @notice Whether `leaf` is the `index`-th of the `count` leaves under `root`.
    /// @param siblings From the leaves up, without one where the node goes up unchanged. Exactly as many as that makes.
    function verify(bytes32 root, uint256 count, bytes32 leaf, uint256 index, bytes32[] calldata siblings)
        internal
        pure
        returns (bool)
    {
        if (index >= count) return false;
        uint256 used;
        bytes32 node = leaf;
        for (uint256 width = count; width > 1; width = (width + 1) / 2) {
            // The last of an odd number has no sibling.
            if ((index ^ 1) < width) {
                if (used == siblings.length) return false;
                bytes32 sibling = siblings[used++];
                node = index & 1 == 0 ? _hash(node, sibling) : _hash(sibling, node);
            }
            index /= 2;
        }
        return used == siblings.length && node == root;
    }

    function _hash(bytes32 left, bytes32 right) private pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            node := keccak256(0x00, 0x40)
        }
    }
}
