/** Measures of policies and of flows. Which says what, and what it hides: docs/guide/measures.md. */
export {
  type Agreement,
  type AgreementSums,
  agreementOf,
  agreementSums,
  measureAgreement,
} from "./agreement.js";
export { type AgreementRequest, type AgreementRow, agreementTable } from "./agreement-table.js";
export { type AgreementViews, agreementViews } from "./agreement-views.js";
export { type ControlRate, controlRate } from "./control/control-rate.js";
export { type LatencyStatistics, latencyStatistics } from "./control/latency-statistics.js";
export { type Latency, type LatencyRequest, measureLatency } from "./control/measure-latency.js";
export { measureSmoothness, type Smoothness, type SmoothnessRequest } from "./control/measure-smoothness.js";
export { type ChamferDistances, chamferDistances } from "./distributions/chamfer-distances.js";
export { compareModes, type ModeComparison, type ModeOptions } from "./distributions/compare-modes.js";
export { energyDistance } from "./distributions/energy-distance.js";
export { exactWasserstein } from "./distributions/exact-wasserstein.js";
export { findModes, type Mode, type Modes } from "./distributions/find-modes.js";
export { maximumMeanDiscrepancy } from "./distributions/maximum-mean-discrepancy.js";
export { type SlicedOptions, slicedWasserstein } from "./distributions/sliced-wasserstein.js";
export { type SplitDistance, splitDistance } from "./distributions/split-distance.js";
export { errorPerDimension } from "./error-per-dimension.js";
export { type StepAgreement, studentAgreement, type TeacherBaselines, teacherBaselines } from "./flow-agreement.js";
export { checkIdentity, type IdentityCheck, type IdentityTerms } from "./paths/check-identity.js";
export { initialVelocityDeltas } from "./paths/initial-velocity-deltas.js";
export { measureStraightness, type Straightness } from "./paths/measure-straightness.js";
export { type PathShape, pathShapes } from "./paths/path-shapes.js";
export { type PathTrace, type TraceOptions, tracePaths } from "./paths/trace-paths.js";
export { transportCosts } from "./paths/transport-costs.js";
export { type UniformTimeOptions, uniformTimeLosses } from "./paths/uniform-time-losses.js";
export { type VelocityDeviation, velocityDeviation } from "./paths/velocity-deviation.js";
export { meanAction } from "./samples/mean-action.js";
export { type SolvedSamples, type SolvedSamplesOptions, solvedSamples } from "./samples/solved-samples.js";
export { type ActionsView, viewActions } from "./samples/view-actions.js";
export { type BootstrapOptions, bootstrapInterval } from "./statistics/bootstrap-interval.js";
export type { Interval } from "./statistics/interval.js";
export { type McNemarTest, mcnemarTest } from "./statistics/mcnemar-test.js";
export { meanOf } from "./statistics/mean-of.js";
export { quantile } from "./statistics/quantile.js";
export { wilsonInterval } from "./statistics/wilson-interval.js";
