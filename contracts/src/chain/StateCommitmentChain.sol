// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IInbox} from "../interfaces/IInbox.sol";
import {Claim, ClaimStatus, IStateCommitmentChain, Proposal} from "../interfaces/IStateCommitmentChain.sol";
import {BoundedPause} from "../libraries/BoundedPause.sol";
import {PullPayments} from "../libraries/PullPayments.sol";

/// @title State commitment chain
/// @dev Runtime: L1. The claims that stand form a chain by height; a defeat cuts it, and the next claim takes the height of
/// the defeated one, but never its index. So every question is answered without walking over claims.
contract StateCommitmentChain is IStateCommitmentChain, PullPayments {
    /// @dev Claims that one `finalizeUpTo` may make final.
    uint256 public constant FINALIZED_PER_CALL_MAX = 64;

    /// @dev What a claim has become by itself; whether it still stands follows from `_atHeight`.
    enum Mark {
        None,
        Disputed,
        Slashed,
        Reclaimed
    }

    /// @param clockEnd In clock time (see `_clock`): when the claim can be final. While disputed: seconds left until then.
    struct Stored {
        bytes32 blockHash;
        bytes32 stateRoot;
        bytes32 batchHash;
        address proposer;
        uint40 proposedAt;
        uint40 clockEnd;
        Mark mark;
        uint64 blockNumber;
        uint64 batchCount;
        uint64 height;
    }

    /// @param tipHeight Height of the last claim that stands.
    /// @param finalHeight Height of the last final claim.
    struct Heads {
        uint64 count;
        uint64 tipHeight;
        uint64 finalHeight;
    }

    /// @param start Seconds since the Unix epoch, of the running or last pause.
    /// @param until Its end.
    /// @param secondsBefore How long all earlier pauses were together.
    struct Pauses {
        uint40 start;
        uint40 until;
        uint40 secondsBefore;
        uint40 mayPauseFrom;
    }

    address public immutable inbox;
    address public immutable disputeGame;
    address public immutable guardian;
    uint256 public immutable challengePeriod;
    uint256 public immutable bond;

    Heads private _heads;
    Pauses private _pauses;
    mapping(uint256 index => Stored) private _claims;
    /// @dev Index of the claim that stands at this height, if the height is at most `tipHeight`.
    mapping(uint256 height => uint256 index) private _atHeight;

    /// @param disputeGame_ May be zero: then nobody can dispute.
    /// @param challengePeriod_ Seconds.
    /// @param bond_ Wei.
    /// @param genesisHash Hash of L2 block 0, which claim 0 holds, final from the start.
    constructor(
        address inbox_,
        address disputeGame_,
        address guardian_,
        uint256 challengePeriod_,
        uint256 bond_,
        bytes32 genesisHash,
        bytes32 genesisStateRoot
    ) {
        inbox = inbox_;
        disputeGame = disputeGame_;
        guardian = guardian_;
        challengePeriod = challengePeriod_;
        bond = bond_;
        Stored storage genesis = _claims[0];
        genesis.blockHash = genesisHash;
        genesis.stateRoot = genesisStateRoot;
        genesis.proposedAt = genesis.clockEnd = uint40(block.timestamp);
        _heads.count = 1;
        emit ClaimProposed(0, address(0), _proposalOf(genesis), block.timestamp);
        emit ClaimFinalized(0);
    }

    modifier whileNotPaused() {
        uint256 until = _pauses.until;
        if (block.timestamp < until) revert Paused(until);
        _;
    }

    modifier onlyDisputeGame() {
        if (msg.sender != disputeGame) revert NotDisputeGame(msg.sender);
        _;
    }

    // Claims

    /// @inheritdoc IStateCommitmentChain
    function propose(uint256 expectedIndex, Proposal calldata proposal) external payable whileNotPaused {
        Heads memory heads = _heads;
        if (expectedIndex != heads.count) revert WrongClaimIndex(heads.count, expectedIndex);
        if (msg.value != bond) revert WrongBond(bond, msg.value);
        _requireFollows(_claims[_atHeight[heads.tipHeight]], proposal);

        uint64 height = heads.tipHeight + 1;
        uint256 clockEnd = _clock() + challengePeriod;
        _claims[expectedIndex] = Stored({
            blockHash: proposal.blockHash,
            stateRoot: proposal.stateRoot,
            batchHash: proposal.batchHash,
            proposer: msg.sender,
            proposedAt: uint40(block.timestamp),
            clockEnd: uint40(clockEnd),
            mark: Mark.None,
            blockNumber: proposal.blockNumber,
            batchCount: proposal.batchCount,
            height: height
        });
        _atHeight[height] = expectedIndex;
        _heads = Heads(heads.count + 1, height, heads.finalHeight);
        emit ClaimProposed(expectedIndex, msg.sender, proposal, _timeOf(clockEnd));
    }

    function _requireFollows(Stored storage parent, Proposal calldata proposal) private view {
        uint256 available = IInbox(inbox).batchCount();
        if (proposal.batchCount <= parent.batchCount || proposal.batchCount > available) {
            revert BatchCountOutOfRange(uint256(parent.batchCount) + 1, available, proposal.batchCount);
        }
        // On an L1 that was reorganised the same batch count may stand for other batches.
        bytes32 batchHash = IInbox(inbox).batchHash(proposal.batchCount - 1);
        if (batchHash != proposal.batchHash) revert WrongBatchHash(batchHash, proposal.batchHash);
        if (proposal.blockNumber <= parent.blockNumber) {
            revert BlockNumberNotHigher(parent.blockNumber, proposal.blockNumber);
        }
    }

    /// @inheritdoc IStateCommitmentChain
    function finalizeUpTo(uint256 index) external whileNotPaused {
        ClaimStatus status = statusOf(index);
        if (status == ClaimStatus.Unknown) revert UnknownClaim(index);
        if (status == ClaimStatus.Final || status == ClaimStatus.Defeated) {
            revert WrongClaimStatus(index, ClaimStatus.Undecided, status);
        }
        uint256 last = _claims[index].height;
        uint256 height = _heads.finalHeight;
        if (last - height > FINALIZED_PER_CALL_MAX) revert TooManyClaims(FINALIZED_PER_CALL_MAX, last - height);
        while (height < last) {
            uint256 next = _atHeight[++height];
            _requireRipe(next);
            withdrawable[_claims[next].proposer] += bond;
            emit ClaimFinalized(next);
        }
        _heads.finalHeight = uint64(last);
    }

    /// @dev For a claim that stands and is not final yet.
    function _requireRipe(uint256 index) private view {
        Stored storage stored = _claims[index];
        if (stored.mark == Mark.Disputed) revert ClaimNotFinal(index, ClaimStatus.Disputed, 0);
        if (_clock() < stored.clockEnd) revert ClaimNotFinal(index, ClaimStatus.Undecided, _timeOf(stored.clockEnd));
    }

    /// @inheritdoc IStateCommitmentChain
    function requireFinal(uint256 index) external view returns (bytes32 stateRoot) {
        ClaimStatus status = statusOf(index);
        if (status == ClaimStatus.Unknown) revert UnknownClaim(index);
        if (status == ClaimStatus.Defeated) revert ClaimNotFinal(index, status, 0);
        if (status != ClaimStatus.Final) {
            uint256 until = _pauses.until;
            if (block.timestamp < until) revert Paused(until);
            uint256 last = _claims[index].height;
            uint256 height = _heads.finalHeight;
            if (last - height > FINALIZED_PER_CALL_MAX) revert TooManyClaims(FINALIZED_PER_CALL_MAX, last - height);
            while (height < last) _requireRipe(_atHeight[++height]);
        }
        return _claims[index].stateRoot;
    }

    // Disputes

    /// @inheritdoc IStateCommitmentChain
    function pauseClock(uint256 index) external onlyDisputeGame {
        _requireStatus(index, ClaimStatus.Undecided);
        Stored storage stored = _claims[index];
        uint256 clock = _clock();
        // Whoever makes it final may come any moment: too late is too late.
        if (clock >= stored.clockEnd) revert ClockRanOut(index, _timeOf(stored.clockEnd));
        stored.mark = Mark.Disputed;
        stored.clockEnd -= uint40(clock);
        emit ClaimDisputed(index);
    }

    /// @inheritdoc IStateCommitmentChain
    function resumeClock(uint256 index) external onlyDisputeGame {
        _requireStatus(index, ClaimStatus.Disputed);
        Stored storage stored = _claims[index];
        stored.mark = Mark.None;
        stored.clockEnd += uint40(_clock());
        emit ClaimResumed(index, _timeOf(stored.clockEnd));
    }

    /// @inheritdoc IStateCommitmentChain
    function defeat(uint256 index, address winner) external onlyDisputeGame {
        _requireStatus(index, ClaimStatus.Disputed);
        Stored storage stored = _claims[index];
        stored.mark = Mark.Slashed;
        _heads.tipHeight = stored.height - 1;
        uint256 reward = bond / 2;
        withdrawable[winner] += reward;
        emit ClaimDefeated(index, winner, reward);
        _send(address(0), bond - reward);
    }

    function _requireStatus(uint256 index, ClaimStatus expected) private view {
        ClaimStatus actual = statusOf(index);
        if (actual == ClaimStatus.Unknown) revert UnknownClaim(index);
        if (actual != expected) revert WrongClaimStatus(index, expected, actual);
    }

    // Payments

    /// @inheritdoc IStateCommitmentChain
    function reclaimBond(uint256 index) external {
        Stored storage stored = _claims[index];
        if (statusOf(index) != ClaimStatus.Defeated || stored.mark == Mark.Slashed || stored.mark == Mark.Reclaimed) {
            revert NothingToReclaim(index);
        }
        stored.mark = Mark.Reclaimed;
        withdrawable[stored.proposer] += bond;
        emit BondReclaimed(index, stored.proposer, bond);
    }

    // The guardian and the clock

    /// @inheritdoc IStateCommitmentChain
    function pause(uint256 until) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        Pauses memory pauses = _pauses;
        (BoundedPause.Verdict verdict, uint256 newUntil, uint256 mayPauseFrom, uint256 limit) =
            BoundedPause.ask(pauses.until, pauses.mayPauseFrom, until);
        if (verdict == BoundedPause.Verdict.TooLong) revert PauseTooLong(limit, until);
        if (verdict == BoundedPause.Verdict.TooSoon) revert PauseTooSoon(limit);
        if (block.timestamp >= pauses.until) {
            pauses.secondsBefore += pauses.until - pauses.start;
            pauses.start = uint40(block.timestamp);
        }
        pauses.until = uint40(newUntil);
        pauses.mayPauseFrom = uint40(mayPauseFrom);
        _pauses = pauses;
        emit PausedUntil(newUntil);
    }

    /// @dev Clock time: seconds since the Unix epoch less all that was spent paused. It stands still during a pause, so that
    /// a pause takes no time away from those who look for a wrong claim.
    function _clock() private view returns (uint256) {
        Pauses memory pauses = _pauses;
        uint256 secondsPaused = pauses.secondsBefore;
        if (block.timestamp < pauses.until) return pauses.start - secondsPaused;
        return block.timestamp - secondsPaused - (pauses.until - pauses.start);
    }

    /// @dev When the clock will show `clockTime`, or did, if no further pause comes.
    function _timeOf(uint256 clockTime) private view returns (uint256) {
        Pauses memory pauses = _pauses;
        return clockTime + pauses.secondsBefore + (pauses.until - pauses.start);
    }

    // Views

    /// @inheritdoc IStateCommitmentChain
    function statusOf(uint256 index) public view returns (ClaimStatus) {
        Heads memory heads = _heads;
        if (index >= heads.count) return ClaimStatus.Unknown;
        Stored storage stored = _claims[index];
        if (stored.height > heads.tipHeight || _atHeight[stored.height] != index) return ClaimStatus.Defeated;
        if (stored.height <= heads.finalHeight) return ClaimStatus.Final;
        return stored.mark == Mark.Disputed ? ClaimStatus.Disputed : ClaimStatus.Undecided;
    }

    /// @inheritdoc IStateCommitmentChain
    function claim(uint256 index) external view returns (Claim memory) {
        ClaimStatus status = statusOf(index);
        if (status == ClaimStatus.Unknown) revert UnknownClaim(index);
        Stored storage stored = _claims[index];
        return Claim({
            proposal: _proposalOf(stored),
            proposer: stored.proposer,
            proposedAt: stored.proposedAt,
            finalAt: uint64(_timeOf(stored.clockEnd)),
            status: status
        });
    }

    function _proposalOf(Stored storage stored) private view returns (Proposal memory) {
        return Proposal(stored.blockNumber, stored.blockHash, stored.stateRoot, stored.batchCount, stored.batchHash);
    }

    /// @inheritdoc IStateCommitmentChain
    function pausedUntil() external view returns (uint256) {
        return _pauses.until;
    }

    /// @inheritdoc IStateCommitmentChain
    function claimCount() external view returns (uint256) {
        return _heads.count;
    }

    /// @inheritdoc IStateCommitmentChain
    function tip() external view returns (uint256) {
        return _atHeight[_heads.tipHeight];
    }

    /// @inheritdoc IStateCommitmentChain
    function lastFinal() external view returns (uint256) {
        return _atHeight[_heads.finalHeight];
    }
}
