import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Where long tests are first, so that no worker is alone with one at the end; by the fourth folder, stock LeRobot is installed. */
const ORDER = ["test/robustness/", "test/runs/", "test/faults/", "test/interop/", "test/", "src/"];

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const path = relative(this.ctx.config.root, moduleId);
      return ORDER.findIndex((folder) => path.startsWith(folder));
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: Math.max(2, availableParallelism() - 1), // many wait for processes of their own
    sequence: { sequencer: LongFirst },
    // Test files run side by side; threads of one that wait for cores held by another cost far more than they gain.
    env: { OMP_NUM_THREADS: "1", SVT_LOG: "0" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
