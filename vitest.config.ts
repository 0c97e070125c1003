import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: Math.max(2, availableParallelism() - 1), // many wait for processes of their own
    // Test files run side by side; threads of one that wait for cores held by another cost far more than they gain.
    env: { OMP_NUM_THREADS: "1", SVT_LOG: "0" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
