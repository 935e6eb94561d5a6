// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ILedger} from "../interfaces/ILedger.sol";
import {IWETH} from "../interfaces/IWETH.sol";

/// @title Wrapped Ether
/// @dev Runtime: L2, at 0x4200000000000000000000000000000000000006. It keeps no balances: it asks the ledger.
contract WETH is IWETH {
    address private constant LEDGER = 0x4200000000000000000000000000000000000Fff;
    /// @dev The message passer, which holds all ETH that is not on L2.
    address private constant RESERVE = 0x4200000000000000000000000000000000000016;
    /// @dev Wei on L2 and in the reserve together, from genesis on: nothing makes or destroys ETH.
    uint256 private constant ETH_CAP = 2 ** 110;

    /// @inheritdoc IWETH
    string public constant name = "Wrapped Ether";
    /// @inheritdoc IWETH
    string public constant symbol = "WETH";
    /// @inheritdoc IWETH
    uint8 public constant decimals = 18;

    /// @inheritdoc IWETH
    /// @dev Slot 0, the only state.
    mapping(address owner => mapping(address spender => uint256 wad)) public allowance;

    receive() external payable {
        deposit();
    }

    /// @dev As in WETH9, a call that names no function is a deposit.
    fallback() external payable {
        deposit();
    }

    /// @inheritdoc IWETH
    function totalSupply() external view returns (uint256) {
        return ETH_CAP - RESERVE.balance;
    }

    /// @inheritdoc IWETH
    function balanceOf(address account) external view returns (uint256) {
        return account.balance;
    }

    /// @inheritdoc IWETH
    function deposit() public payable {
        _move(address(this), msg.sender, msg.value);
        emit Deposit(msg.sender, msg.value);
    }

    /// @inheritdoc IWETH
    function withdraw(uint256 wad) external {
        _move(msg.sender, address(this), wad);
        payable(msg.sender).transfer(wad);
        emit Withdrawal(msg.sender, wad);
    }

    /// @inheritdoc IWETH
    function approve(address guy, uint256 wad) external returns (bool) {
        allowance[msg.sender][guy] = wad;
        emit Approval(msg.sender, guy, wad);
        return true;
    }

    /// @inheritdoc IWETH
    function transfer(address dst, uint256 wad) external returns (bool) {
        return transferFrom(msg.sender, dst, wad);
    }

    /// @inheritdoc IWETH
    function transferFrom(address src, address dst, uint256 wad) public returns (bool) {
        if (dst == RESERVE) revert TransferToReserve();
        if (src != msg.sender) {
            uint256 allowed = allowance[src][msg.sender];
            if (allowed != type(uint256).max) {
                if (allowed < wad) revert InsufficientAllowance(src, msg.sender, wad, allowed);
                allowance[src][msg.sender] = allowed - wad;
            }
        }
        _move(src, dst, wad);
        emit Transfer(src, dst, wad);
        return true;
    }

    function _move(address from, address to, uint256 amount) private {
        // Not through the interface: solc would ask for code at the ledger's address, where there is none.
        (bool moved,) = LEDGER.call(abi.encodeCall(ILedger.move, (from, to, amount)));
        if (!moved) revert InsufficientBalance(from, amount, from.balance);
    }
}
