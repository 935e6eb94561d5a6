// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Merkle Patricia proofs
/// @notice Reads one key of an Ethereum trie out of a proof, as `eth_getProof` gives it: what stands under the key, or
/// that nothing does. Keys are hashed, 32 bytes, as in the account trie and in storage tries.
/// @dev Runtime: L1. A node counts only if its hash, or the node itself, stands in the one above, up to the root; so
/// whatever a proof holds, it can't show a value that the trie doesn't hold, nor hide one that it does. A proof that
/// shows neither reverts with a typed error.
library MerklePatricia {
    /// @notice The proof ends, but the key's path goes on to a node with this hash.
    error ProofTooShort(bytes32 expectedNode);
    /// @notice The path ended after `used` nodes.
    error ProofTooLong(uint256 used, uint256 length);
    /// @notice The `index`-th node of the proof isn't the one that the node above it names.
    error WrongNode(uint256 index, bytes32 expected, bytes32 actual);
    /// @notice The `index`-th node has a form that no trie has.
    error MalformedNode(uint256 index);
    /// @notice A node or value of the proof is not canonical RLP.
    error MalformedRlp();
    /// @notice What stands under the key is not an account, or not a storage word.
    error MalformedValue(bytes32 key);

    /// @notice The four fields of an account; all zero if `exists` is false.
    /// @param balance Wei.
    struct Account {
        bool exists;
        uint256 nonce;
        uint256 balance;
        bytes32 storageRoot;
        bytes32 codeHash;
    }

    /// @notice A stretch of memory.
    struct Slice {
        uint256 pointer;
        uint256 length;
    }

    /// @notice Root of a trie without keys: the hash of an empty string's RLP.
    bytes32 internal constant EMPTY_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;
    uint256 private constant KEY_NIBBLES = 64;

    /// @notice The account at `account` in the state with this root.
    function readAccount(bytes32 stateRoot, address account, bytes[] memory proof)
        internal
        pure
        returns (Account memory fields)
    {
        bytes32 key = keccak256(abi.encodePacked(account));
        (bool exists, Slice memory value) = read(stateRoot, key, proof);
        if (!exists) return fields;
        fields.exists = true;
        (bool isList, uint256 cursor, uint256 end, uint256 next) = _item(value.pointer, value.pointer + value.length);
        if (!isList || next != value.pointer + value.length) revert MalformedValue(key);
        bytes32 word;
        (word, cursor) = _uint(key, cursor, end);
        fields.nonce = uint256(word);
        (word, cursor) = _uint(key, cursor, end);
        fields.balance = uint256(word);
        (fields.storageRoot, cursor) = _hash(key, cursor, end);
        (fields.codeHash, cursor) = _hash(key, cursor, end);
        if (cursor != end) revert MalformedValue(key);
    }

    /// @notice The word in `slot` of the storage with this root; zero if there is none.
    function readSlot(bytes32 storageRoot, bytes32 slot, bytes[] memory proof) internal pure returns (bytes32 word) {
        bytes32 key = keccak256(abi.encodePacked(slot));
        (bool exists, Slice memory value) = read(storageRoot, key, proof);
        if (!exists) return 0;
        uint256 end = value.pointer + value.length;
        uint256 cursor;
        (word, cursor) = _uint(key, value.pointer, end);
        // A zero word leaves the trie.
        if (cursor != end || word == 0) revert MalformedValue(key);
    }

    /// @notice What stands under `key` in the trie with this root.
    /// @param key Hashed already.
    /// @param proof Nodes from the root down. One that is embedded in the node above may be given again, or left out.
    /// @return exists False if the proof shows that nothing does.
    /// @return value In memory, inside `proof`.
    function read(bytes32 root, bytes32 key, bytes[] memory proof)
        internal
        pure
        returns (bool exists, Slice memory value)
    {
        if (root == EMPTY_ROOT) {
            // Clients give no node at all, or the empty one.
            bool isEmptyNode = proof.length == 1 && keccak256(proof[0]) == EMPTY_ROOT;
            if (proof.length != 0 && !isEmptyNode) revert ProofTooLong(0, proof.length);
            return (false, value);
        }
        uint256 used;
        uint256 depth;
        Slice memory node;
        _takeNode(root, proof, 0, node);
        unchecked {
            while (true) {
                used++;
                bool found;
                bool ended;
                Slice memory next;
                (found, ended, next, depth) = _step(used - 1, key, depth, node);
                if (found || ended) {
                    if (used != proof.length) revert ProofTooLong(used, proof.length);
                    return (found, next);
                }
                // A hash, or the node itself if that is shorter.
                if (next.length == 32) {
                    bytes32 expected;
                    uint256 pointer = next.pointer;
                    assembly ("memory-safe") {
                        expected := mload(pointer)
                    }
                    _takeNode(expected, proof, used, node);
                } else {
                    node.pointer = next.pointer;
                    node.length = next.length;
                    if (used == proof.length || !_isNode(proof[used], next)) used--;
                }
            }
        }
    }

    /// @dev Goes through one node.
    /// @param depth Nibbles of the key that lie behind.
    /// @return found Whether `next` is the value.
    /// @return ended Whether the key's path ends here without a value.
    /// @return next The value, the hash of the next node, or that node itself.
    /// @return nextDepth Nibbles of the key that lie behind then.
    function _step(uint256 index, bytes32 key, uint256 depth, Slice memory node)
        private
        pure
        returns (bool found, bool ended, Slice memory next, uint256 nextDepth)
    {
        unchecked {
            uint256 nodeEnd = node.pointer + node.length;
            (bool isList, uint256 cursor, uint256 end, uint256 itemEnd) = _item(node.pointer, nodeEnd);
            if (!isList || itemEnd != nodeEnd) revert MalformedNode(index);
            uint256 first = cursor;
            (uint256 count, uint256 second, uint256 child) =
                _survey(cursor, end, (uint256(key) >> (252 - 4 * depth)) & 0xf);
            if (count == 17) {
                if (depth == KEY_NIBBLES) revert MalformedNode(index);
                ended = _child(index, child, end, next);
                return (false, ended, next, depth + 1);
            }
            if (count != 2) revert MalformedNode(index);
            bool isLeaf;
            uint256 nibbles;
            bool matches;
            (isLeaf, nibbles, matches) = _path(index, first, end, key, depth);
            if (isLeaf) {
                // All keys have one length.
                if (nibbles != KEY_NIBBLES - depth) revert MalformedNode(index);
                if (!matches) return (false, true, next, KEY_NIBBLES);
                (isList, next.pointer, next.length,) = _item(second, end);
                next.length -= next.pointer;
                if (isList || next.length == 0) revert MalformedNode(index);
                return (true, false, next, KEY_NIBBLES);
            }
            if (nibbles == 0 || nibbles >= KEY_NIBBLES - depth) revert MalformedNode(index);
            if (_child(index, second, end, next)) revert MalformedNode(index);
            return (false, !matches, next, depth + nibbles);
        }
    }

    /// @dev Reads the reference at `cursor` into `next`.
    /// @return isEmpty Whether there is no child.
    function _child(uint256 index, uint256 cursor, uint256 end, Slice memory next)
        private
        pure
        returns (bool isEmpty)
    {
        (bool isList, uint256 start, uint256 itemEnd,) = _item(cursor, end);
        unchecked {
            if (isList) {
                // Embedded: the list with its header. Longer ones are named by hash.
                next.pointer = cursor;
                next.length = itemEnd - cursor;
                if (next.length >= 32) revert MalformedNode(index);
                return false;
            }
            next.pointer = start;
            next.length = itemEnd - start;
            if (next.length == 0) return true;
            if (next.length != 32) revert MalformedNode(index);
        }
    }

    /// @dev The hex-prefix encoded path at `cursor`.
    /// @return isLeaf Whether the node is a leaf; an extension otherwise.
    /// @return nibbles How long the path is.
    /// @return matches Whether the key goes on with it.
    function _path(uint256 index, uint256 cursor, uint256 end, bytes32 key, uint256 depth)
        private
        pure
        returns (bool isLeaf, uint256 nibbles, bool matches)
    {
        (bool isList, uint256 start, uint256 itemEnd,) = _item(cursor, end);
        unchecked {
            uint256 size = itemEnd - start;
            if (isList || size == 0 || size > 33) revert MalformedNode(index);
            uint256 head;
            uint256 path;
            assembly ("memory-safe") {
                head := byte(0, mload(start))
                path := mload(add(start, 1))
            }
            uint256 flag = head >> 4;
            if (flag > 3) revert MalformedNode(index);
            isLeaf = flag > 1;
            nibbles = 2 * (size - 1);
            if (flag & 1 == 1) {
                nibbles++;
                path = (path >> 4) | (head << 252);
            } else if (head & 0xf != 0) {
                revert MalformedNode(index);
            }
            if (nibbles > KEY_NIBBLES - depth) revert MalformedNode(index);
            // A shift by 256 gives zero: an empty path matches.
            matches = (path ^ (uint256(key) << (4 * depth))) >> (256 - 4 * nibbles) == 0;
        }
    }

    /// @dev Takes the `index`-th node of the proof, if it is the expected one.
    function _takeNode(bytes32 expected, bytes[] memory proof, uint256 index, Slice memory node) private pure {
        if (index >= proof.length) revert ProofTooShort(expected);
        bytes memory given = proof[index];
        bytes32 actual = keccak256(given);
        if (actual != expected) revert WrongNode(index, expected, actual);
        uint256 pointer;
        assembly ("memory-safe") {
            pointer := add(given, 32)
        }
        node.pointer = pointer;
        node.length = given.length;
        // A shorter one is embedded, but for the root.
        if (index > 0 && node.length < 32) revert MalformedNode(index);
    }

    /// @dev Whether the proof repeats an embedded node.
    function _isNode(bytes memory given, Slice memory node) private pure returns (bool same) {
        if (given.length != node.length) return false;
        uint256 pointer = node.pointer;
        assembly ("memory-safe") {
            let length := mload(given)
            same := eq(keccak256(add(given, 32), length), keccak256(pointer, length))
        }
    }

    /// @dev Steps over all items from `cursor` to `end`.
    /// @return count How many there are.
    /// @return second Where the second one starts.
    /// @return child Where the one with index `wanted` starts.
    function _survey(uint256 cursor, uint256 end, uint256 wanted)
        private
        pure
        returns (uint256 count, uint256 second, uint256 child)
    {
        unchecked {
            while (cursor < end) {
                if (count == wanted) child = cursor;
                if (count == 1) second = cursor;
                uint256 plain;
                // The two kinds that fill a branch, a hash and nothing, are told without reading further. It is half of all
                // work on a proof, and the optimizer finds no loop as short.
                assembly ("memory-safe") {
                    for {} lt(cursor, end) {} {
                        let prefix := byte(0, mload(cursor))
                        plain := or(mul(33, eq(prefix, 0xa0)), eq(prefix, 0x80))
                        if iszero(plain) { break }
                        cursor := add(cursor, plain)
                        count := add(count, 1)
                        if eq(count, wanted) { child := cursor }
                        if eq(count, 1) { second := cursor }
                    }
                }
                if (plain == 0) {
                    (,,, cursor) = _item(cursor, end);
                    count++;
                }
            }
            if (cursor != end) revert MalformedRlp();
        }
    }

    /// @dev The RLP item at `cursor`: canonical, and all of it before `end`. It is where memory ends that is trusted.
    /// @return isList List, or byte string.
    /// @return start Where its payload starts.
    /// @return itemEnd Where its payload ends.
    /// @return next The same: where the item after it starts.
    function _item(uint256 cursor, uint256 end)
        private
        pure
        returns (bool isList, uint256 start, uint256 itemEnd, uint256 next)
    {
        unchecked {
            if (cursor >= end) revert MalformedRlp();
            uint256 head;
            assembly ("memory-safe") {
                head := mload(cursor)
            }
            uint256 prefix = head >> 248;
            if (prefix < 0x80) return (false, cursor, cursor + 1, cursor + 1);
            isList = prefix >= 0xc0;
            uint256 length = prefix - (isList ? 0xc0 : 0x80);
            start = cursor + 1;
            if (length > 55) {
                uint256 lengthBytes = length - 55;
                length = (head << 8) >> (256 - 8 * lengthBytes);
                if (length <= 55 || (head << 8) >> 248 == 0) revert MalformedRlp();
                start += lengthBytes;
            }
            itemEnd = next = start + length;
            // At most 2^64 long: no sum wraps.
            if (next > end || start > end) revert MalformedRlp();
            if (prefix == 0x81 && (head << 8) >> 248 < 0x80) revert MalformedRlp();
        }
    }

    /// @dev A canonical integer of at most 32 bytes.
    function _uint(bytes32 key, uint256 cursor, uint256 end) private pure returns (bytes32 word, uint256 next) {
        bool isList;
        uint256 start;
        uint256 itemEnd;
        (isList, start, itemEnd, next) = _item(cursor, end);
        unchecked {
            uint256 size = itemEnd - start;
            if (isList || size > 32) revert MalformedValue(key);
            if (size == 0) return (0, next);
            uint256 digits;
            assembly ("memory-safe") {
                digits := mload(start)
            }
            if (digits >> 248 == 0) revert MalformedValue(key);
            word = bytes32(digits >> (256 - 8 * size));
        }
    }

    function _hash(bytes32 key, uint256 cursor, uint256 end) private pure returns (bytes32 word, uint256 next) {
        bool isList;
        uint256 start;
        uint256 itemEnd;
        (isList, start, itemEnd, next) = _item(cursor, end);
        if (isList || itemEnd - start != 32) revert MalformedValue(key);
        assembly ("memory-safe") {
            word := mload(start)
        }
    }
}
