/** A comparison with one row of each kind per policy, to be changed by tests. */
import { summarizeEpisodes } from "../../rollout/index.js";
import { againstTeacher } from "../closed-loop/against-teacher.js";
import { type ClosedLoopRow, COMPARISON_FORMAT, type Comparison, type OfflineRow } from "../comparison.js";

export const WAYS = ["left", "right"] as const;

/** One letter per episode: `l` and `r` succeeded on that way, `.` failed. */
export function drivenRow(
  policy: string,
  numSteps: number,
  outcomes: string,
  status: "partial" | "complete" = "complete",
) {
  const episodes = [...outcomes].map((outcome, index) => ({
    ...{ index, seed: 1000 + index, length: 5 },
    success: outcome !== ".",
    mode: outcome === "l" ? "left" : outcome === "r" ? "right" : "",
  }));
  const details = { sumReward: 0, maxReward: 0, states: [], actions: [], chunkStarts: [] };
  const summary = summarizeEpisodes(
    episodes.map((episode) => ({ ...episode, ...details })),
    WAYS,
  );
  return { policy, numSteps, status, summary, episodes, seconds: 1, routes: [], videos: [] } satisfies ClosedLoopRow;
}

export const sampledRow = (policy: string, numSteps: number, betweenModes: number, beyondHigh?: number): OfflineRow => {
  const agreement = { relativeError: 0.1, noiseExplained: 0.9, spreadRatio: 1 };
  return {
    ...{ policy, numSteps, self: agreement, teacher: agreement, executed: agreement, errorPerDimension: [0.5] },
    modes: {
      ...{ betweenModes, referenceBetweenModes: 0, numMultimodal: 1 },
      ...{ totalVariation: undefined, entropyDifference: undefined },
    },
    ...(beyondHigh === undefined
      ? {}
      : { betweenModesBeyondTeacher: { value: betweenModes, low: 0, high: beyondHigh } }),
  };
};

/** Teacher with 10 steps, student with 1. */
export function smallComparison(
  { teacher, student }: { readonly teacher: string; readonly student: string },
  changes: Partial<Comparison> = {},
): Comparison {
  const reference = drivenRow("teacher", 10, teacher);
  const own = drivenRow("student", 1, student);
  const policy = { folder: "/policies", round: 1, isDistilled: false };
  return {
    ...{ format: COMPARISON_FORMAT, created: "2026-01-01T00:00:00.000Z", status: "complete" },
    margins: { success: 0.02, entropyShare: 0.05, betweenModes: 0.02 },
    settings: {
      ...{ numStepsList: [1], deployedSteps: 10, seed: 0, device: "cpu", precision: "fp32", versions: {} },
      environment: { id: "avoiding-ts/1", numEpisodes: teacher.length, numActionSteps: 4 },
    },
    policies: [
      { ...policy, name: "teacher" },
      { ...policy, name: "student", round: 2 },
    ],
    closedLoop: { rows: [reference, { ...own, against: againstTeacher(own, reference, 0) }] },
    verdicts: [],
    ...changes,
  };
}
