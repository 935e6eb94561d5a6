// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BlockContext} from "./IExecutionManager.sol";

/// @notice A transaction of L2, read and checked as far as its bytes alone allow: one that a wallet signed, or a deposit,
/// which L1 vouches for.
/// @param transactionType 0 legacy, 1 EIP-2930, 2 EIP-1559, 0x7e a deposit. A deposit has no chain id, nonce, fees or
/// access list: those fields are zero.
/// @param hasChainId False for a legacy transaction from before EIP-155, valid on any chain.
/// @param chainId The chain it was signed for; zero if `hasChainId` is false.
/// @param nonce Below 2^64 - 1 (EIP-2681).
/// @param maxPriorityFeePerGas Wei; the gas price, for types 0 and 1.
/// @param maxFeePerGas Wei, at least `maxPriorityFeePerGas`; the gas price, for types 0 and 1. Any
/// 256-bit number: times `gasLimit` it may exceed 256 bits.
/// @param gasLimit Gas units.
/// @param isCreation True if there is no recipient.
/// @param to The recipient; zero if `isCreation`.
/// @param mint Wei that the reserve gives the sender first; zero for a signed transaction.
/// @param value Wei.
/// @param data Calldata, or creation code.
/// @param accessListAddresses How many entries the access list has, repeated ones included.
/// @param accessListStorageKeys How many storage keys all entries have together.
/// @param sender Who signed it, never zero; or on whose behalf L1 deposits.
/// @param transactionHash Keccak-256 of the raw transaction.
struct DecodedTransaction {
    uint8 transactionType;
    bool hasChainId;
    uint256 chainId;
    uint64 nonce;
    uint256 maxPriorityFeePerGas;
    uint256 maxFeePerGas;
    uint64 gasLimit;
    bool isCreation;
    address to;
    uint256 mint;
    uint256 value;
    bytes data;
    uint256 accessListAddresses;
    uint256 accessListStorageKeys;
    address sender;
    bytes32 transactionHash;
}

/// @title Transaction decoder
/// @notice Turns raw bytes into a transaction, or names the first thing wrong with them.
/// @dev Of signed transactions it accepts exactly what Ethereum clients accept: canonical RLP, low s, no unknown types.
/// A wrong transaction always reverts with data: a revert without any means that gas ran out, which says nothing
/// about the transaction. Errors of the encoding itself are those of `RLPReader`.
interface ITransactionDecoder {
    /// @notice There is not a single byte.
    error EmptyTransaction();
    /// @notice The first byte is neither a list (legacy) nor a type that runs here.
    error UnsupportedTransactionType(uint8 transactionType);
    /// @notice The recipient must have 20 bytes, or none for a creation.
    error InvalidRecipientLength(uint256 length);
    /// @notice A deposit's source hash must have 32 bytes.
    error InvalidSourceHashLength(uint256 length);
    /// @notice A deposit's sender must have 20 bytes.
    error InvalidSenderLength(uint256 length);
    /// @notice The nonce can't be raised any more (EIP-2681).
    error NonceTooLarge(uint256 nonce);
    /// @notice The tip would exceed what the sender pays in all (EIP-1559).
    error PriorityFeeAboveMaxFee(uint256 maxPriorityFeePerGas, uint256 maxFeePerGas);
    /// @notice An address in the access list must have 20 bytes.
    error InvalidAccessListAddressLength(uint256 offset, uint256 length);
    /// @notice A storage key in the access list must have 32 bytes.
    error InvalidStorageKeyLength(uint256 offset, uint256 length);
    /// @notice `v` of a legacy transaction must be 27, 28 or at least 35.
    error InvalidV(uint256 v);
    /// @notice The y parity must be 0 or 1.
    error InvalidYParity(uint256 yParity);
    /// @notice `r` must be from 1 to the curve's order - 1.
    error InvalidR(uint256 r);
    /// @notice `s` must be from 1 to half the curve's order (EIP-2).
    error InvalidS(uint256 s);
    /// @notice No public key gives this signature: `r` is not on the curve.
    error UnrecoverableSender(bytes32 signingHash, uint8 v, uint256 r, uint256 s);

    /// @notice Decodes a raw transaction and recovers who signed it, or reads who deposits.
    /// @dev Says nothing about who may bring it: a deposit's bytes are worth nothing unless L1 made them.
    /// @param raw As in `eth_sendRawTransaction`; or a deposit: 0x7e and the RLP list of sourceHash, from, to, mint, value,
    /// gasLimit, data.
    function decode(bytes calldata raw) external pure returns (DecodedTransaction memory transaction);

    /// @notice Decodes and checks all that needs no state: sizes, gas, and what the transaction promises against the
    /// block. The errors beyond the decoder's are those of `IExecutionManager`.
    /// @param maxTransactionGas OVM gas units.
    /// @return transaction What `decode` gives.
    /// @return price Wei per gas that the sender pays; zero for a deposit.
    /// @return intrinsicGas OVM gas units, at most the gas limit.
    function check(BlockContext calldata context, bytes calldata raw, uint256 maxTransactionGas)
        external
        pure
        returns (DecodedTransaction memory transaction, uint256 price, uint256 intrinsicGas);
}
