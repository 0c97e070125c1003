import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../support/atomic-file.js";
import { CheckpointError } from "../support/errors.js";
import { readJson } from "../support/read-json.js";
import { checkpointsUpTo, HEALTH_FILE, POLICY_FOLDER, rollBack, STATE_FOLDER } from "./checkpoint.js";
import type { CheckpointSources } from "./checkpoint-content.js";
import type { TimeSettings } from "./config.js";
import { HealthGuard, HealthWatch, type RunPlan, type SampleAgreement, WeightProbe } from "./health/index.js";
import { agreementRows } from "./held-out.js";
import { isTrainedFor } from "./is-trained-for.js";
import type { LoopOptions } from "./loop.js";
import type { Supervision } from "./supervised-loop.js";
import { restoreTrainingState } from "./training-state.js";

/** Every how many steps the movement of the weights is measured. */
const WEIGHT_INTERVAL = 10;

export interface SupervisionOptions {
  readonly sources: CheckpointSources;
  readonly firstStep: number;
  /** the training state that the run continues from; undefined for a new run */
  readonly stateFolder: string | undefined;
}

/** A supervision, what the loop must call for it, and what a checkpoint keeps of it. */
export interface PreparedSupervision {
  readonly supervision: Supervision;
  readonly hooks: Required<Pick<LoopOptions, "beforeUpdate" | "afterUpdate">>;
}

/** What watches over a run, with the state that an earlier part of it left. */
export async function prepareSupervision(options: SupervisionOptions): Promise<PreparedSupervision> {
  const { sources, firstStep, stateFolder } = options;
  const { config, prepared, optimizer, ema } = sources;
  const { outputDir } = config;
  // How often the run went back belongs to the run: going back must not rewind it.
  const guard = await openGuard(outputDir, stateFolder, config.health);
  const plan = (): RunPlan => ({
    numSteps: config.steps,
    schedule: (step) => sources.schedule(step) * guard.learningRateFactor,
  });
  const watchAt = async (folder: string | undefined, step: number): Promise<HealthWatch> => {
    const path = folder && join(folder, HEALTH_FILE);
    if (path === undefined || !existsSync(path)) return new HealthWatch(plan(), step);
    const watch = HealthWatch.fromJSON(await readJson(path), plan(), path);
    const { step: watched } = watch.toJSON().memory;
    if (watched === step) return watch;
    throw new CheckpointError(
      `${path}: expected what was known after step ${step}, got ${watched}. The checkpoint is damaged`,
    );
  };
  const probe = new WeightProbe({
    weights: [...optimizer.masters().values()],
    firstMoments: [...optimizer.moments().values()].map(({ expAvg }) => expAvg),
  });
  const goBack = async (lastGoodStep: number) => {
    const checkpoint = checkpointsUpTo(outputDir, lastGoodStep).at(-1);
    if (checkpoint === undefined) {
      throw new CheckpointError(
        `health: expected a checkpoint of at most ${lastGoodStep} steps in ${outputDir}, got none`,
      );
    }
    // A run that is killed in between finds the same again; the other way round it would go on from what was spoilt.
    await rollBack(outputDir, checkpoint);
    await writeGuard(outputDir, guard);
    const state = join(checkpoint.folder, STATE_FOLDER);
    const folders = { policy: join(checkpoint.folder, POLICY_FOLDER), state };
    const { step } = await restoreTrainingState(folders, optimizer, prepared.policy.model, ema);
    return { step, watch: await watchAt(state, step) };
  };
  return {
    supervision: {
      guard,
      watch: await watchAt(stateFolder, firstStep),
      weights: () => probe.measure(),
      agreement: (metrics) => (prepared.teacher ? trainedSteps(metrics, config.reflow.time) : []),
      goBack,
      goodCheckpoint: (lastGoodStep) => checkpointsUpTo(outputDir, lastGoodStep).at(-1)?.folder,
    },
    hooks: {
      beforeUpdate: (step) => {
        if (config.health !== "off" && step % WEIGHT_INTERVAL === 0) probe.remember();
      },
      afterUpdate: () => ema?.update(),
    },
  };
}

/** A run that begins has never gone back; one that continues in another folder takes its guard along. */
async function openGuard(
  outputDir: string,
  stateFolder: string | undefined,
  mode: HealthGuard["mode"],
): Promise<HealthGuard> {
  if (stateFolder === undefined) return new HealthGuard(mode);
  const [own, earlier] = [outputDir, join(stateFolder, "..", "..", "..")].map((folder) => join(folder, HEALTH_FILE));
  const path = [own!, earlier!].find(existsSync);
  if (path === undefined) return new HealthGuard(mode);
  const guard = HealthGuard.fromJSON(await readJson(path), mode, path);
  if (path !== own) await writeGuard(outputDir, guard);
  return guard;
}

const writeGuard = (outputDir: string, guard: HealthGuard): Promise<void> =>
  writeFileAtomically(join(outputDir, HEALTH_FILE), `${JSON.stringify(guard.toJSON())}\n`);

/** Agreement at one and ten steps, unless the times of those steps are none that are trained. */
const trainedSteps = (metrics: Readonly<Record<string, number>>, times: TimeSettings): SampleAgreement[] =>
  agreementRows(metrics).filter(({ numSteps }) => [1, 10].includes(numSteps) && isTrainedFor(numSteps, times));
