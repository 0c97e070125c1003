/** Several learning rates on one teacher: trained side by side, compared, one recommended. */
import { join } from "node:path";
import { writeFileAtomically } from "../../support/atomic-file.js";
import type { ArmResult } from "../../train/arms/arm-result.js";
import { formatRate, type RateOutcome, type Recommendation, recommendRate } from "../../train/arms/recommend-rate.js";
import type { TrainConfig } from "../../train/config.js";
import { trainConfigToJson } from "../../train/config-json.js";
import { isCuredBySmallerRate } from "../../train/health/finding.js";
import { chartsToSvg } from "../charts/charts-to-svg.js";
import type { LineChart } from "../charts/line-chart.js";
import { plotInTerminal } from "../charts/plot-in-terminal.js";
import { formatTable } from "../table.js";
import {
  AGREEMENT_HEADER,
  AGREEMENT_LEGEND,
  agreementCells,
  lastMetrics,
  metricsAt,
  number,
} from "./agreement-columns.js";
import { armToJson, lossAfter, lossCurve } from "./arm-json.js";
import { ARMS, openArmsFolder, resultFiles } from "./arms-folder.js";
import type { CompareOptions, Comparison } from "./comparison.js";
import { type ArmsOutcome, runArms } from "./run-arms.js";

const COMMAND = "lr-sweep";

/** Runs the sweep and writes its results. @param rates in rising order, at least two, all different */
export async function sweepLearningRates(
  settings: TrainConfig,
  rates: readonly number[],
  options: CompareOptions,
): Promise<Comparison> {
  const folder = await openArmsFolder(COMMAND, settings.outputDir, settings.overwrite);
  try {
    const requests = rates.map((rate) => ({ name: formatName(rate), settings: withRate(settings, rate) }));
    const outcome = await runArms(requests, {
      ...options,
      recordsOf: (name) => join(folder.path, ARMS, name),
      begin: folder.clear,
    });
    const text = await report(settings, rates, outcome, folder.path);
    return { text, wasInterrupted: outcome.wasInterrupted };
  } finally {
    folder.release();
  }
}

const formatName = (rate: number): string => rate.toExponential();

/** The settings of the run that has this peak learning rate. */
function withRate(settings: TrainConfig, rate: number): TrainConfig {
  const { optimizer, policy } = settings;
  if (!settings.usePolicyTrainingPreset && optimizer) return { ...settings, optimizer: { ...optimizer, lr: rate } };
  return { ...settings, policy: { ...policy, fields: { ...policy.fields, optimizer_lr: rate } } };
}

/** By what rates are compared: the difference at one step, or the loss where there is no teacher. */
const scoreOf = ({ policy }: TrainConfig): { readonly metric: string; readonly words: string } =>
  policy.useReflow
    ? { metric: "relative_error_1", words: "error at 1 step" }
    : { metric: "loss", words: "fixed-noise loss" };

function verdictOf({ diverged, findings }: ArmResult): RateOutcome["verdict"] {
  if (diverged) return "diverged";
  return findings.some(isCuredBySmallerRate) ? "unstable" : "stable";
}

/** The verdict, and the findings behind it. */
function describeVerdict(result: ArmResult): string {
  const verdict = verdictOf(result);
  if (result.diverged) return `${verdict} at step ${result.diverged.step}`;
  const kinds = [...new Set(result.findings.map(({ kind }) => kind))];
  return kinds.length === 0 ? verdict : `${verdict} (${kinds.join(", ")})`;
}

async function report(
  settings: TrainConfig,
  rates: readonly number[],
  outcome: ArmsOutcome,
  folder: string,
): Promise<string> {
  const { results, wasInterrupted, stepsDone, numSteps, window } = outcome;
  const { metric, words } = scoreOf(settings);
  const untrained = metricsAt(results[0]!, 0);
  const outcomes = results.map(
    (result, i): RateOutcome => ({
      learningRate: rates[i]!,
      score: lastMetrics(result)?.[metric],
      verdict: verdictOf(result),
    }),
  );
  const recommendation = recommendRate(outcomes, words, untrained?.[metric]);
  const charts = chartsOf(outcome, rates, settings.policy.useReflow);
  const files = resultFiles(COMMAND);
  const json = {
    version: 1,
    kind: COMMAND,
    status: wasInterrupted ? "partial" : "complete",
    steps_done: stepsDone,
    steps: numSteps,
    seed: outcome.seed,
    measured_on: outcome.measuredOn,
    score: metric,
    smoothing_window: window,
    untrained: untrained ?? null,
    arms: results.map((result, i) => ({
      learning_rate: rates[i],
      verdict: outcomes[i]!.verdict,
      score: outcomes[i]!.score ?? null,
      ...armToJson(result, window),
    })),
    recommendation: { learning_rate: recommendation.learningRate ?? null, reasons: recommendation.reasons },
    settings: trainConfigToJson(settings),
  };
  await writeFileAtomically(join(folder, files.json), `${JSON.stringify(json, null, 2)}\n`);
  await writeFileAtomically(join(folder, files.svg), chartsToSvg(charts));
  return [
    `${wasInterrupted ? "Partial results" : "Results"} after ${stepsDone} of ${numSteps} steps, measured against ${outcome.measuredOn}`,
    "",
    tableOf(outcome, !settings.policy.useReflow),
    "",
    `loss: of the first step, and the mean of the last ${Math.min(window, stepsDone)}. ${AGREEMENT_LEGEND}.`,
    ...charts.flatMap((chart) => ["", plotInTerminal(chart)]),
    "",
    ...formatRecommendation(recommendation, settings, wasInterrupted),
    `Written: ${join(folder, files.json)}, ${join(folder, files.svg)}, ${join(folder, ARMS)}/*/records.jsonl`,
  ].join("\n");
}

function tableOf({ results, window }: ArmsOutcome, hasLoss: boolean): string {
  const lossCell = (value: number | undefined): readonly string[] => (hasLoss ? [number(value)] : []);
  const untrained = metricsAt(results[0]!, 0);
  const rows = [
    ["untrained", "-", "-", ...lossCell(untrained?.loss), ...agreementCells(untrained), ""],
    ...results.map((result) => [
      result.name,
      number(result.losses[0]),
      number(lossAfter(result, result.losses.length, window)),
      ...lossCell(lastMetrics(result)?.loss),
      ...agreementCells(lastMetrics(result)),
      describeVerdict(result),
    ]),
  ];
  const header = [
    "learning rate",
    "first loss",
    "last loss",
    ...(hasLoss ? ["fixed-noise loss"] : []),
    ...AGREEMENT_HEADER,
    "verdict",
  ];
  const align = header.map((_, i) => (i === 0 || i === header.length - 1 ? "left" : "right"));
  return formatTable(rows, { header, align });
}

function chartsOf({ results, window }: ArmsOutcome, rates: readonly number[], isReflow: boolean): LineChart[] {
  const byRate = (metric: string): LineChart["series"][number]["points"] =>
    results.map((result, i) => [rates[i]!, lastMetrics(result)?.[metric] ?? Number.NaN] as const);
  return [
    {
      title: "Loss by learning rate",
      x: { label: "step", scale: "linear" },
      y: { label: `loss, mean of ${window}`, scale: "log" },
      series: results.map((result) => ({ name: result.name, points: lossCurve(result, window) })),
    },
    {
      title: isReflow ? "Difference from the teacher by learning rate" : "Fixed-noise loss by learning rate",
      x: { label: "peak learning rate", scale: "log" },
      y: { label: isReflow ? "relative error on equal noise" : "loss", scale: "log" },
      series: isReflow
        ? [1, 2, 10].map((n) => ({ name: n === 1 ? "1 step" : `${n} steps`, points: byRate(`relative_error_${n}`) }))
        : [{ name: "fixed-noise loss", points: byRate("loss") }],
      hasMarks: true,
    },
  ];
}

function formatRecommendation(
  { learningRate, reasons }: Recommendation,
  { seed, usePolicyTrainingPreset }: TrainConfig,
  isPartial: boolean,
): string[] {
  const option = usePolicyTrainingPreset ? "policy.optimizer_lr" : "optimizer.lr";
  const head =
    learningRate === undefined ? "No rate is recommended" : `Recommended: --${option}=${formatRate(learningRate)}`;
  return [
    `${head}${isPartial ? " (from partial results)" : ""}`,
    ...reasons.map((reason) => `  - ${reason}`),
    `  - one seed (${seed ?? "not fixed"}): small margins may be chance`,
  ];
}
