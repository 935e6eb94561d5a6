// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "./IERC20.sol";

/// @title L2 token
/// @notice Stands on L2 for an ERC-20 token that the L1 bridge holds, unit for unit. Runs on L2.
interface IL2Token is IERC20 {
    error NotL2Bridge(address caller);
    error NotFactory(address caller);
    error InsufficientBalance(address account, uint256 required, uint256 available);
    error InsufficientAllowance(address owner, address spender, uint256 required, uint256 available);

    function l1Token() external view returns (address);

    /// @notice Only the factory, in the transaction that creates it.
    function initialize(string calldata name, string calldata symbol, uint8 decimals) external;

    /// @notice Only the L2 bridge.
    function mint(address to, uint256 amount) external;
    /// @notice Only the L2 bridge.
    function burn(address from, uint256 amount) external;
}
