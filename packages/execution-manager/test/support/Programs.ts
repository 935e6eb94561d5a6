/** Programs that ask for every operation, in every state that might show in what it costs. */
import { bytesToHex } from "viem"
import { asm, deploying, memory } from "./Assemble.ts"
import type { Address } from "@ovm/protocol/Primitives"
import { addressOf, type Allocation, NOBODY, OTHER, SELF, wordOf } from "./World.ts"

/** Around a word, and well beyond one. */
export const SIZES = [0, 1, 31, 32, 33, 1000]

/** Returns as many bytes as the first word of calldata says, or reverts with them if the second is set. */
export const RETURNER = asm(
  "32 CALLDATALOAD @revert JUMPI 0 CALLDATALOAD 0 RETURN :revert 0 CALLDATALOAD 0 REVERT"
)
/** A plain account that has something. */
export const PLAIN = addressOf(0xe0)

const CONTEXT_READS = [
  ...["ORIGIN", "GASPRICE", "COINBASE", "TIMESTAMP", "NUMBER", "PREVRANDAO", "GASLIMIT"],
  ...["CHAINID", "SELFBALANCE", "BASEFEE", "BLOBBASEFEE", "ADDRESS", "CALLER", "CALLVALUE"]
].map((name) => `${name} POP`)

const accountReads = ["BALANCE", "EXTCODESIZE", "EXTCODEHASH"].flatMap((name) =>
  [SELF, OTHER, PLAIN, NOBODY, "4"].map((account) => `${account} ${name} POP`)
)

const codeCopies = SIZES.flatMap((size) => [
  `${size} 0 0 CODECOPY`,
  `${size} 100000 0 CODECOPY`,
  ...[OTHER, NOBODY].map((account) => `${size} 1 0 ${account} EXTCODECOPY`)
])

/** Calls `OTHER` with `inSize` bytes, the first two words of which are a size and whether to revert. */
const callReturner = (name: string, inSize: number, outSize: number, reverts = 0): string => {
  const value = name === "CALL" || name === "CALLCODE" ? "0" : ""
  return `${outSize} 0 MSTORE ${reverts} 32 MSTORE ${outSize} 64 ${inSize} 0 ${value} ${OTHER} GAS ${name} POP`
}

const returnDataReads = SIZES.flatMap((size) => [
  callReturner("STATICCALL", 64, size),
  // The SLOAD empties the native buffer.
  "0 SLOAD POP RETURNDATASIZE POP RETURNDATASIZE POP"
])

/** What a static frame may do as well. */
export const READS: string = [
  "RETURNDATASIZE POP",
  ...CONTEXT_READS,
  ...accountReads,
  "299 BLOCKHASH POP 44 BLOCKHASH POP 43 BLOCKHASH POP 300 BLOCKHASH POP 0 BLOBHASH POP",
  "0 SLOAD POP 1 SLOAD POP 0 TLOAD POP 1 TLOAD POP",
  ...codeCopies,
  ...returnDataReads,
  ...["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"].flatMap((name) =>
    SIZES.map((size, index) => callReturner(name, SIZES.at(-1 - index) ?? 0, size, index % 2))
  ),
  // Precompiles, plain accounts and nobody.
  ...[4, 2, 3].map((precompile) => `0 0 100 0 ${precompile} GAS STATICCALL POP`),
  `0 0 0 0 0 ${PLAIN} GAS CALL POP 0 0 0 0 ${NOBODY} GAS DELEGATECALL POP`,
  `0 0 0 0 0 ${OTHER} 100 CALL POP 0 0 0 0 0 ${OTHER} 0 CALL POP`
].join(" ")

const LOGS = SIZES.flatMap((size) => [
  `${size} 0 LOG0`,
  `1 ${size} 0 LOG1`,
  `2 1 ${size} 0 LOG2`,
  `3 2 1 ${size} 0 LOG3`,
  `4 3 2 1 ${size} 0 LOG4`
])

const valueCalls = ["CALL", "CALLCODE"].flatMap((name) =>
  [PLAIN, OTHER, NOBODY, SELF, "4"].flatMap((to) => [
    `0 0 0 0 1 ${to} 0 ${name} POP`,
    `0 0 0 0 1 ${to} GAS ${name} POP`,
    // More than it has.
    `0 0 0 0 100000 ${to} GAS ${name} POP`
  ])
)

const creations = (initCode: Uint8Array, value = 0): string => {
  const { length } = initCode
  // A salt that nothing else uses: a second run in the same world meets the first one's contracts.
  return `${memory(initCode)} ${length} 0 ${value} CREATE POP GAS ${length} 0 ${value} CREATE2 POP`
}

/** Initcode that reverts with `size` bytes. */
const reverting = (size: number) => asm(`${size} 0 REVERT`)

const STORES =
  "5 7 SSTORE 6 7 SSTORE 6 7 SSTORE 0 7 SSTORE 0 7 SSTORE 0 8 SSTORE 9 0 SSTORE 1 5 TSTORE 0 5 TSTORE"

/** Changes that an ordinary frame may make. */
export const WRITES: string = [
  STORES,
  ...LOGS,
  ...valueCalls,
  ...SIZES.map((size) => creations(deploying(new Uint8Array(size)))),
  ...SIZES.map((size) => creations(reverting(size))),
  creations(asm("STOP"), 1),
  creations(asm("STOP"), 1_000_000)
].join(" ")

/** Each uses up the gas it forwards: an init frame that halts, one that meets an account, a failing precompile. */
export const WASTES: ReadonlyArray<string> = [
  `${memory(asm("INVALID"))} 1 0 0 CREATE POP`,
  "1 0 0 0 CREATE2 POP 1 0 0 0 CREATE2 POP",
  "0 0 0 0 9 GAS STATICCALL POP"
]

/** Runs `body` in an init frame that deposits nothing. */
export const inInitFrame = (body: string): string => {
  const initCode = asm(`${body} 0 0 RETURN`)
  return `${memory(initCode)} ${initCode.length} 0 0 CREATE POP`
}

/** Runs what stands at an address in a frame of the given kind. */
export const inFrame = (name: string, address: string): string => {
  const value = name === "CALL" || name === "CALLCODE" ? "0" : ""
  return `0 0 0 0 ${value} ${address} GAS ${name} POP`
}

/** A contract that lives and dies in one transaction, paying `beneficiary`. */
export const dying = (beneficiary: string): string => {
  const initCode = asm(`${beneficiary} SELFDESTRUCT`)
  return `${bytesToHex(initCode)} 0 MSTORE ${initCode.length} ${32 - initCode.length} 1 CREATE POP`
}

/** What goes through the gate in one piece, in each way there is. */
export const largePayloads = (...sizes: ReadonlyArray<number>): string =>
  sizes
    .flatMap((size) => [
      `${size} 0 0 CODECOPY ${size} 0 0 ${OTHER} EXTCODECOPY ${size} 0 LOG0 4 3 2 1 ${size} 0 LOG4`,
      // There and back.
      `${size} 0 MSTORE 0 32 MSTORE ${size} 0 ${size} 0 ${OTHER} GAS STATICCALL POP`,
      `${size} 0 ${size} 0 0 4 GAS CALL POP 0 SLOAD POP RETURNDATASIZE POP`
    ])
    .join(" ")

/** The largest code that is allowed, out of the largest initcode. */
export const LARGEST_CREATION = `${memory(asm("24576 0 RETURN"))} 49152 0 0 CREATE POP`

/** Does nothing when it is paid: so that a program may pay itself. */
export const guarded = (source: string): Uint8Array =>
  asm(`CALLVALUE @end JUMPI ${source} STOP :end`)

const READER = addressOf(0xa1)
const WRITER = addressOf(0xa2)
/** Writes, then undoes all of it. */
const REVERTER = addressOf(0xa3)
export const DESTROYER = addressOf(0xa4)
/** The first of several addresses. */
const WASTER = 0xb0
const slots = { [wordOf(0)]: wordOf(77n) }

/** The world in which `FRAMES` run, each at `SELF`. */
export const CONTRACTS: Readonly<Record<Address, Allocation>> = {
  [SELF]: { balance: 10n ** 18n, storage: slots },
  [OTHER]: { code: RETURNER, balance: 5n },
  [PLAIN]: { balance: 5n },
  [READER]: { code: asm(READS), balance: 5n, storage: slots },
  [WRITER]: { code: asm(WRITES), balance: 10n ** 6n, storage: slots },
  [REVERTER]: { code: asm(`${READS} ${WRITES} 0 0 REVERT`), balance: 10n ** 6n },
  ...Object.fromEntries(
    WASTES.map((source, index) => [addressOf(WASTER + index), { code: asm(source) }])
  ),
  [DESTROYER]: { code: asm(`${NOBODY} SELFDESTRUCT`), balance: 5n }
}

/** Programs by the state in which they meet every operation. */
export const FRAMES: Readonly<Record<string, string>> = {
  "in the outermost frame": `${READS} ${WRITES}`,
  "again, when everything has been touched": `${READS} ${WRITES} ${READS} ${WRITES}`,
  "in called frames": `${inFrame("CALL", READER)} ${inFrame("CALL", WRITER)}`,
  "in static frames": inFrame("STATICCALL", READER),
  "in frames that keep the caller's context": `${inFrame("DELEGATECALL", WRITER)} ${inFrame("CALLCODE", READER)}`,
  "after the same was done and undone": `${inFrame("CALL", REVERTER)} ${READS} ${WRITES}`,
  "after the same was undone in the same account": `${inFrame("DELEGATECALL", REVERTER)} ${WRITES}`,
  "when frames use up their gas": WASTES.map(
    (_, index) => `0 0 0 0 0 ${addressOf(WASTER + index)} 1000000 CALL POP`
  ).join(" "),
  "in init frames": `${inInitFrame(READS)} ${inInitFrame(WRITES)}`,
  "when contracts die": `${inFrame("CALL", DESTROYER)} ${dying(NOBODY)} ${dying(SELF)} ${dying("ADDRESS")}`
}
