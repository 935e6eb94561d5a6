// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Receives calls, and tells what it saw; or does something else with them.
/// @dev Runtime: tests only.
contract HostileReceiver {
    enum Habit {
        None,
        Reverts,
        BurnsGas,
        RevertsWithMuch,
        ReturnsMuch,
        Calls
    }

    event Called(address sender, uint256 value, uint256 gas, bytes data, bool success, bytes result);

    Habit private _habit;
    address private _target;
    bytes private _data;

    function setHabit(Habit habit) external {
        _habit = habit;
    }

    /// @notice What it calls when it is called.
    function setCall(address target, bytes calldata data) external {
        _habit = Habit.Calls;
        _target = target;
        _data = data;
    }

    /// @notice Calls in this contract's name.
    function forward(address target, bytes calldata data) external payable returns (bytes memory) {
        (bool success, bytes memory result) = target.call{value: msg.value}(data);
        if (success) return result;
        assembly {
            revert(add(result, 32), mload(result))
        }
    }

    receive() external payable {
        _run(gasleft());
    }

    fallback() external payable {
        _run(gasleft());
    }

    function _run(uint256 gas) private {
        Habit habit = _habit;
        if (habit == Habit.Reverts) revert("no");
        if (habit == Habit.BurnsGas) {
            assembly {
                invalid()
            }
        }
        if (habit == Habit.RevertsWithMuch) {
            assembly {
                revert(0, 200000)
            }
        }
        bool success;
        bytes memory result;
        if (habit == Habit.Calls) (success, result) = _target.call(_data);
        emit Called(msg.sender, msg.value, gas, msg.data, success, result);
        if (habit == Habit.ReturnsMuch) {
            assembly {
                return(0, 200000)
            }
        }
    }
}
