import * as CallTree from "@ovm/execution-manager/CallTree"
import { ExecutionManager } from "@ovm/execution-manager/ExecutionManager"
import { layerReference } from "@ovm/execution-manager/ReferenceExecutionManager"
import { layerMemory, StateManager } from "@ovm/state-manager/StateManager"
import type { BlockContext } from "@ovm/protocol/BlockContext"
import { Effect, Layer } from "effect"
import { hexToBytes } from "viem"

const contract = "0x00000000000000000000000000000000000000c0"
const caller = "0x00000000000000000000000000000000000000ca"
// TIMESTAMP PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
const code = hexToBytes("0x425f5260205ff3")

/** Calls unmodified EVM code and gives what it returned, what that used, and the operations it asked for. */
export const example = (context: BlockContext) =>
  Effect.gen(function* () {
    const { executeCall } = yield* ExecutionManager
    const { emptyRoot, open } = yield* StateManager
    const state = yield* open(emptyRoot)
    yield* Effect.promise(() => state.setAccount(contract, { nonce: 1n, balance: 0n }))
    yield* Effect.promise(() => state.setCode(contract, code))

    const calls = CallTree.make()
    const result = yield* executeCall({
      ...{ state, context, from: caller, to: contract, tracer: calls.tracer },
      ...{ value: 0n, gas: 100_000n, gasPrice: 0n, data: new Uint8Array(0) }
    })
    const operations = calls.root()?.operations.map(({ name }) => name)
    return { returned: BigInt(result.returnData), gasUsed: result.gasUsed, operations }
  }).pipe(Effect.provide(Layer.merge(layerReference(), layerMemory)))
