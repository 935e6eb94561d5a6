/** Writes the gas schedule's two faces, Solidity and TypeScript, from `schedule.json`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { Schema } from "effect"
import { toFunctionSelector } from "viem"

const Kind = Schema.Literal("word", "copy", "refresh", "log", "code", "call", "create")

const Source = Schema.Struct({
  version: Schema.Int,
  about: Schema.String,
  constants: Schema.Record({ key: Schema.String, value: Schema.Tuple(Schema.Int, Schema.String) }),
  operations: Schema.Array(
    Schema.Struct({
      opcode: Schema.String,
      signature: Schema.String,
      args: Schema.Int,
      kind: Kind,
      gas: Schema.Int
    })
  )
})

const root = new URL("../../../", import.meta.url)
const source = Schema.decodeUnknownSync(Source)(
  JSON.parse(readFileSync(new URL("packages/protocol/schedule.json", root), "utf8"))
)

const kinds = Kind.literals
const operations = source.operations.map((operation) => ({
  ...operation,
  opcode: Number(operation.opcode),
  selector: toFunctionSelector(operation.signature)
}))

/** Groups 8 opcodes to a 256-bit word, so that Solidity finds a 32-bit lane with one switch. */
const lanes = (lane: (operation: (typeof operations)[number]) => bigint): Map<number, bigint> => {
  const words = new Map<number, bigint>()
  for (const operation of operations) {
    const group = operation.opcode >> 3
    const shift = BigInt(224 - 32 * (operation.opcode & 7))
    words.set(group, (words.get(group) ?? 0n) | (lane(operation) << shift))
  }
  return words
}

const selectorWords = lanes((operation) => BigInt(operation.selector))
// 24 bits of gas, 4 bits of argument count, 4 bits of kind.
const profileWords = lanes(
  (operation) =>
    (BigInt(operation.gas) << 8n) |
    (BigInt(operation.args) << 4n) |
    BigInt(kinds.indexOf(operation.kind))
)

/** The groups that contracts use most stand first: each case that does not match costs 22 gas. */
const GROUPS_BY_FREQUENCY = [0x50, 0xf0, 0xf8, 0x38, 0x40, 0x30, 0x58, 0xa0]
const groupsInOrder = [...selectorWords.keys()].sort((a, b) => {
  const rank = (group: number): number => (GROUPS_BY_FREQUENCY.indexOf(group << 3) + 99) % 99
  return rank(a) - rank(b)
})

const solidityTable = `
    /// @dev The operation with this opcode: its function's selector, and its profile (24 bits of price, 4 bits of
    /// operand words, 4 bits of kind). Both zero when there is none.
    function lookup(uint256 opcode) internal pure returns (uint256 selector, uint256 profile) {
        assembly ("memory-safe") {
            switch shr(3, opcode)
${groupsInOrder
  .map(
    (group) => `            case ${group} {
                selector := 0x${(selectorWords.get(group) ?? 0n).toString(16)}
                profile := 0x${(profileWords.get(group) ?? 0n).toString(16)}
            }`
  )
  .join("\n")}
            let shift := sub(224, shl(5, and(opcode, 7)))
            selector := and(shr(shift, selector), 0xffffffff)
            profile := and(shr(shift, profile), 0xffffffff)
        }
    }
`

const solidity = `// SPDX-License-Identifier: MIT
// Generated from packages/protocol/schedule.json by \`pnpm gen\`. Do not edit.
pragma solidity 0.8.30;

/// @title GasSchedule
/// @notice The OVM gas schedule, version ${source.version}. Gas units.
library GasSchedule {
    uint256 internal constant VERSION = ${source.version};
${Object.entries(source.constants)
  .map(
    ([name, [value, about]]) =>
      `    /// @dev ${about}\n    uint256 internal constant ${name} = ${value};`
  )
  .join("\n")}
${kinds
  .map((kind, index) => `    uint256 internal constant KIND_${kind.toUpperCase()} = ${index};`)
  .join("\n")}
${solidityTable}}

/// @title Selectors
/// @notice Selectors of the operations, as the gate sends them.
library Selectors {
${operations
  .map(
    (operation) =>
      `    uint256 internal constant ${operation.signature.slice(0, operation.signature.indexOf("("))} = ${operation.selector};`
  )
  .join("\n")}
}
`

const typescript = `/**
 * The OVM gas schedule, version ${source.version}. Gas units.
 * Generated from schedule.json by \`pnpm gen\`. Do not edit.
 */
export const VERSION = ${source.version}
${Object.entries(source.constants)
  .map(([name, [value, about]]) => `/** ${about} */\nexport const ${name} = ${value}n`)
  .join("\n")}

export type OperationKind = ${kinds.map((kind) => `"${kind}"`).join(" | ")}

export interface Operation {
  readonly opcode: number
  readonly name: string
  readonly selector: \`0x\${string}\`
  /** Words that the stub hands over beside memory ranges. */
  readonly args: number
  readonly kind: OperationKind
  /** Price that does not depend on sizes. */
  readonly gas: bigint
}

export const operations: ReadonlyArray<Operation> = [
${operations
  .map(
    (operation) =>
      `  { opcode: ${operation.opcode}, name: "${operation.signature.slice(3, operation.signature.indexOf("("))}", selector: "${operation.selector}", args: ${operation.args}, kind: "${operation.kind}", gas: ${operation.gas}n }`
  )
  .join(",\n")}
]
`

const write = (path: string, text: string): void => {
  const url = new URL(path, root)
  mkdirSync(new URL("./", url), { recursive: true })
  writeFileSync(url, text)
}

write("contracts/src/generated/GasSchedule.sol", solidity)
write("packages/protocol/src/generated/GasSchedule.ts", typescript)
