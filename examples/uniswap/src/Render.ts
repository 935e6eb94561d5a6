/** How the story looks in a terminal: headings, checks, and the call tree of a trade. */
import { styleText } from "node:util"
import { Option } from "effect"
import { type Abi, decodeFunctionData, formatEther } from "viem"
import type { CallNode } from "@ovm/execution-manager/CallTree"
import type { Address, Hex } from "@ovm/protocol/Primitives"

export type Style = Parameters<typeof styleText>[0]

/** Colours text where people look at it, and leaves it plain in files and pipes. */
export type Paint = (style: Style, text: string) => string

export const paintFor = (colour: boolean): Paint =>
  colour ? (style, text) => styleText(style, text) : (_, text) => text

/** Who is who in the story. */
export interface Cast {
  readonly name: (address: Address) => string
  readonly abi: (address: Address) => Abi | undefined
}

export const makeCast = (
  members: ReadonlyArray<{
    readonly address: Address
    readonly name: string
    readonly abi?: Abi
  }>
): Cast => {
  const byAddress = new Map(members.map((member) => [member.address, member]))
  return {
    name: (address) => byAddress.get(address)?.name ?? short(address),
    abi: (address) => byAddress.get(address)?.abi
  }
}

export const short = (hex: Hex): string => `${hex.slice(0, 8)}…${hex.slice(-4)}`

const argumentText = (cast: Cast, value: unknown): string => {
  if (typeof value === "bigint") return value > 10n ** 12n ? formatEther(value) : value.toString()
  if (Array.isArray(value)) return `[${value.map((item) => argumentText(cast, item)).join(", ")}]`
  if (typeof value === "string" && /^0x[0-9a-fA-F]{40}$/.test(value)) {
    return cast.name(`0x${value.slice(2).toLowerCase()}`)
  }
  return typeof value === "string" && value.startsWith("0x") && value.length > 20
    ? `${value.slice(0, 10)}…`
    : String(value)
}

/** `BAT.transfer(User, 493.58)`, if the callee is known, else as much as can be told. */
const callText = (cast: Cast, node: CallNode): string => {
  const target = node.codeAddress ?? node.address
  const name = target === undefined ? "new contract" : cast.name(target)
  if (node.input === "0x" || target === undefined) return name
  const abi = cast.abi(target)
  const decoded =
    abi === undefined
      ? Option.none()
      : Option.liftThrowable(decodeFunctionData)({ abi, data: node.input })
  if (Option.isNone(decoded)) return `${name}.${node.input.slice(0, 10)}(…)`
  const args = (decoded.value.args ?? []).map((value) => argumentText(cast, value)).join(", ")
  return `${name}.${decoded.value.functionName}(${args})`
}

/** Every frame with its CALLER and ADDRESS, as the contract in it sees them. */
export const callTree = (options: {
  readonly root: CallNode
  readonly cast: Cast
  readonly paint: Paint
}): ReadonlyArray<string> => {
  const { cast, paint } = options
  const lines: Array<string> = []
  const visit = (node: CallNode, indent: string, branch: string, below: string): void => {
    const failed = node.end?.success === false ? paint("red", " ✗") : ""
    const value = node.value > 0n ? paint("yellow", ` ⟨${formatEther(node.value)} ETH⟩`) : ""
    lines.push(
      `${indent}${branch}${paint("dim", `ovm${node.type}`)} ${paint("bold", callText(cast, node))}${value}${failed}`
    )
    const address = node.address ?? node.end?.created
    const self = address === undefined ? "?" : cast.name(address)
    const rest = node.calls.length > 0 ? "│" : " "
    lines.push(
      paint(
        "dim",
        `${indent}${below}${rest}    CALLER ${cast.name(node.caller)} · ADDRESS ${self}`
      ) + paint("dim", ` · ${node.operations.length} operations · ${node.end?.gasUsed ?? 0n} gas`)
    )
    node.calls.forEach((child, index) => {
      const last = index === node.calls.length - 1
      visit(child, indent + below, last ? "└─ " : "├─ ", last ? "   " : "│  ")
    })
  }
  visit(options.root, "    ", "", "")
  return lines
}
