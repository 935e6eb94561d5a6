import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { keccak256 } from "viem"
import * as Block from "../src/Block.ts"
import * as Genesis from "../src/Genesis.ts"
import { ETH_CAP, HISTORY_STORAGE, MESSAGE_PASSER, WETH } from "../src/Predeploys.ts"

const ALICE = `0x${"a1".repeat(20)}` as const
const SLOT = `0x${"00".repeat(31)}01` as const

describe("Genesis", () => {
  it("orders accounts by address, whatever order they were named in", () => {
    const genesis = Genesis.make({
      chainId: 420n,
      allocations: { [ALICE]: { balance: 5n }, [`0x${"01".repeat(20)}`]: { balance: 6n } },
      predeploys: { [WETH]: "0x6001" }
    })
    const addresses = genesis.accounts.map(({ address }) => address)
    assert.deepStrictEqual(addresses, [...addresses].sort())
    assert.lengthOf(addresses, 7)
  })

  it("starts contracts at nonce 1, and lets an allocation add balance and storage to them", () => {
    const genesis = Genesis.make({
      chainId: 420n,
      allocations: { [WETH]: { balance: 3n, storage: { [SLOT]: SLOT } } },
      predeploys: { [WETH]: "0x6001" }
    })
    assert.deepStrictEqual(
      genesis.accounts.find(({ address }) => address === WETH),
      {
        address: WETH,
        balance: 3n,
        nonce: 1n,
        code: "0x6001",
        storage: [{ slot: SLOT, value: SLOT }]
      }
    )
  })

  it("keeps all ETH that is not allocated in the reserve, whatever else stands there", () => {
    const allocations = { [ALICE]: { balance: 5n }, [WETH]: { balance: 3n } }
    const plain = Genesis.make({ chainId: 1n, allocations })
    const coded = Genesis.make({
      chainId: 1n,
      allocations: {
        ...allocations,
        [MESSAGE_PASSER]: { balance: 7n, storage: { [SLOT]: SLOT } }
      },
      predeploys: { [MESSAGE_PASSER]: "0x6001" }
    })
    const reserveOf = ({ accounts }: Genesis.Genesis) =>
      accounts.find(({ address }) => address === MESSAGE_PASSER)
    assert.deepInclude(reserveOf(plain), { balance: ETH_CAP - 8n, nonce: 0n, code: "0x" })
    assert.deepInclude(reserveOf(coded), { balance: ETH_CAP - 8n, nonce: 1n, code: "0x6001" })
    assert.deepStrictEqual(reserveOf(coded)?.storage, [{ slot: SLOT, value: SLOT }])
    for (const { accounts } of [plain, coded]) {
      const supply = accounts.reduce((sum, { balance }) => sum + balance, 0n)
      assert.strictEqual(supply, ETH_CAP)
    }
  })

  it("allocates all ETH that there is, and no wei more", () => {
    const give = (balance: bigint) =>
      Genesis.make({ chainId: 1n, allocations: { [ALICE]: { balance } } })
    const reserve = give(ETH_CAP).accounts.find(({ address }) => address === MESSAGE_PASSER)
    assert.strictEqual(reserve?.balance, 0n)
    assert.throws(() => give(ETH_CAP + 1n), Genesis.AllocationsExceedCap)
  })

  it("has the deployment proxies with the code they have on Ethereum", () => {
    const { accounts } = Genesis.make({ chainId: 1n })
    for (const proxy of [Genesis.CREATE2_DEPLOYER, Genesis.SAFE_SINGLETON_FACTORY]) {
      // EXTCODEHASH of both on Ethereum's main chain.
      assert.strictEqual(
        keccak256(accounts.find(({ address }) => address === proxy)?.code ?? "0x"),
        "0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989"
      )
    }
  })

  it("has the history contract of EIP-2935", () => {
    const code = Genesis.STANDARD_PREDEPLOYS[HISTORY_STORAGE] ?? "0x"
    const deployed = "0x6e49e66782037c0555897870e29fa5e552daf4719552131a0abce779daec0a5d"
    assert.strictEqual(keccak256(code), deployed)
  })

  it("survives its stored form", () => {
    const genesis = Genesis.make({ chainId: 7n, allocations: { [ALICE]: { balance: 2n ** 100n } } })
    const stored = JSON.parse(JSON.stringify(Schema.encodeSync(Genesis.Genesis)(genesis)))
    assert.deepStrictEqual(Schema.decodeUnknownSync(Genesis.Genesis)(stored), genesis)
  })

  it("makes block 0 of its settings", () => {
    const genesis = Genesis.make({ chainId: 7n, timestamp: 100n, gasLimit: 9n, baseFeePerGas: 8n })
    const header = Genesis.header(genesis, Block.EMPTY_TRIE_ROOT)
    assert.deepInclude(header, { number: 0n, timestamp: 100n, gasLimit: 9n, baseFeePerGas: 8n })
    assert.strictEqual(header.prevRandao, Genesis.prevRandao(7n, 0n))
    assert.notStrictEqual(Genesis.prevRandao(7n, 1n), Genesis.prevRandao(8n, 1n))
    assert.notStrictEqual(Genesis.prevRandao(7n, 1n), Genesis.prevRandao(7n, 2n))
  })
})
