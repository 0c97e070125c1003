import { describe, expect, it } from "vitest";
import type { RolloutSummary } from "../rollout/index.js";
import { formatEvaluation } from "./format-evaluation.js";

const shown = (changes: Partial<RolloutSummary>): string =>
  formatEvaluation({
    summary: {
      ...{ numEpisodes: 4, numSuccesses: 0, success: { value: 0, low: 0, high: 0.5 } },
      ...{ meanSumReward: 0, meanMaxReward: 0, meanLength: 3, roughness: undefined, boundaryJump: undefined },
      ...{ modes: { left: 0, right: 0 }, numUndecidedModes: 0 },
      entropy: { numCounted: 0, entropy: undefined, corrected: undefined, ceiling: undefined },
      ...changes,
    },
    settings: { environment: "avoiding-ts/1", numSteps: 1, numActionSteps: 4 },
    ...{ latency: undefined, file: "eval_info.json", videoFolder: undefined, isPartial: false, numEpisodes: 4 },
  });

describe("an evaluation in words", () => {
  it("says that the entropy is undefined where nothing succeeded", () => {
    const text = shown({});
    expect(text).toMatch(/ways taken +0 of 2\n/);
    expect(text).toMatch(/entropy of ways +undefined: no episode succeeded\n/);
  });

  it("does not say that nothing succeeded where ways were not decided", () => {
    const text = shown({ numSuccesses: 3, success: { value: 0.75, low: 0.3, high: 0.95 }, numUndecidedModes: 3 });
    expect(text).toMatch(/; 3 episodes, 3 of which leapt over a level of obstacles\)\n/);
    expect(text).toMatch(/ways taken +0 of 2; undecided in 3 successes\n/);
    expect(text).toMatch(/entropy of ways +undefined: no episode succeeded in a way that was decided\n/);
  });
});
