/** Programs that would notice: each gives in the OVM what it gives in the plain EVM. */
import { expect, layer } from "@effect/vitest"
import { HISTORY_SERVE_WINDOW, HISTORY_STORAGE } from "@ovm/protocol/Predeploys"
import type { Address } from "@ovm/protocol/Primitives"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import { concatBytes, hexToBytes, keccak256, numberToBytes } from "viem"
import { layerReference } from "../src/ReferenceExecutionManager.ts"
import { asm, memory } from "./support/Assemble.ts"
import { runPlain } from "./support/PlainEvm.ts"
import {
  addressOf,
  type Allocation,
  balanceOf,
  CALLER,
  COINBASE,
  context,
  NOBODY,
  OTHER,
  runCode,
  SELF,
  storageOf,
  wordOf
} from "./support/World.ts"

const services = Layer.merge(layerReference(), layerMemory)

/** Adds the word on the stack to what the program will return; `RETURN_ALL` returns it. */
const TELL = "0xfff0 MLOAD MSTORE 0xfff0 MLOAD 32 ADD 0xfff0 MSTORE"
const START = "0x8000 0xfff0 MSTORE"
const RETURN_ALL = "0x8000 0xfff0 MLOAD SUB 0x8000 RETURN"
const telling = (...words: ReadonlyArray<string>) =>
  asm(`${START} ${words.map((word) => `${word} ${TELL}`).join(" ")} ${RETURN_ALL}`)

/** Answers its calldata if that is there, else reverts with 3 bytes; with a value it keeps silent. */
const ECHO = asm(
  `CALLVALUE @silent JUMPI CALLDATASIZE @echo JUMPI 0x123456 0 MSTORE 3 29 REVERT
   :echo CALLDATASIZE 0 0 CALLDATACOPY CALLDATASIZE 0 RETURN :silent STOP`
)
const STORER = asm("CALLDATASIZE 1 SSTORE CALLDATASIZE 2 TSTORE 0 0 REVERT")
const FAILURES = ["INVALID", "JUMP", "5 0 REVERT", "POP", "3 JUMP", "1 255 SHL MLOAD", "#0c"]
const FIRST_FAILURE = 0xc1
const STORER_AT = addressOf(0xb1)
const PLAIN_AT = addressOf(0xe0)
const accounts: Readonly<Record<Address, Allocation>> = {
  [OTHER]: { code: ECHO, balance: 5n },
  [STORER_AT]: { code: STORER },
  [PLAIN_AT]: { balance: 5n },
  ...Object.fromEntries(
    FAILURES.map((source, index) => [addressOf(FIRST_FAILURE + index), { code: asm(source) }])
  ),
  // Code full of bytes that must come back unchanged.
  [addressOf(0xb2)]: { code: Uint8Array.from({ length: 600 }, (_, index) => index % 256) }
}

/** Runs the code at `SELF` in both, and answers the OVM's outcome when they agree. */
const runBoth = Effect.fnUntraced(function* (code: Uint8Array, data = new Uint8Array(0)) {
  const self = { code, balance: 1_000n }
  const plain = yield* runPlain({ ...accounts, [SELF]: self }, { data, gas: 10_000_000n })
  const { logs, returnData, state, success } = yield* runCode(code, {
    accounts,
    data,
    gas: 100_000_000n
  })
  expect({ success, returnData, logs }).toEqual(plain)
  return { returnData, state, success }
})

const callEcho = (size: number, name = "STATICCALL") =>
  `0 0 ${size} 0 ${name.startsWith("CALL") ? "0" : ""} ${OTHER} GAS ${name}`

const HALTING = "reading beyond the return data halts"

layer(services)("as in the EVM", (it) => {
  const programs: Readonly<Record<string, Uint8Array>> = {
    "the return-data buffer outlives operations that call nobody": telling(
      "RETURNDATASIZE",
      callEcho(40),
      "0 SLOAD",
      "RETURNDATASIZE",
      "TIMESTAMP POP 40 0 96 RETURNDATACOPY 96 MLOAD",
      "128 0 0 CODECOPY ADDRESS BALANCE POP 1 5 TSTORE 7 0 0 LOG1 RETURNDATASIZE",
      callEcho(0),
      "0 SLOAD POP RETURNDATASIZE",
      "RETURNDATASIZE 0 0 RETURNDATACOPY 0 MLOAD"
    ),
    "each call replaces the return data, also one that runs no code": telling(
      callEcho(40),
      `0 0 0 0 0 ${PLAIN_AT} GAS CALL`,
      "RETURNDATASIZE",
      callEcho(40),
      `0 0 0 0 1000000 ${PLAIN_AT} GAS CALL`,
      "RETURNDATASIZE",
      callEcho(40),
      "0 0 0 CREATE POP RETURNDATASIZE",
      callEcho(40),
      `${memory(asm("5 0 REVERT"))} 4 0 0 CREATE`,
      "0 SLOAD POP RETURNDATASIZE",
      callEcho(40),
      "0 0 99999999 CREATE",
      "RETURNDATASIZE"
    ),
    [HALTING]: asm(`${callEcho(40)} POP 0 SLOAD POP 41 0 0 RETURNDATACOPY`),
    // The sizes wait on the stack: telling them takes memory.
    "an operation leaves the size of memory alone": asm(
      `MSIZE 0 SLOAD POP 1 0 SSTORE 1 0 TSTORE 0 TLOAD POP ADDRESS BALANCE POP 0 0 LOG0 MSIZE
       ${callEcho(0)} POP RETURNDATASIZE POP MSIZE
       0 0xffffff 0 CODECOPY 0 0 0xffffff ADDRESS EXTCODECOPY MSIZE
       0 0 0 CREATE POP MSIZE 40 0 0 0 ${OTHER} GAS STATICCALL POP MSIZE 1 0 0x1000 CODECOPY MSIZE
       ${[0, 1, 2, 3, 4, 5, 6].map((at) => `${32 * at} MSTORE`).join(" ")} 224 0 RETURN`
    ),
    "calldata is what was sent, wherever it is read": telling(
      "CALLDATASIZE",
      ...[
        "0",
        "1",
        "32",
        "99",
        "100",
        "0x7fffffffffffffff",
        "0 NOT",
        "95 NOT",
        "1 255 SHL"
      ].flatMap((offset) => [`${offset} CALLDATALOAD`, `${offset} 0 ADD CALLDATALOAD`]),
      ...["0", "1", "99", "0 NOT", "95 NOT", "2 64 EXP 1 SWAP1 SUB"].map(
        (offset) => `0 NOT 0 MSTORE 32 ${offset} 0 CALLDATACOPY 0 MLOAD`
      ),
      "0 NOT 0 MSTORE 0 5 0 CALLDATACOPY 0 MLOAD"
    ),
    "a contract sees its original code": telling(
      "CODESIZE",
      "PC",
      "32 0 0 CODECOPY 0 MLOAD",
      "32 CODESIZE 5 SWAP1 SUB 0 CODECOPY 0 MLOAD",
      "32 0 NOT 0 CODECOPY 0 MLOAD",
      "PC"
    ),
    "and others': size, hash and bytes": telling(
      ...[SELF, OTHER, addressOf(0xb2), PLAIN_AT, NOBODY, "1"].flatMap((account) => [
        `${account} EXTCODESIZE`,
        `${account} EXTCODEHASH`,
        `0 NOT 0 MSTORE 32 2 0 ${account} EXTCODECOPY 0 MLOAD`,
        `600 0 0 ${account} EXTCODECOPY 600 0 KECCAK256`
      ])
    ),
    "frames know who they are": telling(
      ...["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"].map((name) => callEcho(32, name)),
      "ADDRESS",
      "CALLER",
      "CALLVALUE",
      "SELFBALANCE"
    ),
    "a call that fails gives its value back": telling(
      // 3 wei with no gas to run on beyond the stipend, to code that needs more.
      `0 0 0 0 3 ${STORER_AT} 0 CALL`,
      `${STORER_AT} BALANCE`,
      "SELFBALANCE",
      `0 0 0 0 3 ${OTHER} 0 CALL`,
      "SELFBALANCE",
      "0 0 0 0 3 9 0 CALL",
      "SELFBALANCE",
      "9 BALANCE"
    ),
    "what a frame did is undone when it reverts": telling(
      `0 0 9 0 0 ${STORER_AT} GAS CALL`,
      `0 0 9 0 ${STORER_AT} GAS DELEGATECALL`,
      "1 SLOAD",
      "2 TLOAD"
    ),
    "a contract that catches everything gets everything": telling(
      ...FAILURES.flatMap((_, index) => [
        `0 0 0 0 0 ${addressOf(FIRST_FAILURE + index)} 30000 CALL`,
        "RETURNDATASIZE",
        `0 0 0 0 ${addressOf(FIRST_FAILURE + index)} 30000 DELEGATECALL`
      ])
    )
  }
  it.effect.each(Object.entries(programs))("%s", ([name, code]) =>
    Effect.gen(function* () {
      const data = Uint8Array.from({ length: 100 }, (_, index) => index + 1)
      const { returnData, success } = yield* runBoth(code, data)
      expect(success).toBe(name !== HALTING)
      expect(returnData.length).toBeGreaterThan(success ? 2 + 2 * 64 : 0)
    })
  )

  it.effect("a minimal proxy (EIP-1167) passes on results, reverts and context", () =>
    Effect.gen(function* () {
      const clone = (target: Address) =>
        hexToBytes(`0x363d3d373d3d3d363d73${target.slice(2)}5af43d82803e903d91602b57fd5bf3`)
      for (const data of [new Uint8Array(0), Uint8Array.of(1, 2, 3)]) {
        yield* runBoth(clone(OTHER), data)
      }
      const counter = addressOf(0xb3)
      const code = asm("0 SLOAD 1 ADD 0 SSTORE CALLER 0 MSTORE 32 0 RETURN")
      const { returnData, state } = yield* runCode(clone(counter), {
        accounts: { [counter]: { code } }
      })
      expect(returnData).toBe(wordOf(BigInt(CALLER)))
      expect(yield* storageOf(state, SELF, 0)).toBe(wordOf(1))
      expect(yield* storageOf(state, counter, 0)).toBe(wordOf(0))
    })
  )

  it.effect("transient storage lasts as long as the transaction, and is each account's own", () =>
    Effect.gen(function* () {
      const peek = "0 TLOAD 0 MSTORE 32 0 RETURN"
      const other = asm(`CALLDATASIZE @peek JUMPI 5 0 TSTORE :peek ${peek}`)
      const code = telling(
        "7 0 TSTORE 0 TLOAD",
        `32 0 0 0 0 ${OTHER} GAS CALL POP 0 MLOAD`,
        `32 0 1 0 0 ${OTHER} GAS CALL POP 0 MLOAD`,
        `32 0 1 0 ${OTHER} GAS DELEGATECALL POP 0 MLOAD`,
        "0 TLOAD"
      )
      const { returnData } = yield* runCode(code, { accounts: { [OTHER]: { code: other } } })
      expect(returnData).toBe(`0x${[7, 5, 5, 7, 7].map((word) => wordOf(word).slice(2)).join("")}`)
    })
  )
})

layer(services)("a precompile answers as it does natively", (it) => {
  const signature = concatBytes([
    keccak256("0x01", "bytes"),
    numberToBytes(28, { size: 32 }),
    ...[
      "0x9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608",
      "0x4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada"
    ].map((word) => hexToBytes(word as `0x${string}`))
  ])
  const word = (value: bigint | number) => numberToBytes(value, { size: 32 })
  const generator = concatBytes([word(1), word(2)])
  const inputs: ReadonlyArray<readonly [number, Uint8Array]> = [
    [1, signature],
    [1, new Uint8Array(5)],
    [2, Uint8Array.of(1, 2, 3)],
    [3, Uint8Array.of(1, 2, 3)],
    [4, Uint8Array.from({ length: 77 }, (_, index) => index)],
    [5, concatBytes([word(1), word(1), word(2), Uint8Array.of(3, 5, 0, 7)])],
    [6, concatBytes([generator, generator])],
    [6, concatBytes([word(1), word(1)])],
    [7, concatBytes([generator, word(9)])],
    [8, new Uint8Array(0)],
    [9, new Uint8Array(213).fill(1, 3, 4)],
    [9, new Uint8Array(7)],
    [10, new Uint8Array(192)],
    [11, Uint8Array.of(1)]
  ]
  it.effect.each(inputs.map(([address, input], index) => [address, index, input] as const))(
    "0x%i (%i)",
    ([address, , input]) =>
      Effect.map(
        runBoth(
          telling(
            `CALLDATASIZE 0 0 CALLDATACOPY 0 0 CALLDATASIZE 0 ${address} 100000 STATICCALL`,
            "0 SLOAD POP RETURNDATASIZE",
            "0 0 MSTORE 0 32 MSTORE RETURNDATASIZE 0 0 RETURNDATACOPY 0 MLOAD",
            "32 MLOAD"
          ),
          input
        ),
        () => {}
      )
  )
})

layer(services)("the block", (it) => {
  it.effect("answers every opcode of its context", () =>
    Effect.gen(function* () {
      const code = telling(
        ...["ORIGIN", "GASPRICE", "COINBASE", "TIMESTAMP", "NUMBER", "PREVRANDAO", "GASLIMIT"],
        ...["CHAINID", "BASEFEE", "BLOBBASEFEE", "0 BLOBHASH"]
      )
      const { returnData } = yield* runCode(code, { gas: 1_000_000n })
      const expected = [
        BigInt(CALLER),
        9n,
        BigInt(COINBASE),
        context.timestamp,
        context.number,
        BigInt(context.prevRandao),
        context.gasLimit,
        context.chainId,
        context.baseFeePerGas,
        context.blobBaseFee,
        0n
      ]
      expect(returnData).toBe(`0x${expected.map((word) => wordOf(word).slice(2)).join("")}`)
    })
  )

  it.effect("knows the hashes of the last 256 blocks, out of the history contract", () =>
    Effect.gen(function* () {
      const number = 20_000n
      const hashOf = (block: bigint) => wordOf(1_000_000n + block)
      const blocks = [number - 300n, number - 257n, number - 256n, number - 1n, number, number + 1n]
      const slots = blocks.map((block) => [wordOf(block % HISTORY_SERVE_WINDOW), hashOf(block)])
      const { returnData } = yield* runCode(
        telling(...blocks.map((block) => `${block} BLOCKHASH`), "0 NOT BLOCKHASH"),
        {
          context: { ...context, number },
          accounts: { [HISTORY_STORAGE]: { nonce: 1n, storage: Object.fromEntries(slots) } }
        }
      )
      const known = [number - 256n, number - 1n]
      const expected = [...blocks, -1n].map((block) =>
        known.includes(block) ? hashOf(block) : wordOf(0)
      )
      expect(returnData).toBe(`0x${expected.map((word) => word.slice(2)).join("")}`)
    })
  )

  it.effect("has no balance that moves when nothing is paid", () =>
    Effect.gen(function* () {
      const { state } = yield* runCode(asm(`0 0 0 0 0 ${OTHER} GAS CALL`), { accounts })
      expect(yield* balanceOf(state, SELF)).toBe(1_000n)
      expect(yield* balanceOf(state, OTHER)).toBe(5n)
    })
  )
})
