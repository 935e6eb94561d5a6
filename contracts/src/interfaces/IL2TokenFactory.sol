// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title L2 token factory
/// @notice Makes the tokens that stand on L2 for those of L1, one for each. Runs on L2, at
/// 0x4200000000000000000000000000000000000012.
interface IL2TokenFactory {
    event TokenCreated(address indexed l1Token, address indexed l2Token);

    error NotL2Bridge(address caller);

    /// @notice The token for `l1Token`; makes it if there is none yet. Only the L2 bridge.
    function ensure(address l1Token, string calldata name, string calldata symbol, uint8 decimals)
        external
        returns (address l2Token);

    /// @notice Where the token for `l1Token` is or will be: it depends on nothing else.
    function l2TokenOf(address l1Token) external view returns (address);

    /// @notice The L1 token that `l2Token` stands for; zero if this factory did not make it.
    function l1TokenOf(address l2Token) external view returns (address);
}
