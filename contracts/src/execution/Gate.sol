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
/// and the return-data buffer, exactly as CALL would.
abstract contract Gate {
    /// @dev Result of a call or creation that tells the stub to unwind: the run is aborted.
    uint256 internal constant ABORTED = 1 << 255;
    /// @dev Why a run was aborted: an operation really cost more than its price.
    uint256 internal constant ABORT_UNDERPRICED = 1;
    /// @dev Revert data of one word with this value: return data was too expensive for the caller.
    uint256 internal constant RETURN_DATA_TOO_EXPENSIVE = 0x8f7a3f21;
    /// @dev Selector of the gate's own message `abort()`, no function of the manager's interface.
    uint256 internal constant ABORT_SELECTOR = 0x35a063b4;

    /// @dev Gas from entering the manager's code to the first reading of the gas left.
    uint256 private constant ENTRY_GAS = 60;
    /// @dev Gas from the last reading of the gas left to the end of the frame, the burn's own cost included.
    uint256 private constant EXIT_GAS = 160;

    address internal immutable SELF = address(this);
    /// @dev Code INVALID: a call to it burns exactly the gas it is given.
    address internal immutable BURNER;
    uint256 internal immutable CALL_GAS_SCALE;

    constructor(address burner, uint256 callGasScale) {
        BURNER = burner;
        CALL_GAS_SCALE = callGasScale;
    }

    /// @dev What the gate knows of the operation at hand.
    struct Passage {
        uint256 opcode;
        uint256 kind;
        uint256 args;
        uint256 price;
        /// Gas left when the frame was entered.
        uint256 entryGas;
        uint256 forwardedGas;
        uint256 stipend;
        uint256 returnAllowance;
    }

    /// @dev Serves one operation and ends the delegate-called frame. Never returns.
    function _gate(uint256 gasAtEntry) internal {
        Passage memory p;
        p.entryGas = gasAtEntry + ENTRY_GAS;
        assembly ("memory-safe") {
            mstore(p, tload(0))
        }
        uint256 profile = GasSchedule.profile(p.opcode);
        p.kind = profile & 15;
        p.args = (profile >> 4) & 15;
        p.price = profile >> 8;
        _price(p);

        (uint256 message, uint256 size) = _message(p);
        (bool ok, uint256 reply, uint256 replySize) = _ask(message, size);

        uint256 charge = p.price;
        uint256 result;
        uint256 data = reply;
        uint256 dataSize;
        if (!ok) {
            // Only a call can outlive a failure of the manager: its callee returned more than the caller can pay.
            if (p.kind < GasSchedule.KIND_CALL || replySize != 32) _halt();
            charge += p.forwardedGas;
        } else if (replySize == 0) {
            _unwind();
        } else if (p.kind >= GasSchedule.KIND_CALL) {
            assembly ("memory-safe") {
                result := mload(reply)
                charge := add(charge, mload(add(reply, 0x20)))
                dataSize := mload(add(reply, 0x60))
                data := add(reply, 0x80)
            }
            charge += _sizePrice(dataSize, GasSchedule.RETURN_WORD_GAS);
        } else if (p.kind == GasSchedule.KIND_COPY || p.kind == GasSchedule.KIND_REFRESH) {
            assembly ("memory-safe") {
                dataSize := mload(add(reply, 0x20))
                data := add(reply, 0x40)
            }
            if (p.kind == GasSchedule.KIND_REFRESH) {
                charge += _sizePrice(dataSize, GasSchedule.RETURN_WORD_GAS);
                if (charge + charge / GasSchedule.HEADROOM_DIVISOR > p.entryGas) _halt();
            }
        } else {
            assembly ("memory-safe") {
                result := mload(reply)
            }
        }
        _leave(p.entryGas - (charge - p.stipend), result, data, dataSize);
    }

    /// @dev Fills in the price of what the operands' sizes demand, and for calls the gas to forward.
    function _price(Passage memory p) private view {
        bool movesValue;
        if (p.kind >= GasSchedule.KIND_LOG) {
            uint256 perWord = p.kind == GasSchedule.KIND_LOG
                ? GasSchedule.LOG_WORD_GAS
                : p.kind == GasSchedule.KIND_CALL ? GasSchedule.COPY_WORD_GAS : GasSchedule.CODE_WORD_GAS;
            p.price += _sizePrice(msg.data.length, perWord);
            // CALL and CALLCODE have three operands, the third is the value.
            if (p.kind == GasSchedule.KIND_CALL && p.args == 3) movesValue = _operand(3) != 0;
        } else if (p.kind == GasSchedule.KIND_COPY) {
            p.price += _sizePrice(_operand(p.args), GasSchedule.COPY_WORD_GAS);
        }
        if (movesValue) {
            p.price += GasSchedule.VALUE_GAS;
            p.stipend = GasSchedule.CALL_STIPEND;
        }
        uint256 demanded = p.price + p.price / GasSchedule.HEADROOM_DIVISOR + GasSchedule.HEADROOM_GAS;
        if (p.entryGas < demanded) _halt();
        if (p.kind >= GasSchedule.KIND_CALL) {
            uint256 left = p.entryGas - demanded;
            uint256 forwarded = left - left / GasSchedule.FORWARD_DIVISOR;
            if (p.kind == GasSchedule.KIND_CALL) {
                uint256 requested = _operand(1);
                // The scale makes gas numbers in contracts mean what they meant; no overflow below 2^128.
                if (requested < 1 << 128 && requested * CALL_GAS_SCALE < forwarded) {
                    forwarded = requested * CALL_GAS_SCALE;
                }
            }
            p.returnAllowance = (left - forwarded) / 2;
            p.forwardedGas = forwarded + p.stipend;
        }
    }

    /// @dev Lays out the ABI-encoded call of the operation's function behind the free memory.
    function _message(Passage memory p) private view returns (uint256 message, uint256 size) {
        uint256 selector = GasSchedule.selector(p.opcode);
        uint256 args = p.args;
        bool isCall = p.kind == GasSchedule.KIND_CALL;
        bool hasData = p.kind >= GasSchedule.KIND_LOG;
        bool hasGas = p.kind >= GasSchedule.KIND_CALL;
        uint256 forwardedGas = p.forwardedGas;
        uint256 returnAllowance = p.returnAllowance;
        assembly ("memory-safe") {
            message := mload(0x40)
            mstore(message, shl(224, selector))
            let cursor := add(message, 4)
            for { let i := 1 } iszero(gt(i, args)) { i := add(i, 1) } {
                mstore(cursor, tload(i))
                cursor := add(cursor, 32)
            }
            if hasGas {
                // A call names its gas first; for a creation it follows the operands.
                switch isCall
                case 1 { mstore(add(message, 4), forwardedGas) }
                default {
                    mstore(cursor, forwardedGas)
                    cursor := add(cursor, 32)
                }
                mstore(cursor, returnAllowance)
                cursor := add(cursor, 32)
            }
            if hasData {
                mstore(cursor, sub(add(cursor, 28), message))
                mstore(add(cursor, 32), calldatasize())
                cursor := add(cursor, 64)
                calldatacopy(cursor, 0, calldatasize())
                cursor := add(cursor, and(add(calldatasize(), 31), not(31)))
            }
            size := sub(cursor, message)
        }
    }

    /// @dev Calls the manager proper (the caller of the contract) and copies its reply behind the free memory.
    function _ask(uint256 message, uint256 size) private returns (bool ok, uint256 reply, uint256 replySize) {
        assembly ("memory-safe") {
            ok := call(gas(), caller(), 0, message, size, 0, 0)
            reply := message
            replySize := returndatasize()
            // A failing manager's words are for people who trace it, and cost nothing here beyond one word.
            if or(ok, eq(replySize, 32)) { returndatacopy(reply, 0, replySize) }
        }
    }

    /// @dev Price of `size` bytes that cross a frame: linear, and quadratic for the memory they fill.
    function _sizePrice(uint256 size, uint256 perWord) internal pure returns (uint256) {
        uint256 words = (size + 31) / 32;
        return words * perWord + words * words / GasSchedule.MEMORY_QUADRATIC_DIVISOR;
    }

    function _operand(uint256 index) private view returns (uint256 value) {
        assembly ("memory-safe") {
            value := tload(index)
        }
    }

    /// @dev Out of gas: the stub halts its frame in turn.
    function _halt() private pure {
        assembly ("memory-safe") {
            invalid()
        }
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
        target += EXIT_GAS;
        assembly ("memory-safe") {
            tstore(0, result)
            let left := gas()
            if lt(left, target) {
                mstore(0, shl(224, ABORT_SELECTOR))
                pop(call(gas(), caller(), 0, 0, 4, 0, 0))
                tstore(0, ABORTED)
                mstore8(0, 1)
                return(0, 1)
            }
            pop(staticcall(sub(left, target), burner, 0, 0, 0, 0))
            return(data, size)
        }
    }
}
