import { assert, describe, it } from "@effect/vitest"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import * as GasSchedule from "@ovm/protocol/generated/GasSchedule"
import * as Transaction from "@ovm/protocol/Transaction"
import { Either } from "effect"
import { hexToBytes, type TransactionSerializableEIP1559 } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import {
  type AdmissionRules,
  checkAccount,
  checkBytes,
  fromInvalidReason
} from "../src/Admission.ts"
import * as MempoolState from "../src/MempoolState.ts"

const ALICE = privateKeyToAccount(`0x${"a1".repeat(32)}`)
const rules: AdmissionRules = {
  chainId: 420n,
  blockGasLimit: 30_000_000n,
  maxTransactionGas: 14_000_000n,
  baseFeePerGas: 100n,
  minTipPerGas: 1n
}
const RICH = { nonce: 5n, balance: 10n ** 18n, hasCode: false }

const raw = async (overrides: Partial<TransactionSerializableEIP1559> = {}) =>
  hexToBytes(
    await ALICE.signTransaction({
      type: "eip1559",
      chainId: 420,
      nonce: 5,
      gas: 21_000n,
      to: `0x${"22".repeat(20)}`,
      value: 1n,
      maxFeePerGas: 200n,
      maxPriorityFeePerGas: 2n,
      ...overrides
    })
  )

const admitted = async (overrides: Partial<TransactionSerializableEIP1559> = {}) =>
  Either.getOrThrow(checkBytes(await raw(overrides), rules))

const fault = async (overrides: Partial<TransactionSerializableEIP1559>) =>
  Either.getOrThrow(Either.flip(checkBytes(await raw(overrides), rules))).message

const accountFault = async (
  account: typeof RICH,
  pool = MempoolState.empty(),
  overrides: Partial<TransactionSerializableEIP1559> = {}
) => Either.getOrThrow(Either.flip(checkAccount(await admitted(overrides), account, pool))).message

describe("Admission", () => {
  it("admits what can run, with its sender and hash", async () => {
    const bytes = await raw()
    const transaction = Either.getOrThrow(checkBytes(bytes, rules))
    assert.strictEqual(transaction.sender, ALICE.address.toLowerCase())
    assert.strictEqual(transaction.hash, Transaction.hash(bytes))
    assert.isTrue(Either.isRight(checkAccount(transaction, RICH, MempoolState.empty())))
  })

  it("admits a legacy signature that names no chain", async () => {
    const legacy = await ALICE.signTransaction({ type: "legacy", gasPrice: 200n, gas: 53_000n })
    assert.isTrue(Either.isRight(checkBytes(hexToBytes(legacy), rules)))
  })

  it("words what is wrong with the bytes as Ethereum clients do", async () => {
    const text = (bytes: Uint8Array) =>
      Either.getOrThrow(Either.flip(checkBytes(bytes, rules))).message
    const limit = Number(GasSchedule.TRANSACTION_BYTES_MAX)
    assert.match(text(new Uint8Array(limit + 1)), /^oversized data: transaction size 122881, limit/)
    assert.match(text(Uint8Array.of(3, 0xc0)), /^transaction type not supported/)
    assert.match(text(Uint8Array.of(2, 0xc1)), /^rlp: /)
    assert.match(text(Uint8Array.of(2, 0xc0)), /^malformed transaction: /)
  })

  it("words what is wrong with the fields as Ethereum clients do", async () => {
    assert.strictEqual(
      await fault({ chainId: 1 }),
      "invalid sender: invalid chain id for signer: have 1 want 420"
    )
    assert.match(await fault({ gas: 30_000_001n }), /^exceeds block gas limit/)
    assert.strictEqual(
      await fault({ gas: 14_000_001n }),
      "transaction gas limit too high: cap: 14000000, tx: 14000001"
    )
    assert.strictEqual(
      await fault({ gas: 20_999n }),
      "intrinsic gas too low: gas 20999, minimum needed 21000"
    )
    assert.match(
      await fault({ to: null, data: `0x${"00".repeat(49_153)}`, gas: 10_000_000n }),
      /^max initcode size exceeded: code size 49153, limit 49152/
    )
    assert.match(
      await fault({ maxFeePerGas: 99n }),
      /^max fee per gas less than block base fee: address 0x[0-9a-f]{40}, maxFeePerGas: 99, baseFee: 100$/
    )
    assert.match(
      await fault({ maxPriorityFeePerGas: 0n }),
      /^transaction underpriced: gas tip cap 0, minimum needed 1/
    )
  })

  it("refuses deposits: only L1 makes them", () => {
    const deposit = DepositTransaction.encode({
      type: DepositTransaction.TYPE,
      sourceHash: `0x${"11".repeat(32)}`,
      from: `0x${"22".repeat(20)}`,
      to: `0x${"22".repeat(20)}`,
      mint: 1n,
      value: 0n,
      gasLimit: 21_000n,
      data: new Uint8Array(0)
    })
    const refusal = Either.getOrThrow(Either.flip(checkBytes(deposit, rules)))
    assert.deepStrictEqual(refusal, new Transaction.UnsupportedTransactionType({ type: 0x7e }))
    assert.match(refusal.message, /^transaction type not supported/)
  })

  it("refuses a tip above the fee cap", async () => {
    // viem signs no such transaction, so the fields are swapped after signing.
    const transaction = Either.getOrThrow(Transaction.decode(await raw()))
    assert.strictEqual(transaction.type, 2)
    if (transaction.type !== 2) return
    const swapped = Transaction.encode({ ...transaction, maxPriorityFeePerGas: 201n })
    assert.strictEqual(
      Either.getOrThrow(Either.flip(checkBytes(swapped, rules))).message,
      "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: 201, maxFeePerGas: 200"
    )
  })

  it("refuses a signature that no key made, and the last nonce", async () => {
    const transaction = Either.getOrThrow(Transaction.decode(await raw()))
    const text = (changed: Transaction.Transaction) =>
      Either.getOrThrow(Either.flip(checkBytes(Transaction.encode(changed), rules))).message
    const { signature } = transaction
    assert.match(text({ ...transaction, signature: { ...signature, s: 0n } }), /^invalid sender/)
    assert.match(text({ ...transaction, nonce: 2n ** 64n - 1n }), /^nonce has max value/)
  })

  it("words what is wrong with the account as Ethereum clients do", async () => {
    assert.strictEqual(
      await accountFault({ ...RICH, nonce: 6n }),
      "nonce too low: next nonce 6, tx nonce 5"
    )
    assert.match(await accountFault({ ...RICH, hasCode: true }), /^sender not an eoa: address 0x/)
    assert.strictEqual(
      await accountFault({ ...RICH, balance: 4_200_000n }),
      "insufficient funds for gas * price + value: balance 4200000, tx cost 4200001, overshot 1"
    )
  })

  it("counts what the sender's waiting transactions may cost, but not the one replaced", async () => {
    const pool = Either.getOrThrow(
      MempoolState.add(MempoolState.empty(), await admitted(), 5n)
    ).state
    const balance = 8_400_001n
    assert.strictEqual(
      await accountFault({ ...RICH, balance }, pool, { nonce: 6 }),
      "insufficient funds for gas * price + value: balance 8400001, queued cost 4200001, tx cost 4200001, overshot 1"
    )
    const replacement = await admitted({ maxFeePerGas: 400n, value: 0n })
    assert.isTrue(Either.isRight(checkAccount(replacement, { ...RICH, balance }, pool)))
  })

  it("says the same where only execution finds the fault", async () => {
    const transaction = await admitted()
    const sender = transaction.sender
    const text = (reason: Parameters<typeof fromInvalidReason>[0]) =>
      fromInvalidReason(reason, transaction).message
    assert.strictEqual(
      text({ _tag: "NonceTooLow", sender, expected: 6n, actual: 5n }),
      "nonce too low: next nonce 6, tx nonce 5"
    )
    assert.strictEqual(
      text({ _tag: "NonceTooHigh", sender, expected: 4n, actual: 5n }),
      "nonce too high: next nonce 4, tx nonce 5"
    )
    assert.strictEqual(
      text({ _tag: "InsufficientFunds", sender, required: 4_200_001n, available: 0n }),
      "insufficient funds for gas * price + value: balance 0, tx cost 4200001, overshot 4200001"
    )
    assert.match(text({ _tag: "Malformed", error: "InvalidR(0)" }), /found InvalidR\(0\)/)
    assert.match(
      text({ _tag: "TransactionTooLarge", size: 9n, limit: 8n }),
      /^oversized data: transaction size 9, limit 8/
    )
  })
})
