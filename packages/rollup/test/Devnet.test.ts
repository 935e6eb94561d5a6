import { assert, describe, it } from "@effect/vitest"
import { ETH_CAP, MESSAGE_PASSER, WETH } from "@ovm/protocol/Predeploys"
import * as Devnet from "../src/Devnet.ts"

const ALICE = `0x${"a1".repeat(20)}` as const
const SLOT = `0x${"00".repeat(31)}01` as const

describe("Devnet", () => {
  it("keeps in the reserve what nobody has, whatever code and storage stand there", () => {
    const plain = Devnet.genesis({ balances: { [ALICE]: 7n } })
    const coded = Devnet.genesis({
      balances: { [ALICE]: 7n },
      predeploys: { [MESSAGE_PASSER]: "0x6001" },
      allocations: { [MESSAGE_PASSER]: { storage: { [SLOT]: SLOT } } }
    })
    const passers = [plain, coded].map(({ accounts }) =>
      accounts.find(({ address }) => address === MESSAGE_PASSER)
    )
    const balance = ETH_CAP - 7n
    assert.deepStrictEqual(passers, [
      { address: MESSAGE_PASSER, balance, nonce: 0n, code: "0x", storage: [] },
      {
        address: MESSAGE_PASSER,
        balance,
        nonce: 1n,
        code: "0x6001",
        storage: [{ slot: SLOT, value: SLOT }]
      }
    ])
    const weth = coded.accounts.find(({ address }) => address === WETH)
    assert.deepInclude(weth, { balance: 0n, storage: [] })
    assert.strictEqual(coded.chainId, Devnet.CHAIN_ID)
  })
})
