// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Frames
/// @notice The manager's memory of a run, in its transient storage: the stack of frames, their return data, the
/// block and transaction context, what was created and destroyed.
/// @dev Transient, so a reverting native frame takes its notes along. What several runs of one L1 transaction could
/// confuse carries the run's number.
library Frames {
    uint256 private constant DEPTH = 1;
    uint256 private constant RUN = 2;
    uint256 private constant ABORT = 3;
    uint256 private constant DESTROYED_COUNT = 4;
    uint256 private constant FRAME = 1 << 248;
    uint256 private constant RETURN_DATA = 2 << 248;
    uint256 private constant ENVIRONMENT = 3 << 248;
    uint256 private constant CREATED = 4 << 248;
    uint256 private constant DESTROYED = 5 << 248;

    uint256 private constant STATIC_BIT = 1 << 160;
    /// @dev The native address of an init frame is known only when its code first speaks.
    address internal constant PENDING = address(1);

    /// @dev One virtual call frame.
    struct Frame {
        address self;
        bool isStatic;
        address caller;
        uint256 value;
        /// Native address of the running code.
        address code;
        /// Hash of the original code or initcode.
        bytes32 codeHash;
    }

    function _get(uint256 slot) private view returns (uint256 word) {
        assembly ("memory-safe") {
            word := tload(slot)
        }
    }

    function _set(uint256 slot, uint256 word) private {
        assembly ("memory-safe") {
            tstore(slot, word)
        }
    }

    function _frame(uint256 at, uint256 field) private pure returns (uint256) {
        return FRAME | (at << 8) | field;
    }

    // --- the run ---

    /// @dev Starts a run. Answers false if one is running.
    function begin() internal returns (bool started) {
        if (_get(DEPTH) != 0) return false;
        _set(RUN, _get(RUN) + 1);
        _set(ABORT, 0);
        _set(DESTROYED_COUNT, 0);
        return true;
    }

    function run() internal view returns (uint256) {
        return _get(RUN);
    }

    function abort(uint256 reason) internal {
        _set(ABORT, reason);
    }

    /// @dev Why the run is aborted; zero if it is not.
    function aborted() internal view returns (uint256 reason) {
        return _get(ABORT);
    }

    function setEnvironment(uint256 opcode, uint256 word) internal {
        _set(ENVIRONMENT | opcode, word);
    }

    /// @dev What an opcode of the block's or transaction's context answers.
    function environment(uint256 opcode) internal view returns (uint256) {
        return _get(ENVIRONMENT | opcode);
    }

    // --- frames ---

    /// @dev How many frames there are; the outermost has depth 1.
    function depth() internal view returns (uint256) {
        return _get(DEPTH);
    }

    function push(uint256 at, Frame memory frame) internal {
        _set(DEPTH, at);
        _set(_frame(at, 0), uint160(frame.self) | (frame.isStatic ? STATIC_BIT : 0));
        _set(_frame(at, 1), uint160(frame.caller));
        _set(_frame(at, 2), frame.value);
        _set(_frame(at, 3), uint160(frame.code));
        _set(_frame(at, 4), uint256(frame.codeHash));
        _set(_frame(at, 5), 0);
    }

    /// @dev Back to the caller's frame.
    function pop(uint256 at) internal {
        _set(DEPTH, at - 1);
    }

    function self(uint256 at) internal view returns (address) {
        return address(uint160(_get(_frame(at, 0))));
    }

    function isStatic(uint256 at) internal view returns (bool) {
        return _get(_frame(at, 0)) & STATIC_BIT != 0;
    }

    function caller(uint256 at) internal view returns (address) {
        return address(uint160(_get(_frame(at, 1))));
    }

    function value(uint256 at) internal view returns (uint256) {
        return _get(_frame(at, 2));
    }

    function code(uint256 at) internal view returns (address) {
        return address(uint160(_get(_frame(at, 3))));
    }

    function setCode(uint256 at, address native) internal {
        _set(_frame(at, 3), uint160(native));
    }

    function codeHash(uint256 at) internal view returns (bytes32) {
        return bytes32(_get(_frame(at, 4)));
    }

    // --- return data of a frame's last call ---

    function setReturnData(uint256 at, uint256 pointer, uint256 size) internal {
        _set(_frame(at, 5), size);
        uint256 slot = RETURN_DATA | (at << 64);
        assembly ("memory-safe") {
            for { let end := add(pointer, size) } lt(pointer, end) { pointer := add(pointer, 32) } {
                tstore(slot, mload(pointer))
                slot := add(slot, 1)
            }
        }
    }

    /// @dev ABI-encodes the return data as `bytes` behind the free memory.
    function encodeReturnData(uint256 at) internal view returns (uint256 pointer, uint256 encodedSize) {
        uint256 size = _get(_frame(at, 5));
        uint256 slot = RETURN_DATA | (at << 64);
        assembly ("memory-safe") {
            pointer := mload(0x40)
            mstore(pointer, 0x20)
            mstore(add(pointer, 0x20), size)
            let cursor := add(pointer, 0x40)
            for { let end := add(cursor, size) } lt(cursor, end) { cursor := add(cursor, 32) } {
                mstore(cursor, tload(slot))
                slot := add(slot, 1)
            }
            encodedSize := sub(cursor, pointer)
        }
    }

    // --- virtual transient storage (EIP-1153) ---

    function transientSlot(address account, bytes32 slot) internal view returns (bytes32 key) {
        uint256 runNumber = _get(RUN);
        assembly ("memory-safe") {
            // The account and the run share a word: 96 bits are enough runs.
            mstore(0x00, or(shl(160, runNumber), account))
            mstore(0x20, slot)
            key := keccak256(0x00, 0x40)
        }
    }

    function transientLoad(address account, bytes32 slot) internal view returns (uint256) {
        return _get(uint256(transientSlot(account, slot)));
    }

    function transientStore(address account, bytes32 slot, uint256 word) internal {
        _set(uint256(transientSlot(account, slot)), word);
    }

    // --- created and destroyed accounts (EIP-6780) ---

    function setCreated(address account, bool created) internal {
        _set(CREATED | uint160(account), created ? _get(RUN) : 0);
    }

    function isCreated(address account) internal view returns (bool) {
        return _get(CREATED | uint160(account)) == _get(RUN);
    }

    function destroy(address account) internal {
        uint256 count = _get(DESTROYED_COUNT);
        _set(DESTROYED | count, uint160(account));
        _set(DESTROYED_COUNT, count + 1);
    }

    function destroyedCount() internal view returns (uint256) {
        return _get(DESTROYED_COUNT);
    }

    function destroyedAt(uint256 index) internal view returns (address) {
        return address(uint160(_get(DESTROYED | index)));
    }
}
