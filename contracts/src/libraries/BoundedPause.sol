// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Bounded pause
/// @notice What a guardian may do to a contract: stop it, for at most 7 days, and then not again for 30.
/// @dev Runtime: L1. Pure, so that each contract packs the two times where it reads them anyway.
library BoundedPause {
    /// @dev Seconds.
    uint256 internal constant DURATION_MAX = 7 days;
    /// @dev Seconds from the end of a pause to the start of the next. Ending one early doesn't bring the next one nearer.
    uint256 internal constant COOLDOWN = 30 days;

    enum Verdict {
        Granted,
        TooLong,
        TooSoon
    }

    /// @notice What becomes of a contract that is paused until `pausedUntil` if the guardian asks for `until`.
    /// @param pausedUntil Seconds since the Unix epoch; the end of the running or last pause.
    /// @param mayPauseFrom Seconds since the Unix epoch; the earliest start of the next pause.
    /// @param limit If refused: the latest time that could be asked for, or the earliest at which to ask.
    function ask(uint256 pausedUntil, uint256 mayPauseFrom, uint256 until)
        internal
        view
        returns (Verdict verdict, uint256 newUntil, uint256 newMayPauseFrom, uint256 limit)
    {
        if (block.timestamp < pausedUntil) {
            // A running pause can only be made shorter.
            if (until > pausedUntil) return (Verdict.TooLong, 0, 0, pausedUntil);
            return (Verdict.Granted, until < block.timestamp ? block.timestamp : until, mayPauseFrom, 0);
        }
        if (block.timestamp < mayPauseFrom) return (Verdict.TooSoon, 0, 0, mayPauseFrom);
        limit = block.timestamp + DURATION_MAX;
        if (until > limit) return (Verdict.TooLong, 0, 0, limit);
        if (until < block.timestamp) until = block.timestamp;
        return (Verdict.Granted, until, until + COOLDOWN, 0);
    }
}
