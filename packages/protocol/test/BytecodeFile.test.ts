import { Either } from "effect"
import fc from "fast-check"
import { bytesToHex } from "viem"
import { describe, expect, it } from "vitest"
import { parse } from "../src/BytecodeFile.ts"

const code = (text: string, prefer: "creation" | "runtime" = "creation") =>
  Either.map(parse(text, { prefer }), ({ code, field }) => [bytesToHex(code), field])
const failure = (text: string) =>
  Either.getOrThrow(Either.flip(parse(text, { prefer: "creation" })))

describe("BytecodeFile", () => {
  it("reads plain hex, however it is wrapped", () => {
    for (const text of ["0x6001", "6001", " 0x60\n01\n", "0X6001"]) {
      expect(Either.getOrThrow(code(text))).toEqual(["0x6001", "hex"])
    }
    expect(Either.getOrThrow(code("0x"))).toEqual(["0x", "hex"])
  })

  it.each([
    [{ evm: { bytecode: { object: "6001" } }, bytecode: "ff" }, "evm.bytecode.object"],
    [{ bytecode: { object: "0x6001" } }, "bytecode.object"],
    [{ bytecode: "0x6001", deployedBytecode: "0x00" }, "bytecode"],
    [
      { bytecode: "0x", evm: { deployedBytecode: { object: "6001" } } },
      "evm.deployedBytecode.object"
    ]
  ])("finds the code in %j", (artifact, field) => {
    expect(Either.getOrThrow(code(JSON.stringify(artifact)))).toEqual(["0x6001", field])
  })

  it("prefers the kind it is asked for", () => {
    const artifact = JSON.stringify({ bytecode: "0x6001", deployedBytecode: "0x6002" })
    expect(Either.getOrThrow(code(artifact, "runtime"))).toEqual(["0x6002", "deployedBytecode"])
  })

  it("says what is wrong", () => {
    expect(failure("")).toMatchObject({ _tag: "UnknownBytecodeFormat", found: "nothing" })
    expect(failure("{")).toMatchObject({ _tag: "UnknownBytecodeFormat" })
    expect(failure('{"abi":[]}')).toMatchObject({ _tag: "BytecodeMissing" })
    expect(failure("0x60zz")).toMatchObject({ _tag: "BytecodeNotHex", offset: 2, found: '"z"' })
    expect(failure("0x600")).toMatchObject({ _tag: "BytecodeNotHex", offset: 2 })
    const unlinked = `{"bytecode":"0x73__$0123456789abcdef0123456789abcdef01$__30"}`
    const placeholder = "__$0123456789abcdef0123456789abcdef01$__"
    expect(failure(unlinked)).toMatchObject({ _tag: "BytecodeUnlinked", placeholder })
  })

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.string().map((text) => `{${text}`)
        ),
        (text) => {
          expect(Either.isEither(parse(text, { prefer: "runtime" }))).toBe(true)
        }
      )
    )
  })
})
