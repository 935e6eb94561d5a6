// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice What the batcher promises of a batch's payload. What is not so can be proven wrong (`proveBatchWrong`).
/// @param root Merkle root of the batch's leaves, one for each transaction in order (`BatchTree`).
/// @param blocks How many L2 blocks the payload holds.
/// @param transactions How many leaves: user transactions and queued ones.
/// @param queueEnd First queue index that the batch leaves out.
struct BatchHeader {
    bytes32 root;
    uint32 blocks;
    uint32 transactions;
    uint64 queueEnd;
}

/// @notice Everything L1 knows of a batch; its hash is kept.
/// @param index 0-based place among all batches.
/// @param payloadHash Keccak-256 of the payload; zero for a forced batch, which has none.
/// @param queueStart First queue index that the batch takes.
/// @param l1BlockNumber L1 block that holds the batch.
/// @param l1Timestamp Seconds since the Unix epoch, of that block.
/// @param l1ParentHash Hash of the block before it.
/// @param submitter Who posted it, and whose bond answers for it.
struct BatchRecord {
    uint256 index;
    bytes32 root;
    bytes32 payloadHash;
    uint32 blocks;
    uint32 transactions;
    uint64 queueStart;
    uint64 queueEnd;
    uint64 l1BlockNumber;
    uint64 l1Timestamp;
    bytes32 l1ParentHash;
    address submitter;
}

/// @notice A raw L2 transaction that waits on L1.
/// @param transactionHash Keccak-256 of its raw bytes.
/// @param timestamp Seconds since the Unix epoch at which it was enqueued.
/// @param blockNumber L1 block in which it was enqueued.
/// @param gasLimit OVM gas units that it may use.
struct QueueEntry {
    bytes32 transactionHash;
    uint64 timestamp;
    uint64 blockNumber;
    uint64 gasLimit;
}

/// @title Inbox: the canonical transaction chain
/// @notice The order of all L2 transactions: batches of the sequencer's and the queue of those sent on L1. Runs on L1.
interface IInbox {
    event TransactionEnqueued(uint256 indexed queueIndex, address indexed from, uint256 gasLimit, bytes raw);
    event BatchAppended(uint256 indexed index, bytes32 batchHash, BatchRecord record);
    /// @notice The batch's payload is not what its header promised; `root` is what counts instead.
    event BatchVoided(uint256 indexed index, bytes32 root, address indexed prover, uint256 reward);

    /// @notice Wei; the part of a slashed bond that goes to who proved the batch wrong is half of it.
    event BondChanged(address indexed batcher, uint256 bond);

    error WrongBatchIndex(uint256 expected, uint256 actual);
    error NotBatcher(address caller);
    /// @notice The payload must be the L1 transaction's own calldata, so a contract can't append.
    error NotPlainAccount(address caller);
    error BondTooLow(uint256 required, uint256 available);
    error PayloadTooLarge(uint256 size, uint256 limit);
    error EmptyBatch();
    /// @notice A batch can't take queue entries that don't exist, nor give back those that are taken.
    error QueueEndOutOfRange(uint256 minimum, uint256 maximum, uint256 actual);
    error TooManyQueued(uint256 limit, uint256 actual);
    /// @notice The entry waits longer than the force inclusion window: the batch must take it, or anyone may force it.
    error ForcedTransactionOverdue(uint256 queueIndex, uint256 deadline);
    /// @notice The entry's deadline is not over; the sequencer may still include it by itself.
    error NotOverdue(uint256 queueIndex, uint256 deadline);
    error NothingToForce();
    error NotBridge(address caller);
    error TransactionTooLarge(uint256 size, uint256 limit);
    error GasLimitOutOfRange(uint256 minimum, uint256 maximum, uint256 actual);
    error WrongChainId(uint256 expected, uint256 actual);
    /// @notice Only the Inbox itself makes deposit transactions (type 0x7e).
    error DepositTypeReserved();
    error UnknownBatch(uint256 index);
    error WrongBatchRecord(bytes32 expected, bytes32 actual);
    error WrongPayload(bytes32 expected, bytes32 actual);
    /// @notice The payload is exactly what its header promised.
    error BatchIsRight(uint256 index);
    error AlreadyVoided(uint256 index);
    /// @notice The bond answers for batches that may still be proven wrong.
    error BondLocked(uint256 until);
    error Paused(uint256 until);

    /// @notice Puts a signed L2 transaction into the queue, for anyone. Burns gas for it (`gasDivisor`).
    /// @param raw As in `eth_sendRawTransaction`.
    function enqueue(bytes calldata raw) external returns (uint256 queueIndex);

    /// @notice Puts a deposit transaction into the queue. Only the bridge, which holds the ETH, may ask.
    /// @param from The sender on L2: a plain account itself, a contract's alias.
    /// @param mint Wei given to `from` on L2 before it runs.
    /// @param value Wei that the transaction itself sends.
    /// @param gasLimit OVM gas units.
    function enqueueDeposit(
        address from,
        bool isCreation,
        address to,
        uint256 mint,
        uint256 value,
        uint64 gasLimit,
        bytes calldata data
    ) external returns (uint256 queueIndex);

    /// @notice Appends a batch. The payload stays calldata; L1 keeps its hash.
    /// @param expectedIndex The index that this batch is to have: sent twice, it is taken once.
    function appendBatch(uint256 expectedIndex, BatchHeader calldata header, bytes calldata payload) external;

    /// @notice Appends up to `count` (at most 64) overdue queue entries as a batch without payload. For anyone.
    function forceInclude(uint256 count) external;

    /// @notice Shows that a batch is not valid: decodes its payload and compares. Voids it and slashes the bond.
    function proveBatchWrong(BatchRecord calldata record, bytes calldata payload) external;

    /// @notice Whether `leaf` is the `leafIndex`-th of the batch, by the root that counts (after voiding, the fallback's).
    function verifyLeaf(
        BatchRecord calldata record,
        bytes32 leaf,
        uint256 leafIndex,
        bytes32[] calldata siblings
    ) external view returns (bool);

    /// @notice Adds to the batcher's bond.
    function depositBond() external payable;

    /// @notice Takes the bond back once no batch can be proven wrong any more, and ends the batcher's right to append.
    function withdrawBond() external;

    function batchCount() external view returns (uint256);
    function batchHash(uint256 index) external view returns (bytes32);
    /// @notice The root that counts if the batch was voided; zero otherwise. See `isVoided`.
    function voidedRoot(uint256 index) external view returns (bytes32);
    function isVoided(uint256 index) external view returns (bool);
    function queueLength() external view returns (uint256);
    function queueEntry(uint256 index) external view returns (QueueEntry memory);
    /// @notice First queue index that no batch has taken.
    function queueTaken() external view returns (uint256);
    /// @notice Seconds that an entry may wait before anyone may force it.
    function forceInclusionWindow() external view returns (uint256);
}
