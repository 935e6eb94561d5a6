// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {MerklePatricia} from "../libraries/MerklePatricia.sol";

/// @notice Lets tests read proofs.
/// @dev Runtime: tests only.
contract MerklePatriciaHarness {
    function read(bytes32 root, bytes32 key, bytes[] calldata proof)
        external
        view
        returns (bool exists, bytes memory value, uint256 gasUsed)
    {
        bytes[] memory nodes = proof;
        MerklePatricia.Slice memory slice;
        uint256 gas = gasleft();
        (exists, slice) = MerklePatricia.read(root, key, nodes);
        gasUsed = gas - gasleft();
        value = new bytes(slice.length);
        uint256 pointer = slice.pointer;
        assembly ("memory-safe") {
            mcopy(add(value, 32), pointer, mload(value))
        }
        // After an excluded key there is no value, whatever the slice points at.
        if (!exists) value = "";
    }

    function readAccount(bytes32 stateRoot, address account, bytes[] calldata proof)
        external
        pure
        returns (MerklePatricia.Account memory)
    {
        return MerklePatricia.readAccount(stateRoot, account, proof);
    }

    function readSlot(bytes32 storageRoot, bytes32 slot, bytes[] calldata proof) external pure returns (bytes32) {
        return MerklePatricia.readSlot(storageRoot, slot, proof);
    }
}
