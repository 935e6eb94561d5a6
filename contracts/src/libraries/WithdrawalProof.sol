// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IL1Bridge} from "../interfaces/IL1Bridge.sol";
import {Withdrawal} from "../interfaces/IL2ToL1MessagePasser.sol";

/// @title Withdrawal proofs
/// @notice Reads abi.encode(Withdrawal, uint256 claimIndex, bytes[] accountProof, bytes[] storageProof).
/// @dev Runtime: L1. `abi.decode` would revert without data if the bytes are wrong; this says `MalformedProof`.
library WithdrawalProof {
    /// @dev No path is longer: 64 nibbles and the root.
    uint256 private constant NODES_MAX = 65;

    function decode(bytes calldata proof)
        internal
        pure
        returns (
            Withdrawal memory withdrawal,
            uint256 claimIndex,
            bytes[] memory accountProof,
            bytes[] memory storageProof
        )
    {
        withdrawal = _withdrawal(proof, _offset(proof, 0, 0));
        claimIndex = uint256(_word(proof, 32));
        accountProof = _nodes(proof, _offset(proof, 0, 64));
        storageProof = _nodes(proof, _offset(proof, 0, 96));
    }

    /// @notice What the message passer keeps in its slot 0 under this key.
    function hash(Withdrawal memory withdrawal) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                withdrawal.nonce,
                withdrawal.sender,
                withdrawal.target,
                withdrawal.value,
                withdrawal.gasLimit,
                withdrawal.data
            )
        );
    }

    function _withdrawal(bytes calldata proof, uint256 base) private pure returns (Withdrawal memory withdrawal) {
        withdrawal.nonce = uint256(_word(proof, base));
        withdrawal.sender = _address(proof, base + 32);
        withdrawal.target = _address(proof, base + 64);
        withdrawal.value = uint256(_word(proof, base + 96));
        withdrawal.gasLimit = uint256(_word(proof, base + 128));
        withdrawal.data = _bytes(proof, _offset(proof, base, base + 160));
    }

    function _nodes(bytes calldata proof, uint256 base) private pure returns (bytes[] memory nodes) {
        uint256 count = uint256(_word(proof, base));
        if (count > NODES_MAX) revert IL1Bridge.MalformedProof();
        nodes = new bytes[](count);
        for (uint256 i = 0; i < count; i++) {
            nodes[i] = _bytes(proof, _offset(proof, base + 32, base + 32 + 32 * i));
        }
    }

    function _bytes(bytes calldata proof, uint256 base) private pure returns (bytes memory) {
        uint256 length = uint256(_word(proof, base));
        // `_word` has seen to it that base + 32 <= proof.length.
        if (length > proof.length - base - 32) revert IL1Bridge.MalformedProof();
        return proof[base + 32:base + 32 + length];
    }

    /// @dev The absolute place that the word at `at` names, relative to `base`.
    function _offset(bytes calldata proof, uint256 base, uint256 at) private pure returns (uint256) {
        uint256 offset = uint256(_word(proof, at));
        if (offset > proof.length) revert IL1Bridge.MalformedProof();
        return base + offset;
    }

    function _address(bytes calldata proof, uint256 at) private pure returns (address) {
        uint256 word = uint256(_word(proof, at));
        if (word >> 160 != 0) revert IL1Bridge.MalformedProof();
        return address(uint160(word));
    }

    function _word(bytes calldata proof, uint256 at) private pure returns (bytes32 word) {
        if (at + 32 > proof.length) revert IL1Bridge.MalformedProof();
        assembly ("memory-safe") {
            word := calldataload(add(proof.offset, at))
        }
    }
}
