// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title An ordinary ERC-20
/// @notice The token of the examples. Nothing in it knows of the OVM.
/// @dev Runtime: any EVM.
contract BasicAttentionToken {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    /// @notice `account` has `available`, but `required` are to be moved.
    error InsufficientBalance(address account, uint256 required, uint256 available);
    /// @notice `spender` may move `available` of `owner`, but asked for `required`.
    error InsufficientAllowance(address owner, address spender, uint256 required, uint256 available);
    /// @notice Tokens sent to address zero would be lost.
    error InvalidRecipient(address to);

    string public name;
    string public symbol;
    uint8 public constant decimals = 18;
    uint256 public immutable totalSupply;
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    /// @param supply All tokens there will ever be, in units of 10^-18; the creator gets them.
    constructor(string memory name_, string memory symbol_, uint256 supply) {
        name = name_;
        symbol = symbol_;
        totalSupply = supply;
        balanceOf[msg.sender] = supply;
        emit Transfer(address(0), msg.sender, supply);
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _transfer(msg.sender, to, value);
        return true;
    }

    /// @notice An allowance of 2^256 - 1 never shrinks.
    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            if (allowed < value) revert InsufficientAllowance(from, msg.sender, value, allowed);
            allowance[from][msg.sender] = allowed - value;
        }
        _transfer(from, to, value);
        return true;
    }

    function _transfer(address from, address to, uint256 value) private {
        if (to == address(0)) revert InvalidRecipient(to);
        uint256 available = balanceOf[from];
        if (available < value) revert InsufficientBalance(from, value, available);
        unchecked {
            // No overflow: all balances together are the total supply.
            balanceOf[from] = available - value;
            balanceOf[to] += value;
        }
        emit Transfer(from, to, value);
    }
}
