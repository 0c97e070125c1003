/** Several policies against one teacher: what `reflow compare` measures, and how it is kept. */
export { type ClosedLoopRequest, compareClosedLoop, type OpenedPolicy } from "./closed-loop/compare-closed-loop.js";
export * from "./comparison.js";
export { type ComparisonFolder, openComparisonFolder } from "./comparison-folder.js";
export { expectDatasetFit } from "./expect-dataset-fit.js";
export { expectEqualChunks, type NamedConfig } from "./expect-equal-chunks.js";
export { DEFAULT_MARGINS, judge, judgedSuccess } from "./judge.js";
export { compareOffline, type OfflinePart, type OfflineRequest } from "./offline/compare-offline.js";
export type { ObservedFlow, OpenedFlow } from "./offline/observed-flow.js";
export { policyFlow } from "./offline/policy-flow.js";
export { sampleFrames } from "./offline/sample-frames.js";
export { readComparison } from "./read-comparison.js";
export { type ComparisonRun, runComparison } from "./run-comparison.js";
