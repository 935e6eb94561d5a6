// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISafetyChecker} from "../interfaces/ISafetyChecker.sol";
import {IStateManager} from "../interfaces/IStateManager.sol";
import {IStorageBackedStateManager} from "../interfaces/IStorageBackedStateManager.sol";
import {CodeStore} from "../libraries/CodeStore.sol";
import {MAX_BALANCE, MAX_NONCE, PackedAccount} from "../libraries/PackedAccount.sol";
import {WriteBack} from "../libraries/WriteBack.sol";

/// @title Storage-backed state manager
/// @dev Runtime: L1. What an operation costs here at worst, everything cold, bounds its price in the gas schedule from
/// below. So an account's fields share one slot, and writes wait in transient storage until `commit`, whose gas is no
/// contract's.
contract StorageBackedStateManager is IStorageBackedStateManager {
    using CodeStore for CodeStore.Kept;

    /// @param executable Where the transpiled code stands; zero if it isn't known or can't be deployed.
    struct Code {
        address executable;
        bool runtimeKnown;
        bool initKnown;
        bool initDeployable;
        CodeStore.Kept original;
        CodeStore.Kept initExecutable;
    }

    uint256 private constant MAX_CODE_SIZE = 24_576;
    uint256 private constant MAX_INITCODE_SIZE = 49_152;
    bytes32 private constant EMPTY_CODE_HASH = keccak256("");
    bytes32 private constant ACCOUNT = "account";
    bytes32 private constant CODE_HASH = "code hash";
    bytes32 private constant STORAGE = "storage";

    address public immutable EXECUTION_MANAGER;
    ISafetyChecker public immutable SAFETY_CHECKER;
    address public immutable OPERATOR;

    bool private _sealed;
    mapping(bytes32 codeHash => Code) private _codes;

    modifier onlyExecutionManager() {
        if (msg.sender != EXECUTION_MANAGER) revert NotExecutionManager(msg.sender);
        _;
    }

    modifier onlyOperator() {
        if (msg.sender != OPERATOR) revert NotOperator(msg.sender);
        _;
    }

    /// @param executionManager Its address to be: it is deployed after this contract, whose address it needs.
    constructor(address executionManager, ISafetyChecker safetyChecker, address operator) {
        EXECUTION_MANAGER = executionManager;
        SAFETY_CHECKER = safetyChecker;
        OPERATOR = operator;
    }

    // Set-up

    /// @inheritdoc IStorageBackedStateManager
    function register(Mode mode, bytes calldata original, bytes calldata transpiled) external onlyOperator {
        bytes32 codeHash = keccak256(original);
        Code storage code = _codes[codeHash];
        if (mode == Mode.Init ? code.initKnown : code.runtimeKnown) return;
        if (!code.initKnown && !code.runtimeKnown) {
            code.original.keep(original);
        }
        bool deployable = transpiled.length <= (mode == Mode.Init ? MAX_INITCODE_SIZE : MAX_CODE_SIZE);
        if (deployable) {
            (bool safe, uint256 offset, uint8 opcode) = SAFETY_CHECKER.check(transpiled);
            if (!safe) revert UnsafeCode(offset, opcode);
        }
        if (mode == Mode.Init) {
            code.initKnown = true;
            code.initDeployable = deployable;
            if (deployable) code.initExecutable.keep(transpiled);
        } else {
            code.runtimeKnown = true;
            if (deployable) code.executable = CodeStore.deploy(transpiled);
        }
        emit CodeRegistered(codeHash, mode, original.length);
    }

    /// @inheritdoc IStorageBackedStateManager
    function allocate(
        address account,
        uint256 nonce,
        uint256 balance,
        bytes calldata code,
        bytes32[] calldata slots,
        bytes32[] calldata values
    ) external onlyOperator {
        if (_sealed) revert AlreadySealed();
        _setNonce(account, nonce);
        _setBalance(account, balance);
        if (code.length != 0) _setCode(account, keccak256(code));
        for (uint256 i; i < slots.length; ++i) {
            _setStorage(account, slots[i], values[i]);
        }
        WriteBack.flush();
    }

    /// @inheritdoc IStorageBackedStateManager
    function seal() external onlyOperator {
        _sealed = true;
    }

    // Accounts

    /// @inheritdoc IStateManager
    function getAccount(address account)
        external
        view
        onlyExecutionManager
        returns (uint256 nonce, uint256 balance, bytes32 codeHash)
    {
        PackedAccount fields = _load(account);
        (nonce, balance) = (fields.nonce(), fields.balance());
        if (fields.codeSize() != 0) codeHash = _codeHash(account);
        else if (!fields.isEmpty()) codeHash = EMPTY_CODE_HASH;
    }

    /// @inheritdoc IStateManager
    function setNonce(address account, uint256 nonce) external onlyExecutionManager {
        _setNonce(account, nonce);
    }

    /// @inheritdoc IStateManager
    function setBalance(address account, uint256 balance) external onlyExecutionManager {
        _setBalance(account, balance);
    }

    /// @inheritdoc IStateManager
    function transfer(address from, address to, uint256 amount) external onlyExecutionManager returns (bool moved) {
        PackedAccount payer = _load(from);
        if (payer.balance() < amount) return false;
        if (from != to && amount != 0) {
            _save(from, payer.withBalance(payer.balance() - amount));
            PackedAccount payee = _load(to);
            _save(to, payee.withBalance(_checkBalance(to, payee.balance() + amount)));
        }
        return true;
    }

    /// @inheritdoc IStateManager
    function deleteAccount(address account) external onlyExecutionManager {
        _save(account, _load(account).deleted());
    }

    // Storage

    /// @inheritdoc IStateManager
    function getStorage(address account, bytes32 slot) external view onlyExecutionManager returns (bytes32 value) {
        return bytes32(WriteBack.load(_place(account, _load(account).incarnation(), slot)));
    }

    /// @inheritdoc IStateManager
    function setStorage(address account, bytes32 slot, bytes32 value) external onlyExecutionManager {
        _setStorage(account, slot, value);
    }

    /// @inheritdoc IStateManager
    function hasStorage(address account) external view onlyExecutionManager returns (bool) {
        return _load(account).storageCount() != 0;
    }

    // Code

    /// @inheritdoc IStateManager
    function getCodeSize(address account) external view onlyExecutionManager returns (uint256 size) {
        return _load(account).codeSize();
    }

    /// @inheritdoc IStateManager
    function getExecutable(address account)
        external
        view
        onlyExecutionManager
        returns (address code, bytes32 codeHash)
    {
        if (_load(account).codeSize() == 0) return (address(0), 0);
        codeHash = _codeHash(account);
        code = _codes[codeHash].executable;
    }

    /// @inheritdoc IStateManager
    function copyCode(bytes32 codeHash, uint256 offset, uint256 size)
        external
        view
        onlyExecutionManager
        returns (bytes memory)
    {
        uint256 reply = _freeMemory();
        _codes[codeHash].original.copyTo(reply + 0x40, offset, size);
        assembly ("memory-safe") {
            // Returned where it stands: the compiler's encoder would copy it once more, and memory costs quadratically.
            mstore(reply, 0x20)
            mstore(add(reply, 0x20), size)
            return(reply, add(0x40, and(add(size, 31), not(31))))
        }
    }

    /// @inheritdoc IStateManager
    function prepareInitCode(bytes calldata initCode)
        external
        view
        onlyExecutionManager
        returns (bool ok, bytes32 initCodeHash, bytes memory)
    {
        initCodeHash = keccak256(initCode);
        Code storage code = _codes[initCodeHash];
        if (!code.initKnown) revert CodeNotRegistered(initCodeHash, Mode.Init);
        // Constructors read their arguments by CODECOPY, which costs less than it would cold.
        code.original.warm();
        ok = code.initDeployable;
        uint256 size = ok ? code.initExecutable.size : 0;
        uint256 reply = _freeMemory();
        code.initExecutable.copyTo(reply + 0x80, 0, size);
        assembly ("memory-safe") {
            mstore(reply, ok)
            mstore(add(reply, 0x20), initCodeHash)
            mstore(add(reply, 0x40), 0x60)
            mstore(add(reply, 0x60), size)
            return(reply, add(0x80, and(add(size, 31), not(31))))
        }
    }

    /// @inheritdoc IStateManager
    function prepareCode(bytes calldata original) external view onlyExecutionManager returns (bool ok) {
        bytes32 codeHash = keccak256(original);
        Code storage code = _codes[codeHash];
        if (!code.runtimeKnown) revert CodeNotRegistered(codeHash, Mode.Runtime);
        return code.executable != address(0);
    }

    /// @inheritdoc IStateManager
    function setCode(address account, bytes32 codeHash) external onlyExecutionManager {
        _setCode(account, codeHash);
    }

    /// @inheritdoc IStateManager
    function commit() external onlyExecutionManager {
        WriteBack.flush();
    }

    function _setNonce(address account, uint256 nonce) private {
        if (nonce > MAX_NONCE) revert NonceTooLarge(account, nonce);
        _save(account, _load(account).withNonce(nonce));
    }

    function _setBalance(address account, uint256 balance) private {
        _save(account, _load(account).withBalance(_checkBalance(account, balance)));
    }

    function _checkBalance(address account, uint256 balance) private pure returns (uint256) {
        if (balance > MAX_BALANCE) revert BalanceTooLarge(account, balance);
        return balance;
    }

    function _setCode(address account, bytes32 codeHash) private {
        Code storage code = _codes[codeHash];
        if (!code.runtimeKnown) revert CodeNotRegistered(codeHash, Mode.Runtime);
        _save(account, _load(account).withCodeSize(code.original.size));
        WriteBack.store(_slotOf(CODE_HASH, account), uint256(codeHash));
    }

    function _setStorage(address account, bytes32 slot, bytes32 value) private {
        PackedAccount fields = _load(account);
        bytes32 place = _place(account, fields.incarnation(), slot);
        uint256 before = WriteBack.load(place);
        if (before == uint256(value)) return;
        WriteBack.store(place, uint256(value));
        if (before == 0) _save(account, fields.withOneSlotMore());
        else if (value == 0) _save(account, fields.withOneSlotLess());
    }

    function _load(address account) private view returns (PackedAccount) {
        return PackedAccount.wrap(WriteBack.load(_slotOf(ACCOUNT, account)));
    }

    function _save(address account, PackedAccount fields) private {
        WriteBack.store(_slotOf(ACCOUNT, account), PackedAccount.unwrap(fields));
    }

    function _codeHash(address account) private view returns (bytes32) {
        return bytes32(WriteBack.load(_slotOf(CODE_HASH, account)));
    }

    function _freeMemory() private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
        }
    }

    /// @dev What a run changes has slots of its own making. Their preimages start with a name, those of `_codes` with a
    /// hash, so they can't meet.
    function _slotOf(bytes32 what, address account) private pure returns (bytes32 slot) {
        assembly ("memory-safe") {
            mstore(0x00, what)
            mstore(0x20, account)
            slot := keccak256(0x00, 0x40)
        }
    }

    /// @dev Where a slot of an account's storage stands in this contract's.
    function _place(address account, uint256 incarnation, bytes32 slot) private pure returns (bytes32 place) {
        assembly ("memory-safe") {
            let preimage := mload(0x40)
            mstore(preimage, STORAGE)
            mstore(add(preimage, 0x20), or(shl(160, incarnation), account))
            mstore(add(preimage, 0x40), slot)
            place := keccak256(preimage, 0x60)
        }
    }
}
