import { createCustomCommon, Mainnet } from "@ethereumjs/common"
import { createTxFromRLP } from "@ethereumjs/tx"
import { TransactionDecoder } from "@ovm/contracts"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import * as Rlp from "@ovm/protocol/Rlp"
import { recoverSender } from "@ovm/protocol/Signature"
import { accessListOf, decode, feeCap, type Transaction, tipCap } from "@ovm/protocol/Transaction"
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
import {
  ACCOUNT,
  damaged,
  rawOf,
  signItems,
  signRaw,
  someDamage,
  someMisfit,
  someUnsigned,
  type Unsigned
} from "./support/SignedTransactions.ts"
import { makeTestEvm, type TestEvm } from "./support/TestEvm.ts"

const abi = TransactionDecoder.abi
const uint = Rlp.encodeUint
const NONE = new Uint8Array(0)
const MAX_NONCE = 2n ** 64n - 1n

let evm: TestEvm
let decoder: Address

beforeAll(async () => {
  evm = await makeTestEvm()
  decoder = await evm.deploy(TransactionDecoder.bytecode)
})

const runDecoder = async (raw: Hex) => {
  const data = encodeFunctionData({ abi, functionName: "decode", args: [raw] })
  return evm.call({ to: decoder, data, isStatic: true })
}

/** The decoded transaction with an access list's counts, or the error's name and arguments. */
const decodeOnChain = async (raw: Hex) => {
  const { returnData, success } = await runDecoder(raw)
  return success
    ? Either.right(decodeFunctionResult({ abi, functionName: "decode", data: returnData }))
    : Either.left(decodeErrorResult({ abi, data: returnData }))
}

/** What the TypeScript decoder of the protocol makes of the same bytes, in the same shape. */
const decodeOffChain = (raw: Hex) => {
  const decoded = decode(hexToBytes(raw))
  if (Either.isLeft(decoded)) return undefined
  const transaction = decoded.right
  const sender = recoverSender(transaction)
  if (Either.isLeft(sender) || transaction.nonce === MAX_NONCE) return undefined
  if (tipCap(transaction) > feeCap(transaction)) return undefined
  return inSolidity(transaction, sender.right, raw)
}

const inSolidity = (transaction: Transaction, sender: Address, raw: Hex) => ({
  transactionType: transaction.type,
  hasChainId: transaction.chainId !== undefined,
  chainId: transaction.chainId ?? 0n,
  nonce: transaction.nonce,
  maxPriorityFeePerGas: tipCap(transaction),
  maxFeePerGas: feeCap(transaction),
  gasLimit: transaction.gasLimit,
  isCreation: transaction.to === undefined,
  to: transaction.to ?? zeroAddress,
  mint: 0n,
  value: transaction.value,
  data: bytesToHex(transaction.data),
  accessListAddresses: BigInt(accessListOf(transaction).length),
  accessListStorageKeys: accessListOf(transaction).reduce(
    (sum, { storageKeys }) => sum + BigInt(storageKeys.length),
    0n
  ),
  sender,
  transactionHash: keccak256(raw)
})

/** Whether EthereumJS accepts the bytes, on whatever chain they name. */
const ethereumJsAccepts = (raw: Hex, chainId: bigint): boolean => {
  const common = createCustomCommon({ chainId: Number(chainId) }, Mainnet, { hardfork: "cancun" })
  try {
    createTxFromRLP(hexToBytes(raw), {
      common,
      allowUnlimitedInitCodeSize: true
    }).getSenderAddress()
    return true
  } catch {
    return false
  }
}

const lowerCase = <A extends { readonly to: string; readonly sender: string }>(transaction: A) => ({
  ...transaction,
  to: transaction.to.toLowerCase(),
  sender: transaction.sender.toLowerCase()
})

const expectSameVerdict = async (raw: Hex) => {
  const onChain = await decodeOnChain(raw)
  const offChain = decodeOffChain(raw)
  expect(Either.isRight(onChain) ? lowerCase(onChain.right) : undefined).toEqual(offChain)
  return onChain
}

describe("TransactionDecoder", () => {
  it("decodes what viem signs, of every type", async () => {
    const common = {
      to: `0x${"ab".repeat(20)}`,
      value: 12n,
      data: "0x1234",
      nonce: 3,
      gas: 21_000n
    } as const
    const accessList = [{ address: common.to, storageKeys: [keccak256("0x01"), keccak256("0x02")] }]
    const fees = { maxFeePerGas: 9n, maxPriorityFeePerGas: 2n }
    const raws = await Promise.all([
      ACCOUNT.signTransaction({ ...common, type: "legacy", gasPrice: 7n }),
      ACCOUNT.signTransaction({ ...common, type: "legacy", gasPrice: 7n, chainId: 10 }),
      ACCOUNT.signTransaction({
        ...common,
        type: "eip2930",
        gasPrice: 7n,
        chainId: 10,
        accessList
      }),
      ACCOUNT.signTransaction({ ...common, type: "eip1559", ...fees, chainId: 10, accessList })
    ])
    const decoded = await Promise.all(raws.map(decodeOnChain))
    const right = decoded.map((result) => lowerCase(Either.getOrThrow(result)))
    for (const [index, transaction] of right.entries()) {
      expect(transaction).toMatchObject({
        nonce: 3n,
        gasLimit: 21_000n,
        to: common.to,
        isCreation: false,
        value: 12n,
        data: "0x1234",
        sender: ACCOUNT.address.toLowerCase(),
        transactionHash: keccak256(raws[index] ?? "0x")
      })
    }
    const price = { maxFeePerGas: 7n, maxPriorityFeePerGas: 7n }
    const lists = { accessListAddresses: 1n, accessListStorageKeys: 2n }
    expect(right[0]).toMatchObject({ transactionType: 0, hasChainId: false, chainId: 0n, ...price })
    expect(right[1]).toMatchObject({ transactionType: 0, hasChainId: true, chainId: 10n, ...price })
    expect(right[2]).toMatchObject({ transactionType: 1, chainId: 10n, ...price, ...lists })
    expect(right[3]).toMatchObject({ transactionType: 2, chainId: 10n, ...fees, ...lists })
  })

  it("accepts every valid transaction, as the protocol and EthereumJS do", async () => {
    await fc.assert(
      fc.asyncProperty(someUnsigned, async (unsigned) => {
        const raw = await signRaw(unsigned)
        const onChain = await expectSameVerdict(raw)
        expect(Either.getOrThrow(onChain).sender).toBe(ACCOUNT.address)
        expect(ethereumJsAccepts(raw, unsigned.chainId ?? 1n)).toBe(true)
      }),
      { numRuns: 200 }
    )
  }, 60_000)

  it("gives damaged bytes the verdict that the protocol and EthereumJS give", async () => {
    await fc.assert(
      fc.asyncProperty(someUnsigned, someDamage, async (unsigned, damage) => {
        const raw = damaged(await signRaw(unsigned), damage)
        const onChain = await expectSameVerdict(raw)
        if (Either.isRight(onChain)) {
          const { chainId, gasLimit, hasChainId, maxFeePerGas } = onChain.right
          // EthereumJS alone refuses fees above 256 bits here; clients do when they ask the balance.
          fc.pre(gasLimit * maxFeePerGas < 2n ** 256n && (!hasChainId || chainId < 2n ** 53n))
          expect(ethereumJsAccepts(raw, hasChainId ? chainId : 1n)).toBe(true)
        } else {
          expect(ethereumJsAccepts(raw, unsigned.chainId ?? 1n)).toBe(false)
        }
      }),
      { numRuns: 1_000 }
    )
  }, 120_000)

  it("gives properly signed misfits the verdict that the protocol gives", async () => {
    await fc.assert(
      fc.asyncProperty(someMisfit, async (unsigned) => {
        await expectSameVerdict(await signRaw(unsigned))
      }),
      { numRuns: 500 }
    )
  }, 120_000)

  it("says UnrecoverableSender, never a sender, for an r off the curve", async () => {
    const items = await signItems(legacy())
    // 5 is no x coordinate of the curve: 5^3 + 7 has no square root.
    const raw = rawOf(0, items.with(7, uint(5n)))
    expect(await errorOf(raw)).toMatchObject({ errorName: "UnrecoverableSender" })
  })

  it("costs little beside the recovery", async () => {
    const entry = [new Uint8Array(20).fill(1), Array(20).fill(new Uint8Array(32).fill(2))]
    const plain = await runDecoder(await signRaw(legacy()))
    const listed = await runDecoder(
      await signRaw(legacy({ type: 1, fields: [...FIELDS, [entry]] }))
    )
    // 3,000 of it for ecrecover.
    expect(plain.gasUsed).toBeLessThan(14_000n)
    expect((listed.gasUsed - plain.gasUsed) / 21n).toBeLessThan(800n)
  })

  it("fails without data when gas runs out, at any point: that is no verdict", async () => {
    const raw = await signRaw(legacy())
    const data = encodeFunctionData({ abi, functionName: "decode", args: [raw] })
    const { gasUsed } = await evm.call({ to: decoder, data })
    // The recovery may get 63/64 of what is left at most, so the least sufficient gas is a little more.
    for (let gas = 0n; gas < gasUsed + 200n; gas += 37n) {
      const { returnData, success } = await evm.call({ to: decoder, data, gas })
      if (!success) expect(returnData).toBe("0x")
    }
  }, 60_000)
})

const FIELDS: ReadonlyArray<Rlp.RlpItem> = [
  uint(1n),
  uint(7n),
  uint(21_000n),
  new Uint8Array(20),
  uint(5n),
  NONE
]
const legacy = (changes: Partial<Unsigned> = {}): Unsigned => ({
  type: 0,
  chainId: 10n,
  fields: FIELDS,
  ...changes
})
const withField = (index: number, item: Rlp.RlpItem) => legacy({ fields: FIELDS.with(index, item) })
const withAccessList = (list: Rlp.RlpItem) => legacy({ type: 1, fields: [...FIELDS, list] })

const errorOf = async (raw: Hex) =>
  Either.match(await decodeOnChain(raw), {
    onLeft: ({ args = [], errorName }) => ({ errorName, args }),
    onRight: () => "accepted"
  })

describe("TransactionDecoder errors", () => {
  const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const signature = async (index: 6 | 7 | 8, value: bigint) =>
    rawOf(0, (await signItems(legacy())).with(index, uint(value)))

  it.each<[string, () => Hex | Promise<Hex>, ReadonlyArray<unknown>]>([
    ["EmptyTransaction", () => "0x", []],
    ["UnsupportedTransactionType", () => "0x03c0", [3]],
    ["UnsupportedTransactionType", () => "0x80", [0x80]],
    ["RlpTruncated", () => "0xc0", [1n, 1n, 0n]],
    ["RlpTruncated", () => "0xf8", [0n, 2n, 1n]],
    ["RlpTruncated", () => "0xc5010203", [0n, 6n, 4n]],
    ["RlpTruncated", () => "0x02", [1n, 1n, 0n]],
    ["RlpUnexpectedKind", () => "0x0180", [1n, 0x80]],
    ["RlpUnexpectedKind", () => "0xc1c0", [1n, 0xc0]],
    ["RlpNotCanonical", () => "0xf80101", [0n]],
    ["RlpNotCanonical", () => `0xf90038${"01".repeat(56)}`, [0n]],
    ["RlpNotCanonical", () => "0xc28101", [1n]],
    ["RlpTrailingBytes", () => "0xc000", [1n, 2n]],
    ["RlpTrailingBytes", async () => rawOf(0, [...(await signItems(legacy())), NONE]), [97n, 98n]],
    ["RlpLeadingZero", () => signRaw(withField(0, Uint8Array.of(0))), [2n]],
    ["RlpIntegerTooLarge", () => signRaw(withField(2, uint(2n ** 64n))), [4n, 9n, 8n]],
    ["NonceTooLarge", () => signRaw(withField(0, uint(MAX_NONCE))), [MAX_NONCE]],
    ["InvalidRecipientLength", () => signRaw(withField(3, new Uint8Array(19))), [19n]],
    [
      "PriorityFeeAboveMaxFee",
      () => signRaw(legacy({ type: 2, fields: [uint(1n), uint(8n), ...FIELDS.slice(1), []] })),
      [8n, 7n]
    ],
    ["InvalidAccessListAddressLength", () => signRaw(withAccessList([[NONE, []]])), [34n, 0n]],
    [
      "InvalidStorageKeyLength",
      () => signRaw(withAccessList([[new Uint8Array(20), [Uint8Array.of(1)]]])),
      [56n, 1n]
    ],
    [
      "InvalidYParity",
      async () => rawOf(1, (await signItems(withAccessList([]))).with(8, uint(2n))),
      [2n]
    ],
    ["InvalidV", () => signature(6, 29n), [29n]],
    ["InvalidV", () => signature(6, 0n), [0n]],
    ["InvalidR", () => signature(7, 0n), [0n]],
    ["InvalidR", () => signature(7, ORDER), [ORDER]],
    ["InvalidS", () => signature(8, 0n), [0n]],
    ["InvalidS", () => signature(8, ORDER / 2n + 1n), [ORDER / 2n + 1n]]
  ])("%s", async (errorName, raw, args) => {
    expect(await errorOf(await raw())).toEqual({ errorName, args })
  })
})
