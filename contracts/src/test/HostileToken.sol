// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice A token with every bad habit, one at a time.
/// @dev Runtime: tests only.
contract HostileToken {
    enum Habit {
        None,
        NoReturnValue,
        ReturnsFalse,
        TakesFee,
        Reverts,
        Bytes32Name,
        EndlessName,
        NoName,
        AnswersMuch
    }

    event HookRan(bool success, bytes result);

    error Refused();

    Habit public habit;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    address private _hookTarget;
    bytes private _hookData;

    function setHabit(Habit habit_) external {
        habit = habit_;
    }

    /// @notice What a transfer calls, as the hooks of ERC-777 let a holder do.
    function setHook(address target, bytes calldata data) external {
        _hookTarget = target;
        _hookData = data;
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function name() external view {
        _say("Hostile");
    }

    function symbol() external view {
        _say("HOST");
    }

    function decimals() external view {
        if (habit == Habit.NoName) revert Refused();
        _answer(habit == Habit.EndlessName ? 256 : 6);
    }

    function _say(bytes32 text) private view {
        if (habit == Habit.NoName) revert Refused();
        if (habit == Habit.Bytes32Name) _answer(uint256(text));
        if (habit == Habit.EndlessName) {
            assembly {
                // As much as the gas allows, and a length to match.
                mstore(0, 32)
                mstore(32, 30000)
                mstore(64, 0)
                return(0, 30064)
            }
        }
        bytes memory answer = abi.encode(string(abi.encodePacked(text)));
        assembly {
            return(add(answer, 32), mload(answer))
        }
    }

    function _move(address from, address to, uint256 amount) private {
        if (habit == Habit.Reverts) revert Refused();
        if (habit == Habit.ReturnsFalse) _answer(0);
        uint256 fee = habit == Habit.TakesFee ? amount / 100 : 0;
        balanceOf[from] -= amount;
        balanceOf[to] += amount - fee;
        if (_hookTarget != address(0)) {
            (bool success, bytes memory result) = _hookTarget.call(_hookData);
            emit HookRan(success, result);
        }
        if (habit == Habit.AnswersMuch) {
            assembly {
                mstore(0, 1)
                return(0, 100000)
            }
        }
        if (habit != Habit.NoReturnValue) _answer(1);
        assembly {
            return(0, 0)
        }
    }

    function _answer(uint256 word) private pure {
        assembly {
            mstore(0, word)
            return(0, 32)
        }
    }
}
