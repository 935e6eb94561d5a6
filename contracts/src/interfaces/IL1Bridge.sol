// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title L1 bridge
/// @notice Holds all ETH and tokens that are on L2. In by deposits, out by proofs against final claims. Runs on L1.
interface IL1Bridge {
    event ETHDeposited(address indexed from, address indexed to, uint256 amount, uint256 queueIndex);
    event ETHWithdrawalRequested(address indexed from, uint256 amount, uint256 queueIndex);
    /// @notice `success` is whether the call on L1 succeeded; the withdrawal is done either way.
    event WithdrawalFinalized(bytes32 indexed withdrawalHash, bool success, uint256 value);
    event ERC20Deposited(
        address indexed token, address indexed from, address indexed to, uint256 amount, uint256 queueIndex
    );
    event ERC20Withdrawn(address indexed token, address indexed from, address indexed to, uint256 amount);
    /// @notice The token refused to pay `to`; `claimERC20` tries again, for anyone.
    event ERC20WithdrawalKept(address indexed token, address indexed to, uint256 amount);
    event PausedUntil(uint256 until);

    error NothingDeposited();
    error AlreadyFinalized(bytes32 withdrawalHash);
    error WithdrawalNotProven(bytes32 withdrawalHash, bytes32 stateRoot);
    error MalformedProof();
    error NotEnoughGas(uint256 required, uint256 available);
    error Reentered();
    error Paused(uint256 until);
    error PauseTooLong(uint256 limit, uint256 actual);
    error PauseTooSoon(uint256 earliest);
    error NotGuardian(address caller);
    error TokenTransferFailed(address token);
    error TokenNotDeposited(address token, uint256 required, uint256 available);
    /// @notice Only a withdrawal that the L2 bridge sent may ask for this.
    error NotL2Bridge(address sender);
    error NotContract(address token);
    error NothingOwed(address token, address account);

    /// @notice ETH for the caller's own account on L2 (a contract's: its alias).
    function depositETH() external payable;

    /// @notice ETH for anyone on L2.
    function depositETHTo(address to, uint64 gasLimit, bytes calldata data) external payable;

    /// @notice Any call or creation on L2, in the caller's name; the ETH sent along is minted to it first.
    function depositTransaction(bool isCreation, address to, uint256 value, uint64 gasLimit, bytes calldata data)
        external
        payable;

    /// @notice Takes `amount` wei of the caller's L2 balance out, by the queue: L2 can't leave it out. The guardian of
    /// the bridge can't stop it.
    function withdrawETH(uint256 amount) external;

    /// @notice Pays out a withdrawal that a final claim holds.
    /// @param proof abi.encode(Withdrawal, uint256 claimIndex, bytes[] accountProof, bytes[] storageProof), the proofs as
    /// `eth_getProof` gives them for the message passer and the withdrawal's slot.
    /// @dev The target is called by `withdrawalCaller`, a contract that may do nothing and holds nothing, so that no withdrawal can
    /// speak for the bridge. If the call fails, the withdrawal is done all the same, and its value stays here.
    function finalizeWithdrawal(bytes calldata proof) external;

    /// @notice ERC-20 tokens for `to` on L2; the caller has approved this contract. What arrives counts, if the token takes
    /// a fee of its own. Tokens whose balances change by themselves (rebasing) are not supported.
    /// @param gasLimit OVM gas units; raised to what the deposit needs at least.
    function depositERC20(address token, address to, uint256 amount, uint64 gasLimit) external;

    /// @notice Pays tokens out. Only a withdrawal's call, and only if the L2 bridge sent it.
    /// @dev Never fails for the token's sake: what it refuses to pay now is kept for `claimERC20`.
    function finalizeERC20Withdrawal(address token, address from, address to, uint256 amount) external;

    /// @notice Tries again to pay what a token refused to pay. For anyone.
    function claimERC20(address token, address to) external;

    /// @notice Units of `token` that wait for `claimERC20`.
    function owed(address token, address to) external view returns (uint256);

    /// @notice Who calls the targets of withdrawals, in the bridge's stead.
    function withdrawalCaller() external view returns (address);

    /// @notice While a withdrawal's call runs: who sent it on L2. Zero otherwise.
    function l2Sender() external view returns (address);
    function isFinalized(bytes32 withdrawalHash) external view returns (bool);
    /// @notice Units of `token` that are held for L2.
    function tokenBalance(address token) external view returns (uint256);

    /// @notice Stops deposits and withdrawals until `until`, for a bounded time. Only the guardian, who can do nothing else.
    function pause(uint256 until) external;

    /// @notice When the running or last pause ends or ended. Seconds since the Unix epoch.
    function pausedUntil() external view returns (uint40);
}
