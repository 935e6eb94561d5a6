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
    uint256 private constant CALL_OVERHEAD = 100;
    /// @dev Gas between the last reading before a native CREATE and the CREATE, the burn's own cost included.
    uint256 private constant CREATE_APPROACH = 100;
    /// @dev Gas from a native CREATE to the reading behind it.
    uint256 private constant CREATE_DEPARTURE = 2;
    /// @dev Why a run was aborted: the native gas did not suffice to forward what was due.
    uint256 internal constant ABORT_STARVED = 2;

    IStateManager internal immutable STATE;

    constructor(IStateManager state) {
        STATE = state;
    }

    /// @param depth Depth of the frame that calls; zero for a transaction.
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
        if (c.value != 0 && c.opcode != OP_DELEGATECALL) {
            // CALLCODE keeps the value where it is, but must have it.
            address to = c.opcode == OP_CALL ? c.target : c.self;
            if (!STATE.transfer(c.self, to, c.value)) return outcome;
        }
        if (c.target == LEDGER && c.self == WETH && c.opcode == OP_CALL) {
            outcome.success = _moveBalance(c);
            return outcome;
        }
        bool ran;
        if (uint160(c.target) - 1 < PRECOMPILE_MAX && c.target != address(0)) {
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
        if (code.code.length == 0 && !isPrecompile) _starved();
        uint256 forwarded = c.gas;
        if (gasleft() - gasleft() / 64 < forwarded + 1000) _starved();
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
        outcome.success = ok;
        outcome.gasUsed = used - CALL_OVERHEAD;
        _takeReturnData(outcome, c.returnAllowance);
        if (Frames.aborted() != 0) _unwindManager();
    }

    function _create(Creation memory c) internal returns (Outcome memory outcome) {
        (uint256 nonce,, bytes32 codeHash) = STATE.getAccount(c.account);
        bool collides = nonce != 0 || (codeHash != 0 && codeHash != EMPTY_CODE_HASH) || STATE.hasStorage(c.account);
        bool ok;
        bytes32 initCodeHash;
        bytes memory executable;
        if (!collides) (ok, initCodeHash, executable) = STATE.prepareInitCode(c.initCode);
        if (!ok) {
            // As in Ethereum a collision uses up the gas that was forwarded; so does initcode that can't be run.
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
        address native = _createNative(outcome, executable, c.gas);
        Frames.pop(c.depth + 1);
        if (native != address(0)) {
            outcome.success = true;
            outcome.created = c.account;
            if (native.code.length != 0) STATE.setCode(c.account, native.codehash);
        } else {
            _takeReturnData(outcome, c.returnAllowance);
        }
        if (Frames.aborted() != 0) _unwindManager();
        if (!outcome.success) {
            Frames.setCreated(c.account, false);
            STATE.setNonce(c.account, 0);
            if (c.value != 0) STATE.transfer(c.account, c.self, c.value);
        }
    }

    /// @dev CREATE takes no gas argument, it forwards all but 1/64: so burns down to the level from which exactly
    /// `forwarded` remains for the init frame.
    function _createNative(Outcome memory outcome, bytes memory executable, uint256 forwarded)
        private
        returns (address native)
    {
        // y - y/64 == forwarded, for every amount.
        uint256 level = forwarded + forwarded / 63;
        uint256 target = level + 32000 + GasSchedule.INITCODE_WORD_GAS * ((executable.length + 31) / 32) + CREATE_APPROACH;
        if (gasleft() < target + 2000) _starved();
        address burner = BURNER;
        uint256 afterwards;
        assembly ("memory-safe") {
            // Coarse steps first: a single burn can't take more than 63/64 of what is left.
            for {} gt(gas(), add(mul(target, 8), 100000)) {} {
                pop(staticcall(sub(gas(), mul(target, 4)), burner, 0, 0, 0, 0))
            }
            pop(staticcall(sub(gas(), target), burner, 0, 0, 0, 0))
            native := create(0, add(executable, 0x20), mload(executable))
            afterwards := gas()
        }
        outcome.gasUsed = level - CREATE_DEPARTURE - afterwards;
    }

    /// @dev Copies what the native frame returned, if the caller can pay for it; else undoes the whole operation.
    function _takeReturnData(Outcome memory outcome, uint256 allowance) private pure {
        uint256 size;
        assembly ("memory-safe") {
            size := returndatasize()
        }
        if (_sizePrice(size, GasSchedule.RETURN_WORD_GAS) > allowance) {
            assembly ("memory-safe") {
                mstore(0, RETURN_DATA_TOO_EXPENSIVE)
                revert(0, 0x20)
            }
        }
        uint256 data;
        assembly ("memory-safe") {
            data := mload(0x40)
            returndatacopy(data, 0, size)
            // Zero the tail of the last word, so that encoded replies are clean.
            mstore(add(data, size), 0)
            mstore(0x40, and(add(add(data, size), 63), not(31)))
        }
        outcome.data = data;
        outcome.dataSize = size;
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
    function _starved() internal {
        Frames.abort(ABORT_STARVED);
        _unwindManager();
    }

    /// @dev An empty reply tells the gate to unwind; nothing is reverted, so the abort flag survives.
    function _unwindManager() internal view {
        if (Frames.depth() == 0) revert IExecutionManager.RunAborted(Frames.aborted());
        assembly ("memory-safe") {
            return(0, 0)
        }
    }
}
