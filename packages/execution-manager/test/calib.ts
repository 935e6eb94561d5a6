import { Effect, Layer } from "effect"
import { hexToBytes, bytesToHex } from "viem"
import { StateManager, layerMemory } from "@ovm/state-manager/StateManager"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import { Engine } from "../src/Engine.ts"
import * as CodeRegistry from "../src/CodeRegistry.ts"
import * as EthereumJsEngine from "../src/EthereumJsEngine.ts"
import { layerWith, defaultOptions, MANAGER, STATE_MANAGER } from "../src/ReferenceExecutionManager.ts"
import { operations } from "@ovm/protocol/generated/GasSchedule"

const context = { chainId: 10n, number: 300n, timestamp: 1000n, gasLimit: 30_000_000n, baseFeePerGas: 7n, coinbase: `0x${"cc".repeat(20)}` as const, prevRandao: `0x${"00".repeat(32)}` as const, blobBaseFee: 1n, l1Origin: { number: 0n, hash: `0x${"00".repeat(32)}` as const }, protocolVersion: 1 }
const A = `0x${"aa".repeat(20)}` as const, B = `0x${"bb".repeat(20)}` as const, F = `0x${"0f".repeat(20)}` as const
const bySel = new Map(operations.map((o) => [o.selector as string, o]))
const log: string[] = []
const stack: any[] = []
let show = false
const Spy = Layer.effect(Engine, Effect.gen(function* () {
  const e = yield* Engine
  return Engine.of({ ...e, run: (o) => e.run({ ...o, listener: {
    onMessage: (m) => { 
      if (m.kind === "delegatecall" && stack.length) { stack.push({ k: "gate", gas: m.gas, inner: undefined, t: performance.now() }) }
      else { const op = m.to === MANAGER ? bySel.get(bytesToHex(m.data.subarray(0, 4))) : undefined
        const top = stack.at(-1); if (op && top?.k === "gate") top.op = op
        if (m.kind === "create" && show) log.push("native create gas " + m.gas + " forwarded " + stack.findLast((x) => x.op?.kind === "create" && x.k === "x")?.fwd)
        stack.push({ k: "x", op, fwd: op?.kind === "create" ? BigInt("0x" + bytesToHex(m.data).slice(2 + 8 + 64 * op.args, 2 + 8 + 64 * op.args + 64)) : 0n, to: m.to, gas: m.gas }) } },
    onResult: (r) => { const t = stack.pop(); if (t.k === "gate" && show) log.push(`${t.op?.name ?? "?"} price ${t.op?.gas} off ${r.gasUsed - (t.op?.gas ?? 0n)} used ${r.gasUsed} ok ${r.success} em ${t.real} total ${t.burn === undefined ? "?" : r.gasUsed - t.burn}`)
      const top = stack.at(-1); if (top?.k === "gate" && top.real === undefined) top.real = r.gasUsed
      if (top?.k === "gate" && t.to === "0x4200000000000000000000000000000000000e03") top.burn = r.gasUsed 
      if (t.k==="x" && t.to === B && show) log.push(`frame B got ${t.gas} used ${r.gasUsed}`) }
  } }) })
})).pipe(Layer.provide(EthereumJsEngine.layer(STATE_MANAGER)))
const EM = layerWith(defaultOptions).pipe(Layer.provide([Spy, CodeRegistry.layer]))
const program = Effect.gen(function* () {
  const sm = yield* StateManager
  const em = yield* ExecutionManager
  const run = (name: string, code: string, calldata = "0x", pre?: (s: any) => Promise<void>) => Effect.gen(function* () {
    const state = yield* sm.open(sm.emptyRoot)
    yield* Effect.promise(async () => { await state.setAccount(A, { nonce: 1n, balance: 1000n }); await state.setCode(A, hexToBytes(`0x${code}`)); await state.setCode(B, hexToBytes("0x00")); await pre?.(state) })
    log.length = 0; show = true
    const r = yield* Effect.either(em.executeCall({ state, context, from: F, to: A, value: 0n, gas: 3_000_000n, gasPrice: 9n, data: hexToBytes(calldata as any) })).pipe(Effect.map((e) => e._tag === "Left" ? { success: e.left.message, gasUsed: 0, returnData: "" } : e.right))
    show = false
    console.log(name, r.success, r.gasUsed, r.returnData.slice(0, 140)); for (const l of log) console.log("   ", l)
  })
  yield* run("stop", "00")
  yield* run("sload x3", "5f54506001545f545000")
  yield* run("sstore", "60015f5560025f555f5f5500")
  yield* run("env", "4250435032503a50" + "47503f00")
  yield* run("balances", "73" + B.slice(2) + "31" + "73" + B.slice(2) + "3b" + "73" + B.slice(2) + "3f" + "00")
  yield* run("call STOP", "5f5f5f5f5f73" + B.slice(2) + "5af1" + "00")
  yield* run("call value", "5f5f5f5f600173" + B.slice(2) + "5af1" + "00")
  yield* run("call value eoa", "5f5f5f5f600173" + "ee".repeat(20) + "5af1" + "00")
  yield* run("call identity 1KB out", "5f5f6104005f5f60045af13d5f5f3e" + "00")
  yield* run("staticcall", "5f5f5f5f73" + B.slice(2) + "5afa" + "5f5f5f5f73" + B.slice(2) + "5af400")
  yield* run("log", "5f5fa060205fa060015f5fa1" + "600460036002600161ffff5f" + "a400")
  yield* run("tstore", "60015f5d5f5c00")
  yield* run("codecopy", "60205f5f3961ffff5f5f39" + "60205f5f73" + B.slice(2) + "3c00")
  yield* run("create empty", "5f5f5ff000")
  yield* run("create GAS return", "5f5f5ff0" + "6b5a5f5260205ff3000000000000" + "5f52600860145ff0" + "00")
  yield* run("blockhash", "61012b4000")
  yield* run("rds", "3d503d5000")
  yield* run("selfdestruct", "73" + B.slice(2) + "ff")
})
Effect.runPromise(program.pipe(Effect.provide(Layer.merge(EM, layerMemory)))).catch((e) => console.error(e))
