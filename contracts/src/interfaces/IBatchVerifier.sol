// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BatchRecord, QueueEntry} from "./IInbox.sol";

/// @title BatchVerifier: what a batch's payload says, on L1
/// @notice Decodes a batch and compares it with its record. Stateless. Runs on L1.
/// @dev Only a returned verdict counts. Too little gas reverts, as does everything that is the caller's own mistake,
/// so nobody can make a right batch look wrong by starving the check.
interface IBatchVerifier {
    /// @notice The entries must be those of the record's queue range, in order and all of them.
    error WrongEntryCount(uint256 expected, uint256 actual);

    /// @notice Whether a batch is valid. The caller has checked `record` and that `payload` has its `payloadHash`.
    /// @param entries The queue entries `[record.queueStart, record.queueEnd)`.
    /// @param l2BlockGasLimit OVM gas units that the queued transactions of one block may have in sum.
    /// @return valid Whether the batch is what its record promised.
    /// @return reason The first thing wrong with it, 0 if nothing is: 1 malformed payload (limits included), 2 number of
    /// blocks, 3 number of transactions, 4 number of queued ones, 5 a user transaction that is empty or of type 0x7e,
    /// 6 a queued transaction before its own L1 block, 7 gas limits of a block's queued transactions, 8 last L1 origin,
    /// 9 last timestamp, 10 root.
    function check(
        BatchRecord calldata record,
        QueueEntry[] calldata entries,
        uint256 l2BlockGasLimit,
        bytes calldata payload
    ) external pure returns (bool valid, uint8 reason);

    /// @notice What a forced or invalid batch holds instead: its queue entries, packed into blocks in order.
    /// @param entries The queue entries `[record.queueStart, record.queueEnd)`.
    /// @param l2BlockGasLimit OVM gas units that the queued transactions of one block may have in sum.
    /// @return root Root of the leaves; zero if there is no entry.
    /// @return blocks How many L2 blocks they make.
    /// @return transactions How many leaves.
    function fallbackRoot(BatchRecord calldata record, QueueEntry[] calldata entries, uint256 l2BlockGasLimit)
        external
        pure
        returns (bytes32 root, uint32 blocks, uint32 transactions);

    /// @notice A payload before compression, for whoever wants to look.
    /// @return wellFormed Whether it can be undone within the limits; its blocks may be malformed nonetheless.
    function plaintext(bytes calldata payload) external pure returns (bool wellFormed, bytes memory bytes_);
}
