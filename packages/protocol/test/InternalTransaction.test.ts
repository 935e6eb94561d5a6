import { assert, describe, it } from "@effect/vitest"
import { concat, keccak256, numberToHex, toRlp } from "viem"
import { internalTransactionHash } from "../src/InternalTransaction.ts"

const TRANSACTION = {
  chainId: 420n,
  blockNumber: 7n,
  indexInBlock: 0n,
  executionManager: `0x${"0e".repeat(20)}`,
  gas: 1_000_000n,
  calldata: Uint8Array.of(1, 2, 3)
} as const

describe("InternalTransaction", () => {
  it("hashes the wrapped call as an EIP-2718 envelope of type 0x7d", () => {
    const payload = toRlp([
      numberToHex(TRANSACTION.chainId),
      numberToHex(TRANSACTION.blockNumber),
      "0x",
      TRANSACTION.executionManager,
      numberToHex(TRANSACTION.gas),
      "0x010203"
    ])
    assert.strictEqual(internalTransactionHash(TRANSACTION), keccak256(concat(["0x7d", payload])))
  })

  it("differs wherever the wrapped transaction does", () => {
    const hashes = [
      TRANSACTION,
      { ...TRANSACTION, chainId: 421n },
      { ...TRANSACTION, blockNumber: 8n },
      { ...TRANSACTION, indexInBlock: 1n },
      { ...TRANSACTION, gas: 1_000_001n },
      { ...TRANSACTION, calldata: Uint8Array.of(1, 2) }
    ].map(internalTransactionHash)
    assert.strictEqual(new Set(hashes).size, hashes.length)
  })
})
