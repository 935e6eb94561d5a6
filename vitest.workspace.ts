import { defineWorkspace } from "vitest/config"

/** One project for the whole tree: a test file is found by its name, `test/<Module>.test.ts`. */
export default defineWorkspace([
  {
    test: {
      name: "ovm",
      include: [
        "packages/*/test/**/*.test.ts",
        "contracts/test/**/*.test.ts",
        "examples/*/test/**/*.test.ts"
      ],
      testTimeout: 30_000,
      hookTimeout: 60_000,
      pool: "forks"
    }
  }
])
