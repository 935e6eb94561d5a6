/**
 * The stubs against the manager itself: programs in a plain EVM and, transpiled, in the OVM. Each
 * program ends by storing what a stub could have disturbed.
 */
import { layer } from "@effect/vitest"
import type { Address } from "@ovm/protocol/Primitives"
import { differencesOf, type OvmMachine } from "@ovm/testing/Equivalence"
import * as OvmRun from "@ovm/testing/OvmRun"
import { makePlainMachine, type PlainMachine } from "@ovm/testing/PlainRun"
import type { StateTestCase } from "@ovm/testing/StateTestFixture"
import { type AccountState, EMPTY_ACCOUNT, type WorldState, word } from "@ovm/testing/WorldState"
import { Effect } from "effect"
import { bytesToHex } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { describe, expect } from "vitest"
import { assemble, type Token } from "./support/Assemble.ts"

const KEY = `0x${"45".repeat(32)}` as const
const lower = (address: string): Address => `0x${address.slice(2).toLowerCase()}`
const SENDER = lower(privateKeyToAddress(KEY))
const COINBASE: Address = `0x${"c0".repeat(20)}`
const addressOf = (number: number): Address => `0x${number.toString(16).padStart(40, "0")}`

const [SUBJECT, ECHO, REVERTER, HALTER, WRITER, EOA] = [
  0xc0de00, 0xc0de01, 0xc0de02, 0xc0de03, 0xc0de04, 0xb1
]

const contract = (...tokens: ReadonlyArray<Token>): AccountState => ({
  nonce: 1n,
  balance: 1000n,
  code: bytesToHex(assemble(...tokens)),
  storage: new Map([[word(1n), word(0xabcdn)]])
})

const echo: ReadonlyArray<Token> = ["CALLDATASIZE", 0, 0, "CALLDATACOPY", "CALLDATASIZE", 0]
const WORLD: WorldState = new Map<Address, AccountState>([
  [SENDER, { ...EMPTY_ACCOUNT, balance: 10n ** 18n }],
  [addressOf(EOA), { ...EMPTY_ACCOUNT, balance: 77n }],
  [addressOf(ECHO), contract(...echo, "RETURN")],
  [addressOf(REVERTER), contract(...echo, "REVERT")],
  [addressOf(HALTER), contract("INVALID")],
  [addressOf(WRITER), contract("CALLER", "ADDRESS", "SSTORE", "CALLVALUE", 5, "SSTORE")]
])

/** Calls the program as a contract, or runs it as the init code of a creation. */
const caseOf = (code: Uint8Array, mode: "runtime" | "init"): StateTestCase => {
  const subject = { ...contract(), code: bytesToHex(code) }
  return {
    identity: { file: "Manager.test.ts", test: bytesToHex(code), index: 0 },
    fork: "Cancun",
    environment: {
      coinbase: COINBASE,
      number: 3n,
      timestamp: 1_700_000_000n,
      gasLimit: 30_000_000n,
      baseFeePerGas: 7n,
      prevRandao: word(0xfeedn),
      excessBlobGas: 0n,
      chainId: 1n
    },
    pre: mode === "init" ? WORLD : new Map(WORLD).set(addressOf(SUBJECT), subject),
    transaction: {
      type: 0,
      nonce: 0n,
      gasPrice: 10n,
      maxFeePerGas: 10n,
      maxPriorityFeePerGas: 10n,
      gasLimit: 8_000_000n,
      to: mode === "init" ? undefined : addressOf(SUBJECT),
      value: 3n,
      data: mode === "init" ? bytesToHex(code) : `0x${"0123456789abcdef".repeat(6)}`,
      accessList: [],
      secretKey: KEY,
      sender: SENDER,
      replayProtected: true,
      raw: undefined
    },
    expectation: undefined
  }
}

/** 96 bytes of memory, two items below, the operands, the operation. */
const setUp: ReadonlyArray<Token> = [
  ...[0, "NOT", 0, "MSTORE", 0x77, 32, "MSTORE", 0x6001_600c_6000_39n, 64, "MSTORE"],
  ...[0xa1, 0xa2]
]
/** Stores three stack items, MSIZE, RETURNDATASIZE, the return data's and the memory's hash. */
const tell: ReadonlyArray<Token> = [
  ...["MSIZE", 200, "SSTORE", "RETURNDATASIZE", 201, "SSTORE"],
  ...["MSIZE", 0, "KECCAK256", 202, "SSTORE"],
  ...["RETURNDATASIZE", 0, 0x400, "RETURNDATACOPY", 0x500, 0, "KECCAK256", 203, "SSTORE"],
  ...[204, "SSTORE", "DUP1", 205, "SSTORE", "DUP2", 206, "SSTORE"]
]

const IN = [40, 3] as const
const OUT = [50, 70] as const
const call = (name: string, to: number, value: ReadonlyArray<Token> = []): ReadonlyArray<Token> => [
  ...OUT,
  ...IN,
  ...value,
  to,
  100_000,
  name
]
const calls = [ECHO, REVERTER, HALTER, WRITER, EOA, 0, 4, 0x99].flatMap(
  (to): ReadonlyArray<readonly [string, ReadonlyArray<Token>]> => [
    [`CALL ${to.toString(16)}`, call("CALL", to, [0])],
    [`CALL ${to.toString(16)} with value`, call("CALL", to, [2])],
    [`CALLCODE ${to.toString(16)}`, call("CALLCODE", to, [1])],
    [`DELEGATECALL ${to.toString(16)}`, call("DELEGATECALL", to)],
    [`STATICCALL ${to.toString(16)}`, call("STATICCALL", to)]
  ]
)

const words =
  "ADDRESS CALLER CALLVALUE ORIGIN GASPRICE COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT CHAINID SELFBALANCE BASEFEE BLOBBASEFEE CALLDATASIZE CODESIZE RETURNDATASIZE"

const OPERATIONS: ReadonlyArray<readonly [string, ReadonlyArray<Token>]> = [
  ...words.split(" ").map((name) => [name, [name]] as const),
  ["BALANCE", [EOA, "BALANCE"]],
  ["EXTCODESIZE", [ECHO, "EXTCODESIZE"]],
  ["EXTCODEHASH", [ECHO, "EXTCODEHASH"]],
  ["BLOCKHASH", [2, "BLOCKHASH"]],
  ["BLOBHASH", [0, "BLOBHASH"]],
  ["SLOAD", [1, "SLOAD"]],
  ["SSTORE", [9, 8, "SSTORE", 0xb1]],
  ["TSTORE, TLOAD", [9, 8, "TSTORE", 8, "TLOAD"]],
  ["CODECOPY", [50, 5, 70, "CODECOPY", 0xb1]],
  ["CODECOPY past the end", [50, 0x1_0000_0000, 70, "CODECOPY", 0xb1]],
  ["EXTCODECOPY", [50, 2, 70, ECHO, "EXTCODECOPY", 0xb1]],
  ["CALLDATACOPY", [50, 5, 70, "CALLDATACOPY", 0xb1]],
  ["CALLDATALOAD", [5, "DUP1", "POP", "CALLDATALOAD"]],
  ["LOG0", [...IN, "LOG0", 0xb1]],
  ["LOG4", [4, 3, 2, 1, ...IN, "LOG4", 0xb1]],
  ["CREATE", [7, 89, 1, "CREATE"]],
  ["CREATE2", [0x5a17, 7, 89, 1, "CREATE2"]],
  ["CREATE that fails", [40, 0, 0, "CREATE"]],
  ["return data behind an SLOAD", [...call("CALL", ECHO, [0]), 1, "SLOAD", "ADD"]],
  [
    "return data behind a CODECOPY",
    [...call("CALL", REVERTER, [0]), 9, 9, 9, "CODECOPY", "RETURNDATASIZE", "ADD"]
  ],
  [
    "a call without output behind one with",
    [...call("CALL", ECHO, [0]), ...call("CALL", EOA, [0]), "ADD"]
  ],
  ...calls
]

const ENDINGS: ReadonlyArray<readonly [string, ReadonlyArray<Token>]> = [
  ["returns", [40, 3, "RETURN"]],
  ["reverts", [40, 3, "REVERT"]],
  ["stops", ["STOP"]],
  ["halts", ["INVALID"]],
  ["destroys itself", [EOA, "SELFDESTRUCT"]],
  ["returns nothing", [0, 0, "RETURN"]],
  ["returns code that EIP-3541 refuses", [0xef, 0, "MSTORE8", 1, 0, "RETURN"]],
  ["runs out of stack", ["POP", "POP", "POP", "POP", "SLOAD"]]
]

/** Behind a STOP: makes so many entries that sites need two bytes for them. */
const CROWD = assemble("STOP", ":x", ...OPERATIONS.map(([, tokens]) => tokens.at(-1) ?? "STOP"))

const expectSame = (code: Uint8Array, mode: "runtime" | "init") =>
  Effect.gen(function* () {
    const { ovm, plain } = yield* machines
    const stateTest = caseOf(code, mode)
    const expected = yield* plain.run(stateTest)
    const found = yield* ovm.run(stateTest)
    expect(differencesOf(stateTest, expected, found)).toEqual([])
    expect(expected._tag).toBe("Executed")
  })

const machines: Effect.Effect<
  { readonly plain: PlainMachine; readonly ovm: OvmMachine },
  never,
  Effect.Effect.Context<typeof OvmRun.make>
> = Effect.map(OvmRun.make, (ovm) => ({ plain: makePlainMachine(), ovm }))

describe.each(["runtime", "init"] as const)("%s code", (mode) => {
  layer(OvmRun.layer, { timeout: 60_000 })((it) => {
    for (const [name, operation] of OPERATIONS) {
      it.effect(`does ${name} as in the EVM, and disturbs nothing`, () =>
        expectSame(assemble(...setUp, ...operation, ...tell), mode)
      )
    }
    it.effect("does all of it in one contract with many stubs", () =>
      Effect.forEach(OPERATIONS, ([, operation]) =>
        expectSame(Uint8Array.from([...assemble(...setUp, ...operation, ...tell), ...CROWD]), mode)
      )
    )
    for (const [name, ending] of ENDINGS) {
      it.effect(`${name} as in the EVM`, () =>
        expectSame(assemble(...setUp, 7, 7, "SSTORE", ...ending), mode)
      )
    }
  })
})
