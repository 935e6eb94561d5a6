// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "../interfaces/IERC20.sol";

/// @title Calls to tokens
/// @notice Speaks to tokens that keep EIP-20 loosely: no return value (USDT), `false` instead of a revert, names as
/// bytes32 (MKR) or none at all, answers of any length.
/// @dev Runtime: L1.
library TokenCalls {
    /// @dev For a name or symbol; more than any needs, and it can't use up all gas.
    uint256 private constant METADATA_GAS = 50_000;
    /// @dev Bytes of a name that are read; the two words of ABI encoding come before.
    uint256 private constant TEXT_BYTES_MAX = 64;

    /// @notice Moves tokens that the bridge may take.
    /// @return success Whether the token did not refuse.
    function tryTransferFrom(address token, address from, address to, uint256 amount) internal returns (bool success) {
        return _tryCall(token, gasleft(), abi.encodeCall(IERC20.transferFrom, (from, to, amount)));
    }

    /// @notice Pays tokens out, with at most `gasLimit` gas.
    /// @return success Whether the token did not refuse.
    function tryTransfer(address token, uint256 gasLimit, address to, uint256 amount) internal returns (bool success) {
        return _tryCall(token, gasLimit, abi.encodeCall(IERC20.transfer, (to, amount)));
    }

    /// @notice How a token calls itself; empty if it doesn't say.
    /// @param selector `name()` or `symbol()`.
    function text(address token, bytes4 selector) internal view returns (string memory) {
        (bool success, uint256 size, bytes memory answer) = _ask(token, selector, 64 + TEXT_BYTES_MAX);
        if (!success || size < 32) return "";
        uint256 first;
        uint256 length;
        assembly ("memory-safe") {
            first := mload(add(answer, 32))
            length := mload(add(answer, 64))
        }
        if (first == 32 && size >= 64) {
            if (length > TEXT_BYTES_MAX) length = TEXT_BYTES_MAX;
            return _cut(answer, 64, length);
        }
        // A bytes32, padded with zeros.
        length = 0;
        while (length < 32 && bytes32(first)[length] != 0) length++;
        return _cut(answer, 0, length);
    }

    /// @notice The token's decimals; 18 if it doesn't say.
    function decimals(address token) internal view returns (uint8) {
        (bool success, uint256 size, bytes memory answer) = _ask(token, IERC20.decimals.selector, 32);
        uint256 value;
        assembly ("memory-safe") {
            value := mload(add(answer, 32))
        }
        return success && size >= 32 && value <= type(uint8).max ? uint8(value) : 18;
    }

    /// @dev Not through the interface: a token's odd answer must not revert here.
    function _tryCall(address token, uint256 gasLimit, bytes memory input) private returns (bool success) {
        uint256 size;
        uint256 answer;
        assembly ("memory-safe") {
            success := call(gasLimit, token, 0, add(input, 32), mload(input), 0, 32)
            size := returndatasize()
            answer := mload(0)
        }
        if (size == 0) return success && token.code.length > 0;
        return success && size >= 32 && answer == 1;
    }

    /// @return success Whether it answered.
    /// @return size Bytes of the whole answer.
    /// @return answer Its first `limit` bytes, zero-padded.
    function _ask(address token, bytes4 selector, uint256 limit)
        private
        view
        returns (bool success, uint256 size, bytes memory answer)
    {
        answer = new bytes(limit);
        assembly ("memory-safe") {
            mstore(0, selector)
            success := staticcall(METADATA_GAS, token, 0, 4, add(answer, 32), limit)
            size := returndatasize()
        }
    }

    function _cut(bytes memory source, uint256 offset, uint256 length) private pure returns (string memory) {
        bytes memory cut = new bytes(length);
        for (uint256 i = 0; i < length; i++) cut[i] = source[offset + i];
        return string(cut);
    }
}
