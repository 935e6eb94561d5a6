// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISafetyChecker} from "../interfaces/ISafetyChecker.sol";
import {IStateManager} from "../interfaces/IStateManager.sol";
import {IStorageBackedStateManager} from "../interfaces/IStorageBackedStateManager.sol";
import {CodeStore} from "../libraries/CodeStore.sol";

/// @title Storage-backed state manager
/// @dev Runtime: L1. What an operation costs here at worst, everything cold, bounds its price in the gas schedule from
/// below: so an account's fields share one slot, and what only creations need is kept out of the way of storage access.
contract StorageBackedStateManager is IStorageBackedStateManager {
    using CodeStore for CodeStore.Kept;

    /// @param codeSize Bytes of the original code; zero if the account has none.
    /// @param storageCount How many storage slots are set, but for changes since the last `commit`.
    /// @param incarnation How often the account was deleted: each time it starts with new, empty storage.
    struct Account {
        uint64 nonce;
        uint120 balance;
        uint16 codeSize;
        uint24 incarnation;
        uint32 storageCount;
    }

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
    /// @dev Transient: how many accounts' storage counts changed since the last `commit`, which, and by how much.
    uint256 private constant CHANGED_COUNT = 0;
    uint256 private constant CHANGED = 1 << 248;
    uint256 private constant COUNT_CHANGE = 2 << 248;

    address public immutable EXECUTION_MANAGER;
    ISafetyChecker public immutable SAFETY_CHECKER;
    address public immutable OPERATOR;

    bool private _sealed;
    mapping(address account => Account) private _accounts;
    mapping(address account => bytes32) private _codeHashes;
    mapping(bytes32 codeHash => Code) private _codes;
    /// @dev By the account and its incarnation, then by the slot.
    mapping(uint256 home => mapping(bytes32 slot => bytes32)) private _storage;

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
        _commit();
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
        Account storage fields = _accounts[account];
        (nonce, balance) = (fields.nonce, fields.balance);
        if (fields.codeSize != 0) codeHash = _codeHashes[account];
        // EIP-161: an account without nonce, balance and code doesn't exist.
        else if (nonce != 0 || balance != 0) codeHash = EMPTY_CODE_HASH;
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
        uint256 available = _accounts[from].balance;
        if (available < amount) return false;
        if (from != to && amount != 0) {
            _setBalance(from, available - amount);
            _setBalance(to, _accounts[to].balance + amount);
        }
        return true;
    }

    /// @inheritdoc IStateManager
    function deleteAccount(address account) external onlyExecutionManager {
        uint24 incarnation = _accounts[account].incarnation + 1;
        delete _accounts[account];
        delete _codeHashes[account];
        _accounts[account].incarnation = incarnation;
        _store(COUNT_CHANGE | uint160(account), 0);
    }

    // Storage

    /// @inheritdoc IStateManager
    function getStorage(address account, bytes32 slot) external view onlyExecutionManager returns (bytes32 value) {
        return _storage[_home(account)][slot];
    }

    /// @inheritdoc IStateManager
    function setStorage(address account, bytes32 slot, bytes32 value) external onlyExecutionManager {
        _setStorage(account, slot, value);
    }

    /// @inheritdoc IStateManager
    function hasStorage(address account) external view onlyExecutionManager returns (bool) {
        return int256(uint256(_accounts[account].storageCount)) + _countChange(account) != 0;
    }

    // Code

    /// @inheritdoc IStateManager
    function getCodeSize(address account) external view onlyExecutionManager returns (uint256 size) {
        return _accounts[account].codeSize;
    }

    /// @inheritdoc IStateManager
    function getExecutable(address account)
        external
        view
        onlyExecutionManager
        returns (address code, bytes32 codeHash)
    {
        if (_accounts[account].codeSize == 0) return (address(0), 0);
        codeHash = _codeHashes[account];
        code = _codes[codeHash].executable;
    }

    /// @inheritdoc IStateManager
    function copyCode(bytes32 codeHash, uint256 offset, uint256 size)
        external
        view
        onlyExecutionManager
        returns (bytes memory code)
    {
        return _codes[codeHash].original.load(offset, size);
    }

    /// @inheritdoc IStateManager
    function prepareInitCode(bytes calldata initCode)
        external
        view
        onlyExecutionManager
        returns (bool ok, bytes32 initCodeHash, bytes memory executable)
    {
        initCodeHash = keccak256(initCode);
        Code storage code = _codes[initCodeHash];
        if (!code.initKnown) revert CodeNotRegistered(initCodeHash, Mode.Init);
        ok = code.initDeployable;
        if (ok) executable = code.initExecutable.load(0, code.initExecutable.size);
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
        _commit();
    }

    function _setNonce(address account, uint256 nonce) private {
        if (nonce > type(uint64).max) revert NonceTooLarge(account, nonce);
        _accounts[account].nonce = uint64(nonce);
    }

    function _setBalance(address account, uint256 balance) private {
        if (balance > type(uint120).max) revert BalanceTooLarge(account, balance);
        _accounts[account].balance = uint120(balance);
    }

    function _setCode(address account, bytes32 codeHash) private {
        Code storage code = _codes[codeHash];
        if (!code.runtimeKnown) revert CodeNotRegistered(codeHash, Mode.Runtime);
        _accounts[account].codeSize = uint16(code.original.size);
        _codeHashes[account] = codeHash;
    }

    function _home(address account) private view returns (uint256) {
        return (uint256(_accounts[account].incarnation) << 160) | uint160(account);
    }

    function _setStorage(address account, bytes32 slot, bytes32 value) private {
        mapping(bytes32 => bytes32) storage home = _storage[_home(account)];
        bytes32 before = home[slot];
        if (before == value) return;
        home[slot] = value;
        if (before != 0 && value != 0) return;
        // The count waits in transient storage: its own write would double what a write costs.
        if (_load(COUNT_CHANGE | uint160(account)) == 0) {
            uint256 changed = _load(CHANGED_COUNT);
            _store(CHANGED | changed, uint160(account));
            _store(CHANGED_COUNT, changed + 1);
        }
        unchecked {
            _storeCountChange(account, _countChange(account) + (before == 0 ? int256(1) : -1));
        }
    }

    /// @dev Moves the counts to the accounts. One may be on the list twice, the second time without change.
    function _commit() private {
        uint256 changed = _load(CHANGED_COUNT);
        for (uint256 i; i < changed; ++i) {
            address account = address(uint160(_load(CHANGED | i)));
            int256 change = _countChange(account);
            if (change != 0) {
                Account storage fields = _accounts[account];
                fields.storageCount = uint32(uint256(int256(uint256(fields.storageCount)) + change));
            }
            _store(COUNT_CHANGE | uint160(account), 0);
        }
        _store(CHANGED_COUNT, 0);
    }

    function _countChange(address account) private view returns (int256) {
        return int256(_load(COUNT_CHANGE | uint160(account)));
    }

    function _storeCountChange(address account, int256 change) private {
        _store(COUNT_CHANGE | uint160(account), uint256(change));
    }

    function _load(uint256 key) private view returns (uint256 word) {
        assembly ("memory-safe") {
            word := tload(key)
        }
    }

    function _store(uint256 key, uint256 word) private {
        assembly ("memory-safe") {
            tstore(key, word)
        }
    }
}
