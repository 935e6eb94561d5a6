/** What a transaction takes on L1: as a batch's payload, and as others would post it. */
import { brotliCompressSync, constants, deflateRawSync } from "node:zlib"
import { type BatchBlock, encode } from "@ovm/batcher/BatchCodec"
import type { Address } from "@ovm/protocol/Primitives"
import { encodeFunctionData, keccak256, numberToHex, parseAbi } from "viem"
import { type Actor, DEADLINE, makeActor, type Request, signNext } from "./Actors.ts"

/** Of one transaction. */
export interface Posted {
  readonly name: string
  readonly bytes: number
  readonly l1Gas: number
}

export interface BatchesRow {
  readonly name: string
  readonly transactions: number
  readonly posted: ReadonlyArray<Posted>
}

const SENDERS = 100
const PER_BLOCK = 20
const L2_BLOCK_SECONDS = 2
const L1_BLOCK_SECONDS = 12

const abi = parseAbi([
  "function transfer(address to, uint256 amount)",
  "function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline)"
])

/** Numbers that look random and are the same in every run. */
const makeDice = () => {
  let rolls = 0n
  const word = () => BigInt(keccak256(numberToHex(rolls++, { size: 32 })))
  const below = (limit: number) => Number(word() % BigInt(limit))
  return {
    below,
    address: (): Address => numberToHex(word() >> 96n, { size: 20 }),
    /** Between 2 and 9 bytes long, as amounts of tokens are. */
    amount: () => word() >> BigInt(256 - 8 * (2 + below(8)))
  }
}
type Dice = ReturnType<typeof makeDice>

const makeTransfers = (dice: Dice) => {
  const token = dice.address()
  return (): Request => ({
    to: token,
    gas: 150_000n + 1_000n * BigInt(dice.below(20)),
    data: encodeFunctionData({
      abi,
      functionName: "transfer",
      args: [dice.address(), dice.amount()]
    })
  })
}

const makeSwaps = (dice: Dice) => {
  const router = dice.address()
  const tokens = Array.from({ length: 6 }, dice.address)
  const token = () => tokens[dice.below(tokens.length)] ?? router
  return ({ address }: Actor): Request => ({
    to: router,
    gas: 1_500_000n,
    data: encodeFunctionData({
      abi,
      functionName: "swapExactTokensForTokens",
      args: [
        dice.amount(),
        dice.amount(),
        [token(), token()],
        address,
        DEADLINE + BigInt(dice.below(3_000))
      ]
    })
  })
}

/** Signs transactions of senders in random order, and puts them into blocks. */
const makeBlocks = async (
  dice: Dice,
  count: number,
  request: (sender: Actor) => Request
): Promise<ReadonlyArray<BatchBlock>> => {
  const senders = Array.from({ length: SENDERS }, (_, index) => {
    const sender = makeActor((index + 1).toString(16).padStart(2, "0"))
    sender.nonce = dice.below(300)
    return sender
  })
  const blocks: Array<BatchBlock> = []
  for (let done = 0; done < count; done += PER_BLOCK) {
    const seconds = L2_BLOCK_SECONDS * blocks.length
    const transactions: Array<Uint8Array> = []
    while (transactions.length < PER_BLOCK) {
      const sender = senders[dice.below(SENDERS)]
      if (sender !== undefined) transactions.push(await signNext(sender, request(sender)))
    }
    blocks.push({
      timestamp: 1_800_000_000n + BigInt(seconds),
      l1OriginNumber: 20_000_000n + BigInt(Math.floor(seconds / L1_BLOCK_SECONDS)),
      queuedCount: 0,
      transactions
    })
  }
  return blocks
}

const concatenated = (parts: ReadonlyArray<Uint8Array>): Uint8Array =>
  Uint8Array.from(Buffer.concat(parts))

const bigEndian = (value: number | bigint, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) =>
    Number((BigInt(value) >> BigInt(8 * (length - 1 - index))) & 255n)
  )

/** The first OVM's `appendSequencerBatch`: 16 bytes a context, then each transaction behind 3 bytes of length. */
const firstLayout = (blocks: ReadonlyArray<BatchBlock>): Uint8Array =>
  concatenated([
    new Uint8Array(11),
    ...blocks.map(({ l1OriginNumber, timestamp, transactions }) =>
      concatenated([
        bigEndian(transactions.length, 3),
        new Uint8Array(3),
        bigEndian(timestamp, 5),
        bigEndian(l1OriginNumber, 5)
      ])
    ),
    ...blocks.flatMap(({ transactions }) =>
      transactions.flatMap((raw) => [bigEndian(raw.length, 3), raw])
    )
  ])

/**
 * L1 gas of posting the bytes as calldata. Its floor (EIP-7623), 10 and 40 gas a byte, is above 4 and 16 with
 * all that appending executes as long as that is below 24 gas a byte.
 */
const calldataGas = (bytes: Uint8Array): number =>
  bytes.reduce((gas, byte) => gas + (byte === 0 ? 10 : 40), 21_000)

const postedAs = (blocks: ReadonlyArray<BatchBlock>): ReadonlyArray<Posted> => {
  const payload = encode(blocks)
  if (payload === undefined) throw new Error("The benchmark's blocks don't fit one batch.")
  const raws = blocks.flatMap(({ transactions }) => transactions)
  const plain = concatenated(raws)
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 }
  const ways: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["a batch's payload", payload],
    ["signed RLP, as it is", plain],
    ["signed RLP, zlib 9", deflateRawSync(plain, { level: 9 })],
    ["signed RLP, brotli 11", brotliCompressSync(plain, { params: quality })],
    ["the first OVM's layout", firstLayout(blocks)]
  ]
  return ways.map(([name, bytes]) => ({
    name,
    bytes: bytes.length / raws.length,
    l1Gas: calldataGas(bytes) / raws.length
  }))
}

/** The same seed every time, so every run gives the same numbers. */
export const measureBatches = async (count: number): Promise<ReadonlyArray<BatchesRow>> => {
  const dice = makeDice()
  const transfers = await makeBlocks(dice, count, makeTransfers(dice))
  const swaps = await makeBlocks(dice, count, makeSwaps(dice))
  return [
    { name: "ERC-20 transfer", transactions: count, posted: postedAs(transfers) },
    { name: "Uniswap V2 swap", transactions: count, posted: postedAs(swaps) }
  ]
}
