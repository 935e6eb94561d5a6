// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {FrameRunner} from "./FrameRunner.sol";
import {Frames} from "./Frames.sol";
import {Gate} from "./Gate.sol";
import {GasSchedule, Selectors} from "../generated/GasSchedule.sol";
import {
    BlockContext, CallMessage, ExecutionOutcome, IExecutionManager
} from "../interfaces/IExecutionManager.sol";
import {IStateManager} from "../interfaces/IStateManager.sol";
import {DecodedTransaction, ITransactionDecoder} from "../interfaces/ITransactionDecoder.sol";
import {AddressDerivation} from "../libraries/AddressDerivation.sol";

/// @title Execution manager
/// @notice Implements IExecutionManager. Runs on L2 (inside the node) and on L1.
/// @dev The functions are dispatched by hand in `fallback`: this code also runs in contracts' own context, as the gate,
/// where the calldata is the contract's data and must not be taken for a function call.
contract ExecutionManager is FrameRunner {
    /// @dev The node calls as this address (EIP-4788's system address). Nobody has its key.
    address private constant NODE = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;
    address private constant BASE_FEE_VAULT = 0x4200000000000000000000000000000000000019;
    /// @dev The message passer: its balance is all ETH that is not on L2.
    address private constant RESERVE = 0x4200000000000000000000000000000000000016;
    /// @dev Transaction type of a deposit.
    uint8 private constant DEPOSIT = 0x7e;
    /// @dev EIP-2935: block hashes live in this account's storage.
    address private constant HISTORY_STORAGE = 0x0000F90827F1C53a10cb7A02335B175320002935;
    uint256 private constant HISTORY_SERVE_WINDOW = 8191;
    uint256 private constant BLOCKHASH_WINDOW = 256;
    /// @dev Native gas that a creation needs around its frame, per byte of initcode.
    uint256 private constant CREATION_OVERHEAD_PER_BYTE = 40;
    /// @dev Native gas that a run needs around the outermost frame.
    uint256 private constant RUN_OVERHEAD = 600_000;

    ITransactionDecoder private immutable DECODER;
    uint256 private immutable MAX_TRANSACTION_GAS;

    constructor(
        IStateManager state,
        ITransactionDecoder decoder,
        address burner,
        uint256 callGasScale,
        uint256 maxTransactionGas
    ) Gate(burner, callGasScale) FrameRunner(state) {
        DECODER = decoder;
        MAX_TRANSACTION_GAS = maxTransactionGas;
    }

    fallback() external {
        uint256 entryGas = gasleft();
        if (address(this) != SELF) _gate(entryGas);
        uint256 selector = uint32(msg.sig);
        if (selector == uint32(IExecutionManager.executeTransaction.selector)) _executeTransaction();
        if (selector == uint32(IExecutionManager.executeCall.selector)) _executeUnsigned();
        if (selector == CREATE_NATIVE && msg.sender == SELF) _serveCreation();
        _operate(selector, _enter());
        revert IExecutionManager.UnknownOperation(msg.sig);
    }

    /// @dev Whose operation is this? Only the current frame's code may ask. Answers the frame's depth.
    function _enter() private returns (uint256 depth) {
        depth = Frames.depth();
        address code = Frames.code(depth);
        if (msg.sender == code && depth != 0) return depth;
        // An init frame speaks for the first time. While it runs no other code without code can reach the manager.
        if (depth == 0 || code != Frames.PENDING || msg.sender.code.length != 0) {
            revert IExecutionManager.NotCurrentFrame(msg.sender);
        }
        Frames.setCode(depth, msg.sender);
    }

    /// @dev The most frequent operations come first.
    function _operate(uint256 selector, uint256 depth) private {
        // Told on the last gas of a frame.
        if (selector == ABORT_SELECTOR) {
            Frames.abort(ABORT_UNDERPRICED);
            _reply(0);
        }
        if (selector == Selectors.ovmSLOAD) _reply(uint256(STATE.getStorage(Frames.self(depth), bytes32(_arg(0)))));
        if (selector == Selectors.ovmSSTORE) _store(depth);
        if (selector == Selectors.ovmSTATICCALL) _callOperation(depth, OP_STATICCALL);
        if (selector == Selectors.ovmCALL) _callOperation(depth, OP_CALL);
        if (selector == Selectors.ovmEXTCODESIZE) _reply(STATE.getCodeSize(address(uint160(_arg(0)))));
        if (selector == Selectors.ovmRETURNDATA) _returnData(depth);
        if (selector == Selectors.ovmCODECOPY) _copyCode(Frames.codeHash(depth), _arg(0), _arg(1));
        if (selector == Selectors.ovmTIMESTAMP) _reply(Frames.environment(0x42));
        if (selector == Selectors.ovmDELEGATECALL) _callOperation(depth, OP_DELEGATECALL);
        if (selector == Selectors.ovmTLOAD) _reply(Frames.transientLoad(Frames.self(depth), bytes32(_arg(0))));
        if (selector == Selectors.ovmTSTORE) _transientStore(depth);
        if (selector == Selectors.ovmBALANCE) _reply(_balance(address(uint160(_arg(0)))));
        if (selector == Selectors.ovmSELFBALANCE) _reply(_balance(Frames.self(depth)));
        if (selector == Selectors.ovmLOG3) _log(depth, 3);
        if (selector == Selectors.ovmLOG1) _log(depth, 1);
        if (selector == Selectors.ovmLOG2) _log(depth, 2);
        if (selector == Selectors.ovmLOG4) _log(depth, 4);
        if (selector == Selectors.ovmLOG0) _log(depth, 0);
        if (selector == Selectors.ovmADDRESS) _reply(uint160(Frames.self(depth)));
        if (selector == Selectors.ovmCALLER) _reply(uint160(Frames.caller(depth)));
        if (selector == Selectors.ovmCALLVALUE) _reply(Frames.value(depth));
        _operateRarely(selector, depth);
    }

    function _operateRarely(uint256 selector, uint256 depth) private {
        if (selector == Selectors.ovmCREATE2) _createOperation(depth, true);
        if (selector == Selectors.ovmCREATE) _createOperation(depth, false);
        if (selector == Selectors.ovmRETURN) _checkCode();
        if (selector == Selectors.ovmEXTCODEHASH) _reply(uint256(_extCodeHash(address(uint160(_arg(0))))));
        if (selector == Selectors.ovmEXTCODECOPY) {
            (,, bytes32 codeHash) = STATE.getAccount(address(uint160(_arg(0))));
            _copyCode(codeHash, _arg(1), _arg(2));
        }
        if (selector == Selectors.ovmCHAINID) _reply(Frames.environment(0x46));
        if (selector == Selectors.ovmNUMBER) _reply(Frames.environment(0x43));
        if (selector == Selectors.ovmCALLCODE) _callOperation(depth, OP_CALLCODE);
        if (selector == Selectors.ovmBLOCKHASH) _reply(uint256(_blockHash(_arg(0))));
        if (selector == Selectors.ovmORIGIN) _reply(Frames.environment(0x32));
        if (selector == Selectors.ovmGASPRICE) _reply(Frames.environment(0x3a));
        if (selector == Selectors.ovmCOINBASE) _reply(Frames.environment(0x41));
        if (selector == Selectors.ovmPREVRANDAO) _reply(Frames.environment(0x44));
        if (selector == Selectors.ovmGASLIMIT) _reply(Frames.environment(0x45));
        if (selector == Selectors.ovmBASEFEE) _reply(Frames.environment(0x48));
        if (selector == Selectors.ovmBLOBBASEFEE) _reply(Frames.environment(0x4a));
        // No transaction here carries blobs (EIP-4844): every index is out of range.
        if (selector == Selectors.ovmBLOBHASH) _reply(0);
        if (selector == Selectors.ovmSELFDESTRUCT) _selfDestruct(depth, address(uint160(_arg(0))));
        if (selector == Selectors.ovmJUMP) revert IExecutionManager.UnmappedJump(_arg(0));
        if (selector == FORGET_SELECTOR) {
            Frames.setReturnData(depth, 0, 0);
            _reply(0);
        }
    }

    // Operations. Each ends the manager's frame by `_reply` or a revert.

    function _arg(uint256 index) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(4, shl(5, index)))
        }
    }

    function _reply(uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(0, word)
            return(0, 0x20)
        }
    }

    function _requireNotStatic(uint256 depth, uint8 opcode) private view {
        if (Frames.isStatic(depth)) revert IExecutionManager.StaticViolation(opcode);
    }

    function _store(uint256 depth) private {
        _requireNotStatic(depth, 0x55);
        STATE.setStorage(Frames.self(depth), bytes32(_arg(0)), bytes32(_arg(1)));
        _reply(0);
    }

    function _transientStore(uint256 depth) private {
        _requireNotStatic(depth, 0x5d);
        Frames.transientStore(Frames.self(depth), bytes32(_arg(0)), _arg(1));
        _reply(0);
    }

    function _returnData(uint256 depth) private view {
        (uint256 pointer, uint256 size) = Frames.encodeReturnData(depth);
        assembly ("memory-safe") {
            return(pointer, size)
        }
    }

    function _copyCode(bytes32 codeHash, uint256 offset, uint256 size) private {
        bytes memory message = abi.encodeCall(IStateManager.copyCode, (codeHash, offset, size));
        address state = address(STATE);
        // The state manager's ABI-encoded answer is the manager's. Decoded, it would take three times the memory.
        assembly ("memory-safe") {
            let ok := call(gas(), state, 0, add(message, 0x20), mload(message), 0, 0)
            let pointer := mload(0x40)
            returndatacopy(pointer, 0, returndatasize())
            if iszero(ok) { revert(pointer, returndatasize()) }
            return(pointer, returndatasize())
        }
    }

    function _balance(address account) private returns (uint256 balance) {
        (, balance,) = STATE.getAccount(account);
    }

    /// @dev EIP-1052, EIP-161: an empty account has no hash.
    function _extCodeHash(address account) private returns (bytes32) {
        (uint256 nonce, uint256 balance, bytes32 codeHash) = STATE.getAccount(account);
        return nonce == 0 && balance == 0 && codeHash == EMPTY_CODE_HASH ? bytes32(0) : codeHash;
    }

    function _blockHash(uint256 number) private returns (bytes32) {
        uint256 current = Frames.environment(0x43);
        if (number >= current || current - number > BLOCKHASH_WINDOW) return 0;
        return STATE.getStorage(HISTORY_STORAGE, bytes32(number % HISTORY_SERVE_WINDOW));
    }

    /// @dev Logs natively, so that a reverting frame takes its logs along. The first word of the data is the OVM address.
    function _log(uint256 depth, uint256 topics) private {
        _requireNotStatic(depth, uint8(0xa0 + topics));
        address self = Frames.self(depth);
        assembly ("memory-safe") {
            // Behind the topics: the offset of the data, its length, its bytes.
            let size := calldataload(add(36, shl(5, topics)))
            let pointer := mload(0x40)
            mstore(pointer, self)
            calldatacopy(add(pointer, 32), add(68, shl(5, topics)), size)
            size := add(size, 32)
            switch topics
            case 0 { log0(pointer, size) }
            case 1 { log1(pointer, size, calldataload(4)) }
            case 2 { log2(pointer, size, calldataload(4), calldataload(36)) }
            case 3 { log3(pointer, size, calldataload(4), calldataload(36), calldataload(68)) }
            default { log4(pointer, size, calldataload(4), calldataload(36), calldataload(68), calldataload(100)) }
        }
        _reply(0);
    }

    function _selfDestruct(uint256 depth, address beneficiary) private {
        _requireNotStatic(depth, 0xff);
        address self = Frames.self(depth);
        uint256 balance = _balance(self);
        bool isNew = Frames.isCreated(self);
        if (isNew) Frames.destroy(self);
        if (beneficiary != self) STATE.transfer(self, beneficiary, balance);
        else if (isNew) STATE.setBalance(self, 0);
        _reply(0);
    }

    /// @dev In an init frame RETURN deposits: refuses what could never run.
    function _checkCode() private {
        (uint256 offset, uint256 size) = (_arg(0) + 36, _arg(1));
        bytes calldata code = msg.data[offset:offset + size];
        if (size != 0 && !STATE.prepareCode(code)) revert IExecutionManager.CodeNotDeployable(size);
        _reply(0);
    }

    function _callOperation(uint256 depth, uint256 opcode) private {
        bool hasValue = opcode == OP_CALL || opcode == OP_CALLCODE;
        uint256 next = hasValue ? 3 : 2;
        Call memory c;
        c.depth = depth;
        c.opcode = opcode;
        c.self = Frames.self(depth);
        c.isStatic = Frames.isStatic(depth);
        c.gas = _arg(0);
        c.target = address(uint160(_arg(1)));
        c.value = hasValue ? _arg(2) : 0;
        if (c.isStatic && opcode == OP_CALL && c.value != 0) revert IExecutionManager.StaticViolation(uint8(opcode));
        c.returnAllowance = _arg(next);
        c.inputSize = _arg(next + 2);
        (uint256 offset, uint256 size) = (4 + 32 * (next + 3), c.inputSize);
        uint256 input;
        assembly ("memory-safe") {
            input := mload(0x40)
            calldatacopy(add(input, 96), offset, size)
            mstore(0x40, and(add(add(input, size), 159), not(31)))
        }
        c.input = input;
        Outcome memory outcome = _call(c);
        _replyOutcome(depth, outcome, outcome.success ? 1 : 0);
    }

    function _createOperation(uint256 depth, bool hasSalt) private {
        _requireNotStatic(depth, hasSalt ? 0xf5 : 0xf0);
        uint256 next = hasSalt ? 2 : 1;
        uint256 size = _arg(next + 3);
        if (size > GasSchedule.INITCODE_BYTES_MAX) {
            revert IExecutionManager.InitCodeTooLarge(size, GasSchedule.INITCODE_BYTES_MAX);
        }
        uint256 offset = 4 + 32 * (next + 4);
        Creation memory c;
        c.depth = depth;
        c.self = Frames.self(depth);
        c.value = _arg(0);
        c.gas = _arg(next);
        c.returnAllowance = _arg(next + 1);
        c.initCode = msg.data[offset:offset + size];
        Outcome memory outcome;
        (uint256 nonce, uint256 balance,) = STATE.getAccount(c.self);
        if (depth <= GasSchedule.CALL_DEPTH_MAX && balance >= c.value && nonce < type(uint64).max) {
            STATE.setNonce(c.self, nonce + 1);
            c.account = hasSalt
                ? AddressDerivation.create2(c.self, bytes32(_arg(1)), keccak256(c.initCode))
                : AddressDerivation.create(c.self, uint64(nonce));
            outcome = _create(c);
        }
        _replyOutcome(depth, outcome, uint160(outcome.created));
    }

    /// @dev Keeps the return data for the frame and answers (result, gas used, return data).
    function _replyOutcome(uint256 depth, Outcome memory outcome, uint256 result) private {
        Frames.setReturnData(depth, outcome.data, outcome.dataSize);
        assembly ("memory-safe") {
            let pointer := mload(0x40)
            let size := mload(add(outcome, 0x80))
            mstore(pointer, result)
            mstore(add(pointer, 0x20), mload(add(outcome, 0x20)))
            mstore(add(pointer, 0x40), 0x60)
            mstore(add(pointer, 0x60), size)
            mcopy(add(pointer, 0x80), mload(add(outcome, 0x60)), and(add(size, 31), not(31)))
            return(pointer, add(0x80, and(add(size, 31), not(31))))
        }
    }

    // Entry points

    function _executeTransaction() private {
        (BlockContext memory context, bytes memory raw) = abi.decode(msg.data[4:], (BlockContext, bytes));
        (DecodedTransaction memory transaction, uint256 price, uint256 intrinsic) =
            DECODER.check(context, raw, MAX_TRANSACTION_GAS);
        uint256 nonce =
            transaction.transactionType == DEPOSIT ? _takeFromReserve(transaction) : _takeUpfront(transaction, price);
        ExecutionOutcome memory outcome = _executeCall(
            context,
            CallMessage({
                from: transaction.sender,
                isCreation: transaction.isCreation,
                to: transaction.to,
                value: transaction.value,
                gas: transaction.gasLimit - intrinsic,
                gasPrice: price,
                data: transaction.data
            }),
            uint64(nonce),
            GasSchedule.RETURN_BYTES_MAX
        );
        outcome.gasUsed += intrinsic;
        outcome.transactionHash = transaction.transactionHash;
        // A deposit has paid for its gas on L1.
        if (price != 0) {
            outcome.effectiveGasPrice = price;
            _pay(transaction.sender, (transaction.gasLimit - outcome.gasUsed) * price);
            _pay(BASE_FEE_VAULT, outcome.gasUsed * context.baseFeePerGas);
            _pay(context.coinbase, outcome.gasUsed * (price - context.baseFeePerGas));
        }
        _finish(outcome);
    }

    function _executeUnsigned() private {
        if (msg.sender != NODE) revert IExecutionManager.NotNode(msg.sender);
        (BlockContext memory context, CallMessage memory message) =
            abi.decode(msg.data[4:], (BlockContext, CallMessage));
        (uint256 nonce,,) = STATE.getAccount(message.from);
        _finish(_executeCall(context, message, uint64(nonce), type(uint256).max));
    }

    /// @dev Gives a deposit's sender what was paid in on L1 and raises the sender's nonce; answers the nonce before.
    function _takeFromReserve(DecodedTransaction memory transaction) private returns (uint256 nonce) {
        address sender = transaction.sender;
        if (!STATE.transfer(RESERVE, sender, transaction.mint)) {
            revert IExecutionManager.InsufficientFunds(RESERVE, transaction.mint, _balance(RESERVE));
        }
        (nonce,,) = STATE.getAccount(sender);
        STATE.setNonce(sender, nonce + 1);
    }

    /// @dev Checks the sender's account, takes the price of all gas and raises the nonce; answers the nonce before.
    function _takeUpfront(DecodedTransaction memory transaction, uint256 price) private returns (uint256 nonce) {
        address sender = transaction.sender;
        uint256 balance;
        bytes32 codeHash;
        (nonce, balance, codeHash) = STATE.getAccount(sender);
        if (codeHash != 0 && codeHash != EMPTY_CODE_HASH) revert IExecutionManager.SenderNotEOA(sender);
        if (transaction.nonce < nonce) revert IExecutionManager.NonceTooLow(sender, nonce, transaction.nonce);
        if (transaction.nonce > nonce) revert IExecutionManager.NonceTooHigh(sender, nonce, transaction.nonce);
        uint256 required = type(uint256).max;
        unchecked {
            uint256 fees = uint256(transaction.gasLimit) * transaction.maxFeePerGas;
            // A sum beyond 256 bits is more than anyone has.
            if (
                transaction.gasLimit == 0
                    || (fees / transaction.gasLimit == transaction.maxFeePerGas && fees + transaction.value >= fees)
            ) required = fees + transaction.value;
        }
        if (balance < required || required == type(uint256).max) {
            revert IExecutionManager.InsufficientFunds(sender, required, balance);
        }
        STATE.setNonce(sender, nonce + 1);
        STATE.setBalance(sender, balance - uint256(transaction.gasLimit) * price);
    }

    /// @dev What both entry points come down to: runs the outermost frame in the block's context. `nonce` is the
    /// sender's before the transaction; of the return data the outcome keeps `returnLimit` bytes.
    function _executeCall(BlockContext memory context, CallMessage memory message, uint64 nonce, uint256 returnLimit)
        private
        returns (ExecutionOutcome memory result)
    {
        if (!Frames.begin()) revert IExecutionManager.NestedRun();
        // Warm for the whole run, so that gates and burns cost the same every time.
        if (BURNER.code.length != 1 || SELF.code.length == 0) revert IExecutionManager.RunAborted(ABORT_STARVED);
        _setEnvironment(context, message);
        uint256 required = message.gas + message.gas / 16 + RUN_OVERHEAD;
        if (message.isCreation) required += CREATION_OVERHEAD_PER_BYTE * message.data.length;
        if (gasleft() < required) revert IExecutionManager.NotEnoughGas(required, gasleft());
        Outcome memory outcome =
            message.isCreation ? _createOutermost(message, nonce, returnLimit) : _callOutermost(message, returnLimit);
        result.success = outcome.success;
        result.gasUsed = outcome.gasUsed;
        result.sender = message.from;
        result.created = outcome.created;
        bytes memory data = new bytes(outcome.dataSize);
        assembly ("memory-safe") {
            mcopy(add(data, 0x20), mload(add(outcome, 0x60)), mload(data))
        }
        result.returnData = data;
        uint256 destroyed = Frames.destroyedCount();
        for (uint256 i; i < destroyed; i++) {
            STATE.deleteAccount(Frames.destroyedAt(i));
        }
    }

    function _callOutermost(CallMessage memory message, uint256 returnLimit) private returns (Outcome memory) {
        Call memory c;
        c.opcode = OP_CALL;
        c.self = message.from;
        c.gas = message.gas;
        c.target = message.to;
        c.value = message.value;
        c.returnAllowance = returnLimit;
        c.inputSize = message.data.length;
        bytes memory room = new bytes(96 + message.data.length);
        bytes memory data = message.data;
        uint256 input;
        assembly ("memory-safe") {
            input := add(room, 0x20)
            mcopy(add(input, 96), add(data, 0x20), mload(data))
        }
        c.input = input;
        return _call(c);
    }

    function _createOutermost(CallMessage memory message, uint64 nonce, uint256 returnLimit)
        private
        returns (Outcome memory outcome)
    {
        (, uint256 balance,) = STATE.getAccount(message.from);
        if (balance < message.value) return outcome;
        Creation memory c;
        c.self = message.from;
        c.account = AddressDerivation.create(message.from, nonce);
        c.value = message.value;
        c.gas = message.gas;
        c.returnAllowance = returnLimit;
        c.initCode = message.data;
        return _create(c);
    }

    function _setEnvironment(BlockContext memory context, CallMessage memory message) private {
        Frames.setEnvironment(0x32, uint160(message.from));
        Frames.setEnvironment(0x3a, message.gasPrice);
        Frames.setEnvironment(0x41, uint160(context.coinbase));
        Frames.setEnvironment(0x42, context.timestamp);
        Frames.setEnvironment(0x43, context.number);
        Frames.setEnvironment(0x44, uint256(context.prevRandao));
        Frames.setEnvironment(0x45, context.gasLimit);
        Frames.setEnvironment(0x46, context.chainId);
        Frames.setEnvironment(0x48, context.baseFeePerGas);
        Frames.setEnvironment(0x4a, context.blobBaseFee);
    }

    function _pay(address account, uint256 amount) private {
        if (amount == 0) return;
        (, uint256 balance,) = STATE.getAccount(account);
        STATE.setBalance(account, balance + amount);
    }

    function _finish(ExecutionOutcome memory outcome) private {
        STATE.commit();
        bytes memory reply = abi.encode(outcome);
        assembly ("memory-safe") {
            return(add(reply, 0x20), mload(reply))
        }
    }
}
