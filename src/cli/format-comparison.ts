import {
  type ClosedLoopRow,
  type Comparison,
  type FlowShape,
  judgedSuccess,
  type OfflineRow,
  type Verdict,
} from "../compare/index.js";
import type { Interval } from "../eval/index.js";
import { formatTable } from "./table.js";

const UNDEFINED = "-";

const percent = (value: number | undefined, digits = 1): string =>
  value === undefined ? UNDEFINED : `${(100 * value).toFixed(digits)} %`;
const fixed = (value: number | undefined, digits = 3): string => value?.toFixed(digits) ?? UNDEFINED;
const range = (interval: Interval | undefined, format: (value: number) => string): string =>
  interval === undefined ? UNDEFINED : `${format(interval.low)} to ${format(interval.high)}`;

/** All columns but the first are numbers. */
const numbers = (rows: readonly (readonly string[])[], header: readonly string[]): string =>
  formatTable(rows, { header, align: ["left", ...header.slice(1).map(() => "right" as const)] });

/**
 * A comparison as a person reads it: a table of samples, one of flows, one of closed loops, and the verdicts as sentences.
 *
 * @param files that were written
 */
export function formatComparison(comparison: Comparison, files: readonly string[]): string {
  const { offline, closedLoop, policies, settings, status } = comparison;
  const teacher = `${policies[0]!.name} with ${stepsText(settings.deployedSteps)}`;
  const sections = [
    ...(offline === undefined ? [] : [samplesSection(comparison, offline), flowsSection(offline.flows)]),
    ...(closedLoop === undefined ? [] : [closedLoopSection(comparison, closedLoop.rows)]),
    verdictsSection(comparison, teacher),
    ...(status === "partial"
      ? ["Interrupted: the figures are of what was measured until then. The same command continues the comparison."]
      : []),
    formatTable(files.map((file) => ["written", file])),
  ];
  return sections.join("\n\n");
}

export const stepsText = (numSteps: number): string => `${numSteps} ${numSteps === 1 ? "step" : "steps"}`;

function samplesSection(
  { settings, policies }: Comparison,
  { rows, otherNoise }: NonNullable<Comparison["offline"]>,
): string {
  const { dataset } = settings;
  const cells = rows.map((row: OfflineRow) => [
    row.policy,
    String(row.numSteps),
    percent(row.self.relativeError),
    percent(row.teacher.relativeError),
    fixed(row.teacher.noiseExplained),
    range(row.noiseExplainedInterval, (value) => fixed(value, 2)),
    fixed(row.teacher.spreadRatio, 2),
    percent(row.modes.betweenModes),
    fixed(row.energyDistance?.excess, 4),
    fixed(row.slicedWasserstein?.excess, 4),
  ]);
  const scale = [
    `${policies[0]!.name}, other noise`,
    "",
    "",
    percent(otherNoise.relativeError),
    fixed(otherNoise.noiseExplained),
    "",
    fixed(otherNoise.spreadRatio, 2),
  ];
  const header = [
    ...["policy", "steps", "e_self", "e_teach", "noise explained", "95 %", "spread", "between modes"],
    ...["energy dist.", "sliced W2"],
  ];
  const on = dataset ? `${dataset.numObservations} observations, ${dataset.numNoises} noises for each` : "";
  return `Samples from the same noise (${on}):\n${numbers([...cells, scale], header)}`;
}

function flowsSection(flows: readonly FlowShape[]): string {
  const cells = flows.map((flow) => [
    flow.policy,
    fixed(flow.straightness, 4),
    percent(flow.perFlowCost),
    percent(flow.perDrawnCost),
    fixed(flow.initialVelocityDelta, 4),
    fixed(flow.cost, 4),
    fixed(flow.identity?.loss, 4),
    fixed(flow.identity?.excess, 4),
  ]);
  const header = [
    ...["flow", "straightness", "of its cost", "of drawn cost", "initial velocity", "cost", "loss", "excess of loss"],
  ];
  return `Flows from noise to actions:\n${numbers(cells, header)}`;
}

function closedLoopSection({ settings }: Comparison, rows: readonly ClosedLoopRow[]): string {
  const cells = rows.map(({ policy, numSteps, status, summary, against, latency }) => [
    policy,
    String(numSteps),
    `${summary.numSuccesses} of ${summary.numEpisodes}${status === "partial" ? " (partial)" : ""}`,
    percent(summary.success?.value),
    range(summary.success, (value) => (100 * value).toFixed(1)),
    against?.differenceInterval ? range(against.differenceInterval, signedPoints) : UNDEFINED,
    fixed(against?.pValue),
    summary.entropy === undefined ? UNDEFINED : fixed(summary.entropy.entropy),
    fixed(against?.entropyShare, 2),
    against?.modeDistance
      ? `${fixed(against.modeDistance.totalVariation, 2)} (${fixed(against.modeDistance.byChance, 2)})`
      : UNDEFINED,
    percent(against?.sameMode, 0),
    latency === undefined ? UNDEFINED : `${latency.total.medianMs.toFixed(1)} ms`,
  ]);
  const header = [
    ...["policy", "steps", "successes", "success", "95 %", "difference, 95 %", "p", "entropy", "of teacher's"],
    ...["way distance (chance)", "same way", "latency"],
  ];
  const failed = rows.filter(({ summary }) => summary.numSuccesses === 0);
  const leaping = rows.filter(({ summary }) => summary.numUndecidedModes > 0);
  const nameOf = ({ policy, numSteps }: ClosedLoopRow): string => `${policy} with ${stepsText(numSteps)}`;
  const notes = [
    ...(failed.length === 0
      ? []
      : [`No episode succeeded of ${failed.map(nameOf).join(", ")}: the entropy of ways is undefined there.`]),
    ...leaping.map(
      (row) =>
        `${row.summary.numUndecidedModes} of ${row.summary.numSuccesses} successes of ${nameOf(row)} leapt over a level: ` +
        "their way is undecided. They are left out of the entropy, and are no successes to the verdicts.",
    ),
  ];
  const { id = "", numActionSteps } = settings.environment ?? {};
  const title = `Closed loop in ${id}, ${numActionSteps} actions of each chunk, the same starts and noises in every row:`;
  return [title, numbers(cells, header), ...notes].join("\n");
}

const signedPoints = (value: number): string => `${value > 0 ? "+" : ""}${(100 * value).toFixed(1)}`;

const MEASURES: Readonly<
  Record<Verdict["measure"], { readonly noun: string; readonly side: string; readonly digits: number }>
> = {
  success: { noun: "success", side: "at least", digits: 1 },
  entropyShare: { noun: "entropy of ways as a share of the teacher's", side: "at least", digits: 1 },
  betweenModes: { noun: "samples between modes", side: "at most", digits: 1 },
};

function verdictsSection({ verdicts, policies, closedLoop, margins, settings }: Comparison, teacher: string): string {
  const reference = closedLoop?.rows.find(
    ({ policy, numSteps }) => policy === policies[0]!.name && numSteps === settings.deployedSteps,
  );
  const rate = reference && judgedSuccess(reference.summary);
  const lines = [
    ...verdicts.map(verdictSentence),
    ...(rate !== undefined && rate <= margins.success
      ? [`success is not judged: the teacher itself succeeds in ${percent(rate)} only`]
      : []),
    ...(policies.length === 1 ? ["there is no policy beside the teacher to be judged"] : []),
  ];
  return `Against ${teacher}:\n${(lines.length > 0 ? lines : ["nothing could be judged"]).map((line) => `  ${line}`).join("\n")}`;
}

/** `student with 1 step keeps the margin: success 88.0 %, at least 86.0 %; its interval does not.` */
export function verdictSentence({ policy, numSteps, measure, value, bound, isMet, isCertain }: Verdict): string {
  const { noun, side, digits } = MEASURES[measure];
  const certainty =
    !isMet || isCertain === undefined
      ? ""
      : isCertain
        ? "; its interval does, too"
        : "; its interval does not: too few to be sure";
  return (
    `${policy} with ${stepsText(numSteps)} ${isMet ? "keeps" : "misses"} the margin: ${noun} ${percent(value, digits)}, ` +
    `${side} ${percent(bound, digits)} wanted${certainty}`
  );
}
