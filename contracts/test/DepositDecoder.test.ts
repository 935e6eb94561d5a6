import { TransactionDecoder } from "@ovm/contracts"
import * as DepositTransaction from "@ovm/protocol/DepositTransaction"
import { intrinsicGas } from "@ovm/protocol/IntrinsicGas"
import { type Address, type Hex, ZERO_HASH } from "@ovm/protocol/Primitives"
import * as Rlp from "@ovm/protocol/Rlp"
import { Either } from "effect"
import fc from "fast-check"
import {
  bytesToHex,
  decodeErrorResult,
  decodeFunctionResult,
  encodeFunctionData,
  hexToBytes,
  keccak256,
  zeroAddress
} from "viem"
import { beforeAll, describe, expect, it } from "vitest"
import { damaged, someDamage } from "./support/SignedTransactions.ts"
import { makeTestEvm, type TestEvm } from "./support/TestEvm.ts"

const abi = TransactionDecoder.abi
const uint = Rlp.encodeUint
const NONE = new Uint8Array(0)

let evm: TestEvm
let decoder: Address

beforeAll(async () => {
  evm = await makeTestEvm()
  decoder = await evm.deploy(TransactionDecoder.bytecode)
})

const lowerCase = <A extends { readonly to: string; readonly sender: string }>(transaction: A) => ({
  ...transaction,
  to: transaction.to.toLowerCase(),
  sender: transaction.sender.toLowerCase()
})

/** The decoded deposit, or the error's name and arguments. */
const decodeOnChain = async (raw: Hex) => {
  const data = encodeFunctionData({ abi, functionName: "decode", args: [raw] })
  const { returnData, success } = await evm.call({ to: decoder, data, isStatic: true })
  return success
    ? Either.right(
        lowerCase(decodeFunctionResult({ abi, functionName: "decode", data: returnData }))
      )
    : Either.left(decodeErrorResult({ abi, data: returnData }))
}

/** What the protocol's decoder makes of the same bytes, in the same shape. */
const decodeOffChain = (raw: Hex) =>
  Either.map(DepositTransaction.decode(hexToBytes(raw)), (deposit) => ({
    transactionType: DepositTransaction.TYPE,
    hasChainId: false,
    chainId: 0n,
    nonce: 0n,
    maxPriorityFeePerGas: 0n,
    maxFeePerGas: 0n,
    gasLimit: deposit.gasLimit,
    isCreation: deposit.to === undefined,
    to: deposit.to ?? zeroAddress,
    mint: deposit.mint,
    value: deposit.value,
    data: bytesToHex(deposit.data),
    accessListAddresses: 0n,
    accessListStorageKeys: 0n,
    sender: deposit.from,
    transactionHash: keccak256(raw)
  }))

const expectSameVerdict = async (raw: Hex) => {
  const onChain = await decodeOnChain(raw)
  expect(Either.getOrUndefined(onChain)).toEqual(Either.getOrUndefined(decodeOffChain(raw)))
  return onChain
}

const rawOf = (items: Rlp.RlpItem): Hex => `0x7e${bytesToHex(Rlp.encode(items)).slice(2)}`
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const someUint = (bits: number) =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: 300n }),
    fc.integer({ min: 1, max: bits }).chain((width) => fc.bigUintN(width)),
    fc.constant(2n ** BigInt(bits) - 1n)
  )

const someFields: fc.Arbitrary<ReadonlyArray<Rlp.RlpItem>> = fc.tuple(
  bytesOf(32),
  bytesOf(20),
  fc.option(bytesOf(20), { nil: NONE }),
  someUint(256).map(uint),
  someUint(256).map(uint),
  someUint(64).map(uint),
  fc.oneof(fc.uint8Array({ maxLength: 3 }), fc.uint8Array({ maxLength: 300 }))
)

/** One field replaced by something that is probably not valid there. */
const someMisfits = fc
  .tuple(
    someFields,
    fc.nat(6),
    fc.oneof(
      fc.uint8Array({ maxLength: 34 }),
      fc.uint8Array({ maxLength: 8 }).map((rest) => Uint8Array.of(0, ...rest)),
      fc.array(fc.uint8Array({ maxLength: 33 }), { maxLength: 2 })
    )
  )
  .map(([fields, at, misfit]) => fields.with(at, misfit))

describe("TransactionDecoder, of deposits", () => {
  it("reads every valid one as the protocol does", async () => {
    await fc.assert(
      fc.asyncProperty(someFields, async (fields) => {
        expect(Either.isRight(await expectSameVerdict(rawOf(fields)))).toBe(true)
      }),
      { numRuns: 200 }
    )
  }, 60_000)

  it("gives damaged bytes the verdict that the protocol gives", async () => {
    let refused = 0
    await fc.assert(
      fc.asyncProperty(someFields, someDamage, async (fields, damage) => {
        // The type byte stays: without it they would be damaged transactions of another kind.
        const body = damaged(bytesToHex(Rlp.encode(fields)), damage)
        if (Either.isLeft(await expectSameVerdict(`0x7e${body.slice(2)}`))) refused++
      }),
      { numRuns: 1_000 }
    )
    expect(refused).toBeGreaterThan(300)
  }, 120_000)

  it("gives misfits the verdict that the protocol gives", async () => {
    let refused = 0
    await fc.assert(
      fc.asyncProperty(someMisfits, async (fields) => {
        if (Either.isLeft(await expectSameVerdict(rawOf(fields)))) refused++
      }),
      { numRuns: 500 }
    )
    expect(refused).toBeGreaterThan(100)
  }, 120_000)

  const FIELDS: ReadonlyArray<Rlp.RlpItem> = [
    new Uint8Array(32).fill(1),
    new Uint8Array(20).fill(2),
    new Uint8Array(20).fill(3),
    uint(4n),
    uint(5n),
    uint(100_000n),
    Uint8Array.of(6)
  ]

  it.each<[string, Hex, ReadonlyArray<unknown>]>([
    ["RlpTruncated", "0x7e", [1n, 1n, 0n]],
    ["RlpUnexpectedKind", "0x7e80", [1n, 0x80]],
    ["RlpTruncated", "0x7ec0", [2n, 1n, 0n]],
    ["InvalidSourceHashLength", rawOf(FIELDS.with(0, new Uint8Array(31))), [31n]],
    ["RlpUnexpectedKind", rawOf(FIELDS.with(0, [])), [2n, 0xc0]],
    ["InvalidSenderLength", rawOf(FIELDS.with(1, NONE)), [0n]],
    ["InvalidSenderLength", rawOf(FIELDS.with(1, new Uint8Array(21))), [21n]],
    ["InvalidRecipientLength", rawOf(FIELDS.with(2, new Uint8Array(19))), [19n]],
    ["RlpLeadingZero", rawOf(FIELDS.with(3, Uint8Array.of(0))), [78n]],
    ["RlpIntegerTooLarge", rawOf(FIELDS.with(5, uint(2n ** 64n))), [80n, 9n, 8n]],
    ["RlpTrailingBytes", rawOf([...FIELDS, NONE]), [85n, 86n]],
    ["RlpTruncated", rawOf(FIELDS.slice(0, 6)), [84n, 1n, 0n]]
  ])("names what is wrong: %s", async (errorName, raw, args) => {
    const error = Either.getOrThrow(Either.flip(await expectSameVerdict(raw)))
    expect({ errorName: error.errorName, args: error.args ?? [] }).toEqual({ errorName, args })
  })

  it("checks them against no chain and no base fee, and has them pay no price", async () => {
    const raw = rawOf(FIELDS)
    const context = {
      chainId: 10n,
      number: 1n,
      timestamp: 1n,
      gasLimit: 30_000_000n,
      baseFeePerGas: 2n ** 200n,
      coinbase: zeroAddress,
      prevRandao: ZERO_HASH,
      blobBaseFee: 1n,
      l1OriginNumber: 1n,
      l1OriginHash: ZERO_HASH,
      protocolVersion: 1n
    }
    const args = [context, raw, 100_000n] as const
    const data = encodeFunctionData({ abi, functionName: "check", args })
    const { gasUsed, returnData } = await evm.call({ to: decoder, data, isStatic: true })
    const [transaction, price, intrinsic] = decodeFunctionResult({
      abi,
      functionName: "check",
      data: returnData
    })
    expect(Either.right(lowerCase(transaction))).toEqual(await decodeOnChain(raw))
    expect(price).toBe(0n)
    const deposit = Either.getOrThrow(DepositTransaction.decode(hexToBytes(raw)))
    expect(intrinsic).toBe(intrinsicGas(deposit))
    expect(gasUsed).toBeLessThan(12_000n)
  })
})
