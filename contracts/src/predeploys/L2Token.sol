// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "../interfaces/IERC20.sol";
import {IL2Token} from "../interfaces/IL2Token.sol";

/// @title L2 token
/// @dev Runtime: L2. Its address follows from `l1Token` alone, so what it is called comes after its creation. Minting
/// never fails: tokens that arrived from L1 must not get lost on the way.
contract L2Token is IL2Token {
    address private constant L2_BRIDGE = 0x4200000000000000000000000000000000000010;

    address private immutable FACTORY;
    /// @inheritdoc IL2Token
    address public immutable l1Token;

    /// @inheritdoc IERC20
    string public name;
    /// @inheritdoc IERC20
    string public symbol;
    /// @inheritdoc IERC20
    uint8 public decimals;
    /// @inheritdoc IERC20
    uint256 public totalSupply;
    /// @inheritdoc IERC20
    mapping(address account => uint256) public balanceOf;
    /// @inheritdoc IERC20
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    constructor(address l1Token_) {
        FACTORY = msg.sender;
        l1Token = l1Token_;
    }

    /// @inheritdoc IL2Token
    function initialize(string calldata name_, string calldata symbol_, uint8 decimals_) external {
        if (msg.sender != FACTORY) revert NotFactory(msg.sender);
        name = name_;
        symbol = symbol_;
        decimals = decimals_;
    }

    /// @inheritdoc IL2Token
    function mint(address to, uint256 amount) external {
        if (msg.sender != L2_BRIDGE) revert NotL2Bridge(msg.sender);
        // L1 holds as many, in one 256-bit number.
        totalSupply += amount;
        unchecked {
            balanceOf[to] += amount;
        }
        emit Transfer(address(0), to, amount);
    }

    /// @inheritdoc IL2Token
    function burn(address from, uint256 amount) external {
        if (msg.sender != L2_BRIDGE) revert NotL2Bridge(msg.sender);
        _take(from, amount);
        unchecked {
            totalSupply -= amount;
        }
        emit Transfer(from, address(0), amount);
    }

    /// @inheritdoc IERC20
    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    /// @inheritdoc IERC20
    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    /// @inheritdoc IERC20
    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed != type(uint256).max) {
            if (allowed < value) revert InsufficientAllowance(from, msg.sender, value, allowed);
            unchecked {
                allowance[from][msg.sender] = allowed - value;
            }
        }
        _move(from, to, value);
        return true;
    }

    function _move(address from, address to, uint256 value) private {
        _take(from, value);
        unchecked {
            balanceOf[to] += value;
        }
        emit Transfer(from, to, value);
    }

    function _take(address from, uint256 value) private {
        uint256 available = balanceOf[from];
        if (available < value) revert InsufficientBalance(from, value, available);
        unchecked {
            balanceOf[from] = available - value;
        }
    }
}
