/** Every operation that the manager refuses, by its typed error, and what becomes of the frame that asked. */
import { expect, layer } from "@effect/vitest"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import * as ManagerAbi from "../src/ManagerAbi.ts"
import { asm, deploying, memory, times } from "./support/Assemble.ts"
import { type GatePass, layerRecording } from "./support/GateRecorder.ts"
import { NOBODY, OTHER, runCode, SELF, storageOf, wordOf } from "./support/World.ts"

const passes: Array<GatePass> = []
const services = Layer.merge(layerRecording(passes), layerMemory)

/** The manager's errors in this run, as a person reads them. */
const refusals = () =>
  passes.flatMap(({ refusal }) =>
    refusal === undefined ? [] : ManagerAbi.decodeError(refusal).text
  )

/** Runs `SELF`, which writes slot 7, calls `OTHER` with a given gas and answers the result. */
const runOther = Effect.fnUntraced(function* (options: {
  readonly code: Uint8Array
  readonly call: string
  readonly gas?: bigint
}) {
  passes.length = 0
  return yield* runCode(asm(`7 7 SSTORE ${options.call} 0 MSTORE 32 0 RETURN`), {
    gas: options.gas ?? 10_000_000n,
    accounts: { [OTHER]: { code: options.code, balance: 1_000n } }
  })
})

const expectHaltedAlone = Effect.fnUntraced(function* (
  outcome: Effect.Effect.Success<ReturnType<typeof runOther>>,
  errors: ReadonlyArray<string>
) {
  expect(refusals()).toEqual(errors)
  expect(outcome).toMatchObject({ success: true, returnData: wordOf(0) })
  expect(yield* storageOf(outcome.state, SELF, 7)).toBe(wordOf(7))
})

layer(services)("a static frame", (it) => {
  const changes = [
    ["SSTORE", 0x55, "1 0 SSTORE"],
    // Writing what is there already is writing.
    ["SSTORE", 0x55, "0 0 SSTORE"],
    ["TSTORE", 0x5d, "1 0 TSTORE"],
    ...[0, 1, 2, 3, 4].map((topics) => [
      `LOG${topics}`,
      0xa0 + topics,
      `${times(topics, "0")} 0 0 LOG${topics}`
    ]),
    ["CREATE", 0xf0, "0 0 0 CREATE"],
    ["CREATE2", 0xf5, "0 0 0 0 CREATE2"],
    ["CALL", 0xf1, `0 0 0 0 1 ${NOBODY} GAS CALL`],
    ["SELFDESTRUCT", 0xff, `${NOBODY} SELFDESTRUCT`]
  ] as const

  const CALLED = `0 0 0 0 ${OTHER} 100000 STATICCALL`
  it.effect.each(changes)("may not %s", ([, opcode, source]) =>
    Effect.gen(function* () {
      const code = asm(`${source}`)
      const outcome = yield* runOther({ code, call: CALLED })
      yield* expectHaltedAlone(outcome, [`StaticViolation(opcode ${opcode})`])
    })
  )

  it.effect.each(changes)("may not %s below calls that keep it static", ([, opcode, source]) =>
    Effect.gen(function* () {
      // Called with a word of calldata OTHER changes state; without, it calls itself in each way.
      const value = (name: string) => (name.startsWith("CALL") ? "0" : "")
      const calls = ["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"].map(
        (name) => `0 0 32 0 ${value(name)} ${OTHER} 100000 ${name} POP`
      )
      const code = asm(`CALLDATASIZE @change JUMPI ${calls.join(" ")} STOP :change ${source}`)
      const call = `0 0 0 0 ${OTHER} 1000000 STATICCALL ISZERO`
      const outcome = yield* runOther({ code, call })
      const error = `StaticViolation(opcode ${opcode})`
      yield* expectHaltedAlone(outcome, [error, error, error, error])
    })
  )

  it.effect("may do all that changes nothing", () =>
    Effect.gen(function* () {
      const reads = "0 SLOAD 0 TLOAD ADDRESS BALANCE 0 0 0 EXTCODECOPY 0 0 0 0 0 0x99 GAS CALL"
      // CALLCODE names a value but moves none.
      const code = asm(`${reads} 0 0 0 0 1 0x99 GAS CALLCODE STOP`)
      const outcome = yield* runOther({ code, call: CALLED })
      expect(refusals()).toEqual([])
      expect(outcome.returnData).toBe(wordOf(1))
    })
  )
})

layer(services)("a frame halts, alone, that", (it) => {
  const CALLED = `0 0 0 0 0 ${OTHER} 1500000 CALL`

  it.effect("creates from more initcode than EIP-3860 allows", () =>
    Effect.gen(function* () {
      const code = asm("49153 0 0 CREATE")
      const outcome = yield* runOther({ code, call: CALLED })
      yield* expectHaltedAlone(outcome, ["InitCodeTooLarge(size 49153, limit 49152)"])
      const fits = yield* runOther({ code: asm("49152 0 0 CREATE"), call: CALLED })
      expect(refusals()).toEqual([])
      expect(fits.returnData).toBe(wordOf(1))
    })
  )

  it.effect("jumps where the reduced table of its code does not lead", () =>
    Effect.gen(function* () {
      const code = asm(`0x1234 1 ADD JUMP ${times(0x3000, "JUMPDEST")}`)
      const outcome = yield* runOther({ code, call: CALLED })
      yield* expectHaltedAlone(outcome, [`UnmappedJump(destination ${0x1235})`])
    })
  )
})

layer(services)("an init frame may not deposit", (it) => {
  const creating = (initCode: Uint8Array) =>
    asm(`7 7 SSTORE ${memory(initCode)} ${initCode.length} 0 0 CREATE 0 MSTORE 32 0 RETURN`)
  const run = Effect.fnUntraced(function* (initCode: Uint8Array) {
    passes.length = 0
    return yield* runCode(creating(initCode), { gas: 400_000_000n })
  })

  it.effect("code beyond EIP-170", () =>
    Effect.gen(function* () {
      const outcome = yield* run(asm("24577 0 RETURN"))
      yield* expectHaltedAlone(outcome, ["CodeNotDeployable(size 24577)"])
    })
  )

  it.effect("code that is beyond EIP-170 when transpiled", () =>
    Effect.gen(function* () {
      // 20,000 bytes of TIMESTAMP, each of which becomes a stub.
      const word = `0x${"42".repeat(32)}`
      const fill = Array.from({ length: 625 }, (_, index) => `DUP1 ${32 * index} MSTORE`).join(" ")
      const outcome = yield* run(asm(`${word} ${fill} 20000 0 RETURN`))
      yield* expectHaltedAlone(outcome, ["CodeNotDeployable(size 20000)"])
    })
  )

  it.effect("code that begins with 0xEF (EIP-3541)", () =>
    Effect.gen(function* () {
      const refused = yield* run(deploying(Uint8Array.of(0xef)))
      yield* expectHaltedAlone(refused, [])
      const accepted = yield* run(deploying(Uint8Array.of(0xfe, 0xef)))
      expect(accepted.returnData).not.toBe(wordOf(0))
    })
  )
})
