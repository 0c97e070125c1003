import { existsSync } from "node:fs";
import { join } from "node:path";
import { solverByName } from "../../flow/index.js";
import { readRecords } from "../../records/read-records.js";
import { RECORDS_FILE } from "../../records/run-event.js";
import type { Stage } from "./plan-stages.js";

/** A stage that has been worked on, and how far. */
export interface Progressed {
  readonly stage: Stage;
  /** steps done */
  readonly step: number;
}

/**
 * Seconds that the stages from one on will take: their steps as long as those of the latest stage of their kind, or, of a kind
 * that has not run, as long as those of the latest of any kind for each pass of the network; undefined as long as no stage has
 * made a step.
 */
export async function secondsLeft(progress: readonly Progressed[]): Promise<number | undefined> {
  const known: { readonly stage: Stage; readonly secondsPerPass: number }[] = [];
  for (const { stage } of progress) {
    const rate = await secondsPerStep(stage.config.outputDir);
    if (rate !== undefined) known.push({ stage, secondsPerPass: rate / passesPerStep(stage) });
  }
  let seconds = 0;
  for (const { stage, step } of progress) {
    const alike = known.filter((other) => other.stage.kind === stage.kind).at(-1) ?? known.at(-1);
    if (alike === undefined) return undefined;
    seconds += Math.max(0, stage.config.steps - step) * passesPerStep(stage) * alike.secondsPerPass;
  }
  return seconds;
}

/**
 * How often a step goes through one of the networks with one sample, backwards counted as twice. Each observation is encoded
 * once, and encoding it is taken for as much work as one velocity: true enough for a guess.
 */
function passesPerStep({ kind, config }: Stage): number {
  const { batchSize, gradientAccumulation, policy, reflow, flowMatching } = config;
  const numObservations = batchSize * gradientAccumulation;
  const encoding = policy.fields.train_expert_only === false ? 3 : 1;
  if (kind === "flow_matching") return numObservations * (encoding + 3 * flowMatching.noisesPerObservation);
  const solve = solverByName(reflow.teacherSolver).numEvaluations(policy.reflowNumInferenceSteps);
  const making = reflow.pairs === undefined ? solve / reflow.pairUses : 0;
  return numObservations * (encoding + (3 + making) * reflow.noisesPerObservation);
}

/** Of the latest time that a run went on, from its first event to its last. */
async function secondsPerStep(runFolder: string): Promise<number | undefined> {
  const path = join(runFolder, RECORDS_FILE);
  if (!existsSync(path)) return undefined;
  const { records } = await readRecords(path);
  const [start, last] = [records.filter(({ event }) => event === "run-start").at(-1), records.at(-1)];
  if (start === undefined || last === undefined || last.step <= start.step) return undefined;
  return (Date.parse(last.time) - Date.parse(start.time)) / 1000 / (last.step - start.step);
}
