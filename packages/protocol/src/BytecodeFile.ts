/**
 * Bytecode as people keep it in files: plain hex, or the JSON artifact of a compiler (solc, Hardhat, Foundry, Truffle, Vyper).
 */
import { Either, Schema } from "effect"
import { hexToBytes } from "viem"

/** Creation code makes the contract; runtime code is what stays at its address. */
export type CodeKind = "creation" | "runtime"

export interface BytecodeFile {
  readonly code: Uint8Array
  /** Where in the file the code stood: `hex` for plain hex, else the path of a JSON field. */
  readonly field: string
  /** Undefined for plain hex, which doesn't say. */
  readonly kind: CodeKind | undefined
}

/** The file holds neither hex nor JSON. Recover by giving a compiler's artifact or bare hex digits. */
export class UnknownBytecodeFormat extends Schema.TaggedError<UnknownBytecodeFormat>()(
  "UnknownBytecodeFormat",
  { found: Schema.String }
) {
  override get message() {
    return `Expected hex digits (with or without 0x) or a JSON artifact, found ${this.found}.`
  }
}

/** The JSON has no bytecode where compilers put it. Recover by giving the contract's own artifact. */
export class BytecodeMissing extends Schema.TaggedError<BytecodeMissing>()("BytecodeMissing", {
  looked: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Expected bytecode in one of the JSON fields ${this.looked.join(", ")}, found none.`
  }
}

/** A library's address is still to be filled in. Recover by linking, then giving the linked code. */
export class BytecodeUnlinked extends Schema.TaggedError<BytecodeUnlinked>()("BytecodeUnlinked", {
  field: Schema.String,
  placeholder: Schema.String
}) {
  override get message() {
    return `Expected linked bytecode in ${this.field}, found the placeholder ${this.placeholder}.`
  }
}

/** What should be hex isn't. Recover by looking at `offset`, counted in characters after any 0x. */
export class BytecodeNotHex extends Schema.TaggedError<BytecodeNotHex>()("BytecodeNotHex", {
  field: Schema.String,
  offset: Schema.NonNegativeInt,
  found: Schema.String
}) {
  override get message() {
    return `Expected pairs of hex digits in ${this.field}, found ${this.found} at character ${this.offset}.`
  }
}

export type BytecodeFileError =
  | UnknownBytecodeFormat
  | BytecodeMissing
  | BytecodeUnlinked
  | BytecodeNotHex

/** Fields by which compilers name the two kinds, the most specific first. */
const FIELDS: Record<CodeKind, ReadonlyArray<string>> = {
  creation: ["evm.bytecode.object", "bytecode.object", "bytecode"],
  runtime: ["evm.deployedBytecode.object", "deployedBytecode.object", "deployedBytecode"]
}

/** Reads the text of a file. Of a JSON artifact that has both kinds, gives the preferred one. */
export const parse = (
  text: string,
  options: { readonly prefer: CodeKind }
): Either.Either<BytecodeFile, BytecodeFileError> => {
  const trimmed = text.trim()
  if (trimmed.startsWith("{")) return parseArtifact(trimmed, options.prefer)
  const digits = trimmed.replace(/\s+/g, "")
  if (digits.length === 0) return Either.left(new UnknownBytecodeFormat({ found: "nothing" }))
  return Either.map(parseHex("hex", digits), (code) => ({ code, field: "hex", kind: undefined }))
}

const parseArtifact = (
  text: string,
  prefer: CodeKind
): Either.Either<BytecodeFile, BytecodeFileError> => {
  const json = Either.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => new UnknownBytecodeFormat({ found: `broken JSON (${cause})` })
  })
  if (Either.isLeft(json)) return Either.left(json.left)
  const kinds: ReadonlyArray<CodeKind> =
    prefer === "creation" ? ["creation", "runtime"] : ["runtime", "creation"]
  for (const kind of kinds) {
    for (const field of FIELDS[kind]) {
      const value = valueAt(json.right, field)
      // Interfaces and abstract contracts have an empty string here.
      if (typeof value !== "string" || value === "" || value === "0x") continue
      return Either.map(parseHex(field, value), (code) => ({ code, field, kind }))
    }
  }
  return Either.left(new BytecodeMissing({ looked: kinds.flatMap((kind) => FIELDS[kind]) }))
}

const valueAt = (json: unknown, field: string): unknown =>
  field
    .split(".")
    .reduce<unknown>(
      (value, key) =>
        typeof value === "object" && value !== null
          ? Object.getOwnPropertyDescriptor(value, key)?.value
          : undefined,
      json
    )

const parseHex = (
  field: string,
  text: string
): Either.Either<Uint8Array, BytecodeUnlinked | BytecodeNotHex> => {
  const digits = /^0x/i.test(text) ? text.slice(2) : text
  // solc writes 40 characters from `__` on in place of a library's address.
  const placeholder = /__.{0,38}/.exec(digits)?.[0]
  if (placeholder !== undefined) return Either.left(new BytecodeUnlinked({ field, placeholder }))
  const offset = digits.search(/[^0-9a-fA-F]/)
  if (offset >= 0) {
    const found = `${JSON.stringify(digits[offset])}`
    return Either.left(new BytecodeNotHex({ field, offset, found }))
  }
  if (digits.length % 2 === 1) {
    const found = "a single digit"
    return Either.left(new BytecodeNotHex({ field, offset: digits.length - 1, found }))
  }
  return Either.right(hexToBytes(`0x${digits}`))
}
