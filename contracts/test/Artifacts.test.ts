import * as artifacts from "@ovm/contracts"
import { describe, expect, it } from "vitest"

/** EIP-170 and EIP-3860: what L1 accepts as a contract and as its creation code, in bytes. */
const MAX_CODE_SIZE = 24_576
const MAX_INITCODE_SIZE = 49_152

describe("artifacts", () => {
  const deployable = Object.entries(artifacts).filter(([, { deployedSize }]) => deployedSize > 0)

  it.each(deployable)("%s fits EIP-170 and EIP-3860", (_, { bytecode, deployedSize }) => {
    expect(deployedSize).toBeLessThanOrEqual(MAX_CODE_SIZE)
    expect((bytecode.length - 2) / 2).toBeLessThanOrEqual(MAX_INITCODE_SIZE)
  })

  it("hold nothing but hex: no library was left unlinked", () => {
    for (const { bytecode, deployedBytecode } of Object.values(artifacts)) {
      expect(bytecode).toMatch(/^0x([0-9a-f]{2})*$/)
      expect(deployedBytecode).toMatch(/^0x([0-9a-f]{2})*$/)
    }
  })

  it("say where the immutables are: zeros that the constructor fills", () => {
    for (const { deployedBytecode, immutableReferences } of Object.values(artifacts)) {
      for (const { length, start } of immutableReferences) {
        const hole = deployedBytecode.slice(2 + 2 * start, 2 + 2 * (start + length))
        expect(hole).toBe("00".repeat(32))
      }
    }
  })
})
