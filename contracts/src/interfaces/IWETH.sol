// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Wrapped Ether
/// @notice The ERC-20 face of the native balance, with the interface of WETH9. On L2 all ETH is WETH: `balanceOf` is the
/// account's native balance, and a transfer of either moves the other.
/// @dev What differs from WETH9:
/// - An approval lets the spender take native ETH, wrapped or not.
/// - `deposit` gives the value straight back, and `withdraw` sends what the caller has already; they keep their events.
/// - Native moves (value of a call, fees) emit no `Transfer`.
/// - Failures carry typed errors; WETH9's carry no data.
interface IWETH {
    event Approval(address indexed src, address indexed guy, uint256 wad);
    event Transfer(address indexed src, address indexed dst, uint256 wad);
    event Deposit(address indexed dst, uint256 wad);
    event Withdrawal(address indexed src, uint256 wad);

    /// @notice `account` has `available` wei, but `required` are to be moved.
    error InsufficientBalance(address account, uint256 required, uint256 available);
    /// @notice `spender` may take `available` wei of `owner`, but asked for `required`.
    error InsufficientAllowance(address owner, address spender, uint256 required, uint256 available);

    /// @notice The reserve holds what is not on L2: only a withdrawal may put anything there, or it would arrive nowhere.
    error TransferToReserve();

    function name() external view returns (string memory);
    function symbol() external view returns (string memory);
    function decimals() external view returns (uint8);

    /// @notice All ETH on L2, in wei: 2^110 less what the reserve (the message passer's balance) holds. Deposits raise it
    /// and withdrawals lower it.
    function totalSupply() external view returns (uint256);
    function balanceOf(address account) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);

    /// @notice Gives the value back to the caller, whose native balance is its WETH already.
    function deposit() external payable;
    /// @notice Sends the caller `wad` of its own balance, with the gas of a plain transfer.
    function withdraw(uint256 wad) external;
    function approve(address guy, uint256 wad) external returns (bool);
    function transfer(address dst, uint256 wad) external returns (bool);
    /// @notice The caller needs an allowance unless it is `src`; one of 2^256 - 1 never shrinks.
    function transferFrom(address src, address dst, uint256 wad) external returns (bool);
}
