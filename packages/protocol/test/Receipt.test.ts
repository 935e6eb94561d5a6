import { assert, describe, it } from "@effect/vitest"
import { encodeReceipt } from "@ethereumjs/vm"
import { Either } from "effect"
import * as fc from "fast-check"
import { hexToBytes } from "viem"
import * as Receipt from "../src/Receipt.ts"
import * as Rlp from "../src/Rlp.ts"
import { logs } from "./arbitraries.ts"

const receipt = fc
  .record({
    type: fc.constantFrom<Receipt.TransactionType>(0, 1, 2, 0x7e),
    success: fc.boolean(),
    cumulativeGasUsed: fc.bigInt({ min: 21_000n, max: 2n ** 60n }),
    logs
  })
  .map(Receipt.make)

const fault = (item: Rlp.RlpItem) =>
  Either.match(Receipt.decode(Rlp.encode(item)), {
    onLeft: (error) => error.message,
    onRight: () => "decoded"
  })

describe("Receipt", () => {
  it("encodes as Ethereum does and decodes its own encoding", () => {
    fc.assert(
      fc.property(receipt, (value) => {
        const bytes = Receipt.encode(value)
        const oracle = encodeReceipt(
          {
            status: value.status,
            cumulativeBlockGasUsed: value.cumulativeGasUsed,
            bitvector: hexToBytes(value.logsBloom),
            logs: value.logs.map((log) => [
              hexToBytes(log.address),
              log.topics.map((topic) => hexToBytes(topic)),
              hexToBytes(log.data)
            ])
          },
          value.type === 0x7e ? 1 : value.type
        )
        // Ethereum has no deposits: their envelope is that of any type (EIP-2718).
        assert.deepStrictEqual(bytes, value.type === 0x7e ? oracle.with(0, 0x7e) : oracle)
        assert.deepStrictEqual(Receipt.decode(bytes), Either.right(value))
      }),
      { numRuns: 60 }
    )
  })

  it("names the field that is wrong", () => {
    const one = Uint8Array.of(1)
    const bloom = new Uint8Array(256)
    assert.match(fault([one, one, bloom]), /receipt to be 4 fields, found 3 fields/)
    assert.match(fault([Uint8Array.of(2), one, bloom, []]), /status to be 0 or 1, found 0x02/)
    assert.match(fault([one, Uint8Array.of(0, 1), bloom, []]), /cumulativeGasUsed/)
    assert.match(fault([one, one, new Uint8Array(255), []]), /logsBloom to be 256 bytes/)
    assert.match(fault([one, one, bloom, [one]]), /log to be a list, found a byte string/)
    const topics: Rlp.RlpItem = [new Uint8Array(31)]
    const log: Rlp.RlpItem = [new Uint8Array(20), topics, one]
    assert.match(fault([one, one, bloom, [log]]), /topic to be 32 bytes, found 31 bytes/)
    assert.isTrue(Either.isLeft(Receipt.decode(new Uint8Array(0))))
  })
})
