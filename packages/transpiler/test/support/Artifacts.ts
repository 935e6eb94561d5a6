/** Uniswap's own bytecode, as published on npm. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { type CodeKind, parse } from "@ovm/protocol/BytecodeFile"
import { Either } from "effect"

const require = createRequire(import.meta.url)

export type Package = "v2-core" | "v2-periphery"

export const artifactPath = (from: Package, name: string): string =>
  require.resolve(`@uniswap/${from}/build/${name}.json`)

export const bytecode = (from: Package, name: string, prefer: CodeKind): Uint8Array => {
  const text = readFileSync(artifactPath(from, name), "utf8")
  return Either.getOrThrow(parse(text, { prefer })).code
}
