// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title State manager
/// @notice All L2 state, as the ExecutionManager sees it: accounts, storage, code.
/// @dev Runs on L2 (served by the node at this address) and on L1 (over proven or stored state). Every change is
/// undone when the native call frame it happened in reverts. No function is `view`: a read is recorded, and on L1 an
/// unproven one aborts. Answers only to the ExecutionManager.
interface IStateManager {
    /// @notice The account's fields. `codeHash` is zero if there is no such account.
    function getAccount(address account) external returns (uint256 nonce, uint256 balance, bytes32 codeHash);

    function setNonce(address account, uint256 nonce) external;

    /// @param balance Wei.
    function setBalance(address account, uint256 balance) external;

    /// @notice Moves `amount` wei, or does nothing and answers false if `from` has less.
    function transfer(address from, address to, uint256 amount) external returns (bool moved);

    function getStorage(address account, bytes32 slot) external returns (bytes32 value);

    function setStorage(address account, bytes32 slot, bytes32 value) external;

    /// @notice Whether any storage slot of the account is set (EIP-7610).
    function hasStorage(address account) external returns (bool);

    /// @notice Bytes of the account's original code.
    function getCodeSize(address account) external returns (uint256 size);

    /// @notice Where the account's transpiled code stands natively (zero if it has none), and the hash of the original.
    function getExecutable(address account) external returns (address code, bytes32 codeHash);

    /// @notice `size` bytes from `offset` of the original code or initcode with this hash, zero-padded behind its end.
    function copyCode(bytes32 codeHash, uint256 offset, uint256 size) external returns (bytes memory code);

    /// @notice Transpiles initcode (mode `init`) and checks it. Not `ok` if the result exceeds EIP-3860.
    function prepareInitCode(bytes calldata initCode)
        external
        returns (bool ok, bytes32 initCodeHash, bytes memory executable);

    /// @notice Transpiles code that is about to be deployed (mode `runtime`) and checks it. Not `ok` if the result
    /// exceeds EIP-170.
    function prepareCode(bytes calldata code) external returns (bool ok);

    /// @notice Gives the account code that `prepareCode` accepted.
    function setCode(address account, bytes32 codeHash) external;

    /// @notice Removes the account with its code and storage (EIP-6780).
    function deleteAccount(address account) external;

    /// @notice The transaction is over: what was changed holds.
    function commit() external;
}
