/** Proofs of @ethereumjs/mpt, and what becomes of them when they are tampered with. */
import { createMerkleProof, MerklePatriciaTrie } from "@ethereumjs/mpt"
import { bytesToHex, concatBytes, hexToBytes } from "@ethereumjs/util"
import { MerklePatriciaHarness } from "@ovm/contracts"
import { type Address, type Hash32, type Hex, ZERO_HASH } from "@ovm/protocol/Primitives"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import { Effect } from "effect"
import * as fc from "fast-check"
import {
  decodeErrorResult,
  decodeFunctionResult,
  encodeFunctionData,
  keccak256,
  numberToHex,
  toRlp
} from "viem"
import { beforeAll, describe, expect, it } from "vitest"
import { makeTestEvm, type TestEvm } from "./support/TestEvm.ts"

const { abi, bytecode } = MerklePatriciaHarness
const EMPTY_ROOT: Hash32 = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"

let evm: TestEvm
let harness: Address

beforeAll(async () => {
  evm = await makeTestEvm()
  harness = await evm.deploy(bytecode)
})

type Answer =
  | { readonly exists: boolean; readonly value: Hex; readonly gasUsed: bigint }
  | { readonly error: string; readonly args: ReadonlyArray<unknown> }

const errorOf = (returnData: Hex): Answer => {
  const { args = [], errorName } = decodeErrorResult({ abi, data: returnData })
  return { error: errorName, args }
}

const read = async (root: Hex, key: Hex, proof: ReadonlyArray<Hex>): Promise<Answer> => {
  const data = encodeFunctionData({ abi, functionName: "read", args: [root, key, proof] })
  const { returnData, success } = await evm.call({ to: harness, data })
  if (!success) return errorOf(returnData)
  const [exists, value, gasUsed] = decodeFunctionResult({
    abi,
    functionName: "read",
    data: returnData
  })
  return { exists, value, gasUsed }
}

/** A trie with keys as they are: the tests hash them, or wish for neighbours. */
const trieOf = async (entries: ReadonlyArray<readonly [Hex, Hex]>) => {
  const trie = new MerklePatriciaTrie()
  for (const [key, value] of entries) await trie.put(hexToBytes(key), hexToBytes(value))
  const prove = async (key: Hex) =>
    (await createMerkleProof(trie, hexToBytes(key))).map((node) => bytesToHex(node))
  return { root: bytesToHex(trie.root()), prove }
}

const hashed = (n: number): Hex => keccak256(numberToHex(n, { size: 32 }))
/** Keys that share all but their last byte: their nodes are embedded in one another. */
const neighbour = (n: number): Hex =>
  bytesToHex(concatBytes(new Uint8Array(31).fill(0xab), Uint8Array.of(n)))

const keys = fc.oneof(
  fc.integer({ min: 0, max: 400 }).map(hashed),
  fc.integer({ min: 0, max: 255 }).map(neighbour),
  // Long common parts, and a difference anywhere.
  fc
    .tuple(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 1, max: 255 }))
    .map(
      ([at, byte]): Hex =>
        bytesToHex(new Uint8Array(32).fill(0xab).map((b, i) => (i === at ? byte : b)))
    )
)
const values = fc.uint8Array({ minLength: 1, maxLength: 80 }).map((bytes): Hex => bytesToHex(bytes))
const tries = fc.uniqueArray(fc.tuple(keys, values), {
  selector: ([key]) => key,
  minLength: 0,
  maxLength: 40
})

const answerOf = (entries: ReadonlyArray<readonly [Hex, Hex]>, key: Hex) => {
  const value = entries.find(([existing]) => existing === key)?.[1]
  return { exists: value !== undefined, value: value ?? "0x" }
}

describe("a proof", () => {
  it("shows what stands under a key, or that nothing does, whatever the trie's form", async () => {
    await fc.assert(
      fc.asyncProperty(
        tries,
        fc.array(keys, { minLength: 1, maxLength: 6 }),
        async (entries, others) => {
          const { prove, root } = await trieOf(entries)
          for (const key of [...entries.slice(0, 8).map(([known]) => known), ...others]) {
            const proof = await prove(key)
            expect(await read(root, key, proof)).toMatchObject(answerOf(entries, key))
            // As geth gives it: embedded nodes are not listed again.
            const short = proof.filter((node, i) => i === 0 || node.length >= 66)
            expect(await read(root, key, short)).toMatchObject(answerOf(entries, key))
          }
        }
      ),
      { numRuns: 60 }
    )
  })

  it("never shows anything else when it is tampered with", async () => {
    const tampering = fc.record({
      kind: fc.constantFrom("bit", "drop", "repeat", "swap", "cut", "grow", "foreign"),
      node: fc.nat(),
      at: fc.nat(),
      bit: fc.integer({ min: 0, max: 7 })
    })
    let refused = 0
    await fc.assert(
      fc.asyncProperty(tries, tries, keys, tampering, async (entries, strangers, key, how) => {
        const { prove, root } = await trieOf(entries)
        const foreign = await trieOf(strangers)
        for (const wanted of [key, ...entries.slice(0, 3).map(([known]) => known)]) {
          const proof = tamper(await prove(wanted), how, await foreign.prove(wanted))
          const answer = await read(root, wanted, proof)
          if ("error" in answer) refused++
          else expect(answer).toMatchObject(answerOf(entries, wanted))
        }
      }),
      { numRuns: 150 }
    )
    expect(refused).toBeGreaterThan(100)
  })

  it("of one key shows nothing of another", async () => {
    const entries = Array.from({ length: 60 }, (_, n) => [hashed(n), numberToHex(n + 1)] as const)
    const { prove, root } = await trieOf(entries)
    for (let n = 0; n < 20; n++) {
      const answer = await read(root, hashed(n), await prove(hashed(n + 20)))
      // The shared nodes end before the key's own, unless the other's leaf happens to exclude it: then it isn't there.
      expect(answer).toHaveProperty("error")
    }
  })

  it("of an account trie and a storage trie gives the fields, also those of nothing", async () => {
    await Effect.gen(function* () {
      const states = yield* StateManager
      const state = yield* states.open(states.emptyRoot)
      const account = (n: number): Address => numberToHex(n, { size: 20 })
      const slot = (n: number): Hash32 => numberToHex(n, { size: 32 })
      const root = yield* Effect.promise(async () => {
        for (let n = 1; n <= 40; n++) {
          await state.setAccount(account(n), { nonce: BigInt(n), balance: 2n ** BigInt(3 * n) })
        }
        await state.setCode(account(7), Uint8Array.of(0x60))
        for (let n = 1; n <= 30; n++) {
          await state.setStorage(
            account(7),
            slot(n),
            numberToHex(1n << BigInt(8 * n), { size: 32 })
          )
        }
        state.endTransaction()
        return await state.flush()
      })
      for (const n of [1, 7, 40, 41, 999]) {
        const proof = yield* states.prove({
          root,
          address: account(n),
          slots: [slot(1), slot(30), slot(31)]
        })
        const data = encodeFunctionData({
          abi,
          functionName: "readAccount",
          args: [root, account(n), proof.accountProof]
        })
        const { returnData } = yield* Effect.promise(() => evm.call({ to: harness, data }))
        const found = decodeFunctionResult({ abi, functionName: "readAccount", data: returnData })
        const exists = n <= 40
        expect(found).toEqual({
          exists,
          nonce: proof.nonce,
          balance: proof.balance,
          storageRoot: exists ? proof.storageHash : ZERO_HASH,
          codeHash: exists ? proof.codeHash : ZERO_HASH
        })
        for (const { key, proof: nodes, value } of proof.storageProof) {
          const call = encodeFunctionData({
            abi,
            functionName: "readSlot",
            args: [proof.storageHash, key, nodes]
          })
          const answer = yield* Effect.promise(() => evm.call({ to: harness, data: call }))
          expect(answer.returnData).toBe(numberToHex(value, { size: 32 }))
        }
      }
    }).pipe(Effect.provide(layerMemory), Effect.runPromise)
  })

  it("costs less than 5,000 gas a level", async () => {
    const entries = Array.from({ length: 3_000 }, (_, n) => [hashed(n), hashed(n)] as const)
    const { prove, root } = await trieOf(entries)
    const proof = await prove(hashed(5))
    const answer = await read(root, hashed(5), proof)
    if ("error" in answer) throw new Error(answer.error)
    expect(proof.length).toBeGreaterThanOrEqual(4)
    expect(answer.gasUsed).toBeLessThan(5_000n * BigInt(proof.length))
  })
})

describe("a proof is refused, with the reason", () => {
  const entries = Array.from({ length: 50 }, (_, n) => [hashed(n), numberToHex(n + 1)] as const)

  it("if it ends too early, goes on, or begins elsewhere", async () => {
    const { prove, root } = await trieOf(entries)
    const proof = await prove(hashed(3))
    const last = proof.at(-1) ?? "0x"
    expect(await read(root, hashed(3), proof.slice(0, -1))).toEqual({
      error: "ProofTooShort",
      args: [keccak256(last)]
    })
    expect(await read(root, hashed(3), [])).toEqual({ error: "ProofTooShort", args: [root] })
    expect(await read(root, hashed(3), [...proof, "0xc0"])).toEqual({
      error: "ProofTooLong",
      args: [BigInt(proof.length), BigInt(proof.length + 1)]
    })
    expect(await read(ZERO_HASH, hashed(3), proof)).toEqual({
      error: "WrongNode",
      args: [0n, ZERO_HASH, root]
    })
  })

  it("if an empty trie is said to have nodes", async () => {
    expect(await read(EMPTY_ROOT, hashed(1), [])).toMatchObject({ exists: false })
    expect(await read(EMPTY_ROOT, hashed(1), ["0x80"])).toMatchObject({ exists: false })
    expect(await read(EMPTY_ROOT, hashed(1), ["0xc0"])).toMatchObject({ error: "ProofTooLong" })
  })

  const KEY = hashed(1)
  const path = (prefix: string, from = 0): Hex => `0x${prefix}${KEY.slice(2 + from)}`
  const forms: ReadonlyArray<readonly [string, Hex, string]> = [
    ["a byte string", "0x83010203", "MalformedNode"],
    ["a list of three", toRlp(["0x01", "0x02", "0x03"]), "MalformedNode"],
    ["an empty list", "0xc0", "MalformedNode"],
    ["a leaf whose path is too short", toRlp(["0x20", "0x01"]), "MalformedNode"],
    ["a leaf without a value", toRlp([path("20"), "0x"]), "MalformedNode"],
    ["a leaf whose value is a list", toRlp([path("20"), ["0x01"]]), "MalformedNode"],
    ["a path with an unknown flag", toRlp([path("40"), "0x01"]), "MalformedNode"],
    ["an even path with an odd nibble", toRlp([path("21"), "0x01"]), "MalformedNode"],
    ["a path that is too long", toRlp([`${path("20")}00`, "0x01"]), "MalformedNode"],
    ["a path that is a list", toRlp([["0x20"], "0x01"]), "MalformedNode"],
    ["an extension by nothing", toRlp(["0x00", hashed(9)]), "MalformedNode"],
    ["an extension by the whole key", toRlp([path("00"), hashed(9)]), "MalformedNode"],
    ["an extension to nothing", toRlp([`0x1${KEY[2] ?? ""}`, "0x"]), "MalformedNode"],
    ["an extension to a short hash", toRlp([`0x1${KEY[2] ?? ""}`, "0x010203"]), "MalformedNode"],
    [
      "an embedded node that is too long",
      toRlp([`0x1${KEY[2] ?? ""}`, [hashed(1)]]),
      "MalformedNode"
    ],
    ["a list longer than the node", "0xc3c0", "MalformedRlp"],
    ["bytes behind the list", "0xc0c0", "MalformedNode"],
    ["a length that is not canonical", "0xf800", "MalformedRlp"],
    ["a length beyond all memory", "0xffffffffffffffffff", "MalformedRlp"],
    ["a byte with a needless prefix", "0xc4812001c0", "MalformedRlp"],
    ["nothing", "0x", "MalformedRlp"]
  ]
  it.each(forms)("if a node is %s", async (_, node, error) => {
    expect(await read(keccak256(node), KEY, [node])).toMatchObject({ error })
  })

  it("if what it shows is no account, or no storage word", async () => {
    const account: Address = numberToHex(5, { size: 20 })
    const slot = numberToHex(5, { size: 32 })
    const accounts: ReadonlyArray<Hex> = [
      "0x01",
      "0xc0",
      toRlp(["0x", "0x", hashed(1)]),
      toRlp(["0x", "0x", hashed(1), "0x01"]),
      toRlp(["0x00", "0x", hashed(1), hashed(2)]),
      toRlp([`0x01${"00".repeat(32)}`, "0x", hashed(1), hashed(2)]),
      toRlp(["0x", "0x", hashed(1), hashed(2), "0x"])
    ]
    for (const value of accounts) {
      const { prove, root } = await trieOf([[keccak256(account), value]])
      const proof = await prove(keccak256(account))
      const data = encodeFunctionData({
        abi,
        functionName: "readAccount",
        args: [root, account, proof]
      })
      const { returnData, success } = await evm.call({ to: harness, data })
      expect(success).toBe(false)
      expect(errorOf(returnData)).toMatchObject({ error: expect.stringMatching(/^Malformed/) })
    }
    for (const value of [
      "0x80",
      "0xc0",
      "0x8100",
      "0x820001",
      "0x0101",
      `0xa1${"01".repeat(33)}`
    ] as const) {
      const { prove, root } = await trieOf([[keccak256(slot), value]])
      const proof = await prove(keccak256(slot))
      const data = encodeFunctionData({ abi, functionName: "readSlot", args: [root, slot, proof] })
      const { returnData, success } = await evm.call({ to: harness, data })
      expect(success, value).toBe(false)
      expect(errorOf(returnData)).toMatchObject({ error: expect.stringMatching(/^Malformed/) })
    }
  })
})

interface Tampering {
  readonly kind: string
  readonly node: number
  readonly at: number
  readonly bit: number
}

const tamper = (
  proof: ReadonlyArray<Hex>,
  { at, bit, kind, node }: Tampering,
  foreign: ReadonlyArray<Hex>
): ReadonlyArray<Hex> => {
  const i = proof.length === 0 ? 0 : node % proof.length
  const bytes = hexToBytes(proof[i] ?? "0x80")
  const place = at % Math.max(1, bytes.length)
  const replaced = (changed: Uint8Array) =>
    proof.map((old, j) => (j === i ? bytesToHex(changed) : old))
  switch (kind) {
    case "bit":
      return replaced(bytes.map((byte, j) => (j === place ? byte ^ (1 << bit) : byte)))
    case "drop":
      return proof.filter((_, j) => j !== i)
    case "repeat":
      return [...proof.slice(0, i + 1), ...proof.slice(i)]
    case "swap":
      return [...proof.slice(i), ...proof.slice(0, i)]
    case "cut":
      return replaced(bytes.slice(0, place))
    case "grow":
      return replaced(concatBytes(bytes, Uint8Array.of(bit)))
    default:
      return [...proof.slice(0, i), ...foreign.slice(i)]
  }
}
