/** Students that begin differently, on one teacher with equal compute: trained side by side and compared. */
import { join } from "node:path";
import { writeFileAtomically } from "../../support/atomic-file.js";
import { ConfigError } from "../../support/errors.js";
import type { ArmResult } from "../../train/arms/arm-result.js";
import type { TrainConfig } from "../../train/config.js";
import { trainConfigToJson } from "../../train/config-json.js";
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

const COMMAND = "compare-init";

/** What a student can begin as. */
export const INITS = ["teacher", "vlm", "random"] as const;
export type Init = (typeof INITS)[number];

/** Steps after which losses are compared, beside the last. */
const MILESTONES = [1000, 5000, 10_000, 20_000, 50_000, 100_000];

/** An arm of one seed. */
interface SeededResult {
  readonly init: Init;
  readonly seed: number;
  readonly result: ArmResult;
}

/**
 * Runs the comparison, one seed after the other, and writes its results.
 *
 * @param inits at least two, all different
 * @param numSeeds the settings' own seed and the following ones; with each, data, noises, times and fresh weights are others
 */
export async function compareInits(
  settings: TrainConfig,
  inits: readonly Init[],
  numSeeds: number,
  options: CompareOptions,
): Promise<Comparison> {
  expectReflow(settings);
  const folder = await openArmsFolder(COMMAND, settings.outputDir, settings.overwrite);
  try {
    const outcomes: ArmsOutcome[] = [];
    for (let place = 0; place < numSeeds; place++) {
      const first = outcomes[0]?.seed;
      const seed = first === undefined ? settings.seed : first + place;
      const requests = inits.map((init) => ({ name: init, settings: withInit(settings, init, seed) }));
      const outcome = await runArms(requests, {
        ...options,
        warnings: place === 0 ? options.warnings : [],
        milestones: MILESTONES,
        recordsOf: (name, actual) => join(folder.path, ARMS, numSeeds === 1 ? name : `${name}-seed-${actual}`),
        begin: place === 0 ? folder.clear : async () => {},
      });
      outcomes.push(outcome);
      if (outcome.wasInterrupted) break;
    }
    const wasInterrupted = outcomes.at(-1)!.wasInterrupted;
    return { text: await report(settings, inits, numSeeds, outcomes, folder.path), wasInterrupted };
  } finally {
    folder.release();
  }
}

function expectReflow({ policy }: TrainConfig): void {
  if (!policy.useReflow) {
    throw new ConfigError("training config", [
      {
        path: "policy.use_reflow",
        message: `expected true for ${COMMAND}, got false. Students are compared by their teacher`,
      },
    ]);
  }
  const start = policy.path ?? policy.pretrainedPath;
  if (start === undefined) return;
  throw new ConfigError("training config", [
    {
      path: policy.path === undefined ? "policy.pretrained_path" : "policy.path",
      message: `expected none for ${COMMAND}, got "${start}". What students begin as is what --inits compares`,
    },
  ]);
}

const withInit = (settings: TrainConfig, init: Init, seed: number | undefined): TrainConfig => ({
  ...settings,
  seed,
  policy: { ...settings.policy, studentInit: init },
});

async function report(
  settings: TrainConfig,
  inits: readonly Init[],
  numSeeds: number,
  outcomes: readonly ArmsOutcome[],
  folder: string,
): Promise<string> {
  const { numSteps, window, measuredOn } = outcomes[0]!;
  const isPartial = outcomes.some(({ wasInterrupted }) => wasInterrupted);
  const results = outcomes.flatMap(({ results: ofSeed, seed }) =>
    ofSeed.map((result, i): SeededResult => ({ init: inits[i]!, seed, result })),
  );
  const charts = chartsOf(results, window);
  const files = resultFiles(COMMAND);
  const json = {
    version: 1,
    kind: COMMAND,
    status: isPartial ? "partial" : "complete",
    steps: numSteps,
    seeds: outcomes.map(({ seed, stepsDone }) => ({ seed, steps_done: stepsDone })),
    measured_on: measuredOn,
    smoothing_window: window,
    arms: results.map(({ init, seed, result }) => ({
      init,
      seed,
      loss_after: Object.fromEntries(
        milestonesOf(result, numSteps).map((step) => [step, lossAfter(result, step, window)]),
      ),
      ...armToJson(result, window),
    })),
    settings: trainConfigToJson(settings),
  };
  await writeFileAtomically(join(folder, files.json), `${JSON.stringify(json, null, 2)}\n`);
  await writeFileAtomically(join(folder, files.svg), chartsToSvg(charts));
  const seeds = outcomes.map(({ seed, stepsDone }) => `${seed} (${stepsDone} of ${numSteps} steps)`);
  return [
    `${isPartial ? "Partial results" : "Results"} of ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}, measured against ${measuredOn}`,
    "",
    tableOf(results, numSteps, window),
    "",
    `loss@N: mean of the last ${window} losses up to step N; loss@1 is the first alone. ${AGREEMENT_LEGEND}.`,
    "All students had the same batches, noises, pairs and times. A random student also computes a vision-language model of its own.",
    ...charts.flatMap((chart) => ["", plotInTerminal(chart)]),
    "",
    numSeeds === 1
      ? "One seed for each student is one seed: small differences may be chance. Repeat with --seeds=3"
      : `${seeds.length} seeds: the spread over seeds is what chance alone does`,
    `Written: ${join(folder, files.json)}, ${join(folder, files.svg)}, ${join(folder, ARMS)}/*/records.jsonl`,
  ].join("\n");
}

/** Steps at which an arm's loss is shown: the first, the milestones that it reached, its last. */
const milestonesOf = ({ losses }: ArmResult, numSteps: number): readonly number[] =>
  [...new Set([1, ...MILESTONES.filter((step) => step < numSteps), losses.length])].filter(
    (step) => step >= 1 && step <= losses.length,
  );

function tableOf(results: readonly SeededResult[], numSteps: number, window: number): string {
  const longest = Math.max(...results.map(({ result }) => result.losses.length));
  const steps = [...new Set([1, ...MILESTONES.filter((step) => step < longest), longest])];
  const hasSeeds = new Set(results.map(({ seed }) => seed)).size > 1;
  const header = [
    "student",
    ...(hasSeeds ? ["seed"] : []),
    ...steps.map((step) => `loss@${step}`),
    ...AGREEMENT_HEADER,
    "",
  ];
  const rows = results.flatMap(({ init, seed, result }) => {
    const name = [init, ...(hasSeeds ? [String(seed)] : [])];
    const losses = steps.map((step) => number(lossAfter(result, step, step === 1 ? 1 : window)));
    const state = result.diverged
      ? `diverged at step ${result.diverged.step}`
      : result.losses.length < numSteps
        ? `partial, ${result.losses.length} steps`
        : "";
    return [
      [...name, ...steps.map(() => ""), ...agreementCells(metricsAt(result, 0)), "untrained"],
      [...name, ...losses, ...agreementCells(lastMetrics(result)), state],
    ];
  });
  const align = header.map((_, i) => (i === 0 || i === header.length - 1 ? ("left" as const) : ("right" as const)));
  return formatTable(rows, { header, align });
}

function chartsOf(results: readonly SeededResult[], window: number): LineChart[] {
  const hasSeeds = new Set(results.map(({ seed }) => seed)).size > 1;
  const nameOf = ({ init, seed }: SeededResult): string => (hasSeeds ? `${init}, seed ${seed}` : init);
  const chart = (
    title: string,
    label: string,
    pointsOf: (result: ArmResult) => LineChart["series"][number]["points"],
  ) => ({
    title,
    x: { label: "step", scale: "linear" as const },
    y: { label, scale: "log" as const },
    series: results.map((arm) => ({ name: nameOf(arm), points: pointsOf(arm.result) })),
  });
  return [
    chart("Loss by what the student began as", `loss, mean of ${window}`, (result) => lossCurve(result, window)),
    {
      ...chart("Difference from the teacher at 1 step", "error at 1 step", ({ measurements }) =>
        measurements.map(({ step, metrics }) => [step, metrics.relative_error_1 ?? Number.NaN] as const),
      ),
      hasMarks: true,
    },
  ];
}
