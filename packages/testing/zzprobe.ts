import { Effect } from "effect"
import * as OvmRun from "./src/OvmRun.ts"
import { makePlainMachine } from "./src/PlainRun.ts"
import { runFuzz } from "./src/Fuzz.ts"
import { listing } from "./src/internal/Assembly.ts"
const p = Effect.gen(function*(){
  const ovm = yield* OvmRun.make
  const plain = makePlainMachine()
  const s = yield* runFuzz({ machines: { plain, ovm } as never, seed: 50000, runs: 150 })
  console.log(s.verdicts)
  for (const f of s.findings) {
    console.log("-----", f.verdict.test, f.verdict.what.slice(0,300), f.minimal.data, f.minimal.value)
    f.minimal.contracts.forEach((c, i) => console.log("contract", i, listing(c).replaceAll("\n","; ")))
    if (f.minimal.initCode) console.log("init", listing(f.minimal.initCode).replaceAll("\n", "; "))
  }
}).pipe(Effect.provide(OvmRun.layer))
await Effect.runPromise(p as never)
