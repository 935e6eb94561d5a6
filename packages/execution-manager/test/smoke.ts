import { Effect, Layer } from "effect"
import { privateKeyToAccount } from "viem/accounts"
import { hexToBytes, encodeDeployData, encodeFunctionData, toHex } from "viem"
import { StateManager, layerMemory } from "@ovm/state-manager/StateManager"
import { ExecutionManager } from "../src/ExecutionManager.ts"
import { layerReference } from "../src/ReferenceExecutionManager.ts"
import * as CallTree from "../src/CallTree.ts"

const acct = privateKeyToAccount(`0x${"11".repeat(32)}`)
const from = acct.address.toLowerCase() as `0x${string}`
const context = {
  chainId: 10n,
  number: 1n,
  timestamp: 1000n,
  gasLimit: 30_000_000n,
  baseFeePerGas: 7n,
  coinbase: `0x${"cc".repeat(20)}` as const,
  prevRandao: `0x${"00".repeat(32)}` as const,
  blobBaseFee: 1n,
  l1Origin: { number: 0n, hash: `0x${"00".repeat(32)}` as const },
  protocolVersion: 1
}
let nonce = 0
const send = (em: typeof ExecutionManager.Service, state: any, tx: any) =>
  Effect.gen(function* () {
    const raw = yield* Effect.promise(() =>
      acct.signTransaction({
        type: "eip1559",
        chainId: 10,
        nonce: nonce++,
        gas: 5_000_000n,
        maxFeePerGas: 10n,
        maxPriorityFeePerGas: 1n,
        ...tx
      })
    )
    const tree = CallTree.make()
    const t0 = performance.now()
    const r = yield* em.executeTransaction({
      state,
      context,
      transaction: hexToBytes(raw),
      tracer: tree.tracer
    })
    console.log(
      "ms",
      (performance.now() - t0).toFixed(1),
      r.success,
      r.gasUsed,
      r.returnData.slice(0, 80),
      r.contractAddress,
      r.logs.length
    )
    return { ...r, tree: tree.root() }
  })
const program = Effect.gen(function* () {
  const sm = yield* StateManager
  const em = yield* ExecutionManager
  const state = yield* sm.open(sm.emptyRoot)
  yield* Effect.promise(() => state.setAccount(from, { nonce: 0n, balance: 10n ** 20n }))
  yield* send(em, state, { to: `0x${"ab".repeat(20)}`, value: 5n, gas: 21000n })
  console.log(yield* Effect.promise(() => state.getAccount(`0x${"ab".repeat(20)}`)))
  // initcode: PUSH1 0x2a PUSH0 SSTORE ; return runtime: PUSH0 SLOAD PUSH0 MSTORE PUSH1 20 PUSH0 RETURN  (5f545f5260205ff3 8 bytes)
  const init = "0x602a5f55" + "67" + "5f545f5260205ff3" + "5f52" + "6008" + "6018" + "f3"
  const c = yield* send(em, state, { data: init })
  yield* send(em, state, { to: c.contractAddress })
  const big = yield* send(em, state, { to: c.contractAddress })
  console.log(
    JSON.stringify(big.tree, (_, v) => (typeof v === "bigint" ? String(v) : v)).slice(0, 1500)
  )
  console.log(yield* Effect.promise(() => state.flush()))
})
Effect.runPromise(program.pipe(Effect.provide(Layer.merge(layerReference(), layerMemory)))).catch(
  (e) => console.error(e)
)
