// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Address aliases
/// @notice What an L1 contract is called on L2, so that no L2 account can be mistaken for it.
/// @dev Runtime: L1 and L2.
library AddressAlias {
    uint160 private constant OFFSET = uint160(0x1111000000000000000000000000000000001111);

    /// @notice The L2 sender that stands for an L1 contract.
    function ofContract(address l1Contract) internal pure returns (address) {
        unchecked {
            return address(uint160(l1Contract) + OFFSET);
        }
    }

    /// @notice The L2 sender that stands for the caller: itself if it is a plain account.
    function ofCaller() internal view returns (address) {
        // A plain account with delegated code (EIP-7702) that is called by its own transaction is still one: it signed.
        return msg.sender == tx.origin ? msg.sender : ofContract(msg.sender);
    }
}
