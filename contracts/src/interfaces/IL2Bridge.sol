// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title L2 bridge
/// @notice The L2 side of ERC-20 tokens: makes them when they arrive from L1, and destroys them when they leave. Runs on
/// L2, at 0x4200000000000000000000000000000000000010.
interface IL2Bridge {
    event DepositFinalized(address indexed l1Token, address indexed l2Token, address indexed to, address from, uint256 amount);
    event WithdrawalStarted(
        address indexed l1Token, address indexed l2Token, address indexed from, address to, uint256 amount
    );

    /// @notice Only the L1 bridge, whose L2 name is its alias, may say that tokens arrived.
    error NotL1Bridge(address caller);
    /// @notice No token of the factory.
    error NotBridgedToken(address token);
    error NothingWithdrawn();

    /// @notice Makes `amount` for `to`, and the token itself if it is the first time. Only the L1 bridge.
    function finalizeDeposit(
        address l1Token,
        address from,
        address to,
        uint256 amount,
        string calldata name,
        string calldata symbol,
        uint8 decimals
    ) external;

    /// @notice Destroys `amount` of the caller's tokens and pays them out on L1.
    /// @param to On L1.
    /// @param gasLimit L1 gas units; raised to what the payment needs at least.
    function withdraw(address l2Token, address to, uint256 amount, uint256 gasLimit) external;

    /// @notice Storage slot 0, which genesis sets.
    function l1Bridge() external view returns (address);
}
