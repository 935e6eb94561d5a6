// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice What a proposer claims: the L2 chain as it stands after `batchCount` batches.
/// @param blockNumber Last L2 block of those batches.
/// @param batchHash Hash of the last of these batches, so that a claim can't outlive an L1 reorg.
struct Proposal {
    uint64 blockNumber;
    bytes32 blockHash;
    bytes32 stateRoot;
    uint64 batchCount;
    bytes32 batchHash;
}

/// @notice Undecided: its clock runs. Disputed: its clock stands. Defeated: proven wrong, or built on a wrong one.
enum ClaimStatus {
    Unknown,
    Undecided,
    Disputed,
    Defeated,
    Final
}

/// @param proposedAt Seconds since the Unix epoch.
/// @param finalAt When it can be final if nobody disputes it; meaningless while disputed.
struct Claim {
    Proposal proposal;
    address proposer;
    uint64 proposedAt;
    uint64 finalAt;
    ClaimStatus status;
}

/// @title State commitment chain
/// @notice Claims of L2 state, each with a bond, each final after its challenge period. Runs on L1.
interface IStateCommitmentChain {
    event ClaimProposed(uint256 indexed index, address indexed proposer, Proposal proposal, uint256 finalAt);
    event ClaimDisputed(uint256 indexed index);
    event ClaimResumed(uint256 indexed index, uint256 finalAt);
    /// @notice This claim and all claims built on it are gone. Indices are not used again.
    event ClaimDefeated(uint256 indexed index, address indexed winner, uint256 reward);
    event ClaimFinalized(uint256 indexed index);
    /// @notice The bond of a claim that fell with another one was given back.
    event BondReclaimed(uint256 indexed index, address indexed proposer, uint256 bond);
    event PausedUntil(uint256 until);

    error WrongClaimIndex(uint256 expected, uint256 actual);
    error WrongBond(uint256 required, uint256 actual);
    /// @notice A claim must cover more batches than the one before, and only batches that exist.
    error BatchCountOutOfRange(uint256 minimum, uint256 maximum, uint256 actual);
    error WrongBatchHash(bytes32 expected, bytes32 actual);
    error BlockNumberNotHigher(uint256 parent, uint256 actual);
    error UnknownClaim(uint256 index);
    error ClaimNotFinal(uint256 index, ClaimStatus status, uint256 finalAt);
    error WrongClaimStatus(uint256 index, ClaimStatus expected, ClaimStatus actual);
    /// @notice The challenge period is over: it is too late to dispute the claim.
    error ClockRanOut(uint256 index, uint256 finalAt);
    /// @notice More claims would become final than one call may touch; ask for a lower index first.
    error TooManyClaims(uint256 limit, uint256 actual);
    /// @notice The bond was slashed, is still at stake, or was given back already.
    error NothingToReclaim(uint256 index);
    error NotDisputeGame(address caller);
    error NotGuardian(address caller);
    error Paused(uint256 until);
    error PauseTooLong(uint256 limit, uint256 actual);
    /// @notice The guardian paused not long ago.
    error PauseTooSoon(uint256 earliest);

    /// @param expectedIndex The index that this claim is to have: sent twice, it is taken once.
    function propose(uint256 expectedIndex, Proposal calldata proposal) external payable;

    /// @notice Makes claims final, in order, up to and with `index` (at most 64 in a call). For anyone. Their bonds can then
    /// be withdrawn.
    function finalizeUpTo(uint256 index) external;


    /// @notice Credits the bond of a claim that fell because an earlier one was wrong: nobody showed that it was wrong
    /// itself. For anyone; the wei are the proposer's.
    function reclaimBond(uint256 index) external;

    /// @notice Stops a claim's clock. Only the dispute game, and only before the clock ran out.
    function pauseClock(uint256 index) external;
    /// @notice Lets it run on. Only the dispute game.
    function resumeClock(uint256 index) external;
    /// @notice Removes a wrong claim, which must be disputed, and all built on it. `winner` gets half of its bond, the rest
    /// is burned; the bonds of those built on it can be reclaimed. Only the dispute game.
    function defeat(uint256 index, address winner) external;

    /// @notice Stops proposals, finality and all clocks until `until`, for a bounded time (at most 7 days, and not again for
    /// 30 days after), or ends a pause early. Only the guardian, who can do nothing else.
    function pause(uint256 until) external;
    /// @notice Seconds since the Unix epoch; nothing is paused from then on.
    function pausedUntil() external view returns (uint256);

    /// @notice How many claims there ever were; the index of the next one.
    function claimCount() external view returns (uint256);
    /// @notice Index of the last claim that still stands, on which the next one builds.
    function tip() external view returns (uint256);
    /// @notice Index of the last final claim.
    function lastFinal() external view returns (uint256);
    function claim(uint256 index) external view returns (Claim memory);
    function statusOf(uint256 index) external view returns (ClaimStatus);
    /// @notice Reverts with `ClaimNotFinal` unless it is final already or can be made so now.
    function requireFinal(uint256 index) external view returns (bytes32 stateRoot);
    /// @notice Seconds.
    function challengePeriod() external view returns (uint256);
    /// @notice Wei that answers for each claim.
    function bond() external view returns (uint256);
    function inbox() external view returns (address);
    function disputeGame() external view returns (address);
    function guardian() external view returns (address);
}
