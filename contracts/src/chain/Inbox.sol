// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GasSchedule} from "../generated/GasSchedule.sol";
import {IBatchVerifier} from "../interfaces/IBatchVerifier.sol";
import {BatchHeader, BatchRecord, IInbox, InboxParameters, QueueEntry} from "../interfaces/IInbox.sol";
import {DecodedTransaction, ITransactionDecoder} from "../interfaces/ITransactionDecoder.sol";
import {BatchTree} from "../libraries/BatchTree.sol";
import {BoundedPause} from "../libraries/BoundedPause.sol";
import {IntrinsicGas} from "../libraries/IntrinsicGas.sol";
import {PullPayments} from "../libraries/PullPayments.sol";
import {RLPWriter} from "../libraries/RLPWriter.sol";

/// @title Inbox
/// @dev Runtime: L1. Nothing here can be upgraded, and nobody owns it: what each role may do is written in README.md.
contract Inbox is IInbox, PullPayments {
    /// @dev Bytes. With the record and the envelope of `proveBatchWrong` it stays below the 131,072 of an L1 transaction.
    uint256 public constant PAYLOAD_BYTES_MAX = 124_928;
    /// @dev Queue entries that one batch may take, so that loading them leaves gas enough to check the payload.
    uint256 public constant QUEUED_PER_BATCH_MAX = 512;
    uint256 public constant FORCED_ENTRIES_MAX = 64;

    uint8 private constant DEPOSIT_TYPE = 0x7e;
    /// @dev Selector, index, header, offset and length of the payload: it starts here in the calldata of `appendBatch`.
    uint256 private constant PAYLOAD_OFFSET = 4 + 32 * 7;

    /// @dev All that `appendBatch` reads and writes beside the batch hash: one slot.
    /// @param lastAppendedAt Seconds since the Unix epoch.
    /// @param bonded Whether the bond reaches `batcherBond`.
    struct Counters {
        uint40 batchCount;
        uint40 queueTaken;
        uint40 queueLength;
        uint40 lastAppendedAt;
        uint40 pausedUntil;
        uint40 mayPauseFrom;
        bool bonded;
    }

    address public immutable batcher;
    address public immutable bridge;
    address public immutable transactionDecoder;
    address public immutable batchVerifier;
    address public immutable guardian;
    uint256 public immutable forceInclusionWindow;
    uint256 public immutable batcherBond;
    uint256 public immutable bondLockPeriod;
    uint256 public immutable l2ChainId;
    uint256 public immutable l2BlockGasLimit;
    uint256 public immutable maxTransactionGas;
    uint256 public immutable gasDivisor;

    Counters private _counters;
    /// @inheritdoc IInbox
    uint256 public bond;
    mapping(uint256 index => bytes32) private _batchHashes;
    mapping(uint256 index => QueueEntry) private _queue;
    /// @inheritdoc IInbox
    mapping(uint256 index => bool) public isVoided;
    /// @inheritdoc IInbox
    mapping(uint256 index => bytes32) public voidedRoot;

    constructor(InboxParameters memory parameters) {
        batcher = parameters.batcher;
        bridge = parameters.bridge;
        transactionDecoder = parameters.transactionDecoder;
        batchVerifier = parameters.batchVerifier;
        guardian = parameters.guardian;
        forceInclusionWindow = parameters.forceInclusionWindow;
        batcherBond = parameters.batcherBond;
        bondLockPeriod = parameters.bondLockPeriod;
        l2ChainId = parameters.l2ChainId;
        l2BlockGasLimit = parameters.l2BlockGasLimit;
        maxTransactionGas = parameters.maxTransactionGas;
        gasDivisor = parameters.gasDivisor;
        _counters.bonded = parameters.batcherBond == 0;
    }

    modifier whileNotPaused() {
        uint256 until = _counters.pausedUntil;
        if (block.timestamp < until) revert Paused(until);
        _;
    }

    // The queue

    /// @inheritdoc IInbox
    function enqueue(bytes calldata raw) external whileNotPaused returns (uint256 queueIndex) {
        // Before decoding: the work on a transaction is bounded by its size.
        _requireSize(raw.length, GasSchedule.TRANSACTION_BYTES_MAX);
        if (raw.length > 0 && uint8(raw[0]) == DEPOSIT_TYPE) revert DepositTypeReserved();
        DecodedTransaction memory transaction = ITransactionDecoder(transactionDecoder).decode(raw);
        if (transaction.hasChainId && transaction.chainId != l2ChainId) {
            revert WrongChainId(l2ChainId, transaction.chainId);
        }
        _requireGasLimit(transaction);
        queueIndex = _push(transaction.transactionHash, transaction.gasLimit);
        emit TransactionEnqueued(queueIndex, transaction.sender, transaction.gasLimit, raw);
    }

    /// @inheritdoc IInbox
    function enqueueDeposit(
        address from,
        bool isCreation,
        address to,
        uint256 mint,
        uint256 value,
        uint64 gasLimit,
        bytes calldata data
    ) external whileNotPaused returns (uint256 queueIndex) {
        if (msg.sender != bridge) revert NotBridge(msg.sender);
        // A deposit that L2 must skip would lose its ETH: everything L2 checks is checked here.
        DecodedTransaction memory transaction;
        transaction.gasLimit = gasLimit;
        transaction.isCreation = isCreation;
        transaction.data = data;
        _requireSize(data.length, GasSchedule.TRANSACTION_BYTES_MAX);
        _requireGasLimit(transaction);

        bytes32 sourceHash = keccak256(abi.encode(block.chainid, address(this), _counters.queueLength));
        bytes memory fields = bytes.concat(
            bytes.concat(hex"a0", sourceHash),
            RLPWriter.encodeAddress(from),
            isCreation ? bytes(hex"80") : RLPWriter.encodeAddress(to),
            RLPWriter.encodeUint(mint),
            RLPWriter.encodeUint(value),
            RLPWriter.encodeUint(gasLimit),
            RLPWriter.encodeBytes(transaction.data)
        );
        bytes memory raw = bytes.concat(bytes1(DEPOSIT_TYPE), RLPWriter.listPrefix(fields.length), fields);
        _requireSize(raw.length, GasSchedule.TRANSACTION_BYTES_MAX);
        queueIndex = _push(keccak256(raw), gasLimit);
        emit TransactionEnqueued(queueIndex, from, gasLimit, raw);
    }

    function _requireSize(uint256 size, uint256 limit) private pure {
        if (size > limit) revert TransactionTooLarge(size, limit);
    }

    function _requireGasLimit(DecodedTransaction memory transaction) private view {
        if (transaction.isCreation && transaction.data.length > GasSchedule.INITCODE_BYTES_MAX) {
            revert InitCodeTooLarge(transaction.data.length, GasSchedule.INITCODE_BYTES_MAX);
        }
        uint256 minimum = IntrinsicGas.price(transaction);
        if (transaction.gasLimit < minimum || transaction.gasLimit > maxTransactionGas) {
            revert GasLimitOutOfRange(minimum, maxTransactionGas, transaction.gasLimit);
        }
    }

    function _push(bytes32 transactionHash, uint64 gasLimit) private returns (uint256 queueIndex) {
        queueIndex = _counters.queueLength++;
        _queue[queueIndex] = QueueEntry(transactionHash, uint64(block.timestamp), uint64(block.number), gasLimit);
        // What L2 will do for the sender is paid here, or a full queue would cost nothing.
        uint256 burn = gasLimit / gasDivisor;
        uint256 start = gasleft();
        while (start - gasleft() < burn) {}
    }

    // Batches

    /// @inheritdoc IInbox
    function appendBatch(uint256 expectedIndex, BatchHeader calldata header, bytes calldata payload)
        external
        whileNotPaused
    {
        Counters memory counters = _counters;
        if (msg.sender != batcher) revert NotBatcher(msg.sender);
        // An account that delegates (EIP-7702) can call from code although it is the transaction's origin.
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert NotPlainAccount(msg.sender);
        if (!counters.bonded) revert BondTooLow(batcherBond, bond);
        if (expectedIndex != counters.batchCount) revert WrongBatchIndex(counters.batchCount, expectedIndex);
        if (payload.length > PAYLOAD_BYTES_MAX) revert PayloadTooLarge(payload.length, PAYLOAD_BYTES_MAX);
        if (payload.length == 0 || header.blocks == 0 || header.transactions == 0) revert EmptyBatch();
        _requireCanonicalCalldata(payload);
        _requireQueueRange(counters, header.queueEnd);

        _append(
            counters,
            BatchRecord({
                index: expectedIndex,
                root: header.root,
                payloadHash: keccak256(payload),
                blocks: header.blocks,
                transactions: header.transactions,
                queueStart: counters.queueTaken,
                queueEnd: header.queueEnd,
                l1BlockNumber: uint64(block.number),
                l1Timestamp: uint64(block.timestamp),
                l1ParentHash: blockhash(block.number - 1),
                submitter: msg.sender
            })
        );
    }

    function _requireCanonicalCalldata(bytes calldata payload) private pure {
        uint256 offset;
        assembly ("memory-safe") {
            offset := payload.offset
        }
        uint256 size = PAYLOAD_OFFSET + (payload.length + 31) / 32 * 32;
        if (offset != PAYLOAD_OFFSET || msg.data.length != size) revert CalldataNotCanonical(size, msg.data.length);
    }

    function _requireQueueRange(Counters memory counters, uint256 queueEnd) private view {
        if (queueEnd < counters.queueTaken || queueEnd > counters.queueLength) {
            revert QueueEndOutOfRange(counters.queueTaken, counters.queueLength, queueEnd);
        }
        uint256 queued = queueEnd - counters.queueTaken;
        if (queued > QUEUED_PER_BATCH_MAX) revert TooManyQueued(QUEUED_PER_BATCH_MAX, queued);
        if (queueEnd < counters.queueLength) {
            uint256 deadline = _queue[queueEnd].timestamp + forceInclusionWindow;
            if (deadline < block.timestamp) revert ForcedTransactionOverdue(queueEnd, deadline);
        }
    }

    /// @inheritdoc IInbox
    function forceInclude(uint256 count) external whileNotPaused {
        Counters memory counters = _counters;
        if (count > FORCED_ENTRIES_MAX) revert TooManyQueued(FORCED_ENTRIES_MAX, count);
        uint256 available = counters.queueLength - counters.queueTaken;
        if (available == 0 || count == 0) revert NothingToForce();
        if (count > available) count = available;

        QueueEntry[] memory entries = new QueueEntry[](count);
        uint256 taken;
        for (; taken < count; ++taken) {
            entries[taken] = _queue[counters.queueTaken + taken];
            uint256 deadline = entries[taken].timestamp + forceInclusionWindow;
            if (deadline < block.timestamp) continue;
            if (taken == 0) revert NotOverdue(counters.queueTaken, deadline);
            break;
        }
        // Entries are in order of time: behind the first that isn't overdue none is.
        assembly ("memory-safe") {
            mstore(entries, taken)
        }

        BatchRecord memory record;
        record.index = counters.batchCount;
        record.queueStart = counters.queueTaken;
        record.queueEnd = uint64(counters.queueTaken + taken);
        record.l1BlockNumber = uint64(block.number);
        record.l1Timestamp = uint64(block.timestamp);
        record.l1ParentHash = blockhash(block.number - 1);
        record.submitter = msg.sender;
        (record.root, record.blocks, record.transactions) =
            IBatchVerifier(batchVerifier).fallbackRoot(record, entries, l2BlockGasLimit);
        // The bond answers for no forced batch, whose root is L1's own work: its lock stays as it was.
        uint40 lastAppendedAt = counters.lastAppendedAt;
        _append(counters, record);
        _counters.lastAppendedAt = lastAppendedAt;
    }

    function _append(Counters memory counters, BatchRecord memory record) private {
        bytes32 hash = keccak256(abi.encode(record));
        _batchHashes[record.index] = hash;
        counters.batchCount += 1;
        counters.queueTaken = uint40(record.queueEnd);
        counters.lastAppendedAt = uint40(block.timestamp);
        _counters = counters;
        emit BatchAppended(record.index, hash, record);
    }

    /// @inheritdoc IInbox
    function proveBatchWrong(BatchRecord calldata record, bytes calldata payload) external {
        _requireRecord(record);
        uint256 index = record.index;
        if (isVoided[index]) revert AlreadyVoided(index);
        // A forced batch promises nothing: L1 made its root.
        if (record.payloadHash == 0) revert BatchIsRight(index);
        bytes32 payloadHash = keccak256(payload);
        if (payloadHash != record.payloadHash) revert WrongPayload(record.payloadHash, payloadHash);

        QueueEntry[] memory entries = new QueueEntry[](record.queueEnd - record.queueStart);
        for (uint256 i; i < entries.length; ++i) entries[i] = _queue[record.queueStart + i];
        // No try/catch: where gas runs out, nothing is decided.
        (bool valid,) = IBatchVerifier(batchVerifier).check(record, entries, l2BlockGasLimit, payload);
        if (valid) revert BatchIsRight(index);
        (bytes32 root,,) = IBatchVerifier(batchVerifier).fallbackRoot(record, entries, l2BlockGasLimit);
        isVoided[index] = true;
        voidedRoot[index] = root;

        uint256 slashed = bond < batcherBond ? bond : batcherBond;
        uint256 reward = slashed / 2;
        _setBond(bond - slashed);
        withdrawable[msg.sender] += reward;
        emit BatchVoided(index, root, msg.sender, reward);
        _send(address(0), slashed - reward);
    }

    /// @inheritdoc IInbox
    function verifyLeaf(BatchRecord calldata record, bytes32 leaf, uint256 leafIndex, bytes32[] calldata siblings)
        external
        view
        returns (bool)
    {
        _requireRecord(record);
        if (!isVoided[record.index]) {
            return BatchTree.verify(record.root, record.transactions, leaf, leafIndex, siblings);
        }
        uint256 count = record.queueEnd - record.queueStart;
        return BatchTree.verify(voidedRoot[record.index], count, leaf, leafIndex, siblings);
    }

    function _requireRecord(BatchRecord calldata record) private view {
        if (record.index >= _counters.batchCount) revert UnknownBatch(record.index);
        bytes32 expected = _batchHashes[record.index];
        bytes32 actual = keccak256(abi.encode(record));
        if (actual != expected) revert WrongBatchRecord(expected, actual);
    }

    // Bond and payments

    /// @inheritdoc IInbox
    function depositBond() external payable {
        _setBond(bond + msg.value);
    }

    /// @inheritdoc IInbox
    function withdrawBond() external {
        if (msg.sender != batcher) revert NotBatcher(msg.sender);
        uint256 until = _counters.lastAppendedAt + bondLockPeriod;
        if (_counters.lastAppendedAt != 0 && block.timestamp < until) revert BondLocked(until);
        withdrawable[msg.sender] += bond;
        _setBond(0);
    }

    function _setBond(uint256 amount) private {
        bond = amount;
        _counters.bonded = amount >= batcherBond;
        emit BondChanged(batcher, amount);
    }

    // The guardian

    /// @inheritdoc IInbox
    function pause(uint256 until) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        (BoundedPause.Verdict verdict, uint256 newUntil, uint256 mayPauseFrom, uint256 limit) =
            BoundedPause.ask(_counters.pausedUntil, _counters.mayPauseFrom, until);
        if (verdict == BoundedPause.Verdict.TooLong) revert PauseTooLong(limit, until);
        if (verdict == BoundedPause.Verdict.TooSoon) revert PauseTooSoon(limit);
        (_counters.pausedUntil, _counters.mayPauseFrom) = (uint40(newUntil), uint40(mayPauseFrom));
        emit PausedUntil(newUntil);
    }

    // Views

    /// @inheritdoc IInbox
    function pausedUntil() external view returns (uint256) {
        return _counters.pausedUntil;
    }

    /// @inheritdoc IInbox
    function batchCount() external view returns (uint256) {
        return _counters.batchCount;
    }

    /// @inheritdoc IInbox
    function batchHash(uint256 index) external view returns (bytes32) {
        return _batchHashes[index];
    }

    /// @inheritdoc IInbox
    function queueLength() external view returns (uint256) {
        return _counters.queueLength;
    }

    /// @inheritdoc IInbox
    function queueEntry(uint256 index) external view returns (QueueEntry memory) {
        return _queue[index];
    }

    /// @inheritdoc IInbox
    function queueTaken() external view returns (uint256) {
        return _counters.queueTaken;
    }
}
