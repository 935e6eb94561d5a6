import { Effect, Layer } from "effect"
import { createRequire } from "node:module"
import { readFileSync } from "node:fs"
import { privateKeyToAccount } from "viem/accounts"
import { hexToBytes, encodeDeployData, encodeFunctionData, parseEther, keccak256, encodeAbiParameters, decodeAbiParameters, getContractAddress } from "viem"
import { BasicAttentionToken, WETH as WethArtifact } from "@ovm/contracts"
import { StateManager, layerMemory } from "@ovm/state-manager/StateManager"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import { layerReference } from "../src/ReferenceExecutionManager.ts"
const B = "/tmp/uni/node_modules/@uniswap/"
const load = (p: string) => JSON.parse(readFileSync(B + p, "utf8"))
const hx = (s: string) => (s.startsWith("0x") ? s : "0x" + s) as `0x${string}`
const V1F = load("v2-periphery/build/UniswapV1Factory.json"), V1E = load("v2-periphery/build/UniswapV1Exchange.json")
const V2F = load("v2-core/build/UniswapV2Factory.json"), R2 = load("v2-periphery/build/UniswapV2Router02.json")
const acct = privateKeyToAccount(`0x${"11".repeat(32)}`)
const from = acct.address.toLowerCase() as `0x${string}`
const context = { chainId: 10n, number: 1n, timestamp: 1000n, gasLimit: 30_000_000n, baseFeePerGas: 7n, coinbase: `0x${"cc".repeat(20)}` as const, prevRandao: `0x${"00".repeat(32)}` as const, blobBaseFee: 1n, l1Origin: { number: 0n, hash: `0x${"00".repeat(32)}` as const }, protocolVersion: 1 }
let nonce = 0
const WETH = "0x4200000000000000000000000000000000000006"
const program = Effect.gen(function* () {
  const sm = yield* StateManager
  const em = yield* ExecutionManager
  const state = yield* sm.open(sm.emptyRoot)
  yield* Effect.promise(async () => { await state.setAccount(from, { nonce: 0n, balance: 10n ** 24n }); await state.setAccount(WETH, { nonce: 1n, balance: 0n }); await state.setCode(WETH, hexToBytes(WethArtifact.deployedBytecode)) })
  const send = (name: string, tx: any) => Effect.gen(function* () {
    const raw = yield* Effect.promise(() => acct.signTransaction({ type: "eip1559", chainId: 10, nonce: nonce++, gas: 14_000_000n, maxFeePerGas: 10n, maxPriorityFeePerGas: 1n, ...tx }))
    const t0 = performance.now()
    const r = yield* em.executeTransaction({ state, context, transaction: hexToBytes(raw) })
    const t1 = performance.now()
    yield* Effect.promise(async () => { state.endTransaction(); await state.flush() })
    console.log(name.padEnd(28), (t1 - t0).toFixed(0) + "ms", r.success, r.gasUsed, r.returnData.slice(0, 200), r.contractAddress ?? "", r.logs.length)
    return r
  })
  const read = (to: any, abi: any, functionName: string, args: any[]) => Effect.gen(function* () {
    const r = yield* em.executeCall({ state: state.fork(), context, from, to, value: 0n, gas: 10_000_000n, gasPrice: 0n, data: hexToBytes(encodeFunctionData({ abi, functionName, args })) })
    return r.returnData
  })
  const bat = (yield* send("BAT", { data: encodeDeployData({ abi: BasicAttentionToken.abi, bytecode: BasicAttentionToken.bytecode, args: ["BAT", "BAT", 10n ** 27n] }) })).contractAddress!
  yield* send("transfer", { to: bat, data: encodeFunctionData({ abi: BasicAttentionToken.abi, functionName: "transfer", args: [`0x${"77".repeat(20)}`, 10n ** 18n] }) })
  yield* send("transfer again", { to: bat, data: encodeFunctionData({ abi: BasicAttentionToken.abi, functionName: "transfer", args: [`0x${"77".repeat(20)}`, 10n ** 18n] }) })
  const tmpl = (yield* send("V1 exchange", { data: hx(V1E.evm.bytecode.object) })).contractAddress!
  const fac = (yield* send("V1 factory", { data: hx(V1F.evm.bytecode.object) })).contractAddress!
  yield* send("initializeFactory", { to: fac, data: encodeFunctionData({ abi: V1F.abi, functionName: "initializeFactory", args: [tmpl] }) })
  const ex = yield* send("createExchange", { to: fac, data: encodeFunctionData({ abi: V1F.abi, functionName: "createExchange", args: [bat] }) })
  const exchange = hx(ex.returnData.slice(26))
  yield* send("approve", { to: bat, data: encodeFunctionData({ abi: BasicAttentionToken.abi, functionName: "approve", args: [exchange, 10n ** 30n] }) })
  yield* send("addLiquidity", { to: exchange, value: parseEther("100"), data: encodeFunctionData({ abi: V1E.abi, functionName: "addLiquidity", args: [0n, parseEther("50000"), 2000n] }) })
  yield* send("ethToTokenTransferInput", { to: exchange, value: parseEther("1"), data: encodeFunctionData({ abi: V1E.abi, functionName: "ethToTokenTransferInput", args: [1n, 2000n, `0x${"99".repeat(20)}`] }) })
  const f2 = (yield* send("V2 factory", { data: encodeDeployData({ abi: V2F.abi, bytecode: hx(V2F.evm.bytecode.object), args: [from] }) })).contractAddress!
  const router = (yield* send("Router02", { data: encodeDeployData({ abi: R2.abi, bytecode: hx(R2.evm.bytecode.object), args: [f2, WETH] }) })).contractAddress!
  yield* send("approve router", { to: bat, data: encodeFunctionData({ abi: BasicAttentionToken.abi, functionName: "approve", args: [router, 10n ** 30n] }) })
  yield* send("addLiquidityETH", { to: router, value: parseEther("100"), data: encodeFunctionData({ abi: R2.abi, functionName: "addLiquidityETH", args: [bat, parseEther("50000"), 0n, 0n, from, 2000n] }) })
  yield* send("swapExactETHForTokens", { to: router, value: parseEther("1"), data: encodeFunctionData({ abi: R2.abi, functionName: "swapExactETHForTokens", args: [0n, [WETH, bat], from, 2000n] }) })
  yield* send("swapExactTokensForETH", { to: router, data: encodeFunctionData({ abi: R2.abi, functionName: "swapExactTokensForETH", args: [parseEther("100"), 0n, [bat, WETH], from, 2000n] }) })
  yield* send("swap again", { to: router, data: encodeFunctionData({ abi: R2.abi, functionName: "swapExactTokensForETH", args: [parseEther("100"), 0n, [bat, WETH], from, 2000n] }) })
})
Effect.runPromise(program.pipe(Effect.provide(Layer.merge(layerReference(), layerMemory)))).catch((e) => console.error(e))
