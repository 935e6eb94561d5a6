/** Contracts come and go as in Ethereum: addresses, nonces, collisions, constructors, EIP-6780. */
import { expect, layer } from "@effect/vitest"
import { BasicAttentionToken } from "@ovm/contracts"
import { type Address, type Hex, ZERO_ADDRESS } from "@ovm/protocol/Primitives"
import type { State } from "@ovm/state-manager/State"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import {
  bytesToHex,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  hexToBytes,
  pad
} from "viem"
import { layerReference } from "../src/ReferenceExecutionManager.ts"
import { asm, deploying, memory } from "./support/Assemble.ts"
import {
  addressOf,
  type Allocation,
  balanceOf,
  call,
  makeWorld,
  nonceOf,
  OTHER,
  runCode,
  SELF,
  send,
  storageOf,
  USER,
  wordOf
} from "./support/World.ts"

const services = Layer.merge(layerReference(), layerMemory)
const ETHER = 10n ** 18n
const HEIR = addressOf(0xe1)

const lower = (address: Address): Address => `0x${address.slice(2).toLowerCase()}`
const created = (from: Address, nonce: bigint) => lower(getContractAddress({ from, nonce }))
const created2 = (from: Address, salt: bigint, bytecode: Uint8Array) =>
  lower(getContractAddress({ opcode: "CREATE2", from, salt: wordOf(salt), bytecode }))
const asWord = (address: Address): Hex => pad(address)
const codeOf = (state: State, address: Address) =>
  Effect.promise(async () => bytesToHex(await state.getCode(address)))
const exists = (state: State, address: Address) =>
  Effect.promise(async () => (await state.getAccount(address)) !== undefined)

/** Creates from the initcode, with what stands before its place and size on the stack. */
const creating = (initCode: Uint8Array, { op = "CREATE", salt = "", value = 0 } = {}) =>
  `${memory(initCode)} ${salt} ${initCode.length} 0 ${value} ${op}`
const RETURN_TOP = "0 MSTORE 32 0 RETURN"
const RUNTIME = asm("CALLER 0 MSTORE 32 0 RETURN")
const INIT = deploying(RUNTIME)

layer(services)("a created contract", (it) => {
  it.effect("stands where CREATE puts it, with its original code and nonce 1", () =>
    Effect.gen(function* () {
      const { returnData, state } = yield* runCode(
        asm(`${creating(INIT, { value: 7 })} ${RETURN_TOP}`),
        {
          accounts: { [SELF]: { nonce: 128n, balance: 10n } }
        }
      )
      const address = created(SELF, 128n)
      expect(returnData).toBe(asWord(address))
      expect(yield* codeOf(state, address)).toBe(bytesToHex(RUNTIME))
      expect(yield* nonceOf(state, address)).toBe(1n)
      expect(yield* balanceOf(state, address)).toBe(7n)
      expect(yield* nonceOf(state, SELF)).toBe(129n)
      expect((yield* call(state, { to: address })).returnData).toBe(asWord(addressOf(0x0f)))
    })
  )

  it.effect("stands where CREATE2 puts it: salt and the original initcode decide", () =>
    Effect.gen(function* () {
      for (const salt of [0n, 5n, 2n ** 256n - 1n]) {
        const source = creating(INIT, { op: "CREATE2", salt: String(salt) })
        const { returnData } = yield* runCode(asm(`${source} ${RETURN_TOP}`))
        expect(returnData).toBe(asWord(created2(SELF, salt, INIT)))
      }
    })
  )

  it.effect("of a transaction stands where the sender's nonce puts it", () =>
    Effect.gen(function* () {
      const state = yield* makeWorld({ [USER]: { balance: ETHER, nonce: 300n } })
      const result = yield* send(state, { nonce: 300, data: bytesToHex(INIT), value: 9n })
      expect(result).toMatchObject({ success: true, contractAddress: created(USER, 300n) })
      expect(yield* codeOf(state, created(USER, 300n))).toBe(bytesToHex(RUNTIME))
      expect(yield* balanceOf(state, created(USER, 300n))).toBe(9n)
      expect(yield* nonceOf(state, USER)).toBe(301n)
    })
  )

  it.effect("gets its constructor's arguments, and keeps its immutables", () =>
    Effect.gen(function* () {
      const state = yield* makeWorld({ [USER]: { balance: ETHER } })
      const { abi, bytecode } = BasicAttentionToken
      const data = encodeDeployData({ abi, bytecode, args: ["Basic", "BAT", 12_345n] })
      const { contractAddress = ZERO_ADDRESS } = yield* send(state, { data, gas: 9_000_000n })
      // The supply is an immutable, the balance is what the constructor stored.
      for (const query of [
        encodeFunctionData({ abi, functionName: "totalSupply" }),
        encodeFunctionData({ abi, functionName: "balanceOf", args: [USER] })
      ]) {
        const { returnData } = yield* call(state, { to: contractAddress, data: hexToBytes(query) })
        expect(returnData).toBe(wordOf(12_345n))
      }
    })
  )

  it.effect("knows in its constructor who and where it is", () =>
    Effect.gen(function* () {
      const init = asm(
        "ADDRESS 0 SSTORE CALLER 1 SSTORE CALLVALUE 2 SSTORE CODESIZE 3 SSTORE CALLDATASIZE 4 SSTORE ADDRESS EXTCODESIZE 5 SSTORE"
      )
      const { state } = yield* runCode(asm(creating(init, { value: 3 })))
      const address = created(SELF, 1n)
      const words = [BigInt(address), BigInt(SELF), 3n, BigInt(init.length), 0n, 0n]
      for (const [slot, word] of words.entries()) {
        expect(yield* storageOf(state, address, slot)).toBe(wordOf(word))
      }
    })
  )
})

layer(services)("a creation that fails", (it) => {
  const failing: ReadonlyArray<readonly [string, Uint8Array]> = [
    ["by reverting", asm("1 0 SSTORE 0 0 REVERT")],
    ["by halting", asm("1 0 SSTORE INVALID")],
    ["by running out of gas for its code", asm("24000 0 RETURN")]
  ]
  it.effect.each(failing)("%s raises the creator's nonce, and leaves nothing else", ([, init]) =>
    Effect.gen(function* () {
      const { returnData, state } = yield* runCode(
        asm(`${creating(init, { value: 5 })} ${RETURN_TOP}`),
        {
          gas: 3_000_000n
        }
      )
      expect(returnData).toBe(wordOf(0))
      expect(yield* nonceOf(state, SELF)).toBe(2n)
      expect(yield* balanceOf(state, SELF)).toBe(1_000n)
      expect(yield* exists(state, created(SELF, 1n))).toBe(false)
      expect(yield* storageOf(state, created(SELF, 1n), 0)).toBe(wordOf(0))
    })
  )

  it.effect("for want of value does not count", () =>
    Effect.gen(function* () {
      const { returnData, state } = yield* runCode(
        asm(`${creating(INIT, { value: 1_001 })} ${RETURN_TOP}`)
      )
      expect(returnData).toBe(wordOf(0))
      expect(yield* nonceOf(state, SELF)).toBe(1n)
    })
  )

  it.effect("because the creator's nonce is spent does not count (EIP-2681)", () =>
    Effect.gen(function* () {
      const nonce = 2n ** 64n - 1n
      const { returnData, state } = yield* runCode(asm(`${creating(INIT)} ${RETURN_TOP}`), {
        accounts: { [SELF]: { nonce, balance: 1_000n } }
      })
      expect(returnData).toBe(wordOf(0))
      expect(yield* nonceOf(state, SELF)).toBe(nonce)
    })
  )

  it.effect("leaves what the account had before", () =>
    Effect.gen(function* () {
      const address = created(SELF, 1n)
      const { state } = yield* runCode(asm(creating(asm("0 0 REVERT"), { value: 5 })), {
        accounts: { [address]: { balance: 70n } }
      })
      expect(yield* balanceOf(state, address)).toBe(70n)
    })
  )

  const taken: ReadonlyArray<readonly [string, Allocation, boolean]> = [
    ["code", { nonce: 0n, code: asm("STOP") }, true],
    ["a nonce", { nonce: 1n }, true],
    ["storage alone", { balance: 1n, storage: { [wordOf(1)]: wordOf(1) } }, true],
    ["only a balance", { balance: 70n }, false]
  ]
  it.effect.each(taken)(
    "collides with an account that has %s (EIP-684, EIP-7610)",
    ([, account, collides]) =>
      Effect.gen(function* () {
        for (const [source, address] of [
          [creating(INIT), created(SELF, 1n)],
          [creating(INIT, { op: "CREATE2", salt: "3" }), created2(SELF, 3n, INIT)]
        ] as const) {
          const { gasUsed, returnData, state } = yield* runCode(asm(`${source} ${RETURN_TOP}`), {
            gas: 1_000_000n,
            accounts: { [address]: account }
          })
          expect(returnData).toBe(collides ? wordOf(0) : asWord(address))
          expect(yield* nonceOf(state, SELF)).toBe(2n)
          expect(yield* balanceOf(state, address)).toBe(account.balance ?? 0n)
          // All that was forwarded is used up.
          if (collides) expect(gasUsed).toBeGreaterThan(900_000n)
        }
      })
  )
})

/** Contracts that die: at once, when called, by whom. */
const mortal = asm(`${HEIR} SELFDESTRUCT`)

layer(services)("SELFDESTRUCT (EIP-6780)", (it) => {
  it.effect("of an older contract only moves its balance", () =>
    Effect.gen(function* () {
      const { state } = yield* runCode(asm(`0 0 0 0 4 ${OTHER} GAS CALL`), {
        accounts: { [OTHER]: { code: mortal, balance: 5n, storage: { [wordOf(0)]: wordOf(1) } } }
      })
      expect(yield* balanceOf(state, HEIR)).toBe(9n)
      expect(yield* balanceOf(state, OTHER)).toBe(0n)
      expect(yield* codeOf(state, OTHER)).toBe(bytesToHex(mortal))
      expect(yield* storageOf(state, OTHER, 0)).toBe(wordOf(1))
    })
  )

  it.effect("of an older contract in its own favour changes nothing", () =>
    Effect.gen(function* () {
      const { state } = yield* runCode(asm("ADDRESS SELFDESTRUCT"))
      expect(yield* balanceOf(state, SELF)).toBe(1_000n)
    })
  )

  it.effect("of a contract of the same transaction removes it at the end", () =>
    Effect.gen(function* () {
      const child = created(SELF, 1n)
      const init = deploying(mortal, "1 0 SSTORE")
      const source = `${creating(init, { value: 3 })} POP 0 0 0 0 4 ${child} GAS CALL
         ${child} EXTCODESIZE 0 MSTORE 0 0 0 0 5 ${child} GAS CALL 32 MSTORE 64 0 RETURN`
      const { returnData, state } = yield* runCode(asm(source))
      // Until then its code is there, and runs again.
      expect(returnData).toBe(`${wordOf(mortal.length)}${wordOf(1).slice(2)}`)
      expect(yield* exists(state, child)).toBe(false)
      expect(yield* storageOf(state, child, 0)).toBe(wordOf(0))
      expect(yield* balanceOf(state, HEIR)).toBe(12n)
    })
  )

  it.effect("of a contract of the same transaction burns what it keeps or gets later", () =>
    Effect.gen(function* () {
      const child = created(SELF, 1n)
      const source = `${creating(asm("ADDRESS SELFDESTRUCT"), { value: 3 })} POP 0 0 0 0 4 ${child} GAS CALL`
      const { state } = yield* runCode(asm(source))
      expect(yield* exists(state, child)).toBe(false)
      expect(yield* balanceOf(state, SELF)).toBe(993n)
    })
  )

  it.effect("that is undone did not happen", () =>
    Effect.gen(function* () {
      const child = created(OTHER, 1n)
      // OTHER creates, has the child die in a frame that reverts, and goes on.
      const killer = addressOf(0xb5)
      const { state } = yield* runCode(asm(`0 0 0 0 0 ${OTHER} GAS CALL`), {
        accounts: {
          [OTHER]: {
            code: asm(
              `${creating(deploying(mortal), { value: 2 })} POP 0 0 0 0 0 ${killer} GAS CALL`
            ),
            balance: 5n
          },
          [killer]: { code: asm(`0 0 0 0 0 ${child} GAS CALL 0 0 REVERT`) }
        }
      })
      expect(yield* codeOf(state, child)).toBe(bytesToHex(mortal))
      expect(yield* balanceOf(state, child)).toBe(2n)
      expect(yield* balanceOf(state, HEIR)).toBe(0n)
    })
  )

  it.effect("lets an address be used again, but in another transaction", () =>
    Effect.gen(function* () {
      const init = asm(`${HEIR} SELFDESTRUCT`)
      const address = created2(SELF, 1n, init)
      const code = asm(`${creating(init, { op: "CREATE2", salt: "1" })} ${RETURN_TOP}`)
      const state = yield* makeWorld({ [SELF]: { code, balance: 9n } })
      const twice = asm(
        `32 0 0 0 0 ${SELF} GAS CALL POP 32 32 0 0 0 ${SELF} 1000000 CALL POP 64 0 RETURN`
      )
      yield* Effect.promise(() => state.setAccount(OTHER, { nonce: 1n, balance: 0n }))
      yield* Effect.promise(() => state.setCode(OTHER, twice))
      const first = yield* call(state, { to: OTHER })
      expect(first.returnData).toBe(`${asWord(address)}${wordOf(0).slice(2)}`)
      const second = yield* call(state, { to: OTHER })
      expect(second.returnData).toBe(first.returnData)
    })
  )
})
