/** Who may speak to the manager: the node, and the code of the current frame. */
import { expect, layer } from "@effect/vitest"
import { IExecutionManager } from "@ovm/contracts"
import type { Address } from "@ovm/protocol/Primitives"
import { layerMemory } from "@ovm/state-manager/StateManager"
import { Effect, Layer } from "effect"
import {
  bytesToHex,
  concatBytes,
  encodeFunctionData,
  getContractAddress,
  hexToBytes,
  toFunctionSelector
} from "viem"
import * as ManagerAbi from "../src/ManagerAbi.ts"
import { MANAGER } from "../src/ReferenceExecutionManager.ts"
import { asm } from "./support/Assemble.ts"
import { layerTampering, layerUnchecked } from "./support/Tampering.ts"
import {
  addressOf,
  call,
  context,
  makeWorld,
  OTHER,
  runCode,
  SELF,
  send,
  signed,
  USER,
  wordOf
} from "./support/World.ts"

const STRANGER = addressOf(0x51)
/** Where the first code of a run stands natively. */
const NATIVE: Address = "0x4200000000000000000000000000000000100000"
const ATTACKED = { [USER]: { balance: 10n ** 18n } }

/** Natively passes the calldata (behind the context words) on to the manager, and gives back what it says. */
const RELAY = asm(
  `96 CALLDATASIZE SUB 96 0 CALLDATACOPY 0 0 96 CALLDATASIZE SUB 0 0 ${MANAGER} GAS CALL
   RETURNDATASIZE 0 0 RETURNDATACOPY @ok JUMPI RETURNDATASIZE 0 REVERT :ok RETURNDATASIZE 0 RETURN`
)

/** Natively has the relay, which is the first code of the run, ask for an operation. */
const ASK_RELAY = `${toFunctionSelector("ovmTIMESTAMP()")} 224 SHL 96 MSTORE 0 0 100 0 0 ${NATIVE} GAS CALL`

const encode = (functionName: "ovmTIMESTAMP" | "ovmSLOAD" | "ovmSSTORE") =>
  hexToBytes(
    functionName === "ovmTIMESTAMP"
      ? encodeFunctionData({ abi: IExecutionManager.abi, functionName })
      : functionName === "ovmSLOAD"
        ? encodeFunctionData({ abi: IExecutionManager.abi, functionName, args: [wordOf(0)] })
        : encodeFunctionData({
            abi: IExecutionManager.abi,
            functionName,
            args: [wordOf(0), wordOf(1)]
          })
  )

const lower = (address: Address) => address.toLowerCase()
const errorOf = (returnData: `0x${string}`) => ManagerAbi.decodeError(hexToBytes(returnData)).text

layer(Layer.merge(layerUnchecked, layerMemory))("native code in a frame", (it) => {
  const relay = (data: Uint8Array) => runCode(RELAY, { accounts: ATTACKED, data })

  it.effect("is heard while its frame is the current one", () =>
    Effect.gen(function* () {
      const outcome = yield* relay(encode("ovmTIMESTAMP"))
      expect(outcome).toMatchObject({ success: true, returnData: wordOf(context.timestamp) })
    })
  )

  it.effect("can't start another run within the run", () =>
    Effect.gen(function* () {
      const raw = yield* signed({ to: OTHER })
      const outcome = yield* relay(ManagerAbi.encodeExecuteTransaction(context, raw))
      expect(outcome.success).toBe(false)
      expect(errorOf(outcome.returnData)).toBe("NestedRun()")
    })
  )

  it.effect("can't run unsigned calls", () =>
    Effect.gen(function* () {
      const message = {
        from: USER,
        isCreation: false,
        to: STRANGER,
        value: 1n,
        gas: 100_000n,
        gasPrice: 0n,
        data: "0x"
      } as const
      const outcome = yield* relay(ManagerAbi.encodeExecuteCall(context, message))
      expect(errorOf(outcome.returnData).toLowerCase()).toBe(`notnode(caller ${NATIVE})`)
    })
  )

  it.effect("gets no operation that does not exist", () =>
    Effect.gen(function* () {
      const outcome = yield* relay(hexToBytes("0x12345678"))
      expect(errorOf(outcome.returnData)).toBe("UnknownOperation(selector 0x12345678)")
    })
  )

  it.effect("can't have a frame created by the manager's own message", () =>
    Effect.gen(function* () {
      const createNative = concatBytes([hexToBytes("0x6f0c0de1"), new Uint8Array(64)])
      const outcome = yield* relay(createNative)
      expect(errorOf(outcome.returnData)).toBe("UnknownOperation(selector 0x6f0c0de1)")
    })
  )

  it.effect("has no voice while a frame below it is the current one", () =>
    Effect.gen(function* () {
      // SELF has the manager call OTHER, which natively calls SELF's code; that asks for an operation.
      const intruder = asm(`${ASK_RELAY} RETURNDATASIZE 0 0 RETURNDATACOPY RETURNDATASIZE 0 RETURN`)
      const callOther = hexToBytes(
        encodeFunctionData({
          abi: IExecutionManager.abi,
          functionName: "ovmCALL",
          args: [1_000_000n, OTHER, 0n, 100_000n, "0x"]
        })
      )
      const outcome = yield* runCode(RELAY, {
        accounts: { [OTHER]: { code: intruder } },
        data: callOther
      })
      // Result, gas, offset, size, and then what the intruder saw.
      const seen: `0x${string}` = `0x${outcome.returnData.slice(2 + 4 * 64, 2 + 4 * 64 + 72)}`
      expect(lower(`0x${errorOf(seen)}`)).toBe(`0xnotcurrentframe(caller ${NATIVE})`)
    })
  )

  it.effect("can't speak for an init frame before its own code has spoken", () =>
    Effect.gen(function* () {
      const initCode = asm(`${ASK_RELAY} RETURNDATASIZE 0 0 RETURNDATACOPY RETURNDATASIZE 0 REVERT`)
      const create = hexToBytes(
        encodeFunctionData({
          abi: IExecutionManager.abi,
          functionName: "ovmCREATE",
          args: [0n, 1_000_000n, 100_000n, bytesToHex(initCode)]
        })
      )
      const outcome = yield* relay(create)
      const seen: `0x${string}` = `0x${outcome.returnData.slice(2 + 4 * 64, 2 + 4 * 64 + 72)}`
      expect(errorOf(seen)).toBe(`NotCurrentFrame(caller ${NATIVE})`)
    })
  )

  it.effect("finds that code without code speaks for no frame but its own", () =>
    Effect.gen(function* () {
      // A native creation whose initcode asks for an operation: not an init frame of the manager's.
      const initCode = asm(
        `${toFunctionSelector("ovmTIMESTAMP()")} 224 SHL 0 MSTORE 0 0 4 0 0 ${MANAGER} GAS CALL POP
         RETURNDATASIZE 0 0 RETURNDATACOPY RETURNDATASIZE 0 REVERT`
      )
      const source = `${initCode.length} @end 0 CODECOPY ${initCode.length} 0 0 CREATE POP
         RETURNDATASIZE 0 0 RETURNDATACOPY RETURNDATASIZE 0 RETURN`
      const code = concatBytes([asm(source), initCode])
      const outcome = yield* runCode(code)
      const created = getContractAddress({ from: NATIVE, nonce: 1n }).toLowerCase()
      expect(errorOf(outcome.returnData).toLowerCase()).toBe(`notcurrentframe(caller ${created})`)
    })
  )
})

let caller: Address | undefined
let data: Uint8Array | undefined
const tampering = layerTampering((run) => ({
  ...run,
  caller: caller ?? run.caller,
  data: data ?? run.data
}))

layer(Layer.merge(tampering, layerMemory))("anyone outside a run", (it) => {
  it.effect("may send signed transactions, but no unsigned calls", () =>
    Effect.gen(function* () {
      caller = STRANGER
      data = undefined
      const state = yield* makeWorld({ ...ATTACKED, [SELF]: { code: asm("STOP") } })
      expect((yield* send(state, { to: SELF })).success).toBe(true)
      const error = yield* Effect.flip(call(state))
      expect(error.message).toContain("NotNode")
    })
  )

  it.effect("gets no operation", () =>
    Effect.gen(function* () {
      caller = STRANGER
      for (const operation of ["ovmSLOAD", "ovmSSTORE"] as const) {
        data = encode(operation)
        const state = yield* makeWorld({ [SELF]: { code: asm("STOP") } })
        const error = yield* Effect.flip(call(state))
        expect(error.message).toContain("NotCurrentFrame")
      }
    })
  )
})
