// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IBatchVerifier} from "../interfaces/IBatchVerifier.sol";
import {BatchRecord, QueueEntry} from "../interfaces/IInbox.sol";
import {BatchDecoder} from "./BatchDecoder.sol";

/// @title BatchVerifier
/// @notice Judges a batch by its payload. Runs on L1.
/// @dev One pass over the plaintext hashes every leaf and keeps the first broken rule; totals come before such rules, as
/// in `packages/batcher` (BatchRules), so that both give the same reason.
contract BatchVerifier is IBatchVerifier {
    /// @dev Seconds that the last block's time may be ahead of L1's.
    uint256 private constant MAX_DRIFT = 600;
    uint256 private constant DEPOSIT_TYPE = 0x7e;
    uint256 private constant LEAF_BYTES = 224;

    uint8 private constant MALFORMED = 1;
    uint8 private constant BLOCKS = 2;
    uint8 private constant TRANSACTIONS = 3;
    uint8 private constant QUEUED = 4;
    uint8 private constant USER_TRANSACTION = 5;
    uint8 private constant QUEUED_BEFORE_ORIGIN = 6;
    uint8 private constant QUEUED_GAS = 7;
    uint8 private constant LAST_ORIGIN = 8;
    uint8 private constant LAST_TIMESTAMP = 9;
    uint8 private constant ROOT = 10;

    /// @dev What is known so far of a batch.
    /// @param leaf Memory for the words of a leaf.
    /// @param leaves Memory of the leaves' hashes, the last thing in memory.
    /// @param broken The first broken rule of a block.
    struct Pass {
        uint256 leaf;
        uint256 leaves;
        uint256 count;
        uint256 blocks;
        uint256 queued;
        uint256 timestamp;
        uint256 origin;
        uint256 broken;
    }

    /// @inheritdoc IBatchVerifier
    function check(
        BatchRecord calldata record,
        QueueEntry[] calldata entries,
        uint256 l2BlockGasLimit,
        bytes calldata payload
    ) external pure returns (bool valid, uint8 reason) {
        _requireEntries(record, entries);
        (uint256 at, uint256 end) = BatchDecoder.plaintext(payload);
        if (end == 0) return (false, MALFORMED);
        Pass memory pass = _newPass();
        while (at < end) {
            at = _block(pass, entries, l2BlockGasLimit, at, end);
            if (at > end) return (false, MALFORMED);
        }
        reason = _judge(pass, record, entries.length);
        valid = reason == 0;
    }

    /// @inheritdoc IBatchVerifier
    function fallbackRoot(BatchRecord calldata record, QueueEntry[] calldata entries, uint256 l2BlockGasLimit)
        external
        pure
        returns (bytes32 root, uint32 blocks, uint32 transactions)
    {
        _requireEntries(record, entries);
        Pass memory pass = _newPass();
        pass.timestamp = record.l1Timestamp;
        pass.origin = record.l1BlockNumber - 1;
        while (pass.queued < entries.length) {
            uint256 next = pass.queued;
            uint256 gas = 0;
            // At least one, so that the entries end whatever the limit is.
            do {
                gas += entries[next].gasLimit;
                next++;
            } while (next < entries.length && gas + entries[next].gasLimit <= l2BlockGasLimit);
            uint256 count = next - pass.queued;
            _openBlock(pass, 0, 0, count);
            for (uint256 index = 0; index < count; index++) {
                _addLeaf(pass, index, true, entries[pass.queued + index].transactionHash);
            }
            pass.queued = next;
        }
        return (_root(pass.leaves, pass.count), uint32(pass.blocks), uint32(pass.count));
    }

    /// @inheritdoc IBatchVerifier
    /// @dev A second caller also keeps the decoder a function of its own: inside another one it would spill to memory.
    function plaintext(bytes calldata payload) external pure returns (bool wellFormed, bytes memory bytes_) {
        (uint256 start, uint256 end) = BatchDecoder.plaintext(payload);
        if (end == 0) return (false, bytes_);
        assembly ("memory-safe") {
            let size := sub(end, start)
            bytes_ := mload(0x40)
            mstore(bytes_, size)
            mcopy(add(bytes_, 0x20), start, size)
            mstore(0x40, and(add(add(bytes_, size), 0x5f), not(31)))
        }
        return (true, bytes_);
    }

    function _requireEntries(BatchRecord calldata record, QueueEntry[] calldata entries) private pure {
        uint256 expected = record.queueEnd - record.queueStart;
        if (entries.length != expected) revert WrongEntryCount(expected, entries.length);
    }

    function _newPass() private pure returns (Pass memory pass) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(pass, free)
            let leaves := add(free, LEAF_BYTES)
            mstore(add(pass, 0x20), leaves)
            // As much as a batch has leaves at most: memory costs when it is touched.
            mstore(0x40, add(leaves, shl(5, 1536)))
        }
    }

    /// @dev Reads a block at `at`; gives where the next one starts, or the largest number if it is malformed. No sum
    /// overflows: numbers have 56 bits, and there are few of them.
    function _block(Pass memory pass, QueueEntry[] calldata entries, uint256 gasLimit, uint256 at, uint256 end)
        private
        pure
        returns (uint256)
    {
        unchecked {
            (uint256 timestamp, uint256 next1) = BatchDecoder.varint(at);
            if (next1 >= end) return type(uint256).max;
            (uint256 origin, uint256 next2) = BatchDecoder.varint(next1);
            if (next2 >= end) return type(uint256).max;
            (uint256 queued, uint256 next3) = BatchDecoder.varint(next2);
            if (next3 >= end) return type(uint256).max;
            (uint256 users, uint256 next4) = BatchDecoder.varint(next3);
            if (next4 > end) return type(uint256).max;
            uint256 count = queued + users;
            if (count == 0 || pass.count + count > BatchDecoder.MAX_BATCH_TRANSACTIONS) return type(uint256).max;
            _openBlock(pass, timestamp, origin, count);
            if (queued != 0) _addQueued(pass, entries, gasLimit, queued);
            if (users == 0) return next4;
            return _addUsers(pass, queued, count, next4, end);
        }
    }

    function _addQueued(Pass memory pass, QueueEntry[] calldata entries, uint256 gasLimit, uint256 count) private pure {
        unchecked {
            uint256 first = pass.queued;
            uint256 gas = 0;
            pass.queued = first + count;
            // Those that don't exist need no leaf: their number is wrong.
            if (pass.queued > entries.length) {
                pass.count += count;
                return;
            }
            for (uint256 index = 0; index < count; index++) {
                QueueEntry calldata entry = entries[first + index];
                if (entry.blockNumber > pass.origin) _break(pass, QUEUED_BEFORE_ORIGIN);
                gas += entry.gasLimit;
                _addLeaf(pass, index, true, entry.transactionHash);
            }
            if (gas > gasLimit) _break(pass, QUEUED_GAS);
        }
    }

    /// @dev The hot loop: user transactions from `index` on, up to `count`.
    function _addUsers(Pass memory pass, uint256 index, uint256 count, uint256 at, uint256 end)
        private
        pure
        returns (uint256)
    {
        unchecked {
            uint256 leaf = pass.leaf;
            uint256 to = pass.leaves + 32 * pass.count;
            pass.count += count - index;
            assembly ("memory-safe") {
                mstore(add(leaf, 0xa0), 0)
            }
            for (; index < count; index++) {
                uint256 size;
                (size, at) = BatchDecoder.varint(at);
                if (at > end || size > end - at) return type(uint256).max;
                bool isForbidden;
                assembly ("memory-safe") {
                    isForbidden := or(iszero(size), eq(byte(0, mload(at)), DEPOSIT_TYPE))
                    mstore(add(leaf, 0x80), index)
                    mstore(add(leaf, 0xc0), keccak256(at, size))
                    mstore(to, keccak256(leaf, LEAF_BYTES))
                    to := add(to, 0x20)
                    at := add(at, size)
                }
                if (isForbidden) _break(pass, USER_TRANSACTION);
            }
            return at;
        }
    }

    function _break(Pass memory pass, uint256 rule) private pure {
        if (pass.broken == 0) pass.broken = rule;
    }

    /// @dev Writes what the leaves of a block have in common.
    function _openBlock(Pass memory pass, uint256 timestampDelta, uint256 originDelta, uint256 count) private pure {
        assembly ("memory-safe") {
            let leaf := mload(pass)
            let blocks := mload(add(pass, 0x60))
            mstore(add(pass, 0x60), add(blocks, 1))
            let sum := add(mload(add(pass, 0xa0)), timestampDelta)
            mstore(add(pass, 0xa0), sum)
            mstore(leaf, blocks)
            mstore(add(leaf, 0x20), count)
            mstore(add(leaf, 0x40), sum)
            sum := add(mload(add(pass, 0xc0)), originDelta)
            mstore(add(pass, 0xc0), sum)
            mstore(add(leaf, 0x60), sum)
        }
    }

    function _addLeaf(Pass memory pass, uint256 index, bool queued, bytes32 transactionHash) private pure {
        uint256 leaf = pass.leaf;
        uint256 count = pass.count;
        uint256 leaves = pass.leaves;
        assembly ("memory-safe") {
            mstore(add(leaf, 0x80), index)
            mstore(add(leaf, 0xa0), queued)
            mstore(add(leaf, 0xc0), transactionHash)
            mstore(add(leaves, shl(5, count)), keccak256(leaf, LEAF_BYTES))
        }
        unchecked {
            pass.count = count + 1;
        }
    }

    function _judge(Pass memory pass, BatchRecord calldata record, uint256 entries) private pure returns (uint8) {
        if (pass.blocks != record.blocks) return BLOCKS;
        if (pass.count != record.transactions) return TRANSACTIONS;
        if (pass.queued != entries) return QUEUED;
        if (pass.broken != 0) return uint8(pass.broken);
        if (pass.blocks != 0) {
            if (pass.origin >= record.l1BlockNumber) return LAST_ORIGIN;
            if (pass.timestamp > uint256(record.l1Timestamp) + MAX_DRIFT) return LAST_TIMESTAMP;
        }
        return _root(pass.leaves, pass.count) == record.root ? 0 : ROOT;
    }

    /// @dev Level by level in place; an odd last node moves up as it is.
    function _root(uint256 leaves, uint256 count) private pure returns (bytes32 root) {
        assembly ("memory-safe") {
            for {} gt(count, 1) {} {
                let to := leaves
                let end := add(leaves, shl(6, shr(1, count)))
                for { let from := leaves } lt(from, end) { from := add(from, 0x40) } {
                    mstore(to, keccak256(from, 0x40))
                    to := add(to, 0x20)
                }
                if and(count, 1) { mstore(to, mload(end)) }
                count := shr(1, add(count, 1))
            }
            if count { root := mload(leaves) }
        }
    }
}
