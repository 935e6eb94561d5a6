import { assert, describe, it } from "@effect/vitest"
import { createBlockHeaderFromRLP } from "@ethereumjs/block"
import { Common, Hardfork, Mainnet } from "@ethereumjs/common"
import { Either } from "effect"
import * as fc from "fast-check"
import { bytesToHex, keccak256, toRlp } from "viem"
import * as Block from "../src/Block.ts"
import * as Rlp from "../src/Rlp.ts"
import { hexOf } from "./arbitraries.ts"

const header: fc.Arbitrary<Block.BlockHeader> = fc.record({
  parentHash: hexOf(32),
  beneficiary: hexOf(20),
  stateRoot: hexOf(32),
  transactionsRoot: hexOf(32),
  receiptsRoot: hexOf(32),
  logsBloom: hexOf(256),
  number: fc.bigInt({ min: 1n, max: 2n ** 48n }),
  gasLimit: fc.bigInt({ min: 5_000n, max: 2n ** 50n }),
  gasUsed: fc.bigInt({ min: 0n, max: 5_000n }),
  timestamp: fc.bigInt({ min: 1_700_000_000n, max: 2n ** 48n }),
  extraData: hexOf(0, 32),
  prevRandao: hexOf(32),
  baseFeePerGas: fc.bigUintN(80),
  parentBeaconBlockRoot: hexOf(32)
})

const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun })

const fault = (item: Rlp.RlpItem) =>
  Either.match(Block.decodeHeader(Rlp.encode(item)), {
    onLeft: (error) => error.message,
    onRight: () => "decoded"
  })

describe("Block", () => {
  it("writes headers that an Ethereum client reads, hashes and writes the same", () => {
    fc.assert(
      fc.property(header, (value) => {
        const bytes = Block.encodeHeader(value)
        const client = createBlockHeaderFromRLP(bytes, { common, setHardfork: false })
        assert.deepStrictEqual(client.serialize(), bytes)
        assert.strictEqual(bytesToHex(client.hash()), Block.headerHash(value))
        assert.strictEqual(client.number, value.number)
        assert.strictEqual(client.gasUsed, value.gasUsed)
        assert.strictEqual(client.timestamp, value.timestamp)
        assert.strictEqual(client.baseFeePerGas, value.baseFeePerGas)
        assert.strictEqual(client.coinbase.toString(), value.beneficiary)
        assert.strictEqual(bytesToHex(client.mixHash), value.prevRandao)
        assert.strictEqual(
          bytesToHex(client.parentBeaconBlockRoot ?? new Uint8Array(0)),
          value.parentBeaconBlockRoot
        )
        assert.deepStrictEqual(Block.decodeHeader(bytes), Either.right(value))
      }),
      { numRuns: 50 }
    )
  })

  it("hashes nothing to the well-known empty roots", () => {
    assert.strictEqual(Block.EMPTY_TRIE_ROOT, keccak256(toRlp("0x")))
    assert.strictEqual(Block.EMPTY_OMMERS_HASH, keccak256(toRlp([])))
  })

  it("puts the block's context where a client looks for it", () => {
    const context = {
      chainId: 420n,
      number: 7n,
      timestamp: 1_700_000_000n,
      gasLimit: 30_000_000n,
      baseFeePerGas: 9n,
      coinbase: `0x${"0c".repeat(20)}`,
      prevRandao: `0x${"0d".repeat(32)}`,
      blobBaseFee: 1n,
      l1Origin: { number: 3n, hash: `0x${"0e".repeat(32)}` },
      protocolVersion: 1
    } as const
    const outcome = {
      stateRoot: `0x${"01".repeat(32)}`,
      transactionsRoot: `0x${"02".repeat(32)}`,
      receiptsRoot: `0x${"03".repeat(32)}`,
      logsBloom: `0x${"04".repeat(256)}`,
      gasUsed: 21_000n
    } as const
    const made = Block.makeHeader({ parentHash: `0x${"0f".repeat(32)}`, context, outcome })
    assert.strictEqual(made.parentBeaconBlockRoot, context.l1Origin.hash)
    assert.strictEqual(made.beneficiary, context.coinbase)
    assert.strictEqual(made.prevRandao, context.prevRandao)
    assert.strictEqual(made.extraData, "0x")
    assert.deepInclude(made, outcome)
  })

  it("refuses a header that is not of this chain, and names the field", () => {
    fc.assert(
      fc.property(header, (value) => {
        const item = Either.getOrThrow(Rlp.decode(Block.encodeHeader(value)))
        if (item instanceof Uint8Array) return assert.fail("a header is a list")
        const withField = (index: number, field: Rlp.RlpItem) =>
          fault(item.map((old, at) => (at === index ? field : old)))
        assert.match(withField(1, new Uint8Array(32)), /ommersHash to be 0x1dcc/)
        assert.match(withField(7, Uint8Array.of(1)), /difficulty to be 0x, found 0x01/)
        assert.match(withField(14, new Uint8Array(8).fill(1)), /nonce to be 0x0000000000000000/)
        assert.match(withField(3, new Uint8Array(31)), /stateRoot to be 32 bytes, found 31/)
        assert.match(withField(9, Uint8Array.of(0, 1)), /gasLimit to be an integer without/)
        assert.match(withField(12, new Uint8Array(33)), /extraData to be at most 32 bytes/)
        assert.match(fault(item.slice(1)), /a list of 20 fields, found 19 fields/)
      }),
      { numRuns: 3 }
    )
  })
})
