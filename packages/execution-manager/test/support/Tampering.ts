/** The reference manager over an engine whose supply or prices, or with native code that, a test tampers with. */
import { Effect, Layer } from "effect"
import * as CodeRegistry from "../../src/CodeRegistry.ts"
import { Engine, type EngineRun } from "../../src/Engine.ts"
import * as EthereumJsEngine from "../../src/EthereumJsEngine.ts"
import { defaultOptions, layerWith, STATE_MANAGER } from "../../src/ReferenceExecutionManager.ts"

const engine = EthereumJsEngine.layer(STATE_MANAGER)

/** Each native run is changed before it begins. */
export const layerTampering = (
  tamper: (run: EngineRun) => EngineRun,
  below: Layer.Layer<Engine> = engine
) =>
  layerWith(defaultOptions).pipe(
    Layer.provide([
      Layer.effect(
        Engine,
        Effect.map(Engine, (real) => Engine.of({ ...real, run: (run) => real.run(tamper(run)) }))
      ).pipe(Layer.provide(below)),
      CodeRegistry.layer
    ])
  )

/** All code runs natively as it is, unchecked: what an attacker would do if the gate let him. */
export const layerUnchecked = layerWith(defaultOptions).pipe(
  Layer.provide([
    engine,
    Layer.effect(
      CodeRegistry.CodeRegistry,
      Effect.map(CodeRegistry.CodeRegistry, ({ prepare }) =>
        CodeRegistry.CodeRegistry.of({
          prepare: (original, mode) => {
            const prepared = prepare(original, mode)
            if ("refusal" in prepared) return prepared
            return { ...prepared, transpilation: { ...prepared.transpilation, code: original } }
          }
        })
      )
    ).pipe(Layer.provide(CodeRegistry.layer))
  ])
)
