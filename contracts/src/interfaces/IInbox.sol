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

/// @notice What an Inbox is made with, for good.
/// @param batcher The one account that may append batches.
/// @param bridge The one contract that may enqueue deposit transactions.
/// @param transactionDecoder An `ITransactionDecoder`.
/// @param batchVerifier An `IBatchVerifier`.
/// @param guardian May pause, for a bounded time.
/// @param forceInclusionWindow Seconds.
/// @param batcherBond Wei that must be there to append, and that each wrong batch costs.
/// @param bondLockPeriod Seconds from the last batch on, for which the bond stays.
/// @param l2ChainId What a signed transaction must be for, if it names a chain.
/// @param l2BlockGasLimit OVM gas units that the queued transactions of one block may have in sum.
/// @param maxTransactionGas OVM gas units.
/// @param gasDivisor OVM gas units per unit of L1 gas that enqueueing burns.
struct InboxParameters {
    address batcher;
    address bridge;
    address transactionDecoder;
    address batchVerifier;
    address guardian;
    uint256 forceInclusionWindow;
    uint256 batcherBond;
    uint256 bondLockPeriod;
    uint256 l2ChainId;
    uint256 l2BlockGasLimit;
    uint256 maxTransactionGas;
    uint256 gasDivisor;
}

/// @title Inbox: the canonical transaction chain
/// @notice The order of all L2 transactions: batches of the sequencer's and the queue of those sent on L1. Runs on L1.
interface IInbox {
    /// @param from Who sends it on L2: the signer, or whom the bridge speaks for.
    /// @param gasLimit OVM gas units.
    event TransactionEnqueued(uint256 indexed queueIndex, address indexed from, uint256 gasLimit, bytes raw);
    event BatchAppended(uint256 indexed index, bytes32 batchHash, BatchRecord record);
    /// @notice The batch's payload is not what its header promised; `root` is what counts instead.
    event BatchVoided(uint256 indexed index, bytes32 root, address indexed prover, uint256 reward);

    /// @notice Wei that the bond holds from now on.
    event BondChanged(address indexed batcher, uint256 bond);
    event PausedUntil(uint256 until);

    error WrongBatchIndex(uint256 expected, uint256 actual);
    error NotBatcher(address caller);
    /// @notice The payload must be the L1 transaction's own calldata, so nothing with code can append: no contract, and no
    /// account that delegates to one (EIP-7702).
    error NotPlainAccount(address caller);
    error BondTooLow(uint256 required, uint256 available);
    error PayloadTooLarge(uint256 size, uint256 limit);
    /// @notice The call must be encoded in the one usual way, so that anybody finds the payload at the same place.
    error CalldataNotCanonical(uint256 expectedSize, uint256 actualSize);
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
    error InitCodeTooLarge(uint256 size, uint256 limit);
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
    error NotGuardian(address caller);
    error Paused(uint256 until);
    error PauseTooLong(uint256 limit, uint256 actual);
    /// @notice The guardian paused not long ago.
    error PauseTooSoon(uint256 earliest);

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

    /// @notice Shows that a batch is not valid: decodes its payload and compares. Voids it and slashes the bond: half of
    /// `batcherBond` (or of what is left) goes to the caller, the rest is burned. Pausing does not stop it.
    function proveBatchWrong(BatchRecord calldata record, bytes calldata payload) external;

    /// @notice Whether `leaf` is the `leafIndex`-th of the batch, by the root that counts (after voiding, the fallback's).
    function verifyLeaf(
        BatchRecord calldata record,
        bytes32 leaf,
        uint256 leafIndex,
        bytes32[] calldata siblings
    ) external view returns (bool);

    /// @notice Adds to the batcher's bond. For anyone.
    function depositBond() external payable;

    /// @notice Takes the bond back, `bondLockPeriod` after the last batch, and ends the batcher's right to append until
    /// there is a new one. Only the batcher; the wei wait for `withdraw`.
    function withdrawBond() external;


    /// @notice Stops the queue and the batches until `until`, for a bounded time (at most 7 days, and not again for 30 days
    /// after), or ends a pause early. Only the guardian, who can do nothing else.
    function pause(uint256 until) external;
    /// @notice Seconds since the Unix epoch; nothing is paused from then on.
    function pausedUntil() external view returns (uint256);

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
    /// @notice Wei that the bond holds now.
    function bond() external view returns (uint256);
    /// @notice Wei that it must hold for a batch to be appended.
    function batcherBond() external view returns (uint256);
    function bondLockPeriod() external view returns (uint256);
    function batcher() external view returns (address);
    function bridge() external view returns (address);
    function guardian() external view returns (address);
    function transactionDecoder() external view returns (address);
    function batchVerifier() external view returns (address);
    function l2ChainId() external view returns (uint256);
    function l2BlockGasLimit() external view returns (uint256);
    function maxTransactionGas() external view returns (uint256);
    function gasDivisor() external view returns (uint256);
}
