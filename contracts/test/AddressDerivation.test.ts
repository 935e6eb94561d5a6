import { LibraryHarness } from "@ovm/contracts"
import type { Address, Hex } from "@ovm/protocol/Primitives"
import fc from "fast-check"
import {
  bytesToHex,
  decodeFunctionResult,
  encodeFunctionData,
  getContractAddress,
  getCreate2Address
} from "viem"
import { beforeAll, describe, expect, it } from "vitest"
import { makeTestEvm, type TestEvm } from "./support/TestEvm.ts"

const abi = LibraryHarness.abi
const MAX_NONCE = 2n ** 64n - 1n

let evm: TestEvm
let harness: Address

beforeAll(async () => {
  evm = await makeTestEvm()
  harness = await evm.deploy(LibraryHarness.bytecode)
})

const create = async (creator: Address, nonce: bigint) => {
  const data = encodeFunctionData({ abi, functionName: "create", args: [creator, nonce] })
  const { returnData } = await evm.call({ to: harness, data })
  return decodeFunctionResult({ abi, functionName: "create", data: returnData })
}

const create2 = async (creator: Address, salt: Hex, initcodeHash: Hex) => {
  const args = [creator, salt, initcodeHash] as const
  const data = encodeFunctionData({ abi, functionName: "create2", args })
  const { returnData } = await evm.call({ to: harness, data })
  return decodeFunctionResult({ abi, functionName: "create2", data: returnData })
}

const someBytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => bytesToHex(bytes))

describe("AddressDerivation", () => {
  it("derives CREATE's address at every length of the nonce", async () => {
    const creator: Address = "0x970e8128ab834e8eac17ab8e3812f010678cf791"
    const edges = [0x7fn, 0x80n, 0xffn, 0x100n, MAX_NONCE]
    const powers = Array.from({ length: 64 }, (_, bit) => 2n ** BigInt(bit))
    for (const nonce of [0n, ...edges, ...powers]) {
      expect(await create(creator, nonce)).toBe(getContractAddress({ from: creator, nonce }))
    }
  })

  it("derives CREATE's address of any creator", async () => {
    await fc.assert(
      fc.asyncProperty(
        someBytes(20),
        fc.bigInt({ min: 0n, max: MAX_NONCE }),
        async (creator, nonce) => {
          expect(await create(creator, nonce)).toBe(getContractAddress({ from: creator, nonce }))
        }
      )
    )
  })

  it("derives CREATE2's address", async () => {
    await fc.assert(
      fc.asyncProperty(
        someBytes(20),
        someBytes(32),
        someBytes(32),
        async (from, salt, bytecodeHash) => {
          const expected = getCreate2Address({ from, salt, bytecodeHash })
          expect(await create2(from, salt, bytecodeHash)).toBe(expected)
        }
      )
    )
  })
})
