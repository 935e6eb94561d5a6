/** Limits of a batch. `BatchLimits.sol` has the same; a test compares them. L1 must be able to undo any batch in one transaction. */

export { MAX_BATCH_TRANSACTIONS } from "@ovm/protocol/Deployment"

/** Bytes that an L1 transaction carries as payload: below 131,072 with its record, and above TRANSACTION_BYTES_MAX. */
export const MAX_PAYLOAD_BYTES = 124_928
/** Bytes of a batch before compression. */
export const MAX_PLAINTEXT_BYTES = 393_216
/** Steps of the decompression, a match or the literals at the end. */
export const MAX_SEQUENCES = 5_120
