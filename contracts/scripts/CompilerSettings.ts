/** How every contract is compiled. A change here changes bytecode, so it rebuilds everything. */

/** Weighs run-time gas far above code size: the manager runs on every operation of L2. */
const DEFAULT_OPTIMIZER_RUNS = 10_000

/** Sources that need a smaller size than the default gives, by path below `src/`. */
const OPTIMIZER_RUNS: Readonly<Record<string, number>> = {}

/**
 * Warnings that do not fail the build, by solc's error code.
 * - 2394: "tstore" can break composability; the manager uses transient storage on purpose.
 * - 3860: initcode over EIP-3860, and 5574: code over EIP-170. `test/Artifacts.test.ts` judges those.
 */
export const TOLERATED_WARNINGS: ReadonlySet<string> = new Set(["2394", "3860", "5574"])

export const optimizerRunsOf = (source: string): number =>
  OPTIMIZER_RUNS[source] ?? DEFAULT_OPTIMIZER_RUNS

export const settingsOf = (source: string) => ({
  evmVersion: "cancun",
  viaIR: true,
  optimizer: { enabled: true, runs: optimizerRunsOf(source) },
  // Nothing but code in the bytecode: the same source gives the same bytes wherever it is compiled.
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: {
    [source]: {
      "*": [
        "abi",
        "evm.bytecode.object",
        "evm.bytecode.linkReferences",
        "evm.deployedBytecode.object",
        "evm.deployedBytecode.immutableReferences"
      ]
    }
  }
})
