// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice An account's fields in one word: nonce 64 bits, balance 120, code size 16, incarnation 24, storage count 32.
/// The incarnation says how often the account was deleted: each time it starts with new, empty storage.
type PackedAccount is uint256;

uint256 constant MAX_NONCE = type(uint64).max;
uint256 constant MAX_BALANCE = type(uint120).max;

function nonce(PackedAccount self) pure returns (uint256) {
    return PackedAccount.unwrap(self) >> 192;
}

/// @return Wei.
function balance(PackedAccount self) pure returns (uint256) {
    return (PackedAccount.unwrap(self) >> 72) & MAX_BALANCE;
}

/// @return Bytes of the original code; zero if the account has none.
function codeSize(PackedAccount self) pure returns (uint256) {
    return (PackedAccount.unwrap(self) >> 56) & type(uint16).max;
}

function incarnation(PackedAccount self) pure returns (uint256) {
    return (PackedAccount.unwrap(self) >> 32) & type(uint24).max;
}

/// @return How many storage slots are set.
function storageCount(PackedAccount self) pure returns (uint256) {
    return PackedAccount.unwrap(self) & type(uint32).max;
}

/// @dev EIP-161: such an account doesn't exist.
function isEmpty(PackedAccount self) pure returns (bool) {
    return PackedAccount.unwrap(self) >> 56 == 0;
}

/// @param value At most MAX_NONCE.
function withNonce(PackedAccount self, uint256 value) pure returns (PackedAccount) {
    return PackedAccount.wrap(PackedAccount.unwrap(self) & ~(MAX_NONCE << 192) | value << 192);
}

/// @param value At most MAX_BALANCE.
function withBalance(PackedAccount self, uint256 value) pure returns (PackedAccount) {
    return PackedAccount.wrap(PackedAccount.unwrap(self) & ~(MAX_BALANCE << 72) | value << 72);
}

/// @param value Below 2^16.
function withCodeSize(PackedAccount self, uint256 value) pure returns (PackedAccount) {
    return PackedAccount.wrap(PackedAccount.unwrap(self) & ~(uint256(type(uint16).max) << 56) | value << 56);
}

/// @dev The counts stay below 2^32: each slot costs gas that no chain has.
function withOneSlotMore(PackedAccount self) pure returns (PackedAccount) {
    return PackedAccount.wrap(PackedAccount.unwrap(self) + 1);
}

function withOneSlotLess(PackedAccount self) pure returns (PackedAccount) {
    return PackedAccount.wrap(PackedAccount.unwrap(self) - 1);
}

/// @notice What is left of a deleted account.
function deleted(PackedAccount self) pure returns (PackedAccount) {
    return PackedAccount.wrap((self.incarnation() + 1) << 32);
}

using {
    nonce,
    balance,
    codeSize,
    incarnation,
    storageCount,
    isEmpty,
    withNonce,
    withBalance,
    withCodeSize,
    withOneSlotMore,
    withOneSlotLess,
    deleted
} for PackedAccount global;
