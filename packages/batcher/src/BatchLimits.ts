/** Limits of a batch. `BatchLimits.sol` has the same; a test compares them. L1 must be able to undo any batch in one transaction. */

/** Bytes that an L1 transaction carries as payload: below 131,072 with its record, and above TRANSACTION_BYTES_MAX. */
export const MAX_PAYLOAD_BYTES = 124_928
/** Bytes of a batch before compression. */
export const MAX_PLAINTEXT_BYTES = 393_216
/** Leaves of a batch: user transactions and queued ones. */
export const MAX_BATCH_TRANSACTIONS = 1_536
/** Steps of the decompression, a match or the literals at the end. */
export const MAX_SEQUENCES = 5_120
