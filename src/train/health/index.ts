/** The health watch: what is wrong with a run, from its numbers. */
export { describeFinding, FINDING_KINDS, type Finding, type FindingKind, type Severity } from "./finding.js";
export { HEALTH_MODES, type HealthAction, HealthGuard, type HealthMode } from "./health-guard.js";
export { type HealthState, HealthWatch } from "./health-watch.js";
export type { ObservedStep, SampleAgreement } from "./run-memory.js";
export type { RunPlan } from "./run-plan.js";
export { type WeightMovement, WeightProbe } from "./weight-probe.js";
