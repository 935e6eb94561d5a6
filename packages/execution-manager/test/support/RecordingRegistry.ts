/** The code registry, and all that it was asked for: what has to be registered on L1 before a run. */
import { Effect, Layer } from "effect"
import * as CodeRegistry from "../../src/CodeRegistry.ts"
import type { Registration } from "./L1Manager.ts"

export const recordingRegistry = (registrations: Map<string, Registration>) =>
  Layer.effect(
    CodeRegistry.CodeRegistry,
    Effect.map(CodeRegistry.CodeRegistry, ({ prepare }) =>
      CodeRegistry.CodeRegistry.of({
        prepare: (original, mode) => {
          const prepared = prepare(original, mode)
          if ("transpilation" in prepared) {
            const transpiled = prepared.transpilation.code
            registrations.set(mode + prepared.codeHash, { mode, original, transpiled })
          }
          return prepared
        }
      })
    )
  ).pipe(Layer.provide(CodeRegistry.layer))
