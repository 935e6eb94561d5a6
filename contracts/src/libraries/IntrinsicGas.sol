// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GasSchedule} from "../generated/GasSchedule.sol";
import {DecodedTransaction} from "../interfaces/ITransactionDecoder.sol";

/// @title Intrinsic gas
/// @notice What a transaction costs before it runs. Runs on L2 and on L1.
library IntrinsicGas {
    /// @dev Yellow paper section 6.2 with EIP-2028, EIP-2930 and EIP-3860; for a creation also the schedule's price of
    /// transpiling the initcode.
    function price(DecodedTransaction memory transaction) internal pure returns (uint256 gas_) {
        uint256 size = transaction.data.length;
        uint256 zeros = _zeroBytes(transaction.data);
        gas_ = GasSchedule.INTRINSIC_GAS + zeros * GasSchedule.CALLDATA_ZERO_BYTE_GAS
            + (size - zeros) * GasSchedule.CALLDATA_NONZERO_BYTE_GAS
            + transaction.accessListAddresses * GasSchedule.ACCESS_LIST_ADDRESS_GAS
            + transaction.accessListStorageKeys * GasSchedule.ACCESS_LIST_KEY_GAS;
        if (transaction.isCreation) {
            gas_ += GasSchedule.INTRINSIC_CREATION_GAS
                + (size + 31) / 32 * (GasSchedule.INITCODE_WORD_GAS + GasSchedule.CODE_WORD_GAS);
        }
    }

    /// @dev Counts 32 bytes at a time: a byte is zero if adding 0x7f to its low bits and or-ing it leaves bit 7 clear.
    function _zeroBytes(bytes memory data) private pure returns (uint256 count) {
        assembly ("memory-safe") {
            let low := 0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f
            let ones := 0x0101010101010101010101010101010101010101010101010101010101010101
            let size := mload(data)
            let pointer := add(data, 0x20)
            let end := add(pointer, size)
            for {} lt(pointer, end) { pointer := add(pointer, 0x20) } {
                let word := mload(pointer)
                let left := sub(end, pointer)
                // Bytes behind the end count as non-zero.
                if lt(left, 0x20) { word := or(word, shr(shl(3, left), not(0))) }
                let nonZero := or(or(add(and(word, low), low), word), low)
                let zeros := and(shr(7, not(nonZero)), ones)
                count := add(count, shr(248, mul(zeros, ones)))
            }
        }
    }
}
