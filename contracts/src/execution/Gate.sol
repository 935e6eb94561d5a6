// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GasSchedule} from "../generated/GasSchedule.sol";

/// @title Gate
/// @notice How a contract asks the manager for an operation without touching its own memory, and the one place where
/// operations are paid.
/// @dev A stub of transpiled code leaves the opcode in slot 0 and the operands in slots 1.. of the contract's
/// transient storage and delegate-calls its CALLER, the manager, with the memory ranges of the operation as input and
/// output. The manager's code, running in the contract's context, then
///  1. computes the price from operand sizes alone and halts the frame (out of gas) if it can't be paid,
///  2. calls the manager proper, which works with its own memory,
///  3. leaves the result in slot 0 and burns the rest of the price, so that what the work really cost can't be seen.
/// Return data reaches the contract as the return data of the delegate call, so the EVM itself fills the output range
/// and the return-data buffer, exactly as CALL would. Written in assembly: every operation of every contract passes.
abstract contract Gate {
    /// @dev Result of a call or creation that tells the stub to unwind: the run is aborted.
    uint256 internal constant ABORTED = 1 << 255;
    /// @dev Why a run was aborted: an operation really cost more than its price.
    uint256 internal constant ABORT_UNDERPRICED = 1;
    /// @dev Revert data of one word with this value: return data was too expensive for the caller.
    uint256 internal constant RETURN_DATA_TOO_EXPENSIVE = 0x8f7a3f21;
    /// @dev Selector of the gate's own message `abort()`, no function of the manager's interface.
    uint256 internal constant ABORT_SELECTOR = 0x35a063b4;
    /// @dev Selector of the gate's own message `forgetReturnData()`.
    uint256 internal constant FORGET_SELECTOR = 0x5b8bbf2a;
    /// @dev Gas that an operation's work can't use up, so that an abort can still be told. Below HEADROOM_GAS.
    uint256 private constant ABORT_RESERVE = 1200;

    // Gas of a gate's frame outside the two readings of the gas left, by the way through it. `ConstantGas.test.ts`
    // holds them to the unit.
    uint256 private constant WORD_FRAME_GAS = 186;
    uint256 private constant INPUT_FRAME_GAS = 186;
    uint256 private constant OUTPUT_FRAME_GAS = 191;
    uint256 private constant CALL_FRAME_GAS = 188;

    address internal immutable SELF = address(this);
    /// @dev Code INVALID: a call to it burns exactly the gas it is given.
    address internal immutable BURNER;
    uint256 internal immutable CALL_GAS_SCALE;

    constructor(address burner, uint256 callGasScale) {
        BURNER = burner;
        CALL_GAS_SCALE = callGasScale;
    }

    /// @dev Serves one operation and ends the delegate-called frame. Never returns.
    function _gate(uint256 entryGas) internal {
        uint256 opcode;
        assembly ("memory-safe") {
            opcode := tload(0)
        }
        (uint256 selector, uint256 profile) = GasSchedule.lookup(opcode);
        uint256 kind = profile & 15;
        if (kind == GasSchedule.KIND_WORD) _passWord(entryGas, selector, profile);
        if (kind >= GasSchedule.KIND_CALL) _passCall(entryGas, selector, profile);
        _passData(entryGas, selector, profile);
    }

    /// @dev Words in, a word out.
    function _passWord(uint256 entryGas, uint256 selector, uint256 profile) private {
        uint256 price = profile >> 8;
        uint256 args = (profile >> 4) & 15;
        _demand(entryGas, price);
        assembly ("memory-safe") {
            mstore(0, shl(224, selector))
            if args {
                mstore(4, tload(1))
                if gt(args, 1) { mstore(36, tload(2)) }
            }
        }
        if (!_ask(0, 4 + 32 * args)) _halt();
        uint256 result;
        assembly ("memory-safe") {
            result := mload(0)
        }
        _leave(entryGas + WORD_FRAME_GAS - price, result, 0, 0);
    }

    /// @dev Memory in (logs, code) or memory out (code copies, return data).
    function _passData(uint256 entryGas, uint256 selector, uint256 profile) private {
        uint256 price = profile >> 8;
        uint256 args = (profile >> 4) & 15;
        uint256 kind = profile & 15;
        uint256 message;
        uint256 cursor;
        assembly ("memory-safe") {
            message := mload(0x40)
            mstore(message, shl(224, selector))
            cursor := add(message, 4)
            for { let i := 1 } iszero(gt(i, args)) { i := add(i, 1) } {
                mstore(cursor, tload(i))
                cursor := add(cursor, 32)
            }
        }
        if (kind >= GasSchedule.KIND_LOG) {
            price += _sizePrice(
                msg.data.length,
                kind == GasSchedule.KIND_LOG ? GasSchedule.LOG_WORD_GAS : GasSchedule.CODE_WORD_GAS
            );
            _demand(entryGas, price);
            cursor = _appendData(message, cursor);
        } else {
            if (kind == GasSchedule.KIND_COPY) {
                uint256 copied;
                assembly ("memory-safe") {
                    copied := tload(args)
                }
                price += _sizePrice(copied, GasSchedule.COPY_WORD_GAS);
            }
            _demand(entryGas, price);
        }
        if (!_ask(message, cursor - message)) _halt();
        if (kind >= GasSchedule.KIND_LOG) _leave(entryGas + INPUT_FRAME_GAS - price, 0, 0, 0);
        uint256 data;
        uint256 size;
        assembly ("memory-safe") {
            returndatacopy(message, 0, returndatasize())
            size := mload(add(message, 0x20))
            data := add(message, 0x40)
        }
        if (kind == GasSchedule.KIND_REFRESH) {
            price += _sizePrice(size, GasSchedule.RETURN_WORD_GAS);
            _demand(entryGas, price);
        }
        _leave(entryGas + OUTPUT_FRAME_GAS - price, 0, data, size);
    }

    /// @dev Calls and creations: also forwards gas, and pays for what the new frame used and returned.
    function _passCall(uint256 entryGas, uint256 selector, uint256 profile) private {
        uint256 args = (profile >> 4) & 15;
        bool isCall = profile & 15 == GasSchedule.KIND_CALL;
        uint256 price = (profile >> 8)
            + _sizePrice(msg.data.length, isCall ? GasSchedule.COPY_WORD_GAS : GasSchedule.CODE_WORD_GAS);
        uint256 stipend;
        uint256 requested = type(uint256).max;
        if (isCall) {
            uint256 value;
            assembly ("memory-safe") {
                requested := tload(1)
                // CALL and CALLCODE have three operands, the third is the value.
                if eq(args, 3) { value := tload(3) }
            }
            // The scale makes gas numbers in contracts mean what they meant; no overflow below 2^128.
            if (requested < 1 << 128) requested *= CALL_GAS_SCALE;
            if (value != 0) {
                price += GasSchedule.VALUE_GAS;
                stipend = GasSchedule.CALL_STIPEND;
            }
        }
        uint256 left = entryGas - _demand(entryGas, price);
        uint256 forwarded = left - left / GasSchedule.FORWARD_DIVISOR;
        if (requested < forwarded) forwarded = requested;
        uint256 allowance = (left - forwarded) / 2;
        forwarded += stipend;

        uint256 message;
        uint256 cursor;
        assembly ("memory-safe") {
            message := mload(0x40)
            mstore(message, shl(224, selector))
            cursor := add(message, 4)
            for { let i := 1 } iszero(gt(i, args)) { i := add(i, 1) } {
                mstore(cursor, tload(i))
                cursor := add(cursor, 32)
            }
            // A call names its gas first; for a creation it follows the operands.
            switch isCall
            case 1 { mstore(add(message, 4), forwarded) }
            default {
                mstore(cursor, forwarded)
                cursor := add(cursor, 32)
            }
            mstore(cursor, allowance)
            cursor := add(cursor, 32)
        }
        cursor = _appendData(message, cursor);
        uint256 result;
        uint256 size;
        uint256 used;
        if (_ask(message, cursor - message)) {
            assembly ("memory-safe") {
                returndatacopy(message, 0, returndatasize())
                result := mload(message)
                used := mload(add(message, 0x20))
                size := mload(add(message, 0x60))
            }
            price += _sizePrice(size, GasSchedule.RETURN_WORD_GAS);
        } else {
            // Outlived only if the callee returned more than the caller can pay: as if the callee ran out of gas.
            _forgetReturnData();
            used = forwarded;
        }
        _leave(entryGas + stipend + CALL_FRAME_GAS - price - used, result, message + 0x80, size);
    }

    /// @dev Halts the frame, as out of gas, if `price` and the headroom for its burn can't be paid. Answers their sum.
    function _demand(uint256 entryGas, uint256 price) private pure returns (uint256 demanded) {
        demanded = price + price / GasSchedule.HEADROOM_DIVISOR + GasSchedule.HEADROOM_GAS;
        if (entryGas < demanded) _halt();
    }

    /// @dev Ends the frame as out of gas.
    function _halt() private pure {
        assembly ("memory-safe") {
            invalid()
        }
    }

    /// @dev Has the manager do the work; the first word of its reply is left at 0. Answers false if it refused, which it
    /// never does without a reason: a revert without data means that the work ran out of gas that the price paid for.
    function _ask(uint256 message, uint256 size) private returns (bool ok) {
        uint256 replied;
        assembly ("memory-safe") {
            ok := call(sub(gas(), ABORT_RESERVE), caller(), 0, message, size, 0, 0x20)
            replied := returndatasize()
        }
        if (replied == 0) {
            if (!ok) _abort();
            _unwind();
        }
    }

    /// @dev The manager undid the call, and with it that the frame's return data is empty now.
    function _forgetReturnData() private {
        assembly ("memory-safe") {
            if iszero(eq(returndatasize(), 0x20)) { invalid() }
            mstore(0, shl(224, FORGET_SELECTOR))
            pop(call(gas(), caller(), 0, 0, 4, 0, 0))
        }
    }

    /// @dev Price of `size` bytes that cross a frame: linear, and quadratic for the memory they fill.
    function _sizePrice(uint256 size, uint256 perWord) internal pure returns (uint256) {
        if (size == 0) return 0;
        uint256 words = (size + 31) / 32;
        return words * perWord + words * words / GasSchedule.MEMORY_QUADRATIC_DIVISOR;
    }

    /// @dev Appends the frame's input as ABI `bytes`.
    function _appendData(uint256 message, uint256 cursor) private pure returns (uint256 end) {
        assembly ("memory-safe") {
            mstore(cursor, sub(add(cursor, 28), message))
            mstore(add(cursor, 32), calldatasize())
            calldatacopy(add(cursor, 64), 0, calldatasize())
            end := add(add(cursor, 64), and(add(calldatasize(), 31), not(31)))
        }
    }

    /// @dev Tells the manager that the run can't be judged, and ends the frame.
    function _abort() private {
        assembly ("memory-safe") {
            mstore(0, shl(224, ABORT_SELECTOR))
            pop(call(gas(), caller(), 0, 0, 4, 0, 0))
        }
        _unwind();
    }

    /// @dev Tells the stub to end its frame without undoing anything, so that the manager's abort flag survives.
    function _unwind() private {
        assembly ("memory-safe") {
            tstore(0, ABORTED)
            mstore8(0, 1)
            return(0, 1)
        }
    }

    /// @dev Leaves the result, burns gas down to `target` and returns `size` bytes at `data`.
    function _leave(uint256 target, uint256 result, uint256 data, uint256 size) private {
        address burner = BURNER;
        uint256 left;
        assembly ("memory-safe") {
            tstore(0, result)
            left := gas()
        }
        if (left < target) _abort();
        assembly ("memory-safe") {
            pop(staticcall(sub(left, target), burner, 0, 0, 0, 0))
            return(data, size)
        }
    }
}
