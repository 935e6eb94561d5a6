// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Gate} from "./Gate.sol";
import {Frames} from "./Frames.sol";
import {IExecutionManager} from "../interfaces/IExecutionManager.sol";
import {IStateManager} from "../interfaces/IStateManager.sol";
import {GasSchedule} from "../generated/GasSchedule.sol";

/// @title Frame runner
/// @notice Runs calls and creations: moves value, gives the new frame its context, hands it an exact amount of gas and
/// reports exactly what it used.
abstract contract FrameRunner is Gate {
    uint256 internal constant OP_CALL = 0xf1;
    uint256 internal constant OP_CALLCODE = 0xf2;
    uint256 internal constant OP_DELEGATECALL = 0xf4;
    uint256 internal constant OP_STATICCALL = 0xfa;

    bytes32 internal constant EMPTY_CODE_HASH = keccak256("");
    /// @dev Moves native balance for the WETH predeploy, and for nobody else.
    address internal constant LEDGER = 0x4200000000000000000000000000000000000Fff;
    address internal constant WETH = 0x4200000000000000000000000000000000000006;
    /// @dev Selector of ILedger.move(address,address,uint256).
    bytes4 private constant LEDGER_MOVE = 0xbb35783b;
    uint256 private constant PRECOMPILE_MAX = 10;

    /// @dev Gas between the two readings around a native CALL that is not the callee's.
    uint256 private constant CALL_OVERHEAD = 108;
    /// @dev Gas between the last reading before a native CREATE and the CREATE, the burn's own cost included.
    uint256 private constant CREATE_APPROACH = 117;
    /// @dev Gas from a native CREATE to the reading behind it.
    uint256 private constant CREATE_DEPARTURE = 2;
    /// @dev Price of the opcode CREATE (G_create).
    uint256 private constant CREATE_GAS = 32000;
    /// @dev Room for the work of a creating frame around its CREATE.
    uint256 private constant CREATION_FRAME_GAS = 5000;
    /// @dev What a creating frame needs for its reply, revert data aside: below CREATION_GAS_MIN / 63.
    uint256 private constant CREATION_REPLY_GAS = 150;
    /// @dev What stands before the revert data in a creating frame's reply: native address and gas used.
    uint256 private constant CREATION_REPLY_BYTES = 64;
    /// @dev Selector of the message with which the manager asks itself for a creating frame.
    uint256 internal constant CREATE_NATIVE = 0x6f0c0de1;
    /// @dev Why a run was aborted: the native gas did not suffice to forward what was due.
    uint256 internal constant ABORT_STARVED = 2;

    IStateManager internal immutable STATE;

    constructor(IStateManager state) {
        STATE = state;
    }

    /// @param depth Depth of the frame that calls; zero for a transaction.
    /// @param returnAllowance Gas that the caller can pay for return data. A transaction pays nothing for it: bytes that
    /// its outcome keeps.
    /// @param input Where 96 free bytes stand, and behind them the input.
    struct Call {
        uint256 depth;
        uint256 opcode;
        address self;
        bool isStatic;
        uint256 gas;
        address target;
        uint256 value;
        uint256 returnAllowance;
        uint256 input;
        uint256 inputSize;
    }

    /// @param account The address of the contract to be.
    /// @param initCode Original initcode in memory.
    struct Creation {
        uint256 depth;
        address self;
        address account;
        uint256 value;
        uint256 gas;
        uint256 returnAllowance;
        bytes initCode;
    }

    /// @param data Where the return data (or revert data) stands.
    struct Outcome {
        bool success;
        uint256 gasUsed;
        address created;
        uint256 data;
        uint256 dataSize;
    }

    function _call(Call memory c) internal returns (Outcome memory outcome) {
        if (c.depth > GasSchedule.CALL_DEPTH_MAX) return outcome;
        if (c.target == LEDGER && c.self == WETH && c.opcode == OP_CALL) {
            outcome.success = _moveBalance(c);
            return outcome;
        }
        if (c.value != 0 && c.opcode != OP_DELEGATECALL) {
            // CALLCODE keeps the value where it is, but must have it.
            address to = c.opcode == OP_CALL ? c.target : c.self;
            if (!STATE.transfer(c.self, to, c.value)) return outcome;
        }
        bool ran;
        if (c.target != address(0) && uint160(c.target) <= PRECOMPILE_MAX) {
            ran = true;
            _runNative(c, outcome, c.target, true);
        } else {
            (address code, bytes32 codeHash) = STATE.getExecutable(c.target);
            if (code != address(0)) {
                ran = true;
                _runFrame(c, outcome, code, codeHash);
            }
        }
        if (!ran) {
            outcome.success = true;
        } else if (!outcome.success && c.value != 0 && c.opcode == OP_CALL) {
            STATE.transfer(c.target, c.self, c.value);
        }
    }

    function _runFrame(Call memory c, Outcome memory outcome, address code, bytes32 codeHash) private {
        bool keepsContext = c.opcode == OP_DELEGATECALL;
        Frames.Frame memory frame = Frames.Frame({
            self: c.opcode == OP_CALL || c.opcode == OP_STATICCALL ? c.target : c.self,
            isStatic: c.isStatic || c.opcode == OP_STATICCALL,
            caller: keepsContext ? Frames.caller(c.depth) : c.self,
            value: keepsContext ? Frames.value(c.depth) : c.value,
            code: code,
            codeHash: codeHash
        });
        Frames.push(c.depth + 1, frame);
        assembly ("memory-safe") {
            let input := mload(add(c, 0x100))
            mstore(input, mload(frame))
            mstore(add(input, 0x20), mload(add(frame, 0x40)))
            mstore(add(input, 0x40), mload(add(frame, 0x60)))
        }
        _runNative(c, outcome, code, false);
        Frames.pop(c.depth + 1);
    }

    /// @dev Calls native code with exactly `c.gas` and measures what it used.
    function _runNative(Call memory c, Outcome memory outcome, address code, bool isPrecompile) private {
        // Also warms the code's address, so that the CALL below costs the same every time.
        if (code.code.length == 0 && !isPrecompile) _starved(c.depth);
        uint256 forwarded = c.gas;
        if (gasleft() - gasleft() / 64 < forwarded + 1000) _starved(c.depth);
        bool ok;
        uint256 used;
        if (isPrecompile) {
            uint256 input = c.input + GasSchedule.CONTEXT_BYTES;
            uint256 size = c.inputSize;
            assembly ("memory-safe") {
                let before := gas()
                ok := call(forwarded, code, 0, input, size, 0, 0)
                used := sub(before, gas())
            }
        } else {
            uint256 input = c.input;
            uint256 size = c.inputSize + GasSchedule.CONTEXT_BYTES;
            assembly ("memory-safe") {
                let before := gas()
                ok := call(forwarded, code, 0, input, size, 0, 0)
                used := sub(before, gas())
            }
        }
        if (Frames.aborted() != 0) _unwindManager(c.depth);
        outcome.success = ok;
        outcome.gasUsed = used - CALL_OVERHEAD;
        if (!_takeReturnData(outcome, c.depth, c.returnAllowance, 0)) {
            assembly ("memory-safe") {
                mstore(0, RETURN_DATA_TOO_EXPENSIVE)
                revert(0, 0x20)
            }
        }
    }

    function _create(Creation memory c) internal returns (Outcome memory outcome) {
        (uint256 nonce,, bytes32 codeHash) = STATE.getAccount(c.account);
        bool fails = c.gas < GasSchedule.CREATION_GAS_MIN || nonce != 0 || (codeHash != 0 && codeHash != EMPTY_CODE_HASH) || STATE.hasStorage(c.account);
        bool ok;
        bytes32 initCodeHash;
        bytes memory executable;
        if (!fails) (ok, initCodeHash, executable) = STATE.prepareInitCode(c.initCode);
        if (!ok) {
            // As in Ethereum a collision uses up the gas that was forwarded; so do initcode that can't be run and gas
            // that nothing can be created with.
            outcome.gasUsed = c.gas;
            return outcome;
        }
        STATE.setNonce(c.account, 1);
        if (c.value != 0) STATE.transfer(c.self, c.account, c.value);
        Frames.setCreated(c.account, true);
        Frames.push(
            c.depth + 1,
            Frames.Frame({
                self: c.account,
                isStatic: false,
                caller: c.self,
                value: c.value,
                code: Frames.PENDING,
                codeHash: initCodeHash
            })
        );
        address native = _createNative(c, outcome, executable);
        uint256 replied;
        assembly ("memory-safe") {
            replied := returndatasize()
        }
        if (Frames.aborted() != 0) _unwindManager(c.depth);
        if (replied < CREATION_REPLY_BYTES) _starved(c.depth);
        Frames.pop(c.depth + 1);
        if (native != address(0)) {
            outcome.success = true;
            outcome.created = c.account;
            if (native.code.length != 0) STATE.setCode(c.account, native.codehash);
        } else {
            // Nothing to undo natively: the init frame reverted. Too much to say is as if it ran out of gas.
            if (!_takeReturnData(outcome, c.depth, c.returnAllowance, CREATION_REPLY_BYTES)) outcome.gasUsed = c.gas;
            Frames.setCreated(c.account, false);
            STATE.setNonce(c.account, 0);
            if (c.value != 0) STATE.transfer(c.account, c.self, c.value);
        }
    }

    /// @dev Has a frame of its own create the contract, so that CREATE can't take the gas that is needed afterwards.
    function _createNative(Creation memory c, Outcome memory outcome, bytes memory executable)
        private
        returns (address native)
    {
        uint256 size = executable.length;
        uint256 level = _levelFor(c.gas);
        uint256 words = (size + 31) / 32;
        uint256 supplied = level + CREATE_GAS + CREATION_FRAME_GAS + words * 12 + words * words / 256;
        if (gasleft() - gasleft() / 64 < supplied + 2000) _starved(c.depth);
        uint256 used;
        assembly ("memory-safe") {
            // Selector and level take the place of the length word for as long as the call lasts.
            mstore(executable, or(shl(224, CREATE_NATIVE), level))
            pop(call(supplied, address(), 0, executable, add(size, 32), 0, 0x40))
            mstore(executable, size)
            native := mload(0)
            used := mload(0x20)
        }
        outcome.gasUsed = used;
    }

    /// @dev CREATE takes no gas argument, it forwards all but 1/64: from this level exactly `forwarded`.
    function _levelFor(uint256 forwarded) private pure returns (uint256) {
        return forwarded + forwarded / 63;
    }

    /// @dev The frame that creates: burns down to the level and answers the native address, the gas that the init frame
    /// used and, behind them, its revert data. All that is left for that is 1/63 of the init frame's gas and what it did
    /// not use: revert data that costs more to copy is left out, and the init frame counts as out of gas.
    function _serveCreation() internal {
        address burner = BURNER;
        assembly ("memory-safe") {
            let level := and(calldataload(0), sub(shl(224, 1), 1))
            let size := sub(calldatasize(), 32)
            calldatacopy(0x80, 32, size)
            let target := add(add(level, CREATE_GAS), add(mul(2, shr(5, add(size, 31))), CREATE_APPROACH))
            if lt(gas(), add(target, 200)) { revert(0, 0) }
            pop(staticcall(sub(gas(), target), burner, 0, 0, 0, 0))
            let native := create(0, 0x80, size)
            let left := gas()
            let used := sub(level, add(left, CREATE_DEPARTURE))
            let data := 0
            if iszero(native) {
                data := returndatasize()
                let words := shr(5, add(data, 31))
                if gt(add(CREATION_REPLY_GAS, add(mul(words, 6), shr(8, mul(words, words)))), left) {
                    used := sub(level, shr(6, level))
                    data := 0
                }
                returndatacopy(0x40, 0, data)
            }
            mstore(0, native)
            mstore(0x20, used)
            return(0, add(0x40, data))
        }
    }

    /// @dev Copies what the native frame returned behind the first `skip` bytes, if the caller can pay for it; else
    /// leaves it empty and answers false.
    function _takeReturnData(Outcome memory outcome, uint256 depth, uint256 allowance, uint256 skip)
        private
        pure
        returns (bool affordable)
    {
        uint256 size;
        assembly ("memory-safe") {
            size := sub(returndatasize(), skip)
        }
        if (depth == 0) {
            if (size > allowance) size = allowance;
        } else if (_sizePrice(size, GasSchedule.RETURN_WORD_GAS) > allowance) {
            return false;
        }
        uint256 data;
        assembly ("memory-safe") {
            data := mload(0x40)
            returndatacopy(data, skip, size)
            // Zero the tail of the last word, so that encoded replies are clean.
            mstore(add(data, size), 0)
            mstore(0x40, and(add(add(data, size), 63), not(31)))
        }
        outcome.data = data;
        outcome.dataSize = size;
        return true;
    }

    /// @dev ILedger.move: only the WETH predeploy gets here.
    function _moveBalance(Call memory c) private returns (bool) {
        if (c.isStatic || c.value != 0 || c.inputSize != 100) return false;
        bytes32 head;
        uint256 from;
        uint256 to;
        uint256 amount;
        uint256 input = c.input + GasSchedule.CONTEXT_BYTES;
        assembly ("memory-safe") {
            head := mload(input)
            from := mload(add(input, 4))
            to := mload(add(input, 36))
            amount := mload(add(input, 68))
        }
        if (bytes4(head) != LEDGER_MOVE || (from | to) >> 160 != 0) return false;
        return STATE.transfer(address(uint160(from)), address(uint160(to)), amount);
    }

    /// @dev The native gas can't cover what the schedule promises: nothing may be judged.
    function _starved(uint256 depth) private {
        Frames.abort(ABORT_STARVED);
        _unwindManager(depth);
    }

    /// @dev An empty reply tells the gate of the frame at `depth` to unwind; nothing is reverted, so the abort flag
    /// survives. A transaction has no gate: there the run ends, and everything is undone.
    function _unwindManager(uint256 depth) private view {
        if (depth == 0) revert IExecutionManager.RunAborted(Frames.aborted());
        assembly ("memory-safe") {
            return(0, 0)
        }
    }
}
