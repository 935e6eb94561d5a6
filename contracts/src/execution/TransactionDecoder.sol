// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {GasSchedule} from "../generated/GasSchedule.sol";
import {BlockContext, IExecutionManager} from "../interfaces/IExecutionManager.sol";
import {DecodedTransaction, ITransactionDecoder} from "../interfaces/ITransactionDecoder.sol";
import {IntrinsicGas} from "../libraries/IntrinsicGas.sol";
import {RLPReader} from "../libraries/RLPReader.sol";
import {RLPWriter} from "../libraries/RLPWriter.sol";

/// @title Transaction decoder
/// @dev Runtime: L1 and L2. Stateless, and a contract of its own: the manager has no room for it.
contract TransactionDecoder is ITransactionDecoder {
    using RLPReader for bytes;
    using RLPReader for RLPReader.Cursor;

    uint8 private constant LEGACY = 0;
    uint8 private constant EIP_2930 = 1;
    uint8 private constant EIP_1559 = 2;
    uint8 private constant DEPOSIT = 0x7e;

    /// @dev Order of the secp256k1 group.
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @inheritdoc ITransactionDecoder
    function decode(bytes calldata raw) external pure returns (DecodedTransaction memory transaction) {
        return _decode(raw);
    }

    /// @inheritdoc ITransactionDecoder
    function check(BlockContext calldata context, bytes calldata raw, uint256 maxTransactionGas)
        external
        pure
        returns (DecodedTransaction memory transaction, uint256 price, uint256 intrinsicGas)
    {
        if (context.protocolVersion != GasSchedule.VERSION) {
            revert IExecutionManager.WrongProtocolVersion(GasSchedule.VERSION, context.protocolVersion);
        }
        (transaction, intrinsicGas) = _decodeWithin(raw, maxTransactionGas);
        if (transaction.transactionType == DEPOSIT) return (transaction, 0, intrinsicGas);
        if (transaction.hasChainId && transaction.chainId != context.chainId) {
            revert IExecutionManager.WrongChainId(context.chainId, transaction.chainId);
        }
        if (transaction.maxFeePerGas < context.baseFeePerGas) {
            revert IExecutionManager.FeeCapTooLow(transaction.maxFeePerGas, context.baseFeePerGas);
        }
        uint256 tip = transaction.maxFeePerGas - context.baseFeePerGas;
        if (tip > transaction.maxPriorityFeePerGas) tip = transaction.maxPriorityFeePerGas;
        price = context.baseFeePerGas + tip;
    }

    /// @dev Checks what holds in every block.
    function _decodeWithin(bytes calldata raw, uint256 maxTransactionGas)
        private
        pure
        returns (DecodedTransaction memory transaction, uint256 intrinsicGas)
    {
        if (raw.length > GasSchedule.TRANSACTION_BYTES_MAX) {
            revert IExecutionManager.TransactionTooLarge(raw.length, GasSchedule.TRANSACTION_BYTES_MAX);
        }
        transaction = _decode(raw);
        if (transaction.gasLimit > maxTransactionGas) {
            revert IExecutionManager.GasLimitTooHigh(transaction.gasLimit, maxTransactionGas);
        }
        if (transaction.isCreation && transaction.data.length > GasSchedule.INITCODE_BYTES_MAX) {
            revert IExecutionManager.InitCodeTooLarge(transaction.data.length, GasSchedule.INITCODE_BYTES_MAX);
        }
        intrinsicGas = IntrinsicGas.price(transaction);
        if (transaction.gasLimit < intrinsicGas) {
            revert IExecutionManager.IntrinsicGasTooLow(intrinsicGas, transaction.gasLimit);
        }
    }

    function _decode(bytes calldata raw) private pure returns (DecodedTransaction memory transaction) {
        if (raw.length == 0) revert EmptyTransaction();
        transaction.transactionHash = keccak256(raw);
        uint8 first = uint8(raw[0]);
        // A list prefix starts a legacy transaction; EIP-2718 keeps types below 0x80.
        if (first < 0xc0) {
            if (first != EIP_2930 && first != EIP_1559 && first != DEPOSIT) revert UnsupportedTransactionType(first);
            transaction.transactionType = first;
        }

        RLPReader.Cursor memory input = RLPReader.Cursor(first < 0xc0 ? 1 : 0, raw.length);
        RLPReader.Cursor memory cursor = raw.enterList(input);
        input.requireEnd();

        if (first == DEPOSIT) {
            _readDeposit(transaction, raw, cursor);
        } else {
            uint256 bodyStart = cursor.offset;
            _readBody(transaction, raw, cursor);
            bytes calldata body = raw[bodyStart:cursor.offset];
            _readSignature(transaction, raw, cursor, body);
        }
        cursor.requireEnd();
    }

    /// @dev Reads all fields but the signature's: those that are signed, as they stand.
    function _readBody(DecodedTransaction memory transaction, bytes calldata raw, RLPReader.Cursor memory cursor)
        private
        pure
    {
        uint8 transactionType = transaction.transactionType;
        if (transactionType != LEGACY) {
            transaction.hasChainId = true;
            transaction.chainId = raw.readUint(cursor, 32);
        }
        transaction.nonce = uint64(raw.readUint(cursor, 8));
        if (transaction.nonce == type(uint64).max) revert NonceTooLarge(transaction.nonce);

        uint256 maxPriorityFeePerGas = raw.readUint(cursor, 32);
        uint256 maxFeePerGas = maxPriorityFeePerGas;
        if (transactionType == EIP_1559) {
            maxFeePerGas = raw.readUint(cursor, 32);
            if (maxPriorityFeePerGas > maxFeePerGas) {
                revert PriorityFeeAboveMaxFee(maxPriorityFeePerGas, maxFeePerGas);
            }
        }
        transaction.maxPriorityFeePerGas = maxPriorityFeePerGas;
        transaction.maxFeePerGas = maxFeePerGas;
        transaction.gasLimit = uint64(raw.readUint(cursor, 8));

        _readRecipient(transaction, raw, cursor);
        transaction.value = raw.readUint(cursor, 32);
        transaction.data = raw.readBytes(cursor);
        if (transactionType != LEGACY) _readAccessList(transaction, raw, cursor);
    }

    /// @dev The source hash makes each deposit's bytes, and so its transaction hash, its own; it has no other use.
    function _readDeposit(DecodedTransaction memory transaction, bytes calldata raw, RLPReader.Cursor memory cursor)
        private
        pure
    {
        uint256 length = raw.readBytes(cursor).length;
        if (length != 32) revert InvalidSourceHashLength(length);
        bytes calldata sender = raw.readBytes(cursor);
        if (sender.length != 20) revert InvalidSenderLength(sender.length);
        transaction.sender = address(bytes20(sender));
        _readRecipient(transaction, raw, cursor);
        transaction.mint = raw.readUint(cursor, 32);
        transaction.value = raw.readUint(cursor, 32);
        transaction.gasLimit = uint64(raw.readUint(cursor, 8));
        transaction.data = raw.readBytes(cursor);
    }

    function _readRecipient(DecodedTransaction memory transaction, bytes calldata raw, RLPReader.Cursor memory cursor)
        private
        pure
    {
        bytes calldata to = raw.readBytes(cursor);
        if (to.length == 20) transaction.to = address(bytes20(to));
        else if (to.length == 0) transaction.isCreation = true;
        else revert InvalidRecipientLength(to.length);
    }

    /// @dev Checks and counts; the entries themselves change nothing, since storage has one price here.
    function _readAccessList(
        DecodedTransaction memory transaction,
        bytes calldata raw,
        RLPReader.Cursor memory cursor
    ) private pure {
        RLPReader.Cursor memory entries = raw.enterList(cursor);
        uint256 addresses;
        uint256 storageKeys;
        while (entries.offset != entries.end) {
            RLPReader.Cursor memory entry = raw.enterList(entries);
            uint256 offset = entry.offset;
            uint256 length = raw.readBytes(entry).length;
            if (length != 20) revert InvalidAccessListAddressLength(offset, length);
            RLPReader.Cursor memory keys = raw.enterList(entry);
            entry.requireEnd();
            while (keys.offset != keys.end) {
                offset = keys.offset;
                length = raw.readBytes(keys).length;
                if (length != 32) revert InvalidStorageKeyLength(offset, length);
                ++storageKeys;
            }
            ++addresses;
        }
        transaction.accessListAddresses = addresses;
        transaction.accessListStorageKeys = storageKeys;
    }

    /// @param body The encoded fields before the signature.
    function _readSignature(
        DecodedTransaction memory transaction,
        bytes calldata raw,
        RLPReader.Cursor memory cursor,
        bytes calldata body
    ) private pure {
        uint256 v = raw.readUint(cursor, 32);
        bytes32 signingHash;
        if (transaction.transactionType != LEGACY) {
            if (v > 1) revert InvalidYParity(v);
            signingHash = keccak256(
                bytes.concat(bytes1(transaction.transactionType), RLPWriter.listPrefix(body.length), body)
            );
        } else if (v == 27 || v == 28) {
            v -= 27;
            signingHash = keccak256(bytes.concat(RLPWriter.listPrefix(body.length), body));
        } else if (v >= 35) {
            transaction.hasChainId = true;
            transaction.chainId = (v - 35) / 2;
            v = (v - 35) % 2;
            // EIP-155 signs the chain id in place of v, and zeros in place of r and s.
            bytes memory suffix = bytes.concat(RLPWriter.encodeUint(transaction.chainId), hex"8080");
            signingHash = keccak256(
                bytes.concat(RLPWriter.listPrefix(body.length + suffix.length), body, suffix)
            );
        } else {
            revert InvalidV(v);
        }
        uint256 r = raw.readUint(cursor, 32);
        uint256 s = raw.readUint(cursor, 32);
        transaction.sender = _recover(signingHash, uint8(v), r, s);
    }

    function _recover(bytes32 signingHash, uint8 yParity, uint256 r, uint256 s)
        private
        pure
        returns (address sender)
    {
        if (r == 0 || r >= ORDER) revert InvalidR(r);
        if (s == 0 || s > HALF_ORDER) revert InvalidS(s);
        sender = ecrecover(signingHash, yParity + 27, bytes32(r), bytes32(s));
        if (sender == address(0)) revert UnrecoverableSender(signingHash, yParity + 27, r, s);
    }
}
